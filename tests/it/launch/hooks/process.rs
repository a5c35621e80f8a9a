//! What a hook changes in its process, and what it shares with the caller.

use crate::own_process;
use crate::support;
use crate::support::helper;
use crate::support::sources::memory;
use crate::support::table::Table;
use fdspawn::{Command, Failure, Launcher};
use std::io;
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
fn clone_that_was_asked_for_is_refused_with_a_hook() {
    let mut command = support::command("true");
    // SAFETY: the hook does nothing.
    unsafe { command.launcher(Launcher::Clone).pre_exec(|| Ok(())) };
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::HookNeedsFork));
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn hook_may_change_the_mask_for_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("signals");
    let mut command = helper("signals");
    command.signal_default(&[fdspawn::Signal::USR2]); // perf(1) would leave it ignored.
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

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
own_process! {
    fn handlers_of_pthread_atfork_run_for_a_child_with_hooks_only() {
        static FORKS: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn count() {
            FORKS.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the handler changes only an atomic.
        assert_eq!(unsafe { libc::pthread_atfork(Some(count), None, None) }, 0);
        let mut command = support::command("true");
        command.launcher(Launcher::Fork);
        assert!(command.status().unwrap().success());
        assert_eq!(FORKS.load(Ordering::Relaxed), 0);
        // SAFETY: the hook does nothing.
        unsafe { command.pre_exec(|| Ok::<(), io::Error>(())) };
        assert!(command.status().unwrap().success());
        assert_eq!(FORKS.load(Ordering::Relaxed), 1);
    }
}
