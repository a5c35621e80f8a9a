//! Spawns through an `Isolated` that fail, and what they leave behind.

use crate::own_process;
use crate::support::seccomp::{refuse, refuse_to_thread};
use crate::support::sources::{memory, memory_at, set_limit};
use crate::support::table::Table;
use crate::support::threads::{threads, wait_for_threads};
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, Isolated, Launcher, Rest, Stdio};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

own_process! {
    fn failures_have_the_same_text_as_in_plain_spawns_and_leave_nothing() {
        let isolated = Isolated::new().unwrap();
        let before = (Table::current(), threads());
        for launcher in LAUNCHERS {
            let command = |program| {
                let mut command = Command::new(program);
                command.launcher(launcher).isolated(&isolated);
                command
            };
            let error = command("/no/such").spawn().unwrap_err();
            assert_eq!(error.to_string(), "cannot spawn `/no/such`: No such file or directory");
            let error = command("true").current_dir("/nope").spawn().unwrap_err();
            assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
            let file = File::open("/dev/null").unwrap();
            let error = command("true").current_dir_fd(&file).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::WorkingDirectory(None)), "{error}");
            let error = {
                let mut command = command("true");
                let _ = command.reader(3);
                command.fd(3, Stdio::null()).spawn().unwrap_err()
            };
            assert!(matches!(error.failure(), Failure::Refused(Refusal::TargetTwice { target: 3 })), "{error}");
            let error = command("true").rest(Rest::Inherit).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::NothingToInherit), "{error}");
        }
        let mut command = Command::new("true");
        // SAFETY: the hook makes no call.
        unsafe { command.pre_exec(|| Err(std::io::ErrorKind::TimedOut.into())) };
        let error = command.isolated(&isolated).spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 0, message: Some(_) }), "{error}");
        wait_for_threads(before.1);
        assert_eq!(Table::current(), before.0);
        assert_eq!(children(), 0);
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
    }
}

own_process! {
    fn kept_descriptor_above_a_lowered_limit_is_refused() {
        let kept = memory_at(5000, "kept", true);
        let isolated = Isolated::new().unwrap();
        set_limit(1000, 20_000);
        let error = Command::new("true").isolated(&isolated).keep(&kept).spawn().unwrap_err();
        let beyond = |refusal: &Refusal| matches!(refusal, Refusal::TargetBeyondLimit { target: 5000, limit: 1000 });
        assert!(matches!(error.failure(), Failure::Refused(refusal) if beyond(refusal)), "{error}");
    }
}

own_process! {
    fn plan_that_fills_every_number_below_the_limit_needs_no_scratch_number() {
        let tiny = crate::support::tiny::tiny_program();
        let isolated = {
            // The socket of the thread must not have a number that a source needs.
            let _low: Vec<File> = (3..16).map(|_| File::open("/dev/null").unwrap()).collect();
            Isolated::new().unwrap()
        };
        set_limit(16, 20_000);
        let open: Vec<OwnedFd> = (3..16).map(|number| memory_at(number, "source", true)).collect();
        // All targets are one cycle, for which no scratch number is free. But the sources arrive in the order of their
        // targets, so the thread has no cycle.
        for launcher in LAUNCHERS {
            let mut command = Command::new(&tiny);
            command.launcher(launcher).isolated(&isolated);
            for (index, target) in (3..16).enumerate() {
                command.fd(target, &open[(index + 1) % open.len()]);
            }
            assert!(command.status().unwrap().success());
        }
    }
}

own_process! {
    fn more_sources_than_the_thread_has_numbers_are_an_error_and_the_next_spawn_works() {
        let sources: Vec<File> = (0..300).map(|_| memory("source")).collect();
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        set_limit(280, 20_000);
        let mut command = Command::new("true");
        command.isolated(&isolated);
        for (target, source) in (3..270).zip(&sources) {
            command.fd(target, source);
        }
        let status = command.status();
        assert!(status.as_ref().is_ok_and(|status| status.success()), "{status:?}");
        set_limit(100, 20_000);
        let error = command.status().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(_) | Failure::SendFds), "{error}");
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn thread_that_gets_no_table_of_its_own_is_an_error_and_leaves_nothing() {
        let before = (Table::current(), threads());
        if refuse(&[libc::SYS_unshare], libc::EPERM) {
            let error = Isolated::new().unwrap_err();
            assert!(matches!(error.failure(), Failure::PrivateTable), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            let text = "cannot start an isolated spawner: cannot give its thread a descriptor table of its own: Operation not permitted";
            assert_eq!(error.to_string(), text);
            wait_for_threads(before.1);
            assert_eq!(Table::current(), before.0);
        }
    }
}

