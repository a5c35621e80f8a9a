//! Waiting for a child and killing it, and what a parent learns if other code has reaped it.

use super::{has_pidfd, helper_by, is_told_after_reap, kernel_has_status, reap_elsewhere, shell_by, ways};
use crate::own_process;
use crate::support;
use crate::support::{LAUNCHERS, children, helper};
use fdspawn::{Features, Launcher};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

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
fn status_shows_a_core_dump_as_std_does() {
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
        // A pidfd is readable once its child has ended.
        let Some(pidfd) = child.pidfd() else {
            assert!(!has_pidfd(launcher));
            continue;
        };
        rustix::io::retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], None)).unwrap();
        assert!(child.try_wait().unwrap().is_some());
    }
}

own_process! {
    fn child_reaped_by_other_code_has_its_status_or_a_clear_error() {
        for way in ways() {
            for ends in ["exit 7", "kill -TERM $$"] {
                let mut child = shell_by(way, ends).spawn().unwrap();
                let status = std::process::ExitStatus::from_raw(reap_elsewhere(&child));
                if is_told_after_reap(&child) {
                    assert_eq!(child.try_wait().unwrap(), Some(status));
                    assert_eq!(child.wait().unwrap(), status);
                    assert_eq!(child.wait_timeout(std::time::Duration::ZERO).unwrap(), Some(status));
                    continue;
                }
                let error = child.wait().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                assert!(error.to_string().contains("another part of this process has reaped it"), "{error}");
                assert!(child.try_wait().is_err());
                assert!(child.wait_timeout(std::time::Duration::MAX).is_err());
                assert!(child.process().wait().is_err());
            }
        }
    }
}

own_process! {
    fn status_of_a_child_that_other_code_reaps_during_the_wait_is_the_childs() {
        for way in ways() {
            let child = helper_by(way, "wait").spawn().unwrap();
            let process = child.process();
            let waiting = std::thread::spawn(move || process.wait());
            // SAFETY: the call sends a signal to a child that nothing reaps before.
            unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) };
            let mut status = 0;
            // Either this call or the thread reaps it.
            // SAFETY: the kernel writes one number.
            let by_us = unsafe { libc::waitpid(-1, &raw mut status, 0) } == child.id().cast_signed();
            match waiting.join().unwrap() {
                Ok(status) => assert_eq!(status.signal(), Some(libc::SIGTERM)),
                Err(error) => {
                    assert!(by_us && !is_told_after_reap(&child));
                    assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                }
            }
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn ignored_sigchld_is_no_hang_and_the_status_or_a_clear_error() {
        // SAFETY: no other code in this process uses the signal.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for way in ways() {
            let mut child = helper_by(way, "exit").arg("7").spawn().unwrap();
            let process = child.process();
            for result in [child.wait(), process.wait()] {
                match result {
                    Ok(status) => {
                        assert!(is_told_after_reap(&child) && kernel_has_status(&child));
                        assert_eq!(status.code(), Some(7));
                    }
                    Err(error) => {
                        // By fork, the library opens the pidfd after the start. If the kernel is reaping the child then, it keeps no status.
                        let is_opened_late = child.launched_by() == Launcher::Fork && !kernel_has_status(&child);
                        assert!(is_opened_late || !is_told_after_reap(&child));
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                    }
                }
            }
            let error = support::command("/no/such").launcher(way.0).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "a failed spawn has its error all the same");
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn failed_spawn_by_clone_sends_no_signal_and_is_not_for_others_to_reap() {
        static ENDED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        static PIPE: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);
        extern "C" fn count(_: i32) {
            ENDED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // SAFETY: the call is async-signal-safe, and reads one byte.
            unsafe { libc::write(PIPE.load(std::sync::atomic::Ordering::Relaxed), c"x".as_ptr().cast(), 1) };
        }
        let (mut reader, writer) = std::io::pipe().unwrap();
        PIPE.store(std::os::fd::AsRawFd::as_raw_fd(&writer), std::sync::atomic::Ordering::Relaxed);
        // SAFETY: the handler only counts and writes.
        unsafe { libc::signal(libc::SIGCHLD, count as *const () as usize) };
        for _ in 0..20 {
            support::command("/no/such").launcher(Launcher::Clone).spawn().unwrap_err();
        }
        assert_eq!(ENDED.load(std::sync::atomic::Ordering::Relaxed), 0);
        assert!(support::command("true").launcher(Launcher::Clone).status().unwrap().success());
        // The kernel sends SIGCHLD to the process, so another thread than the waiting one may be about to handle it.
        // (An isolated thread blocks the signal, and then the kernel takes the first thread.)
        reader.read_exact(&mut [0]).unwrap();
        assert_eq!(ENDED.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
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
