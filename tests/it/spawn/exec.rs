//! `Command::exec`: the plan in the calling process, and the state of the process if `exec` fails.

use crate::own_process;
use crate::support;
use crate::support::forked::status_of;
use crate::support::last_close::wait_for_hangup;
use crate::support::sources::{leaky, memory, memory_at};
use crate::support::table::Table;
use crate::support::{Over, helper};
use fdspawn::plan::Refusal;
use fdspawn::{Failure, Features, Stdio};
use std::os::fd::AsRawFd;

own_process! {
    fn program_replaces_the_process_with_the_planned_descriptors() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let (one, other) = (leaky(memory("one")), leaky(memory("other")));
        for missing in [Features::empty(), Features::PROC] {
            let status = status_of(|| {
                let mut command = helper("table");
                command.arg(&out).missing(missing);
                command.fd(one.as_raw_fd(), &other).fd(other.as_raw_fd(), &one).fd(33, Stdio::data("data"));
                // SAFETY: this child has one thread.
                panic!("{}", unsafe { command.exec_any_target() });
            });
            assert_eq!(status, 0, "{missing:?}");
            let table = Table::read(&out);
            assert_eq!(table.content(one.as_raw_fd()), Some("other"));
            assert_eq!(table.content(other.as_raw_fd()), Some("one"));
            assert_eq!(table.content(33), Some("data"));
            assert_eq!(table.0.len(), 6, "{missing:?}: {table}");
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
            let mut command = support::command("/bin/sh");
            let script = format!("[ $$ = {own} ] && cd / && pwd > {}", out.display());
            panic!("{}", command.args(["-c", &script]).exec());
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn failure_with_any_target_leaves_the_process_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let _one = memory_at(5, "one", false);
        let _other = memory_at(6, "other", true);
        let state = || {
            // The status of this thread: libtest may still be starting this thread when another looks, with all signals
            // blocked.
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let signals: Vec<String> = status
                .lines()
                .filter(|line| ["SigBlk", "SigIgn", "SigCgt", "Threads"].contains(&line.split(':').next().unwrap()))
                .map(str::to_owned)
                .collect();
            (Table::current(), signals, std::env::current_dir().unwrap())
        };
        let before = state();
        for missing in [Features::empty(), Features::PROC] {
            for _ in 0..support::rounds(1, 3) {
                let mut command = support::command("/no/such");
                command.missing(missing).fd(6, Stdio::null()).fd(5, Stdio::same_as(1)).fd(7, Stdio::data("data"));
                // SAFETY: no other thread of this process uses descriptors.
                let mut exec = |path| unsafe { command.current_dir(path).exec_any_target() };
                let error = exec("/usr");
                assert!(matches!(error.failure(), Failure::Exec), "{error}");
                assert_eq!(error.to_string(), "cannot exec `/no/such`: No such file or directory");
                assert!(matches!(exec("/nope").failure(), Failure::WorkingDirectory(Some(_))));
            }
        }
        drop(directory);
        assert_eq!(state(), before);
    }
}

own_process! {
    fn hooks_run_in_the_process_and_their_errors_return() {
        std::panic::set_hook(Box::new(|_| {}));
        static RAN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        {
            let mut command = support::command("true");
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
            let mut command = support::command("true");
            // SAFETY: the hook runs in this process.
            unsafe { command.pre_exec(|| panic!("in the hook")) };
            assert!(matches!(command.exec().failure(), Failure::HookPanicked { index: 0 }));
        }
    }
}

own_process! {
    fn closed_rest_does_not_reach_the_descriptors_of_others_in_the_process() {
        let file = leaky(memory("content"));
        let error = support::command("/no/such").exec();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        // If it were closed, dropping the file would abort the process in a debug build.
        assert_eq!(Table::current().content(file.as_raw_fd()), Some("content"));
    }
}

own_process! {
    fn nothing_is_executed_if_the_rest_cannot_be_found() {
        let before = Table::current();
        let error = support::command("true").missing(Features::PROC | Features::SEARCH).exec();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn record_locks_and_the_parent_death_signal_survive() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let file = std::fs::File::create(directory.path().join("locked")).unwrap();
        let script = format!("grep -q ':{} ' /proc/locks", file.metadata().unwrap().ino());
        let lock = || {
            // SAFETY: all zeros is a valid value; a lock of the whole file.
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            lock.l_type = libc::F_WRLCK as i16;
            // SAFETY: the lock is read.
            assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const lock) }, 0);
        };
        // The kernel drops a record lock at any close of the file by its process, so the program has to keep the file.
        let status = status_of(|| {
            lock();
            panic!("{}", support::command("/bin/sh").args(["-c", &script]).keep(&file).exec());
        });
        assert_eq!(status, 0, "the lock is there");
        let status = status_of(|| {
            // SAFETY: only numbers are passed.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGUSR1) };
            panic!("{}", helper("parent-death-signal").exec());
        });
        assert_eq!(status, libc::SIGUSR1);
    }
}

