//! One entry of the child's descriptor table.

use std::fmt;
use std::os::fd::RawFd;

/// One descriptor of the child: its number in the child, and the parent's descriptor of which it is a duplicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The number in the child.
    pub target: RawFd,
    /// The number in the parent.
    pub source: RawFd,
    /// Whether the source has close-on-exec set. The flag matters only if source and target are one number, since a
    /// duplicate never has it.
    pub close_on_exec: bool,
    /// What the source is. The steps do not depend on it. [`Explanation`](crate::Explanation) and `tracing` events show it.
    pub origin: Origin,
}

/// The number of a source that the parent has not opened yet.
pub(crate) const NO_SOURCE: RawFd = -1;

impl Mapping {
    /// Maps the parent's `source` to the child's `target`.
    pub const fn new(target: RawFd, source: RawFd) -> Self {
        Self { target, source, close_on_exec: false, origin: Origin::Inherited }
    }

    /// Maps `number` to the same number in the child.
    pub const fn kept(number: RawFd, close_on_exec: bool) -> Self {
        Self { target: number, source: number, close_on_exec, origin: Origin::Kept }
    }
}

/// What a source is. It determines who closes the source in the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// A descriptor of the parent that the caller names by number. It stays open in the parent.
    Inherited,
    /// `/dev/null`, in place of a standard stream that is closed in the parent. The library opens and closes it.
    ClosedInParent,
    /// `/dev/null`, in place of a number that is no standard stream of the parent
    /// ([`Command::not_inherited`](crate::Command::not_inherited)). The library opens and closes it.
    NotInherited,
    /// `/dev/null`. The library opens and closes it.
    Null,
    /// The write end of a pipe that the parent reads. The library closes it in the parent.
    ReadByParent,
    /// The read end of a pipe that the parent writes. The library closes it in the parent.
    WrittenByParent,
    /// One of a pair of sockets; the parent has the other one. The library closes it in the parent.
    Socket,
    /// A file or pipe with bytes to read. The library opens and closes it.
    Data {
        /// How many bytes.
        bytes: usize,
    },
    /// A descriptor that the command borrows. It stays open in the parent.
    Lent,
    /// A descriptor that the command owns. A successful spawn closes it in the parent.
    Moved,
    /// A descriptor that the command shares. Its last owner closes it in the parent.
    Shared,
    /// A descriptor of the keep list that the command borrows. It stays open in the parent.
    Kept,
    /// A descriptor of the keep list that the command owns. A successful spawn closes it in the parent.
    KeptMoved,
    /// A descriptor of the keep list that the command shares. Its last owner closes it in the parent.
    KeptShared,
    /// The end of a link of a graph. The library closes it in the parent when all stages have started.
    Link,
    /// The source of this other target.
    SameAs(RawFd),
    /// No source: the target is closed in the child.
    Closed,
}

impl Origin {
    /// Whether the descriptor belongs to the keep list.
    pub(super) fn is_kept(self) -> bool {
        matches!(self, Self::Kept | Self::KeptMoved | Self::KeptShared)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Inherited => f.write_str("inherited"),
            Self::ClosedInParent => f.write_str("/dev/null, since it is closed in the parent"),
            Self::NotInherited => f.write_str("/dev/null, since the parent's is not inherited"),
            Self::Null => f.write_str("/dev/null"),
            Self::ReadByParent => f.write_str("pipe: the child writes, the parent reads"),
            Self::WrittenByParent => f.write_str("pipe: the parent writes, the child reads"),
            Self::Socket => f.write_str("socket: both read and write"),
            Self::Data { bytes: 1 } => f.write_str("1 byte of data to read"),
            Self::Data { bytes } => write!(f, "{bytes} bytes of data to read"),
            Self::Lent => f.write_str("lent: stays open in the parent"),
            Self::Moved => f.write_str("moved: the parent closes it after the spawn"),
            Self::Shared => f.write_str("shared: the parent closes it with its last owner"),
            Self::Kept => f.write_str("kept"),
            Self::KeptMoved => f.write_str("kept; moved: the parent closes it after the spawn"),
            Self::KeptShared => f.write_str("kept; shared: the parent closes it with its last owner"),
            Self::Link => f.write_str("the end of a link"),
            Self::SameAs(target) => write!(f, "the same as {target}"),
            Self::Closed => f.write_str("closed"),
        }
    }
}
