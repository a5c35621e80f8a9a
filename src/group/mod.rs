//! Process groups: signals to them, and `Group`, which stays open for members.

#[allow(clippy::module_inception, reason = "it has `Group`")]
mod group;
mod leader;
mod membership;
mod send;

pub use self::group::Group;
pub(crate) use self::membership::{Membership, ReapMode};
pub(crate) use self::send::{GroupError, Sent, send};
