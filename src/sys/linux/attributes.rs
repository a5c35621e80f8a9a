//! What a child is besides its descriptors: session, groups, user, limits, scheduling.

use super::descriptor::close;
use super::syscall::call;
use rustix::io::Errno;
use std::ffi::{CStr, c_char, c_int, c_long};
use std::os::fd::RawFd;

/// Makes a new session, and a process group that the caller leads (`setsid(2)`).
pub(crate) fn new_session() -> Result<(), Errno> {
    // SAFETY: the call has no arguments.
    unsafe { call(libc::SYS_setsid, []) }.map(drop)
}

/// Makes a terminal the controlling terminal of the session that the caller leads. It does not take the terminal away from
/// another session.
pub(crate) fn set_controlling_terminal(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_ioctl, [fd as usize, libc::TIOCSCTTY as usize, 0]) }.map(drop)
}

/// Makes the caller's process group the foreground group of a terminal (`tcsetpgrp(3)`). SIGTTOU, which the terminal sends to a
/// process of another group, has to be blocked.
pub(crate) fn set_foreground(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: only a number is passed.
    let group = unsafe { call(libc::SYS_getpgid, [0]) }? as c_int;
    set_foreground_group(fd, group)
}

/// Makes a process group the foreground group of a terminal. SIGTTOU has to be blocked, as for [`set_foreground`].
pub(crate) fn set_foreground_group(fd: RawFd, group: c_int) -> Result<(), Errno> {
    // SAFETY: the kernel reads one number.
    unsafe { call(libc::SYS_ioctl, [fd as usize, libc::TIOCSPGRP as usize, (&raw const group) as usize]) }.map(drop)
}

/// The foreground process group of the caller's terminal (`tcgetpgrp(3)`). 0 if it has none in this PID namespace.
pub(crate) fn foreground_group(fd: RawFd) -> Result<c_int, Errno> {
    let mut group: c_int = 0;
    // SAFETY: the kernel writes one number.
    unsafe { call(libc::SYS_ioctl, [fd as usize, libc::TIOCGPGRP as usize, (&raw mut group) as usize]) }.map(|_| group)
}

/// Writes "0" to a `cgroup.procs` file, which moves the calling process into the cgroup.
pub(crate) fn join_cgroup(procs: RawFd) -> Result<(), Errno> {
    write_all(procs, b"0")
}

/// Sets `oom_score_adj` of the calling process. The file opens at a free number for a moment.
pub(crate) fn set_oom_score_adj(value: i32) -> Result<(), Errno> {
    const PATH: &CStr = c"/proc/self/oom_score_adj";
    let mut buffer = [0; 12];
    let text = decimal(value, &mut buffer);
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: the path is NUL-terminated.
    let fd = unsafe { call(libc::SYS_openat, [libc::AT_FDCWD as usize, PATH.as_ptr() as usize, flags as usize, 0]) }?;
    let fd = fd as RawFd;
    let written = write_all(fd, text);
    let _ = close(fd); // The kernel has taken the value at the write.
    written
}

/// Writes bytes to a file that takes all of them in one write or none.
fn write_all(fd: RawFd, bytes: &[u8]) -> Result<(), Errno> {
    // SAFETY: the kernel reads the bytes.
    match unsafe { call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len()]) }? {
        written if written == bytes.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// The decimal digits of a number, without memory from the heap.
pub(super) fn decimal(value: i32, buffer: &mut [u8; 12]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        start -= 1;
        buffer[start] = b'-';
    }
    &buffer[start..]
}

/// Sets the scheduling policy of the calling thread (`sched_setscheduler(2)`).
pub(crate) fn set_scheduler(policy: c_int, priority: c_int) -> Result<(), Errno> {
    // SAFETY: the kernel reads one `struct sched_param`, which is one number.
    unsafe { call(libc::SYS_sched_setscheduler, [0, policy as usize, (&raw const priority) as usize]) }.map(drop)
}

