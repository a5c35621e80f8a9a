//! Launches of functions that fail, and what they leave behind.

use super::table_in_child;
use crate::own_process;
use crate::support::children;
use crate::support::mounts::unmount_proc;
use crate::support::seccomp::answer;
use crate::support::sources::{close, memory, set_limit};
use crate::support::table::Table;
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Failure, FdMap, Features, Launcher, Stdio, fork_run};
use seccompiler::SeccompAction;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;

own_process! {
    fn output_that_cannot_be_flushed_is_an_error_before_the_fork() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        // SAFETY: no other thread uses 1, and it may be replaced.
        let real = unsafe { libc::fcntl(1, libc::F_DUPFD_CLOEXEC, 3) };
        // SAFETY: as above.
        unsafe { libc::dup2(full.as_raw_fd(), 1) };
        print!("lost");
        let before = Table::current();
        // SAFETY: as above.
        let error = unsafe { fork_run(&mut FdMap::new(), || panic!("not to be run")) }.unwrap_err();
        assert!(matches!(error.failure(), Failure::Flush), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        let text = "cannot run a function in a child: cannot flush standard output: No space left on device";
        assert_eq!(error.to_string(), text);
        assert_eq!(Table::current(), before);
        assert_eq!(children(), 0);
        // SAFETY: as above.
        unsafe { libc::dup2(real, 1) };
        close(real);
    }
}

own_process! {
    fn panic_ends_the_child_and_not_the_parent() {
        // SAFETY: no other thread of this process holds a lock.
        let mut child = unsafe { fork_run(&mut FdMap::new(), || panic!("in the child")) }.unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(101));
    }
}

own_process! {
    fn failures_leave_nothing_and_keep_what_was_moved() {
        let before = Table::current();
        let refused = |map: &mut FdMap<'_>| {
            // SAFETY: no other thread of this process holds a lock.
            let error = unsafe { fork_run(map, || panic!("not to be run")) }.unwrap_err();
            assert_eq!(children(), 0);
            error
        };
        let mut map = FdMap::new();
        map.fd(30, Stdio::null());
        let _ = map.reader(30);
        let error = refused(&mut map);
        assert!(matches!(error.failure(), Failure::Refused(Refusal::TargetTwice { target: 30 })), "{error}");
        assert_eq!(error.to_string(), "cannot run a function in a child: target 30 is given twice");

        let moved = memory("moved");
        let number = moved.as_raw_fd();
        let mut map = FdMap::new();
        map.fd(31, moved).missing(Features::CLOSE_RANGE | Features::PROC | Features::SEARCH);
        let error = refused(&mut map);
        assert!(matches!(error.failure(), Failure::Child(Step::CloseFrom { .. })), "{error}");
        // The failed launch has left the moved file in the plan.
        map.missing(Features::empty());
        assert_eq!(table_in_child(&mut map, 40).unwrap().content(31), Some("moved"));
        assert!(!Table::current().numbers().contains(&number));
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn fork_that_is_refused_is_an_error() {
        // libc's fork is a clone.
        if answer(&[libc::SYS_clone, libc::SYS_clone3], SeccompAction::Errno(libc::EAGAIN as u32)) {
            let before = Table::current();
            // SAFETY: no other thread of this process holds a lock.
            let error = unsafe { fork_run(&mut FdMap::new(), || 0) }.unwrap_err();
            assert!(matches!(error.failure(), Failure::Launch(Launcher::Fork)), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
            assert_eq!(Table::current(), before);
        }
    }
}

own_process! {
    fn child_that_is_killed_before_the_function_is_an_error_and_no_zombie() {
        if answer(&[libc::SYS_close_range], SeccompAction::KillProcess) {
            let before = Table::current();
            // SAFETY: no other thread of this process holds a lock.
            let error = unsafe { fork_run(&mut FdMap::new(), || 0) }.unwrap_err();
            let sigsys = |status: &std::process::ExitStatus| status.signal() == Some(libc::SIGSYS);
            assert!(matches!(error.failure(), Failure::Killed(status) if sigsys(status)), "{error}");
            assert_eq!(children(), 0);
            assert_eq!(Table::current(), before);
        }
    }
}

own_process! {
    fn child_that_is_killed_before_the_function_is_an_error_without_proc_too() {
        if unmount_proc() && answer(&[libc::SYS_close_range], SeccompAction::KillProcess) {
            for _ in 0..100 {
                // SAFETY: no other thread of this process holds a lock.
                let error = unsafe { fork_run(&mut FdMap::new(), || 0) }.unwrap_err();
                assert!(matches!(error.failure(), Failure::Killed(_)), "{error}");
            }
        }
    }
}

own_process! {
    fn full_table_is_an_error_that_leaves_nothing() {
        let mut map = FdMap::new();
        let _output = map.reader(9);
        set_limit(64, 20_000);
        let mut full: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        set_limit(20_000, 20_000);
        // The table has room for no descriptor, and for one end of the plan's pipe. The library needs no number of its own.
        for room in 0..2 {
            let before = Table::current();
            set_limit(64, 20_000);
            // SAFETY: no other thread of this process holds a lock.
            let error = unsafe { fork_run(&mut map, || 0) }.unwrap_err();
            set_limit(20_000, 20_000); // a look at the table takes a number
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{room}: {error}");
            assert!(matches!(error.failure(), Failure::Open { .. }), "{room}: {error}");
            assert_eq!(Table::current(), before, "{room}");
            assert_eq!(children(), 0);
            full.pop();
        }
        set_limit(64, 20_000);
        // SAFETY: as above.
        assert!(unsafe { fork_run(&mut map, || 0) }.unwrap().wait().unwrap().success());
    }
}