own_process! {
    fn broken_pipe_of_another_thread_does_not_kill_the_process_while_exec_fails() {
        let over = std::sync::atomic::AtomicBool::new(false);
        // Before the first exec: its probe makes a child that has a copy of the table for a moment.
        let (reader, mut writer) = std::io::pipe().unwrap();
        drop(reader);
        wait_for_hangup(&writer);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let error = std::io::Write::write(&mut writer, b"x").unwrap_err();
                    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
                }
            });
            let _over = Over(&over);
            for _ in 0..500 {
                support::command("/no/such").exec();
            }
        });
    }
}

own_process! {
    fn sigpipe_is_default_in_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("signals");
        let status = status_of(|| panic!("{}", helper("signals").arg(&out).exec()));
        assert_eq!(status, 0);
        let text = std::fs::read_to_string(&out).unwrap();
        assert!(!text.lines().any(|line| line.starts_with(&format!("{} ", libc::SIGPIPE))), "{text}");
    }
}

own_process! {
    fn target_that_is_in_use_is_refused_and_nothing_is_changed() {
        let file = memory_at(7, "seven", true);
        let before = Table::current();
        let mut command = support::command("true");
        command.fd(8, Stdio::null()).fd(7, Stdio::null());
        let error = command.exec();
        let refusal = Refusal::TargetInUse { target: 7 };
        assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
        assert_eq!(Table::current(), before);
        drop(file);
    }
}

own_process! {
    fn failed_exec_gives_back_the_numbers_that_it_claimed_and_those_that_were_moved_into_the_command() {
        let moved = memory_at(9, "nine", true);
        let mut command = support::command("/no/such");
        // 7 is free, 9 is the command's own, and 1 is a standard stream.
        command.fd(7, Stdio::data("data")).fd(9, Stdio::null()).fd(10, moved).stdout(Stdio::null());
        let before = Table::current();
        for _ in 0..3 {
            assert_eq!(command.exec().raw_os_error(), Some(libc::ENOENT));
            assert_eq!(Table::current(), before);
        }
    }
}

own_process! {
    fn program_gets_targets_at_free_numbers_and_at_those_of_the_command() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let status = status_of(|| {
            let moved = memory_at(9, "nine", true);
            let mut command = helper("table");
            command.arg(&out).fd(7, Stdio::data("data")).fd(9, Stdio::data("other")).fd(10, moved);
            panic!("{}", command.exec());
        });
        assert_eq!(status, 0);
        assert_eq!(Table::read(&out).contents()[3..], [(7, "data"), (9, "other"), (10, "nine")]);
    }
}

own_process! {
    fn failed_execs_do_no_harm_to_files_that_other_threads_open_and_drop() {
        let over = std::sync::atomic::AtomicBool::new(false);
        let log = memory("");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        // A closed or replaced number would abort the process, or show another file.
                        let mut file = memory("mine");
                        std::io::Write::write_all(&mut file, b"row").unwrap();
                        let flags = rustix::io::fcntl_getfd(&file).unwrap();
                        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
                        let mut text = [0; 4];
                        std::os::unix::fs::FileExt::read_exact_at(&file, &mut text, 0).unwrap();
                        assert_eq!(&text, b"mine");
                    }
                });
            }
            let _over = Over(&over);
            for round in 0..2000 {
                let mut command = support::command("/no/such");
                let error = command.fd(4 + round % 8, &log).fd(12 + round % 3, &log).exec();
                let in_use = matches!(error.failure(), Failure::Refused(Refusal::TargetInUse { .. }));
                assert!(in_use || error.raw_os_error() == Some(libc::ENOENT), "{error}");
            }
        });
        assert_eq!(log.metadata().unwrap().len(), 0, "nothing has been written to a file of another thread");
    }
}

own_process! {
    fn program_does_not_get_what_a_hook_of_an_exec_has_opened() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let status = status_of(|| {
            let mut command = helper("table");
            command.arg(&out).fd(5, Stdio::data("data"));
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(|| {
                    for _ in 0..5 {
                        libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                    }
                    Ok(())
                })
            };
            panic!("{}", command.exec());
        });
        assert_eq!(status, 0);
        assert_eq!(Table::read(&out).contents()[3..], [(5, "data")]);
    }
}

own_process! {
    fn number_that_only_the_library_uses_is_free_for_a_target() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let status = status_of(|| {
            let file = memory_at(9, "nine", true);
            let mut command = helper("table");
            // The data gets the first free number, which is that of the other target.
            command.arg(&out).fd(3, &file).fd(5, Stdio::data("data")).stdin(Stdio::null());
            panic!("{}", command.exec());
        });
        assert_eq!(status, 0);
        assert_eq!(Table::read(&out).contents()[3..], [(3, "nine"), (5, "data")]);
    }
}

own_process! {
    fn failed_execs_with_a_closed_standard_stream_close_no_descriptor_of_another_thread() {
        crate::support::sources::close(0);
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    // A number that is closed twice aborts the process.
                    let _ = support::command("true").stdin(Stdio::null()).stdout(Stdio::piped()).status();
                }
            });
            let _over = Over(&over);
            for _ in 0..1000 {
                let error = support::command("/no/such").exec();
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
            }
        });
    }
}
