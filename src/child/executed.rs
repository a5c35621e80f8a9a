//! Whether a child has executed a program, asked of the system.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::stat::Stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::fd::{fdinfo::fdinfo_lines, standard::lock_stdio_numbers};
use crate::sys;
use rustix::io::Errno;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;

/// Whether a child that has not been reaped has executed a program since it was made. `None` if the system does not tell.
///
/// `setpgid(2)` fails with EACCES for a child that has executed a program. The group named here does not exist, so the call
/// changes nothing: for any other child it fails with EPERM. But it fails with EPERM, too, if the child has a session of its own,
/// or if a filter refuses the call. In these cases the kernel's flag in /proc has the answer.
pub(super) fn has_executed(pid: i32) -> Option<bool> {
    if is_known_to_have_executed(pid) { Some(true) } else { flag_in_proc(pid) }
}

/// The quick half of [`has_executed`]: one system call. If it is false, the answer is open.
pub(super) fn is_known_to_have_executed(pid: i32) -> bool {
    sys::set_process_group(pid, i32::MAX) == Err(Errno::ACCESS)
}

/// The answer of `/proc/PID/stat` (`proc_pid_stat(5)`).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn flag_in_proc(pid: i32) -> Option<bool> {
    /// `PF_FORKNOEXEC`: the process was forked and has not executed a program.
    const FORK_NO_EXEC: u64 = 0x40;
    // If 0, 1 or 2 is closed, the files that this function opens get that number for a moment.
    let _guard = lock_stdio_numbers();
    let own = std::fs::read_link("/proc/self").ok()?;
    let number = if own.as_os_str() == std::process::id().to_string().as_str() { pid } else { number_in_proc(pid)? };
    let stat = Stat::read(number).ok()??;
    if own.as_os_str() != stat.parent.to_string().as_str() {
        return None; // It is another process.
    }
    (stat.flags != 0).then_some(stat.flags & FORK_NO_EXEC == 0)
}

/// The child's number in /proc, which may show an outer PID namespace.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn number_in_proc(pid: i32) -> Option<i32> {
    let pidfd = sys::open_pidfd(pid).ok()?;
    let info = std::fs::read(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    fdinfo_lines(&info).find(|(name, _)| *name == "Pid")?.1.parse().ok()
}

/// This system has no `/proc/PID/stat`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn flag_in_proc(_: i32) -> Option<bool> {
    None
}
