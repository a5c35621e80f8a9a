//! `fork_run`: a function in a forked child.

mod failures;
mod threads;

use crate::own_process;
use crate::support::children;
use crate::support::sources::{close, leaky, memory, memory_at};
use crate::support::table::Table;
use fdspawn::plan::Refusal;
use fdspawn::{Error, Failure, FdMap, Features, Launcher, Rest, Stdio, fork_run};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU32, Ordering};

/// A descriptor of the plan, in the child.
fn at(number: RawFd) -> std::mem::ManuallyDrop<File> {
    // SAFETY: the plan of each test has the number.
    std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

/// The table that a child finds and writes to a pipe at `number`, without that number.
fn table_in_child(map: &mut FdMap<'_>, number: RawFd) -> Result<Table, Error> {
    let slot = map.reader(number);
    // SAFETY: no other thread of this process holds a lock, and the function uses the plan's descriptors only.
    let mut child = unsafe {
        fork_run(map, || {
            let mut table = Table::current();
            table.0.retain(|entry| entry.number != number);
            at(number).write_all(table.to_string().as_bytes()).map_or(1, |()| 0)
        })?
    };
    let mut text = String::new();
    child.take(slot).unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait()?.success());
    Ok(text.parse().unwrap())
}

own_process! {
    fn status_is_what_the_function_returns() {
        for status in [0, 1, 101, 255, 256, -1] {
            // SAFETY: the function does nothing.
            let mut child = unsafe { fork_run(&mut FdMap::new(), || status) }.unwrap();
            assert_eq!(child.launched_by(), Launcher::Fork);
            assert_ne!(child.id(), std::process::id());
            assert_eq!(child.wait().unwrap().code(), Some(status & 0xff));
        }
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn child_has_the_plan_and_nothing_else_by_every_fallback() {
        let (one, two, other) = (memory("one"), memory("two"), leaky(memory("other")));
        let kept = memory_at(50, "kept", true);
        let before = Table::current();
        let features = [Features::empty(), Features::CLOSE_RANGE, Features::CLOSE_RANGE | Features::PROC];
        for missing in features {
            let mut map = FdMap::new();
            // The plan has a swap, a source of two targets, data, and a closed target.
            map.fd(one.as_raw_fd(), &two)
                .fd(two.as_raw_fd(), &one)
                .fd(70, &one)
                .fd(71, Stdio::data("data"))
                .keep(&kept);
            map.stdin(Stdio::closed()).missing(missing);
            let table = table_in_child(&mut map, 80).unwrap();
            let expected =
                [(one.as_raw_fd(), "two"), (two.as_raw_fd(), "one"), (50, "kept"), (70, "one"), (71, "data")];
            assert_eq!(table.contents()[2..], expected, "{missing:?}");
            assert_eq!(table.numbers()[..2], [1, 2]);
            assert!(table.0.iter().all(|entry| !entry.close_on_exec));
            assert_eq!(Table::current(), before);
        }
        drop(other);
    }
}

own_process! {
    fn inherited_rest_is_the_parents_without_what_the_launch_opened() {
        let (one, two) = (memory("one"), memory("two"));
        let before = Table::current();
        let mut map = FdMap::new();
        map.rest(Rest::Inherit).fd(one.as_raw_fd(), &two).fd(two.as_raw_fd(), &one).fd(40, Stdio::data("data"));
        let _input = map.writer(41);
        let table = table_in_child(&mut map, 42).unwrap();
        let mut expected = before.numbers();
        expected.extend([40, 41]);
        expected.sort_unstable();
        assert_eq!(table.numbers(), expected);
        assert_eq!(table.content(one.as_raw_fd()), Some("two"));
        assert_eq!(table.content(two.as_raw_fd()), Some("one"));
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn inherited_rest_does_not_keep_the_parents_end_open_in_the_child() {
        let mut map = FdMap::new();
        map.rest(Rest::Inherit);
        let (input, output) = (map.writer(40), map.reader(41));
        // SAFETY: no other thread of this process holds a lock, and the function uses the plan's descriptors only.
        let mut child = unsafe {
            fork_run(&mut map, || {
                let mut text = Vec::new();
                // The read ends only if no writer is left, those of this child included.
                let read = at(40).read_to_end(&mut text);
                read.and_then(|_| at(41).write_all(&text)).map_or(1, |()| 0)
            })
        }
        .unwrap();
        child.take(input).unwrap().write_all(b"through").unwrap();
        let mut text = String::new();
        child.take(output).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    fn nothing_that_was_printed_is_written_twice_or_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("output");
        let file = File::create(&path).unwrap();
        // SAFETY: no other thread uses 1, and it may be replaced.
        unsafe { libc::dup2(file.as_raw_fd(), 1) };
        print!("parent;");
        // SAFETY: as above.
        let mut child = unsafe {
            fork_run(&mut FdMap::new(), || {
                print!("child;");
                0
            })
        }
        .unwrap();
        assert!(child.wait().unwrap().success());
        print!("parent again;");
        std::io::stdout().flush().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "parent;child;parent again;");
    }
}

own_process! {
    fn neither_destructors_nor_atexit_functions_run_in_the_child() {
        static FILE: AtomicU32 = AtomicU32::new(0);
        struct WriteOnDrop(RawFd);
        impl Drop for WriteOnDrop {
            fn drop(&mut self) {
                let _ = at(self.0).write_all(b"dropped;");
            }
        }
        extern "C" fn at_exit() {
            let _ = at(FILE.load(Ordering::Relaxed) as RawFd).write_all(b"at exit;");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let file = File::options().append(true).create(true).open(&path).unwrap();
        FILE.store(file.as_raw_fd() as u32, Ordering::Relaxed);
        // SAFETY: the function exists as long as the program; this process ends by `_exit`.
        unsafe { libc::atexit(at_exit) };
        let write_on_drop = WriteOnDrop(file.as_raw_fd());
        let mut map = FdMap::new();
        map.keep(&file);
        // SAFETY: no other thread of this process holds a lock, and the function uses the plan's descriptors only.
        let mut child = unsafe {
            fork_run(&mut map, move || {
                at(std::hint::black_box(&write_on_drop).0).write_all(b"child;").map_or(1, |()| 0)
            })
        }
        .unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(std::fs::read_to_string(&path).unwrap().matches("child;").count(), 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap().matches("dropped;").count(), 1, "by the parent alone");
        assert_eq!(std::fs::read_to_string(&path).unwrap().matches("at exit;").count(), 0);
    }
}

own_process! {
    fn signals_are_as_in_the_parent() {
        extern "C" fn handler(_: i32) {}
        // SAFETY: the handler does nothing; all zeros is a valid set.
        unsafe {
            libc::signal(libc::SIGUSR1, handler as *const () as usize);
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut set, libc::SIGUSR2);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        }
        fn state() -> (Vec<usize>, Vec<u64>) {
            let mut actions = Vec::new();
            let mut mask = 0_u64;
            // SAFETY: the kernel's structures are written.
            unsafe {
                libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut mask, 8);
                for signal in 1..=64 {
                    let mut action = [0_usize; 8];
                    libc::syscall(libc::SYS_rt_sigaction, signal, 0, action.as_mut_ptr(), 8);
                    actions.push(action[0]);
                }
            }
            (actions, vec![mask])
        }
        let before = state();
        // SAFETY: no other thread of this process holds a lock.
        let mut child = unsafe { fork_run(&mut FdMap::new(), || i32::from(state() != before)) }.unwrap();
        assert!(child.wait().unwrap().success());
        assert!(state() == before);
    }
}

