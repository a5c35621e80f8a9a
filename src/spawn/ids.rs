//! What the ids of a command mean for this process's own.

use crate::command::Command;
use crate::error::{Failure, Problem};
use crate::plan::NO_ID;
use crate::sys;
use rustix::io::Errno;

/// Whether the child gets a user or group id that the thread which launches it may not have. An isolated thread may have other ids than
/// this one, since ids belong to threads; so there each id that the command sets counts.
pub(super) fn changes_ids(command: &Command<'_>) -> Result<bool, Problem> {
    let plain = &command.settings.plain;
    let differs = |id: Option<u32>, own: fn() -> Result<[u32; 4], Errno>| match id {
        // The plan refuses it, by any launcher.
        Some(NO_ID) | None => Ok(false),
        Some(_) if command.isolated.is_some() => Ok(true),
        Some(id) => own().map(|own| own != [id; 4]).map_err(cannot_tell_ids),
    };
    Ok(differs(plain.uid, sys::user_ids)? || differs(plain.gid, sys::group_ids)?)
}

pub(super) fn cannot_tell_ids(errno: Errno) -> Problem {
    Problem::system(Failure::CheckIds, errno)
}
