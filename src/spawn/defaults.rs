//! The defaults of 0, 1 and 2.

use crate::command::Source;

/// The sources of 0, 1 and 2 if the command does not name them.
#[derive(Debug)]
pub(super) struct Defaults(pub(super) [Source<'static>; 3]);

impl Defaults {
    pub(super) const INHERIT: Self = Self([Source::INHERIT; 3]);
    pub(super) const EXCHANGE: Self = Self([Source::PIPED; 3]);
    pub(super) const OUTPUT: Self = Self([Source::NULL, Source::PIPED, Source::PIPED]);
}
