//! Pidfds, under std's unstable names.

use crate::own_process;
use crate::support::{kernel_is_at_least, rounds};
use fdspawn::os::linux::process::{ChildExt, CommandExt, PidFd};
use fdspawn::os::unix::process::ExitStatusExt;
use fdspawn::process::{ChildFdExt, Command, Stdio};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

fn cat() -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped());
    command
}

#[test]
fn child_has_a_pidfd_only_if_the_command_asks_for_it() {
    let child = cat().spawn().unwrap();
    assert_eq!(child.pidfd().unwrap_err().to_string(), "no pidfd was created.");
    let mut child = child.into_pidfd().map(drop).unwrap_err(); // the child comes back
    assert!(child.wait().unwrap().success());

    let mut child = cat().create_pidfd(true).spawn().unwrap();
    let pidfd = child.pidfd().unwrap();
    assert!(pidfd.as_raw_fd() > 2 && pidfd.as_fd().as_raw_fd() == pidfd.as_raw_fd());
    assert!(pidfd.try_wait().unwrap().is_none());
    pidfd.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn pidfd_outlives_the_child_that_gave_it() {
    for shared in [false, true] {
        let child = cat().create_pidfd(true).spawn().unwrap();
        let process = shared.then(|| child.process());
        let pidfd = child.into_pidfd().unwrap(); // closes the pipe
        assert!(pidfd.wait().unwrap().success());
        // Since Linux 6.15 the kernel tells the status again.
        match pidfd.try_wait() {
            Ok(status) => assert!(status.unwrap().success()),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECHILD)),
        }
        assert_eq!(pidfd.kill().unwrap_err().raw_os_error(), Some(libc::ESRCH));
        drop(process);
    }
}

#[test]
fn pidfd_is_made_from_an_owner_and_into_one() {
    let child = cat().create_pidfd(true).spawn().unwrap();
    let owned = OwnedFd::from(child.into_pidfd().unwrap());
    let raw = PidFd::from(owned).into_raw_fd();
    // SAFETY: the number is that of the pidfd, which has given it away.
    let pidfd = unsafe { PidFd::from_raw_fd(raw) };
    assert_eq!(pidfd.as_raw_fd(), raw);
    assert!(pidfd.wait().unwrap().success());
}

#[test]
fn child_whose_pidfd_was_waited_for_is_signalled_no_more() {
    let mut child = cat().create_pidfd(true).spawn().unwrap();
    let process = child.process();
    drop(child.stdin.take());
    assert!(child.pidfd().unwrap().wait().unwrap().success());
    child.kill().unwrap();
    assert!(!process.signal(fdspawn::Signal::KILL).unwrap());
    match child.wait() {
        Ok(status) => assert!(status.success()),
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECHILD)),
    }
    child.kill().unwrap();
    let _ = child.try_wait();
    let pidfd = child.into_pidfd().unwrap();
    assert_eq!(pidfd.kill().unwrap_err().raw_os_error(), Some(libc::ESRCH));
    assert!(!process.signal(fdspawn::Signal::KILL).unwrap());
}

own_process! {
    /// The kernel finds no such child any more when it begins to reap it, and tells the status a moment later.
    fn status_of_a_child_that_the_kernel_reaps_during_a_look_is_told() {
        // SAFETY: no other code in this process uses the signal.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for _ in 0..rounds(120, 10_000) {
            let child = Command::new("true").create_pidfd(true).spawn().unwrap();
            let pidfd = child.into_pidfd().unwrap();
            let ended = loop {
                match pidfd.try_wait() {
                    Ok(None) => {}
                    Ok(Some(status)) => break Ok(status),
                    Err(error) => break Err(error),
                }
            };
            match ended {
                Ok(status) => assert!(status.success()),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                    assert!(!kernel_is_at_least(6, 15), "the kernel keeps the status");
                }
            }
        }
    }
}

own_process! {
    fn zombie_that_nobody_reaps_is_not_waited_for() {
        const LOOKS: u32 = 20;
        let mut pidfd = -1;
        // No signal tells the end of such a child, and only a wait for all children finds it.
        let flags = libc::CLONE_PIDFD as libc::c_ulong;
        // SAFETY: the call works like fork, and the child only exits.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
        if pid == 0 {
            // SAFETY: the child ends at once.
            unsafe { libc::_exit(3) };
        }
        assert!(pid > 0);
        // SAFETY: the kernel has made the descriptor for this process.
        let pidfd = PidFd::from(unsafe { OwnedFd::from_raw_fd(pidfd) });
        rustix::event::poll(&mut [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)], None).unwrap();
        let start = Instant::now();
        for _ in 0..LOOKS {
            assert_eq!(pidfd.try_wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
        }
        assert!(start.elapsed() < Duration::from_secs(LOOKS.into()) / 2, "a look takes no second");
        // SAFETY: the call waits for the child, and writes no status.
        assert_eq!(unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), libc::__WALL) }, pid as i32);
    }
}
