//! What the library does more than the raw limit, each piece by itself added to it: where a spawn's time goes.
#![allow(unsafe_code, reason = "the pieces are system calls, as the library makes them")]

use super::job::{Job, Run};
use super::raw::{SIGNAL_SET_SIZE, Spawner};
use super::wait::wait;
use std::ffi::c_ulong;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr;

/// Linux 5.5. libc's constant does not fit its type.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// All signals blocked around the launch, and the mask put back on both sides.
pub fn signal_mask(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        let before = set_signal_mask(u64::MAX);
        spawner.child.mask = Some(before);
        let pid = spawner.spawn();
        set_signal_mask(before);
        wait(pid?)
    }))
}

/// Handlers reset at the clone, and SIGPIPE in the child.
pub fn dispositions(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    spawner.flags |= CLONE_CLEAR_SIGHAND;
    spawner.child.default_sigpipe = true;
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// The parent's table, and `close_range` to leave it.
pub fn private_table(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    leave_table(&mut spawner);
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// Three `fcntl`: are 0, 1 and 2 open, and do they close at exec?
pub fn looks(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        look();
        spawner.spawn().and_then(wait)
    }))
}

/// A pidfd, which is closed after the wait.
pub fn pidfd(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    spawner.flags |= libc::CLONE_PIDFD as u64;
    Ok(Box::new(move || {
        let pid = spawner.spawn()?;
        // SAFETY: the kernel has made the descriptor for this spawn.
        let pidfd = unsafe { OwnedFd::from_raw_fd(spawner.pidfd) };
        wait(pid)?;
        drop(pidfd);
        Ok(())
    }))
}

/// The variables of the process, read in std's way and forgotten.
pub fn variables(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        std::hint::black_box(std::env::vars_os().count());
        spawner.spawn().and_then(wait)
    }))
}

/// The variables read in std's way, and copied into one block for the child, with an allocation or two.
pub fn copied_variables(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    let (mut block, mut ends) = (Vec::new(), Vec::new());
    Ok(Box::new(move || {
        block.clear();
        ends.clear();
        for (name, value) in std::env::vars_os() {
            block.extend_from_slice(&name.into_vec());
            block.push(b'=');
            block.extend_from_slice(&value.into_vec());
            block.push(0);
            ends.push(block.len());
        }
        let array = &mut spawner.child.environment;
        array.clear();
        let mut start = 0;
        for &end in &ends {
            array.push(block[start..].as_ptr().cast());
            start = end;
        }
        array.push(ptr::null());
        spawner.spawn().and_then(wait)
    }))
}

/// All of it but the pidfd, which `status()` does missing, and the variables.
pub fn all_calls(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    leave_table(&mut spawner);
    spawner.flags |= CLONE_CLEAR_SIGHAND;
    spawner.child.default_sigpipe = true;
    Ok(Box::new(move || {
        look();
        let before = set_signal_mask(u64::MAX);
        spawner.child.mask = Some(before);
        let pid = spawner.spawn();
        set_signal_mask(before);
        wait(pid?)
    }))
}

fn leave_table(spawner: &mut Spawner) {
    spawner.flags |= libc::CLONE_FILES as u64;
    spawner.child.leave_table = Some(3);
}

fn look() {
    for number in 0..3 {
        // SAFETY: only asks about the number.
        std::hint::black_box(unsafe { libc::fcntl(number, libc::F_GETFD) });
    }
}

/// Sets the whole of the thread's mask, as libc's function does not, and returns what it was.
fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    // SAFETY: the kernel reads one set and writes one.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK as c_ulong,
            ptr::from_ref(&mask),
            ptr::from_mut(&mut before),
            SIGNAL_SET_SIZE,
        );
    }
    before
}
