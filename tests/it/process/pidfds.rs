//! Pidfds, under std's unstable names.

use fdspawn::os::linux::process::{ChildExt, CommandExt, PidFd};
use fdspawn::os::unix::process::ExitStatusExt;
use fdspawn::process::{ChildFdExt, Command, Stdio};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

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
