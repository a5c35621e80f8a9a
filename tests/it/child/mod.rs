//! `Child` and `Process`: waiting, signals, output.

mod changes;
mod groups;
mod output;
mod parts;
mod processes;
pub(crate) mod recycled;
mod threads;
mod timeouts;
mod usage;
mod wait;

use crate::support::{LAUNCHERS, helper, kernel_is_at_least};
use fdspawn::{Child, Command, Launcher};
use std::time::Duration;

/// Whether a child of this launcher has a pidfd: clone makes one, but fork needs `pidfd_open`, which a filter may
/// refuse.
fn has_pidfd(launcher: Launcher) -> bool {
    let own = rustix::process::getpid();
    launcher == Launcher::Clone || rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty()).is_ok()
}

/// Each launcher, for children with a pidfd and without one.
fn ways() -> impl Iterator<Item = (Launcher, bool)> {
    LAUNCHERS.into_iter().flat_map(|launcher| [(launcher, true), (launcher, false)])
}

/// A helper that is started in this way.
fn helper_by<'fd>((launcher, pidfd): (Launcher, bool), mode: &str) -> Command<'fd> {
    let mut command = helper(mode);
    command.launcher(launcher).pidfd(pidfd);
    command
}

/// A shell that is started in this way.
fn shell_by<'fd>((launcher, pidfd): (Launcher, bool), script: &str) -> Command<'fd> {
    let mut command = crate::support::command("/bin/sh");
    command.args(["-c", script]).launcher(launcher).pidfd(pidfd);
    command
}

/// Whether the kernel tells the status of this child after another part of the process has reaped the child.
fn is_told_after_reap(child: &Child) -> bool {
    child.pidfd().is_some() && kernel_is_at_least(6, 15)
}

/// Reaps a child as other code of the process does, without the library. Returns the status.
fn reap_elsewhere(child: &Child) -> i32 {
    let mut status = 0;
    let pid = child.id().cast_signed();
    // SAFETY: the kernel writes one number.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid, "a child that has execed is like any other");
    status
}

/// Waits until a child has ended, and does not reap it.
fn wait_until_ended(child: &Child) {
    // SAFETY: the kernel writes one structure, for which all zeros are valid.
    unsafe {
        let mut info = std::mem::zeroed();
        assert_eq!(libc::waitid(libc::P_PID, child.id(), &raw mut info, libc::WEXITED | libc::WNOWAIT), 0);
    }
}

/// What a function takes of the calling thread: processor time, and how often the thread stopped running to wait for something.
pub fn cost(act: impl FnOnce()) -> (Duration, i64) {
    let now = || {
        // SAFETY: the kernel writes one structure of each type, for which all zeros are valid.
        unsafe {
            let (mut time, mut usage): (libc::timespec, libc::rusage) = std::mem::zeroed();
            assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time), 0);
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
            (Duration::new(time.tv_sec as u64, time.tv_nsec as u32), usage.ru_nvcsw)
        }
    };
    let before = now();
    act();
    let after = now();
    (after.0 - before.0, after.1 - before.1)
}
