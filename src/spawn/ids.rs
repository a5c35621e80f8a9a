//! Whether a command changes the user or the group of this process.

use crate::command::Command;
use crate::error::{Failure, Problem};
use crate::plan::NO_ID;
use crate::sys;
use rustix::io::Errno;

/// Whether the child gets a user or group id that the thread which launches it may not have. Ids belong to threads, so an isolated
/// thread may have other ids than the calling thread. So for an isolated launch, each id that the command sets counts as another id.
pub(super) fn changes_ids(command: &Command<'_>) -> Result<bool, Problem> {
    let plain = &command.settings.plain;
    let differs = |id: Option<u32>, own: fn() -> Result<[u32; 4], Errno>| match id {
        // The check of the attributes refuses this id, under any launcher.
        Some(NO_ID) | None => Ok(false),
        Some(_) if command.isolated.is_some() => Ok(true),
        Some(id) => own().map(|own| own != [id; 4]).map_err(cannot_tell_ids),
    };
    Ok(differs(plain.uid, sys::user_ids)? || differs(plain.gid, sys::group_ids)?)
}

pub(super) fn cannot_tell_ids(errno: Errno) -> Problem {
    Problem::system(Failure::CheckIds, errno)
}