own_process! {
    fn moved_source_is_closed_here_and_cannot_be_given_twice() {
        let before = Table::current();
        let mut map = FdMap::new();
        map.fd(30, memory("moved"));
        // SAFETY: no other thread of this process holds a lock.
        let mut child = unsafe { fork_run(&mut map, || 0) }.unwrap();
        assert!(child.wait().unwrap().success());
        drop(child);
        assert_eq!(Table::current(), before);
        // SAFETY: as above.
        let error = unsafe { fork_run(&mut map, || 0) }.unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(Refusal::SourceSpent { target: 30 })), "{error}");
    }
}

own_process! {
    fn sources_of_a_runtime_are_those_of_a_map_too() {
        let own = memory_at(0, "own", false);
        let (moved, shared) = (memory_at(31, "moved", true), std::sync::Arc::new(memory_at(32, "shared", true)));
        let mut map = FdMap::new();
        // SAFETY: 32 stays open during the call.
        let strict = unsafe { Stdio::borrow_raw(32) };
        map.not_inherited([0]).keep(moved).keep(shared.clone()).fd(40, strict);
        let table = table_in_child(&mut map, 9).unwrap();
        assert_eq!(table.contents()[3..], [(31, "moved"), (32, "shared"), (40, "shared")]);
        assert_ne!(table.content(0), Some("own"));
        assert_eq!(Table::current().content(31), None, "the parent has closed what was moved");
        drop(own);
        // SAFETY: the number is closed.
        let strict = unsafe { Stdio::borrow_raw(0) };
        // SAFETY: no other thread of this process holds a lock.
        let error = unsafe { fork_run(FdMap::new().stdout(strict), || 0) }.unwrap_err();
        let refusal = Refusal::SourceNotOpen { target: 1, source: 0 };
        assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
    }
}

own_process! {
    fn running_function_can_be_killed_and_its_descriptors_are_closed_with_it() {
        let mut map = FdMap::new();
        let output = map.reader(9);
        // SAFETY: no other thread of this process holds a lock.
        let mut child = unsafe {
            fork_run(&mut map, || {
                let _ = at(9).write_all(b"runs");
                loop {
                    libc::pause();
                }
            })
        }
        .unwrap();
        let mut output = child.take(output).unwrap();
        let mut text = [0; 4];
        output.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"runs");
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(child.pidfd().is_some(), kernel_makes_pidfds());
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(output.read(&mut text).unwrap(), 0);
    }
}

/// Whether the kernel makes pidfds. A rerun of `launch/reruns.rs` may refuse them.
fn kernel_makes_pidfds() -> bool {
    // SAFETY: only numbers are passed; the descriptor is closed below.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    if fd >= 0 {
        close(fd as RawFd);
    }
    fd >= 0
}
