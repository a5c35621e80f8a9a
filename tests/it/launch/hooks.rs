//! `pre_exec` hooks.

use crate::own_process;
use crate::support;
use crate::support::sources::{memory, memory_at};
use crate::support::table::Table;
use crate::support::tools::skip;
use crate::support::{children, helper};
use fdspawn::{Command, Failure, Launcher, Stdio};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn hooks_run_in_their_order_after_the_descriptors_are_in_place() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let mut command = helper("table");
    command.arg(&out).fd(5, memory("five"));
    // SAFETY: the hooks make system calls only.
    unsafe {
        command.pre_exec(|| if libc::dup2(5, 6) == 6 { Ok(()) } else { Err(io::Error::last_os_error()) });
        command.pre_exec(|| if libc::dup2(6, 7) == 7 { Ok(()) } else { Err(io::Error::last_os_error()) });
    }
    let mut child = command.spawn().unwrap();
    assert_eq!(child.launched_by(), Launcher::Fork);
    assert!(child.wait().unwrap().success());
    // The hooks found the targets in place. What they have opened is closed after them.
    assert_eq!(Table::read(&out).contents()[3..], [(5, "five")]);
}

#[test]
fn hook_works_on_a_copy_of_the_parents_memory() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut command = helper("exit");
    // SAFETY: the hook writes to the child's own copy.
    unsafe {
        command.arg("0").pre_exec(|| {
            COUNT.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    };
    assert!(command.status().unwrap().success());
    assert_eq!(COUNT.load(Ordering::Relaxed), 0);
}

#[test]
fn hooks_error_keeps_its_number_or_its_text() {
    type Make = fn() -> io::Error;
    let cases: [(Make, &str); 3] = [
        (|| io::Error::from_raw_os_error(libc::EXDEV), "pre_exec hook 1: Invalid cross-device link"),
        (|| io::Error::other("no luck today"), "pre_exec hook 1: no luck today"),
        (|| io::ErrorKind::TimedOut.into(), "pre_exec hook 1: timed out"),
    ];
    for (error, text) in cases {
        let mut command = support::command("true");
        // SAFETY: no other thread of this test holds the allocator's lock, so the child may allocate a text.
        unsafe {
            command.pre_exec(|| Ok(()));
            command.pre_exec(move || Err(error()));
        }
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 1, .. }));
        assert_eq!(error.to_string(), format!("cannot spawn `true`: {text}"));
    }
}

#[test]
fn long_text_of_a_hooks_error_is_cut_and_not_lost() {
    static TEXT: [u8; 5000] = [b'x'; 5000];
    let mut command = support::command("true");
    // SAFETY: see above.
    unsafe { command.pre_exec(|| Err(io::Error::other(std::str::from_utf8(&TEXT).unwrap()))) };
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::Hook { message: Some(text), .. } if text.len() == 1000));
}

#[test]
fn error_number_that_no_system_has_is_passed_on_as_text() {
    for code in [0, -5, 100_000] {
        let mut command = support::command("true");
        // SAFETY: see above.
        unsafe { command.pre_exec(move || Err(io::Error::from_raw_os_error(code))) };
        let error = command.spawn().unwrap_err();
        assert!(
            matches!(error.failure(), Failure::Hook { message: Some(text), .. } if text.contains(&code.to_string()))
        );
    }
}

