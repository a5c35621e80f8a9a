//! What a measured time is the time of, and in which unit the report shows it.

/// What one measured time is the time of. The report names it, and has a unit for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timed {
    /// A spawn, to the end of the wait.
    #[default]
    Spawn,
    /// A spawn whose child writes or reads [`SIZE`](super::SIZE) bytes, to the end of the wait.
    Transfer,
    /// The end of all children, to the end of the last wait.
    Collection,
    /// The start of the first child, to the end of the last wait.
    Children,
    /// The start of the first stage, to the end of the last wait.
    Stages,
    /// The start of stages that move many bytes, to the end of the last wait.
    Stream,
}

impl Timed {
    /// What the report calls one measured time.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Transfer => "transfer",
            Self::Collection => "wait for all children",
            Self::Children => "start of all children, and wait for them",
            Self::Stages | Self::Stream => "run of all stages",
        }
    }

    /// The heading of the number of measured times.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Spawn => "spawns",
            Self::Transfer => "transfers",
            Self::Collection => "waits",
            Self::Children | Self::Stages | Self::Stream => "runs",
        }
    }

    /// The unit of the time.
    pub fn unit(self) -> Unit {
        match self {
            Self::Spawn | Self::Stages => Unit { name: "µs", nanoseconds: 1_000 },
            Self::Transfer | Self::Collection | Self::Children | Self::Stream => {
                Unit { name: "ms", nanoseconds: 1_000_000 }
            }
        }
    }
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub name: &'static str,
    pub nanoseconds: u64,
}