/// Adds to the nice value of the calling thread. The sum stays between -20 and 19.
pub(crate) fn add_nice(increment: i32) -> Result<(), Errno> {
    let process = libc::PRIO_PROCESS as usize;
    // SAFETY: only numbers are passed. The kernel answers 20 minus the nice value, so that it is no error number.
    let nice = 20 - unsafe { call(libc::SYS_getpriority, [process, 0]) }? as i32;
    let sum = nice.saturating_add(increment).clamp(-20, 19);
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_setpriority, [process, 0, sum as usize]) }.map(drop)
}

/// Sets the CPUs of the calling thread. The words are those of the kernel's mask.
pub(crate) fn set_affinity(mask: &[u32]) -> Result<(), Errno> {
    // SAFETY: the kernel reads the words.
    unsafe { call(libc::SYS_sched_setaffinity, [0, size_of_val(mask), mask.as_ptr() as usize]) }.map(drop)
}

/// Sets the mask of permissions that new files do not get. Returns the mask before.
pub(crate) fn set_umask(mask: u32) -> Result<u32, Errno> {
    // SAFETY: only a number is passed.
    unsafe { call(libc::SYS_umask, [mask as usize]) }.map(|before| before as u32)
}

/// Sets a limit of the calling process (`setrlimit(2)`). `None` is no limit.
pub(crate) fn set_limit(resource: u32, soft: Option<u64>, hard: Option<u64>) -> Result<(), Errno> {
    let limit = libc::rlimit64 { rlim_cur: soft.unwrap_or(u64::MAX), rlim_max: hard.unwrap_or(u64::MAX) };
    // SAFETY: the kernel reads one rlimit64.
    unsafe { call(libc::SYS_prlimit64, [0, resource as usize, (&raw const limit) as usize, 0]) }.map(drop)
}

/// The calls for ids of 32 bits. The first calls of these architectures had ids of 16 bits.
#[cfg(any(target_arch = "x86", target_arch = "arm", target_arch = "m68k"))]
mod id_calls {
    pub(super) use libc::{
        SYS_getgroups32 as GETGROUPS, SYS_getresgid32 as GETRESGID, SYS_getresuid32 as GETRESUID,
        SYS_setfsgid32 as SETFSGID, SYS_setfsuid32 as SETFSUID, SYS_setgroups32 as SETGROUPS,
        SYS_setresgid32 as SETRESGID, SYS_setresuid32 as SETRESUID,
    };
}
#[cfg(not(any(target_arch = "x86", target_arch = "arm", target_arch = "m68k")))]
mod id_calls {
    pub(super) use libc::{
        SYS_getgroups as GETGROUPS, SYS_getresgid as GETRESGID, SYS_getresuid as GETRESUID, SYS_setfsgid as SETFSGID,
        SYS_setfsuid as SETFSUID, SYS_setgroups as SETGROUPS, SYS_setresgid as SETRESGID, SYS_setresuid as SETRESUID,
    };
}
use self::id_calls::{GETGROUPS, GETRESGID, GETRESUID, SETFSGID, SETFSUID, SETGROUPS, SETRESGID, SETRESUID};

/// Whose ids a call sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Those of the calling thread, by the system call. A child before exec has no other thread.
    Threads,
    /// Those of all threads of the process, by libc.
    Processes,
}

/// Sets the supplementary groups.
pub(crate) fn set_groups(groups: &[u32], whose: Whose) -> Result<(), Errno> {
    match whose {
        // SAFETY: the kernel reads as many ids as the slice has.
        Whose::Threads => unsafe { call(SETGROUPS, [groups.len(), groups.as_ptr() as usize]) }.map(drop),
        // SAFETY: libc reads as many ids as the slice has.
        Whose::Processes => by_libc(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }),
    }
}

/// How many supplementary groups the calling thread has.
pub(crate) fn count_groups() -> Result<usize, Errno> {
    // SAFETY: the kernel writes nothing if it may write no group.
    unsafe { call(GETGROUPS, [0, 0]) }
}

