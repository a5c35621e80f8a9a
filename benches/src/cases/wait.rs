//! Waits for a child with `waitid(2)`.
#![allow(unsafe_code, reason = "waitid of the C library has no safe interface")]

use std::io;
use std::mem::MaybeUninit;

/// Waits for the child; an error unless it has exited with 0.
pub fn wait(pid: libc::pid_t) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = libc::id_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: waitid writes one siginfo_t. If it succeeds, it has set the code and the status.
    let (code, status) = unsafe {
        if libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WEXITED) != 0 {
            return Err(io::Error::last_os_error());
        }
        let info = info.assume_init();
        (info.si_code, info.si_status())
    };
    match (code, status) {
        (libc::CLD_EXITED, 0) => Ok(()),
        _ => Err(io::Error::other(format!("the program ended with code {code} and status {status}"))),
    }
}