own_process! {
    fn hook_that_panics_ends_the_child_and_never_unwinds_into_the_caller() {
        // The child prints the panic's message, by the panic hook of the process.
        std::panic::set_hook(Box::new(|_| {}));
        let mut command = support::command("true");
        // SAFETY: see above.
        unsafe { command.pre_exec(|| Ok(())).pre_exec(|| panic!("in the hook")) };
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::HookPanicked { index: 1 }), "{error}");
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn hook_that_ends_the_child_is_an_error_with_the_status() {
        let before = Table::current();
        let mut command = support::command("true");
        // SAFETY: the child ends.
        unsafe { command.pre_exec(|| libc::_exit(9)) };
        let status = |command: &mut Command<'_>| match command.spawn().unwrap_err().failure() {
            Failure::HookEnded(status) => *status,
            failure => panic!("{failure}"),
        };
        assert_eq!(status(&mut command).code(), Some(9));
        let mut command = support::command("true");
        // SAFETY: the child ends.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::kill(libc::getpid(), libc::SIGKILL)))) };
        assert_eq!(status(&mut command).signal(), Some(libc::SIGKILL));
        assert_eq!(children(), 0);
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn hook_that_replaces_every_number_keeps_its_error_and_gets_no_bytes_of_the_library() {
        let file = memory_at(5, "", false);
        let mut command = support::command("true");
        // SAFETY: the child renumbers descriptors of its own.
        unsafe {
            command.keep(&file).pre_exec(|| {
                for number in 6..2000 {
                    libc::dup2(5, number);
                }
                Err(io::Error::from_raw_os_error(libc::EXDEV))
            })
        };
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 0, .. }), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EXDEV));
        assert_eq!(rustix::fs::fstat(&file).unwrap().st_size, 0);
        assert_eq!(children(), 0);
    }
}

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

#[test]
fn hook_may_change_the_mask_for_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("signals");
    let mut command = helper("signals");
    // SAFETY: the hook makes system calls only.
    unsafe {
        command.arg(&out).pre_exec(|| {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGUSR2);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            Ok(())
        })
    };
    assert!(command.status().unwrap().success());
    assert!(std::fs::read_to_string(&out).unwrap().contains(&format!("{} default blocked", libc::SIGUSR2)));
}

#[test]
fn clone_that_was_asked_for_is_refused_with_a_hook() {
    let mut command = support::command("true");
    // SAFETY: the hook does nothing.
    unsafe { command.launcher(Launcher::Clone).pre_exec(|| Ok(())) };
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::HookNeedsFork));
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

own_process! {
    fn hook_finds_the_parents_descriptors_open_and_the_program_does_not_get_them() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&writer);
        for rest in support::rests() {
            let mut command = helper("table");
            command.arg(&out).fd(5, memory("five")).rest(*rest);
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(move || {
                    let wrote = libc::write(number, c"x".as_ptr().cast(), 1) == 1;
                    if wrote && libc::dup2(1, 9) == 9 { Ok(()) } else { Err(io::Error::last_os_error()) }
                })
            };
            if support::isolated().is_some() {
                // The thread's table has no other descriptors of the parent.
                assert_eq!(command.status().unwrap_err().raw_os_error(), Some(libc::EBADF));
                return;
            }
            assert!(command.status().unwrap().success());
            let mut byte = [0];
            io::Read::read_exact(&mut reader, &mut byte).unwrap();
            assert_eq!(&byte, b"x");
            let numbers = Table::read(&out).numbers();
            match rest {
                fdspawn::Rest::Close => assert_eq!(numbers, [0, 1, 2, 5]),
                fdspawn::Rest::Inherit => assert_eq!(numbers, [0, 1, 2, 5, 9], "without close-on-exec"),
            }
        }
    }
}

own_process! {
    fn cycle_in_a_spawn_with_a_hook_replaces_no_descriptor_that_the_hook_may_use() {
        let (five, six) = (memory_at(5, "five", true), memory_at(6, "six", true));
        // 3, 4 and 7 to 9 are the smallest numbers that a cycle could use for its scratch number.
        let others = [3, 4, 7, 8, 9].map(|number| memory_at(number, "other", true));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let mut command = helper("table");
        command.arg(&out).fd(5, &six).fd(6, &five);
        if support::isolated().is_none() {
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(|| {
                    for number in [3, 4, 7, 8, 9] {
                        let mut bytes = [0_u8; 5];
                        if libc::pread(number, bytes.as_mut_ptr().cast(), 5, 0) != 5 || &bytes != b"other" {
                            return Err(io::Error::from_raw_os_error(libc::EXDEV));
                        }
                    }
                    Ok(())
                })
            };
        }
        assert!(command.status().unwrap().success());
        assert_eq!(Table::read(&out).contents()[3..], [(5, "six"), (6, "five")]);
        drop(others);
    }
}

