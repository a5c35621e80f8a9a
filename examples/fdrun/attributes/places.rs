//! Directories, and the program by its descriptor.

use crate::request::Request;
use crate::values::Parsed;
use std::ffi::OsString;

pub fn directory(request: &mut Request, value: OsString) -> Parsed {
    request.change(|command| command.current_dir(value))
}

pub fn root(request: &mut Request, value: OsString) -> Parsed {
    request.change(|command| command.chroot(value))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn cgroup(request: &mut Request, value: OsString) -> Parsed {
    request.cgroup = Some(value.into());
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn program(request: &mut Request, value: OsString) -> Parsed {
    let program = crate::sources::lent("--program-fd", &value, &request.open)?;
    request.has_program_fd = true;
    request.change(move |command| command.program_fd(program))
}
