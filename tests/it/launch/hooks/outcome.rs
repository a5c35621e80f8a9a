//! Whether the child has executed the program: the parent learns that, even if a hook has closed all descriptors,
//! executed a program or forked.

use crate::own_process;
use crate::support;
use crate::support::children;
use crate::support::tools::skip;
use fdspawn::{Command, Failure, Launcher, Stdio};
use std::io::{self, Write};
use std::os::fd::AsRawFd;

#[test]
fn hook_may_execute_a_program_of_its_own() {
    let mut command = support::command("/no/such");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // SAFETY: the hook makes a system call only.
    unsafe {
        command.pre_exec(|| {
            let argv = [c"/bin/cat".as_ptr(), std::ptr::null()];
            libc::execv(argv[0], argv.as_ptr());
            Err(io::Error::last_os_error())
        })
    };
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"through").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"through");
}

#[test]
fn hook_that_executes_its_own_program_is_a_child_like_any_other_however_often() {
    for _ in 0..support::rounds(100, 300) {
        let mut command = support::command("/no/such");
        // SAFETY: the hook makes a system call only.
        unsafe {
            command.pre_exec(|| {
                let argv = [c"/bin/true".as_ptr(), std::ptr::null()];
                libc::execv(argv[0], argv.as_ptr());
                Err(io::Error::last_os_error())
            })
        };
        assert!(command.spawn().unwrap().wait().unwrap().success());
    }
}

own_process! {
    fn hook_may_close_everything() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("touched");
        let mut command = support::command("touch");
        command.arg(&path);
        // SAFETY: the child closes descriptors of its own.
        unsafe {
            command.pre_exec(|| {
                for number in 3..2000 {
                    libc::close(number);
                }
                Ok(())
            })
        };
        assert!(command.spawn().unwrap().wait().unwrap().success());
        assert!(path.exists());
        // The library has no descriptor to report with, and the error comes back all the same.
        let mut command = support::command("/no/such");
        // SAFETY: the child closes descriptors of its own.
        unsafe {
            command.pre_exec(|| {
                for number in 0..2000 {
                    libc::close(number);
                }
                Ok(())
            })
        };
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Exec), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn hooks_are_right_without_proc_too() {
        if !crate::support::mounts::unmount_proc() {
            return;
        }
        for session in [false, true] {
            for program in ["/no/such", "true"] {
                let mut command = support::command(program);
                // SAFETY: the child closes descriptors of its own.
                unsafe {
                    command.pre_exec(move || {
                        if session {
                            libc::setsid();
                        }
                        for number in 3..2000 {
                            libc::close(number);
                        }
                        Ok(())
                    })
                };
                match program {
                    "true" => assert_eq!(command.spawn().unwrap().wait().unwrap().code(), Some(0)),
                    _ => {
                        let error = command.spawn().unwrap_err();
                        assert!(matches!(error.failure(), Failure::Exec), "{error}");
                        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
                    }
                }
            }
        }
    }
}

own_process! {
    fn process_that_a_hook_has_forked_does_not_report_into_a_later_launch() {
        for _ in 0..20 {
            let (reader, writer) = io::pipe().unwrap();
            let (read, write) = (reader.as_raw_fd(), writer.as_raw_fd());
            // This does not run by an isolated thread, which does not have the pipe.
            let mut command = Command::new("/no/such");
            // SAFETY: the hook makes system calls only. The process that goes on runs the other steps of the child.
            unsafe {
                command.pre_exec(move || {
                    if libc::fork() > 0 {
                        libc::_exit(0);
                    }
                    // The child goes on when the spawn has returned: then the test closes the write end.
                    libc::close(write);
                    libc::read(read, [0_u8].as_mut_ptr().cast(), 1);
                    Ok(())
                })
            };
            let error = command.spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::HookEnded(_)), "{error}");
            drop(writer);
            for _ in 0..5 {
                assert!(support::command("true").launcher(Launcher::Fork).status().unwrap().success());
            }
        }
    }
}

own_process! {
    fn session_outside_the_pid_namespace_does_not_hide_what_a_child_has_done() {
        // SAFETY: only a number is passed.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            skip("a PID namespace cannot be made");
            return;
        }
        let status = crate::support::forked::status_of(|| {
            // SAFETY: only a number is passed.
            assert_eq!(unsafe { libc::getsid(0) }, 0, "the leader of the session is outside");
            for program in ["/no/such", "true"] {
                // This does not run by an isolated thread, which a forked copy does not have.
                let mut command = Command::new(program);
                // SAFETY: the hook makes one system call.
                unsafe {
                    command.launcher(fdspawn::Launcher::Fork).pre_exec(|| {
                        // For a child in another session, setpgid(2) does not tell whether it has executed.
                        if libc::setsid() == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
                    })
                };
                match program {
                    "true" => assert_eq!(command.spawn().unwrap().wait().unwrap().code(), Some(0)),
                    _ => assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(libc::ENOENT)),
                }
            }
        });
        assert_eq!(status, 0);
    }
}
