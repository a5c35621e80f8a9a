//! `Finished`: the end of a member of a set.

use super::captured::Captured;
use super::exchange::Exchange;
use super::member::Member;
use crate::child::{Child, Ended};
use crate::error::Result;
use crate::flow::Stop;
use std::fmt;
use std::process::ExitStatus;

/// A child of [`Children`](crate::Children) that has ended, or that could not be waited for or ended.
#[non_exhaustive]
pub struct Finished<'a, T> {
    /// Which member it was.
    pub member: Member,
    /// What the caller has inserted the child with.
    pub tag: T,
    /// The status of the child.
    ///
    /// It is an error if the child could not be reaped ([`Failure::Wait`](crate::Failure::Wait)), if it could not be ended
    /// ([`Failure::StillRuns`](crate::Failure::StillRuns)), or if a call for one of its streams has failed
    /// ([`Failure::Read`](crate::Failure::Read), [`Failure::Write`](crate::Failure::Write)). After such a call the child has been ended.
    pub status: Result<ExitStatus>,
    /// Why the streams were moved no further. [`Stop::Done`] for a child without streams that has ended by itself.
    pub stop: Stop,
    /// How the set has ended the child, if the child has not ended by itself.
    pub ended: Option<Ended>,
    /// What the child has written, if it was started by [`Children::capture`](crate::Children::capture).
    pub captured: Option<Captured>,
    /// The child, with what it has used ([`Child::wait_usage`]). `None` if it was captured.
    pub child: Option<Child>,
    /// The streams that the child was inserted with, and what was read of them. Empty for a child without streams.
    pub exchange: Exchange<'a>,
}

impl<T: fmt::Debug> fmt::Debug for Finished<'_, T> {
    /// Does not print the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finished")
            .field("tag", &self.tag)
            .field("status", &self.status)
            .field("stop", &self.stop)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
