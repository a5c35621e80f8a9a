//! Directories, and the program by its descriptor.

use crate::stage::Stage;
use crate::values::Parsed;
use std::ffi::OsString;

pub fn directory(stage: &mut Stage, value: OsString) -> Parsed {
    stage.change(|command| command.current_dir(value))
}

pub fn root(stage: &mut Stage, value: OsString) -> Parsed {
    stage.change(|command| command.chroot(value))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn cgroup(stage: &mut Stage, value: OsString) -> Parsed {
    stage.cgroup = Some(value.into());
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn program(stage: &mut Stage, value: OsString) -> Parsed {
    let program = crate::sources::lent("--program-fd", &value, &stage.open)?;
    stage.has_program_fd = true;
    stage.change(move |command| command.program_fd(program))
}
