//! Reaping, as a C program does it.
#![allow(unsafe_code, reason = "libc's own call is what is measured")]

use std::io;
use std::mem::MaybeUninit;

/// Waits for a child, which has to have exited with 0.
pub fn wait(pid: libc::pid_t) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = libc::id_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: libc writes one siginfo_t; a wait that has succeeded has filled in the code and the status.
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
