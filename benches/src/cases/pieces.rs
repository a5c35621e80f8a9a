//! The work that the library does in addition to the raw limit. Each function is the raw limit with one piece of this
//! work, so that the report shows the time that each piece takes.
#![allow(unsafe_code, reason = "these are the system calls that the library makes")]

use super::job::{Job, Spawn};
use super::raw::{SIGNAL_SET_SIZE, Spawner};
use super::wait::wait;
use std::ffi::c_ulong;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::ptr;

/// Since Linux 5.5. The constant of the libc crate has a type that is too small for its value.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;

/// Blocks all signals around clone3, and restores the mask in the parent and in the child.
pub fn signal_mask(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        let before = set_signal_mask(u64::MAX);
        spawner.child.mask = Some(before);
        let pid = spawner.spawn();
        set_signal_mask(before);
        wait(pid?)
    }))
}

/// Resets signal handlers with `CLONE_CLEAR_SIGHAND`, and sets the default action of SIGPIPE in the child.
pub fn signal_actions(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    spawner.flags |= CLONE_CLEAR_SIGHAND;
    spawner.child.default_sigpipe = true;
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// Shares the parent's descriptor table with `CLONE_FILES`, and unshares it in the child with `close_range`.
pub fn unshared_table(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    share_and_unshare_table(&mut spawner);
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// Calls `fcntl` for 0, 1 and 2: whether each is open, and whether close-on-exec is set.
pub fn std_fd_checks(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        check_std_fds();
        spawner.spawn().and_then(wait)
    }))
}

/// Makes a pidfd, and closes it after the wait.
pub fn pidfd(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    spawner.flags |= libc::CLONE_PIDFD as u64;
    Ok(Box::new(move || {
        let pid = spawner.spawn()?;
        let pidfd = spawner.take_pidfd();
        wait(pid)?;
        drop(pidfd);
        Ok(())
    }))
}

/// Reads the environment of the process with `std::env::vars_os`.
pub fn variables(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || {
        std::hint::black_box(std::env::vars_os().count());
        spawner.spawn().and_then(wait)
    }))
}

/// Reads the environment of the process, and copies it into one block for the child.
pub fn copied_variables(job: &Job) -> io::Result<Spawn> {
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

/// All of these except the pidfd, which `status()` does not make, and the variables.
pub fn all_calls(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    share_and_unshare_table(&mut spawner);
    spawner.flags |= CLONE_CLEAR_SIGHAND;
    spawner.child.default_sigpipe = true;
    Ok(Box::new(move || {
        check_std_fds();
        let before = set_signal_mask(u64::MAX);
        spawner.child.mask = Some(before);
        let pid = spawner.spawn();
        set_signal_mask(before);
        wait(pid?)
    }))
}

fn share_and_unshare_table(spawner: &mut Spawner) {
    spawner.flags |= libc::CLONE_FILES as u64;
    spawner.child.unshare_from = Some(3);
}

fn check_std_fds() {
    for number in 0..3 {
        // SAFETY: F_GETFD changes nothing.
        std::hint::black_box(unsafe { libc::fcntl(number, libc::F_GETFD) });
    }
}

/// Sets the signal mask of this thread, and returns the previous mask. The function of the C library does not change
/// the signals that it uses itself.
fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    // SAFETY: the kernel reads `mask` and writes `before`; both have the size of its signal set.
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
