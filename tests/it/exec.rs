//! `Command::exec`: the plan in this process, and what is left of it when that fails.

use crate::own_process;
use crate::support::helper;
use crate::support::sources::{leaky, memory, memory_at};
use crate::support::table::Table;
use fdspawn::{Command, Failure, Rungs, Stdio};
use std::os::fd::AsRawFd;

/// Runs `exec` in a forked child of this process, which has it to itself.
fn status_of(exec: impl FnOnce()) -> i32 {
    // SAFETY: the test process has one other thread, which waits; the child ends here.
    unsafe {
        match libc::fork() {
            0 => {
                exec();
                libc::_exit(98)
            }
            pid => {
                let mut status = 0;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                assert!(libc::WIFEXITED(status), "{status:#x}");
                libc::WEXITSTATUS(status)
            }
        }
    }
}

own_process! {
    fn program_replaces_the_process_with_the_planned_descriptors() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let (one, other) = (leaky(memory("one")), leaky(memory("other")));
        for without in [Rungs::empty(), Rungs::CLONE3, Rungs::CLONE] {
            let status = status_of(|| {
                let mut command = helper("table");
                command.arg(&out).without(without);
                command.fd(one.as_raw_fd(), &other).fd(other.as_raw_fd(), &one).fd(33, Stdio::data("data"));
                panic!("{}", command.exec());
            });
            assert_eq!(status, 0, "{without:?}");
            let table = Table::read(&out);
            assert_eq!(table.content(one.as_raw_fd()), Some("other"));
            assert_eq!(table.content(other.as_raw_fd()), Some("one"));
            assert_eq!(table.content(33), Some("data"));
            assert_eq!(table.0.len(), 6, "{without:?}: {table}");
        }
    }
}

own_process! {
    fn process_keeps_its_number() {
        let pid = std::process::id();
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("pid");
        let status = status_of(|| {
            let own = std::process::id();
            assert_ne!(own, pid);
            let mut command = Command::new("/bin/sh");
            let script = format!("[ $$ = {own} ] && cd / && pwd > {}", out.display());
            panic!("{}", command.args(["-c", &script]).exec());
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn failure_leaves_the_process_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let _one = memory_at(5, "one", false);
        let _other = memory_at(6, "other", true);
        let state = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let signals: Vec<String> = status.lines().filter(|line| line.starts_with("Sig") || line.starts_with("Threads"))
                .map(str::to_owned).collect();
            (Table::current(), signals, std::env::current_dir().unwrap())
        };
        let before = state();
        for without in [Rungs::empty(), Rungs::CLONE3] {
            for _ in 0..10 {
                let mut command = Command::new("/no/such");
                command.without(without).fd(6, Stdio::null()).fd(5, Stdio::same_as(1)).fd(7, Stdio::data("data"));
                let error = command.current_dir("/usr").exec();
                assert!(matches!(error.failure(), Failure::Exec), "{error}");
                assert_eq!(error.to_string(), "cannot exec `/no/such`: No such file or directory");
                assert!(matches!(command.current_dir("/nope").exec().failure(), Failure::WorkingDirectory(Some(_))));
            }
        }
        drop(directory);
        // The thread that ran the steps may take a moment to be gone from the kernel's list.
        while std::fs::read_dir("/proc/self/task").unwrap().count() > 2 {
            std::thread::yield_now();
        }
        assert_eq!(state(), before);
    }
}

own_process! {
    fn hooks_run_in_the_process_and_their_errors_return() {
        std::panic::set_hook(Box::new(|_| {}));
        static RAN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        for without in [Rungs::empty(), Rungs::CLONE3] {
            let mut command = Command::new("true");
            command.without(without);
            // SAFETY: the hook runs in this process.
            unsafe {
                command.pre_exec(|| {
                    RAN.store(true, std::sync::atomic::Ordering::Relaxed);
                    Err(std::io::Error::other("not today"))
                })
            };
            let error = command.exec();
            assert_eq!(error.to_string(), "cannot exec `true`: pre_exec hook 0: not today");
            assert!(RAN.swap(false, std::sync::atomic::Ordering::Relaxed));
            let mut command = Command::new("true");
            // SAFETY: the hook runs in this process.
            unsafe { command.without(without).pre_exec(|| panic!("in the hook")) };
            assert!(matches!(command.exec().failure(), Failure::HookPanicked { index: 0 }));
        }
    }
}

own_process! {
    fn closed_rest_does_not_reach_the_descriptors_of_others_in_the_process() {
        let file = leaky(memory("content"));
        let error = Command::new("/no/such").exec();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        // Were it closed, dropping the file would abort the process in a debug build.
        assert_eq!(Table::current().content(file.as_raw_fd()), Some("content"));
    }
}
