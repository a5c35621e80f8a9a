//! `Child` and `Process`: waiting, signals, output.

mod changes;
mod drops;
mod ends;
mod full_table;
mod group_members;
mod groups;
mod output;
mod parts;
mod processes;
pub(crate) mod recycled;
mod threads;
mod timeouts;
mod trees;
mod usage;
mod wait;

use crate::support::{LAUNCHERS, helper, kernel_is_at_least};
use fdspawn::{Child, Command, Launcher, Stdio};
use std::io::{BufRead, BufReader, PipeReader};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
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

/// All ways in the exhaustive run, and in the plain one each launcher and each kind of handle once.
fn few_ways() -> impl Iterator<Item = (Launcher, bool)> {
    ways().filter(|way| crate::support::exhaustive() || way.1 == (way.0 == Launcher::Clone))
}

/// All of these in the exhaustive run. In the plain one each of the few ways has every other one, and each one has a way.
fn few<T: Copy>(all: &[T], way: (Launcher, bool)) -> Vec<T> {
    let is_chosen = |index: usize| crate::support::exhaustive() || (index + usize::from(way.1)).is_multiple_of(2);
    all.iter().enumerate().filter(|(index, _)| is_chosen(*index)).map(|(_, one)| *one).collect()
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

/// A child of this command, and its output, after its first line: it is ready.
fn ready(command: &mut Command<'_>) -> (Child, BufReader<PipeReader>) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    assert!(output.read_line(&mut String::new()).unwrap() > 0, "the child has ended");
    (child, output)
}

/// A shell that waits, and does this at SIGTERM. It is ready.
fn shell_with_trap(way: (Launcher, bool), trap: &str) -> (Child, BufReader<PipeReader>) {
    ready(&mut shell_by(way, &format!("trap '{trap}' TERM; echo; while :; do sleep 0.01; done")))
}

/// Makes this process adopt the descendants whose parents end.
fn adopt_orphans() {
    // SAFETY: only numbers are passed.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }, 0);
}

/// Reaps an adopted process that ends, and returns its status.
fn status_of_orphan(pid: i32) -> ExitStatus {
    let mut status = 0;
    for _ in 0..60_000 {
        // SAFETY: the kernel writes one number.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == pid {
            return ExitStatus::from_raw(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("process {pid} does not end, or another process has reaped it");
}

/// Whether an adopted process lives. It is ended.
fn was_alive(pid: i32) -> bool {
    // SAFETY: the process is this one's child, or has one that has not ended for its parent.
    unsafe { libc::kill(pid, libc::SIGUSR1) };
    status_of_orphan(pid).signal() == Some(libc::SIGUSR1)
}

/// Whether the kernel tells the status of this child after another part of the process has reaped the child.
fn is_told_after_reap(child: &Child) -> bool {
    child.pidfd().is_some() && kernel_is_at_least(6, 15)
}

/// Whether the kernel tells the status of a child that has been reaped (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`).
fn kernel_has_status(child: &Child) -> bool {
    const GET_INFO: libc::Ioctl = (3_u64 << 30 | 64 << 16 | 0xff << 8 | 11) as libc::Ioctl;
    const INFO_EXIT: u64 = 1 << 3;
    let mut info = [0_u64; 8];
    info[0] = INFO_EXIT;
    let Some(pidfd) = child.pidfd() else { return false };
    // SAFETY: the kernel reads and writes 64 bytes, as the number of the call says.
    unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, info.as_mut_ptr()) == 0 && info[0] & INFO_EXIT != 0 }
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
