//! The child's handle: waiting, killing, output.

use crate::own_process;
use crate::support;
use crate::support::sources::memory;
use crate::support::{LAUNCHERS, children, helper};
use fdspawn::{Command, Failure, Features, Launcher, Rest, Stdio};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

/// Whether a child of this launcher has a pidfd: clone makes one, but fork needs `pidfd_open`, which a filter may refuse.
fn has_pidfd(launcher: Launcher) -> bool {
    let own = rustix::process::getpid();
    launcher == Launcher::Clone || rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty()).is_ok()
}

#[test]
fn status_is_the_childs_and_the_same_each_time() {
    for launcher in LAUNCHERS {
        for missing in [Features::empty(), Features::PIDFD] {
            let mut child = helper("exit").arg("7").launcher(launcher).missing(missing).spawn().unwrap();
            assert_eq!(child.launched_by(), launcher);
            assert_eq!(child.pidfd().is_some(), missing.is_empty() && has_pidfd(launcher));
            for _ in 0..2 {
                assert_eq!(child.wait().unwrap().code(), Some(7));
                assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
            }
        }
    }
}

#[test]
fn killed_child_says_by_which_signal() {
    for launcher in LAUNCHERS {
        for missing in [Features::empty(), Features::PIDFD] {
            let mut child = helper("wait").launcher(launcher).missing(missing).spawn().unwrap();
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            let status = child.wait().unwrap();
            assert_eq!((status.code(), status.signal()), (None, Some(libc::SIGKILL)));
            child.kill().expect("killing what is reaped is nothing");
        }
    }
}

#[test]
fn status_tells_of_a_core_dump_as_std_does() {
    let mut std_child = std::process::Command::new("/bin/sh");
    let expected = std_child.args(["-c", "ulimit -c 0; kill -ABRT $$"]).status().unwrap();
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        let status = command.args(["-c", "ulimit -c 0; kill -ABRT $$"]).launcher(launcher).status().unwrap();
        assert_eq!(status, expected);
        assert_eq!(status.signal(), Some(libc::SIGABRT));
    }
}

#[test]
fn try_wait_never_says_that_an_ended_child_runs() {
    for launcher in LAUNCHERS {
        let child = helper("exit").arg("0").launcher(launcher).spawn().unwrap();
        // The pidfd is readable once the child has ended.
        let Some(pidfd) = child.pidfd() else {
            assert!(!has_pidfd(launcher));
            continue;
        };
        poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], None).unwrap();
        assert!(child.try_wait().unwrap().is_some());
    }
}

#[test]
fn kill_and_try_wait_from_many_threads_agree() {
    for launcher in LAUNCHERS {
        let child = helper("wait").launcher(launcher).spawn().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    child.kill().unwrap();
                    while child.try_wait().unwrap().is_none() {
                        std::thread::yield_now();
                    }
                    child.kill().unwrap();
                });
            }
        });
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn wait_closes_standard_input_first() {
    for launcher in LAUNCHERS {
        let mut child = helper("cat").launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert!(child.wait().unwrap().success(), "cat ends at end-of-file");
        assert!(child.stdin.is_none());
    }
}

#[test]
fn both_outputs_are_drained_at_once_however_uneven() {
    for launcher in LAUNCHERS {
        for (stdout, stderr) in [(0, 0), (1, 0), (0, 300_000), (131_072, 131_072), (1_000_000, 70_000)] {
            let mut command = helper("flood");
            let output = command.args([stdout.to_string(), stderr.to_string()]).launcher(launcher).output().unwrap();
            assert!(output.status.success());
            assert!(output.stdout == vec![b'1'; stdout] && output.stderr == vec![b'2'; stderr]);
        }
    }
}

#[test]
fn handles_that_nobody_took_are_closed_before_the_output_is_read() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "cat <&5; echo done"]).launcher(launcher).stdout(Stdio::piped());
        let _ = command.writer(5);
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.stdout, b"done\n");
    }
}

