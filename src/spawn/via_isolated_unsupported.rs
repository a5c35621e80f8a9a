//! Replaces `via_isolated.rs` on systems whose threads cannot have descriptor tables of their own. No value of `Isolated` exists there.

use super::buffers::Buffers;
use super::defaults::Defaults;
use crate::child::{ParentEnds, Spawned};
use crate::command::Command;
use crate::error::Problem;
use crate::isolated::Isolated;
use crate::launch::{LaunchError, Mode};
use crate::plan::Plan;

/// Never called.
pub(super) fn launch_in_thread(
    isolated: &Isolated,
    _: &mut Command<'_>,
    _: &Defaults,
    _: Mode,
) -> Result<(Spawned, ParentEnds), LaunchError> {
    isolated.never()
}

/// Never called.
pub(super) fn explain<T>(
    isolated: &Isolated,
    _: &Command<'_>,
    _: &Defaults,
    _: Mode,
    _: impl FnOnce(&mut Buffers, Plan) -> T,
) -> Result<T, Problem> {
    isolated.never()
}
