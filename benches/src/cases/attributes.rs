//! The attributes of the part "attributes": a session, a umask, two limits, a nice value, and a signal disposition.
//! Each function sets them in its own way: by the library, by raw system calls, or by a `pre_exec` hook of std.
#![allow(unsafe_code, reason = "std has no safe methods for these attributes")]

use super::job::{Job, Spawn};
use super::library::succeeded;
use super::raw::{Call, SIGNAL_SET_SIZE, Spawner};
use super::wait::wait;
use fdspawn::{Command, Resource, Rlimit, Signal};
use std::ffi::c_int;
use std::io;
use std::os::unix::process::CommandExt;

const UMASK: u32 = 0o027;
const NICE: c_int = 1;
const OPEN_FILES: libc::rlimit = libc::rlimit { rlim_cur: 256, rlim_max: 512 };
const CORE: libc::rlimit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };

/// `SIG_DFL` without flags and without a mask. It is at least as large as the kernel's struct on each architecture.
static DEFAULT_ACTION: [usize; 8] = [0; 8];
static LIMITS: [libc::rlimit; 2] = [OPEN_FILES, CORE];

/// Sets the attributes of a command of the library.
pub fn set(command: &mut Command<'_>) {
    let limit = |limit: libc::rlimit| Rlimit { current: Some(limit.rlim_cur), maximum: Some(limit.rlim_max) };
    command.setsid(true).umask(UMASK).nice(NICE).signal_default(&[Signal::INT]);
    command.rlimit(Resource::Nofile, limit(OPEN_FILES)).rlimit(Resource::Core, limit(CORE));
}

/// The raw limit with one system call for each attribute, and two for the nice value.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    // The child's nice value before the calls is this process's, which does not change.
    let process = libc::PRIO_PROCESS as usize;
    // SAFETY: the call reads the nice value of this process.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) } + NICE;
    let action = DEFAULT_ACTION.as_ptr() as usize;
    let [open_files, core] = LIMITS.each_ref().map(|limit| std::ptr::from_ref(limit) as usize);
    let calls = [
        (libc::SYS_rt_sigaction, [libc::SIGINT as usize, action, 0, SIGNAL_SET_SIZE]),
        (libc::SYS_setsid, [0; 4]),
        (libc::SYS_getpriority, [process, 0, 0, 0]),
        (libc::SYS_setpriority, [process, 0, nice as usize, 0]),
        (libc::SYS_umask, [UMASK as usize, 0, 0, 0]),
        (libc::SYS_prlimit64, [0, libc::RLIMIT_NOFILE as usize, open_files, 0]),
        (libc::SYS_prlimit64, [0, libc::RLIMIT_CORE as usize, core, 0]),
    ];
    // SAFETY: the calls change only properties of the child, and their addresses are those of statics.
    spawner.child.calls = calls.map(|(number, arguments)| unsafe { Call::new(number, arguments) }).into();
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// std with a hook that sets the attributes.
pub fn std(job: &Job) -> io::Result<Spawn> {
    let mut command = std::process::Command::new(&job.program);
    // SAFETY: the hook only makes system calls, which are async-signal-safe.
    unsafe { command.pre_exec(hook) };
    Ok(Box::new(move || succeeded(command.status()?)))
}

/// Makes the calls of the C library. `sigaction(2)` comes first, as with the other cases.
fn hook() -> io::Result<()> {
    let check = |result: c_int| if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: zeroed is `SIG_DFL` without flags and without a mask; the limits are statics; the other arguments are
    // numbers.
    unsafe {
        let action: libc::sigaction = std::mem::zeroed();
        check(libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut()))?;
        check(libc::setsid())?;
        // A nice value of -1 looks like an error. If it is one, setpriority(2) fails, too.
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0) + NICE;
        check(libc::setpriority(libc::PRIO_PROCESS, 0, nice))?;
        libc::umask(UMASK as libc::mode_t);
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &LIMITS[0]))?;
        check(libc::setrlimit(libc::RLIMIT_CORE, &LIMITS[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::{RAW, cases};
    use super::*;
    use crate::parts::{CaseSet, Work};

    /// Exits with 0 only if it has all attributes of this part.
    const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/program/has_attributes.sh");

    #[test]
    fn every_case_but_the_raw_limit_sets_all_attributes() {
        // SAFETY: no other test depends on what SIGINT does. An ignored signal stays ignored in a child, unless the
        // child resets it.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
        let (path, program, arguments) = (PROGRAM.into(), PROGRAM.into(), Vec::new());
        let work = Work::Attributes;
        let job = Job { path, program, arguments, work, mapped: 0, children: 0, size: 0, capacity: 0 };
        for case in cases(Work::Attributes, CaseSet::Peers) {
            let result = (case.make)(&job).unwrap()();
            assert_eq!(result.is_ok(), case.name != RAW, "{}: {result:?}", case.name);
        }
    }
}
