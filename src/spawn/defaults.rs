//! The defaults of 0, 1 and 2.

use crate::command::Source;

/// The sources of 0, 1 and 2 if the command does not name them.
#[derive(Debug)]
pub(super) struct Defaults(pub(super) [Source<'static>; 3]);

/// What a standard stream is that a command does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamDefault {
    Inherit,
    Null,
    Piped,
}

impl Defaults {
    pub(super) fn of(streams: &[StreamDefault; 3]) -> Self {
        Self(streams.map(|stream| match stream {
            StreamDefault::Inherit => Source::INHERIT,
            StreamDefault::Null => Source::NULL,
            StreamDefault::Piped => Source::PIPED,
        }))
    }

    pub(super) const INHERIT: Self = Self([Source::INHERIT; 3]);
    pub(super) const EXCHANGE: Self = Self([Source::PIPED; 3]);
    pub(super) const OUTPUT: Self = Self([Source::NULL, Source::PIPED, Source::PIPED]);
}