/// Sets the real, the effective and the saved group id.
pub(crate) fn set_gid(gid: u32, whose: Whose) -> Result<(), Errno> {
    match whose {
        // SAFETY: only numbers are passed.
        Whose::Threads => unsafe { call(SETRESGID, [gid as usize; 3]) }.map(drop),
        // SAFETY: only numbers are passed.
        Whose::Processes => by_libc(unsafe { libc::setresgid(gid, gid, gid) }),
    }
}

/// Sets the real, the effective and the saved user id.
pub(crate) fn set_uid(uid: u32, whose: Whose) -> Result<(), Errno> {
    match whose {
        // SAFETY: only numbers are passed.
        Whose::Threads => unsafe { call(SETRESUID, [uid as usize; 3]) }.map(drop),
        // SAFETY: only numbers are passed.
        Whose::Processes => by_libc(unsafe { libc::setresuid(uid, uid, uid) }),
    }
}

fn by_libc(result: c_int) -> Result<(), Errno> {
    if result == -1 { Err(crate::sys::errno::last_error()) } else { Ok(()) }
}

/// The real, the effective and the saved user id of the calling thread, and the one for file systems.
pub(crate) fn user_ids() -> Result<[u32; 4], Errno> {
    ids(GETRESUID, SETFSUID)
}

/// The real, the effective and the saved group id of the calling thread, and the one for file systems.
pub(crate) fn group_ids() -> Result<[u32; 4], Errno> {
    ids(GETRESGID, SETFSGID)
}

fn ids(number: c_long, of_file_systems: c_long) -> Result<[u32; 4], Errno> {
    const NO_ID: u32 = u32::MAX;
    let mut ids = [NO_ID; 4];
    let [real, effective, saved, _] = ids.each_mut().map(|id| std::ptr::from_mut(id) as usize);
    // SAFETY: the kernel writes three ids.
    unsafe { call(number, [real, effective, saved]) }?;
    // SAFETY: only a number is passed. It is no id, so the kernel changes nothing, and returns the id as it is. An id that the kernel
    // does not tell stays `NO_ID`, which no process has.
    ids[3] = unsafe { call(of_file_systems, [NO_ID as usize]) }.map_or(NO_ID, |id| id as u32);
    Ok(ids)
}

/// Changes the root directory of the calling process.
///
/// # Safety
///
/// `path` is a NUL-terminated string.
pub(crate) unsafe fn change_root(path: *const c_char) -> Result<(), Errno> {
    // SAFETY: as the caller promises.
    unsafe { call(libc::SYS_chroot, [path as usize]) }.map(drop)
}

/// Sets the signal that the calling process gets at the end of its parent's thread.
pub(crate) fn set_parent_death_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, signal as usize, 0, 0, 0]) }.map(drop)
}

/// The parent's process id. 0 if the parent is outside this process's PID namespace.
pub(crate) fn parent() -> Result<u32, Errno> {
    // SAFETY: the call has no arguments.
    unsafe { call(libc::SYS_getppid, []) }.map(|pid| pid as u32)
}

/// Gives up all privileges that an exec could add.
pub(crate) fn set_no_new_privs() -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    unsafe { call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_digits_of_every_kind_of_number() {
        for value in [0, 7, 10, -1, 1000, -1000, i32::MAX, i32::MIN] {
            assert_eq!(decimal(value, &mut [0; 12]), value.to_string().as_bytes());
        }
    }

    #[test]
    fn ids_are_those_that_libc_tells() {
        // SAFETY: the calls have no arguments.
        let (uid, gid) = unsafe { (libc::getuid(), libc::getegid()) };
        let ids = (user_ids().unwrap(), group_ids().unwrap());
        assert_eq!((ids.0[0], ids.0[3], ids.1[1], ids.1[3]), (uid, uid, gid, gid));
    }
}