#[test]
fn three_pipes_carry_what_they_should() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "read line; echo \"out $line\"; echo \"err $line\" >&2"]).launcher(launcher);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"text\n").unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((stdout.as_str(), stderr.as_str()), ("out text\n", "err text\n"));
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    fn child_reaped_by_someone_else_is_a_clear_error() {
        for launcher in LAUNCHERS {
            for missing in [Features::empty(), Features::PIDFD] {
                let mut child = helper("exit").arg("0").launcher(launcher).missing(missing).spawn().unwrap();
                // SAFETY: only numbers and a null pointer are passed.
                let reaped = unsafe { libc::waitpid(child.id() as i32, std::ptr::null_mut(), 0) };
                assert_eq!(reaped, child.id() as i32, "a child that has execed is like any other");
                let error = child.wait().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                assert!(error.to_string().contains("another part of this process has reaped it"), "{error}");
                assert!(child.try_wait().is_err());
            }
        }
    }
}

own_process! {
    fn ignored_sigchld_is_a_clear_error_and_no_hang() {
        // SAFETY: this process has the signal to itself.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for launcher in LAUNCHERS {
            let mut child = helper("exit").arg("0").launcher(launcher).spawn().unwrap();
            assert_eq!(child.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
            let error = support::command("/no/such").launcher(launcher).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "a failed spawn has its error all the same");
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn failed_spawn_by_clone_sends_no_signal_and_is_not_for_others_to_reap() {
        static ENDED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        static TOLD: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);
        extern "C" fn count(_: i32) {
            ENDED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // SAFETY: the call is async-signal-safe, and reads one byte.
            unsafe { libc::write(TOLD.load(std::sync::atomic::Ordering::Relaxed), c"x".as_ptr().cast(), 1) };
        }
        let (mut told, writer) = std::io::pipe().unwrap();
        TOLD.store(std::os::fd::AsRawFd::as_raw_fd(&writer), std::sync::atomic::Ordering::Relaxed);
        // SAFETY: the handler counts and writes.
        unsafe { libc::signal(libc::SIGCHLD, count as *const () as usize) };
        for _ in 0..20 {
            support::command("/no/such").launcher(Launcher::Clone).spawn().unwrap_err();
        }
        assert_eq!(ENDED.load(std::sync::atomic::Ordering::Relaxed), 0);
        assert!(support::command("true").launcher(Launcher::Clone).status().unwrap().success());
        // The signal is the process's: another thread than the one that waits may be about to handle it. (An isolated thread
        // has it blocked, and then the kernel takes the first thread.)
        told.read_exact(&mut [0]).unwrap();
        assert_eq!(ENDED.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

#[test]
fn children_of_many_threads_do_not_hold_each_others_pipes() {
    // A pipe's end that leaked into another child would keep `cat` waiting.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for index in 0..40 {
                    let launcher = LAUNCHERS[(thread + index) % 2];
                    let mut command = helper("cat");
                    command.launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::piped());
                    let mut child = command.spawn().unwrap();
                    let text = format!("{thread} {index}");
                    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                    assert_eq!(child.wait_with_output().unwrap().stdout, text.as_bytes());
                }
            });
        }
    });
}

#[test]
fn pidfd_is_closed_with_the_child_and_close_on_exec() {
    for launcher in LAUNCHERS {
        let mut child = helper("exit").arg("0").launcher(launcher).spawn().unwrap();
        if has_pidfd(launcher) {
            let flags = rustix::io::fcntl_getfd(child.pidfd().unwrap().as_fd()).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        child.wait().unwrap();
    }
}

#[test]
fn launch_is_the_one_that_this_run_of_the_suite_is_about() {
    // Or else a rerun by fork or by an isolated thread would be one more of the same.
    let mut child = support::command("true").spawn().unwrap();
    if std::env::var_os(support::LAUNCHER).is_some() {
        assert_eq!(child.launched_by(), Launcher::Fork);
    }
    assert!(child.wait().unwrap().success());
    let inherited = support::command("true").rest(Rest::Inherit).status();
    if std::env::var_os(support::ISOLATED).is_some() {
        assert!(matches!(inherited.unwrap_err().failure(), Failure::NothingToInherit));
    } else {
        assert!(inherited.unwrap().success());
    }
}

#[test]
fn types_can_go_where_those_of_std_go() {
    fn sendable<T: Send>() {}
    fn shareable<T: Send + Sync>() {}
    sendable::<Command<'static>>();
    shareable::<Command<'static>>();
    shareable::<fdspawn::Child>();
    shareable::<fdspawn::Error>();
    shareable::<fdspawn::Slot<std::io::PipeReader>>();
    let _ = memory("unused");
}