/// An io_uring, which no socket can send.
fn io_uring() -> Option<OwnedFd> {
    let mut parameters = [0_u32; 64];
    // SAFETY: the kernel reads and writes its structure, which is shorter; the descriptor is new.
    unsafe {
        let fd = libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr());
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
    }
}

own_process! {
    fn sources_that_were_sent_in_part_are_closed_at_once() {
        let Some(ring) = io_uring() else {
            eprintln!("skipped: io_uring is not available");
            return;
        };
        let isolated = Isolated::new().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copies: Vec<_> = (0..300).map(|_| writer.try_clone().unwrap()).collect();
        let mut command = Command::new("true");
        command.isolated(&isolated);
        for (target, copy) in (3..).zip(&copies) {
            command.fd(target, copy);
        }
        command.fd(600, &ring);
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::SendFds), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        drop(command);
        drop((writer, copies));
        // The reader sees the end, since the thread has closed every copy of the writer.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
    }
}

own_process! {
    fn pidfd_that_cannot_be_received_is_missing_and_is_not_the_next_childs() {
        let isolated = Isolated::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The thread can neither receive from a socket nor wait at one.
                refuse_to_thread(&[libc::SYS_recvmsg, libc::SYS_recvfrom], libc::EPERM);
                for _ in 0..400 {
                    let mut child = Command::new("true").isolated(&isolated).spawn().unwrap();
                    assert!(child.pidfd().is_none());
                    assert!(child.wait().unwrap().success());
                }
            });
        });
        let mut child = Command::new("sh").args(["-c", "exit 7"]).isolated(&isolated).spawn().unwrap();
        if let Some(pidfd) = child.pidfd() {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
            assert!(info.contains(&format!("Pid:\t{}\n", child.id())), "{info}");
        }
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}

own_process! {
    fn feature_that_is_refused_to_the_thread_only_is_found_out() {
        // The probe runs in the thread that calls, where clone3 works.
        assert!(Command::new("true").launcher(Launcher::Clone).status().unwrap().success());
        let isolated = std::thread::scope(|scope| {
            let start = || {
                refuse_to_thread(&[libc::SYS_clone3], libc::ENOSYS);
                Isolated::new().unwrap()
            };
            scope.spawn(start).join().unwrap()
        });
        let mut child = Command::new("true").isolated(&isolated).spawn().unwrap();
        assert_eq!(child.launched_by(), Launcher::Clone);
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    fn full_table_is_an_error_that_leaves_nothing() {
        let mut command = Command::new("true");
        command.stdout(Stdio::piped());
        let isolated = Isolated::new().unwrap();
        set_limit(64, 20_000);
        let mut full: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let leaves_nothing = |act: &mut dyn FnMut()| {
            set_limit(20_000, 20_000); // a look at the table takes a number
            let before = (Table::current(), threads());
            set_limit(64, 20_000);
            act();
            set_limit(20_000, 20_000);
            wait_for_threads(before.1);
            assert_eq!(Table::current(), before.0);
            assert_eq!(children(), 0);
        };
        leaves_nothing(&mut || {
            let error = Isolated::new().unwrap_err();
            assert!(matches!(error.failure(), Failure::ParentOpen { .. }), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        });
        for room in 0..2 {
            leaves_nothing(&mut || {
                let error = command.isolated(&isolated).spawn().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{room}: {error}");
                assert!(matches!(error.failure(), Failure::Open { target: 1, .. }), "{room}: {error}");
            });
            full.pop();
        }
        set_limit(64, 20_000);
        // No number is free for a pidfd, and the spawn does without one.
        let mut child = command.isolated(&isolated).spawn().unwrap();
        assert!(child.wait().unwrap().success());
    }
}
