//! The child's steps that set attributes of a command. This code keeps the law of `child.rs`.
//!
//! Most commands have no such step. So these are in a function of their own, and the steps that every child does stay close together.

use super::image::Image;
use crate::plan::{Scheduler, Step};
use crate::sys;
use rustix::io::Errno;
use std::ffi::c_int;
use std::os::fd::RawFd;

/// Does the step of one attribute.
#[cold]
#[inline(never)]
pub(super) fn set_attribute(image: &Image<'_>, step: &Step) -> Result<(), Errno> {
    match *step {
        Step::JoinCgroup { fd } => sys::join_cgroup(fd),
        Step::IgnoreSignals { signals } => signals.numbers().try_for_each(sys::ignore_signal),
        Step::NewSession => sys::new_session(),
        Step::JoinGroup { group } => sys::set_process_group(0, group),
        Step::ControllingTerminal { fd } => sys::set_controlling_terminal(fd),
        Step::Foreground { fd } => become_foreground(fd),
        Step::OomScoreAdj { value } => sys::set_oom_score_adj(value),
        Step::Scheduler { scheduler } => sys::set_scheduler(policy(scheduler), scheduler.priority().into()),
        Step::Nice { increment } => sys::add_nice(increment),
        Step::Affinity { cpus } => sys::set_affinity(image.list(cpus)),
        Step::Umask { mask } => sys::set_umask(mask).map(drop),
        Step::Limit { resource, soft, hard } => sys::set_limit(resource as u32, soft, hard),
        Step::SetGroups { groups } => sys::set_groups(image.list(groups), image.whose()),
        Step::DropGroups { user } => drop_groups(user, image.whose()),
        Step::SetGid { gid } => sys::set_gid(gid, image.whose()),
        // SAFETY: the string ends in a NUL. The kernel answers EFAULT to a null pointer.
        Step::ChangeRoot { path } => unsafe { sys::change_root(image.string(path)) },
        Step::SetUid { uid } => sys::set_uid(uid, image.whose()),
        // SAFETY: the string ends in a NUL. The kernel answers EFAULT to a null pointer.
        Step::ChangeDirectory { path } => unsafe { sys::change_directory(image.string(path)) },
        Step::ChangeDirectoryTo { fd } => sys::change_directory_to(fd),
        Step::ParentDeathSignal { signal } => sys::set_parent_death_signal(signal.as_raw()),
        Step::CheckParent { parent } => check_parent(parent),
        Step::NoNewPrivs => sys::set_no_new_privs(),
        Step::BlockSignals { signals } => sys::set_signal_mask(&sys::signal_set(signals.numbers())).map(drop),
        // `do_step` does these.
        Step::UnshareFiles { .. }
        | Step::CloseFrom { .. }
        | Step::Close { .. }
        | Step::SetCloexec { .. }
        | Step::ClearCloexec { .. }
        | Step::Dup2 { .. }
        | Step::DefaultHandlers
        | Step::DefaultSignals { .. }
        | Step::SignalMask
        | Step::Hooks
        | Step::CheckProgram { .. }
        | Step::Exec
        | Step::ExecFd { .. }
        | Step::Run => Err(Errno::NOSYS),
    }
}

/// Makes the process group the foreground group of a terminal. The terminal sends SIGTTOU to a process of another group that
/// calls this, so the signal is blocked during the call: in a child it is blocked already, in the calling process (`exec`) it may
/// not be.
fn become_foreground(fd: RawFd) -> Result<(), Errno> {
    let before = sys::set_signal_mask(&sys::every_signal())?;
    let result = sys::set_foreground(fd);
    sys::set_signal_mask(&before)?;
    result
}

/// Drops all supplementary groups, before the process becomes this user. A process without the right to drop them gets EPERM only if
/// another user would get a group. It is no error if the process has no supplementary group, or is this user already.
fn drop_groups(user: u32, whose: sys::Whose) -> Result<(), Errno> {
    match sys::set_groups(&[], whose) {
        Err(Errno::PERM) if sys::count_groups() == Ok(0) || sys::user_ids() == Ok([user; 4]) => Ok(()),
        result => result,
    }
}

/// The kernel's number of a scheduling policy.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn policy(scheduler: Scheduler) -> c_int {
    match scheduler {
        Scheduler::Other => 0, // `SCHED_OTHER`, which libc does not name for Android.
        Scheduler::Batch => libc::SCHED_BATCH,
        Scheduler::Idle => libc::SCHED_IDLE,
        Scheduler::Fifo(_) => libc::SCHED_FIFO,
        Scheduler::RoundRobin(_) => libc::SCHED_RR,
    }
}

/// Other systems set no policy.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn policy(_: Scheduler) -> c_int {
    0
}

/// Fails with ESRCH if the parent has ended, so that another process has become the parent. The kernel answers 0 if the parent is
/// in another PID namespace.
fn check_parent(parent: u32) -> Result<(), Errno> {
    match sys::parent()? {
        0 => Ok(()),
        now if now == parent => Ok(()),
        _ => Err(Errno::SRCH),
    }
}