own_process! {
    fn environment_that_a_hook_changes_reaches_the_program_if_the_command_inherits_it() {
        let run = |change: fn(&mut Command<'_>)| {
            let mut command = support::command("sh");
            command.args(["-c", "echo \"$FDSPAWN_HOOK $FDSPAWN_OTHER\""]);
            change(&mut command);
            // SAFETY: no other thread of this test holds a lock that setenv takes.
            unsafe {
                command.pre_exec(|| {
                    libc::setenv(c"FDSPAWN_HOOK".as_ptr(), c"hook".as_ptr(), 1);
                    Ok(())
                })
            };
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        assert_eq!(run(|_| {}), "hook \n");
        // With changes, the environment has been built before the fork, as with std.
        assert_eq!(run(|command| {
            command.env("FDSPAWN_OTHER", "other");
        }), " other\n");
        assert!(std::env::var_os("FDSPAWN_HOOK").is_none(), "only in the child");
    }
}

own_process! {
    fn what_standard_output_has_buffered_is_printed_once_though_a_hook_prints() {
        use std::os::fd::AsFd;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let saved = std::io::stdout().as_fd().try_clone_to_owned().unwrap();
        // SAFETY: 1 belongs to this process of the test alone.
        assert_eq!(unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&writer), 1) }, 1);
        drop(writer);
        print!("parent ");
        let mut command = support::command("true");
        // SAFETY: the parent holds the lock of standard output at the fork, and the child is a copy of its thread.
        unsafe {
            command.pre_exec(|| {
                println!("hook");
                Ok(())
            })
        };
        assert!(command.status().unwrap().success());
        println!("done");
        // SAFETY: 1 belongs to this process of the test alone.
        assert_eq!(unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&saved), 1) }, 1);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, "parent hook\ndone\n");
    }
}

#[test]
fn hook_that_executes_its_own_program_is_a_child_like_any_other_however_often() {
    for _ in 0..300 {
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
    fn two_free_numbers_are_enough_for_a_spawn_with_a_hook() {
        let mut command = support::command("true");
        // SAFETY: the hook makes no call.
        unsafe { command.pre_exec(|| Ok(())) };
        crate::support::sources::set_limit(64, 20_000);
        let full: Vec<std::fs::File> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        assert!(command.status().unwrap().success(), "the library needs no number at all");
        drop(full);
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
            let mut command = support::command("/no/such");
            // SAFETY: the hook makes system calls only. The process that goes on runs the other steps of the child.
            unsafe {
                command.pre_exec(|| {
                    if libc::fork() > 0 {
                        libc::_exit(0);
                    }
                    libc::usleep(5000);
                    Ok(())
                })
            };
            let error = command.spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::HookEnded(_)), "{error}");
            for _ in 0..5 {
                assert!(support::command("true").launcher(Launcher::Fork).status().unwrap().success());
            }
        }
    }
}

own_process! {
    fn number_of_the_working_directory_is_closed_after_a_hook_has_opened_something_there() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let root = std::fs::File::open("/").unwrap();
        let mut command = helper("table");
        // SAFETY: the hook makes system calls only.
        unsafe {
            command.arg(&out).current_dir_fd(&root).pre_exec(|| {
                for number in 3..100 {
                    libc::close(number);
                }
                for _ in 3..20 {
                    libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                }
                Ok(())
            })
        };
        assert!(command.status().unwrap().success());
        assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
    }
}

own_process! {
    fn spawn_with_a_hook_works_while_the_calling_thread_holds_the_lock_of_standard_output() {
        let isolated = fdspawn::Isolated::new().unwrap();
        let _lock = std::io::stdout().lock();
        for isolated in [None, Some(&isolated)] {
            let mut command = Command::new("true");
            if let Some(isolated) = isolated {
                command.isolated(isolated);
            }
            // SAFETY: the hook makes no call.
            unsafe { command.pre_exec(|| Ok(())) };
            assert!(command.status().unwrap().success());
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
                let mut command = support::command(program);
                // SAFETY: the hook makes one system call.
                unsafe {
                    command.launcher(fdspawn::Launcher::Fork).pre_exec(|| {
                        // The quick question after an exec has no answer for a child in another session.
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
