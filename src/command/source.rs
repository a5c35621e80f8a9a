//! `Source`: where a target's descriptor comes from.

use super::not_inherited::NotInherited;
use super::slot::SlotKind;
use crate::plan::{Mapping, NO_SOURCE, Origin, Refusal};
use std::any::TypeId;
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A source, by what the parent has to do for it.
#[derive(Debug)]
pub(crate) enum Source<'fd> {
    /// The parent has the descriptor already.
    Given(Given<'fd>),
    /// The library opens the descriptor for each spawn.
    Opened(Opened),
    /// The source of another target.
    SameAs(RawFd),
    /// No source: the target is closed in the child.
    Closed,
    /// A descriptor that was moved into the command. An earlier spawn has closed it.
    Spent,
}

/// A descriptor that the parent has already.
#[derive(Debug)]
pub(crate) enum Given<'fd> {
    /// The descriptor that has the target's number.
    Inherit,
    /// The descriptor that has this number.
    InheritFrom(RawFd),
    Moved(OwnedFd),
    Shared(Shared),
    Lent(BorrowedFd<'fd>),
    /// Lent by a caller that knows its number only. It has to be open.
    LentByNumber(RawFd),
    /// The end of a link of a graph.
    Link(RawFd),
    /// Given to the keep list, so that the target has its number: lent, moved or shared.
    Kept(BorrowedFd<'fd>),
    /// Lent to the keep list by a caller that holds the borrow during the spawn.
    KeptByNumber(RawFd),
    KeptMoved(OwnedFd),
    KeptShared(Shared),
}

/// What the library opens for each spawn.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    Null,
    Data(Vec<u8>),
    /// A pipe at 0, 1 or 2. The target determines its direction.
    Piped,
    Slot {
        kind: SlotKind,
        id: u64,
    },
}

impl<'fd> Source<'fd> {
    pub(crate) const INHERIT: Source<'static> = Source::Given(Given::Inherit);
    pub(crate) const NULL: Source<'static> = Source::Opened(Opened::Null);
    pub(crate) const PIPED: Source<'static> = Source::Opened(Opened::Piped);

    /// The entry of the child's table for this source. If the parent has not opened the source yet, its number is [`NO_SOURCE`].
    pub(crate) fn mapping(&self, target: RawFd, not_inherited: NotInherited) -> Result<Mapping, Refusal> {
        let (source, origin) = match self {
            Self::Given(Given::Inherit) if not_inherited.contains(target) => (NO_SOURCE, Origin::NotInherited),
            Self::Given(Given::Inherit) if !(0..=2).contains(&target) => return Err(Refusal::InheritWhere { target }),
            Self::Given(given) => match given.number_and_origin(target) {
                // No descriptor has such a number, and NO_SOURCE is one of these.
                (source @ ..0, _) => return Err(Refusal::SourceNotOpen { target, source }),
                given => given,
            },
            Self::Opened(opened) => (NO_SOURCE, opened.origin(target)?),
            Self::SameAs(other) => (NO_SOURCE, Origin::SameAs(*other)),
            Self::Closed => (NO_SOURCE, Origin::Closed),
            Self::Spent => return Err(Refusal::SourceSpent { target }),
        };
        Ok(Mapping { target, source, close_on_exec: false, origin })
    }

    /// The same source, lent by its number for one spawn, during which the caller holds the borrow of its owner. What was moved into the
    /// owner is lent, too.
    pub(super) fn lent_by_number(&self, target: RawFd) -> Result<Source<'static>, Refusal> {
        Ok(match self {
            Self::Given(given) => Source::Given(match given {
                Given::Inherit => Given::Inherit,
                Given::InheritFrom(number) => Given::InheritFrom(*number),
                Given::Moved(fd) => Given::LentByNumber(fd.as_raw_fd()),
                Given::Shared(fd) => Given::Shared(fd.clone()),
                Given::Lent(fd) => Given::LentByNumber(fd.as_raw_fd()),
                Given::LentByNumber(number) => Given::LentByNumber(*number),
                Given::Link(number) => Given::Link(*number),
                Given::Kept(fd) => Given::KeptByNumber(fd.as_raw_fd()),
                Given::KeptByNumber(number) => Given::KeptByNumber(*number),
                Given::KeptMoved(fd) => Given::KeptByNumber(fd.as_raw_fd()),
                Given::KeptShared(fd) => Given::KeptShared(fd.clone()),
            }),
            Self::Opened(opened) => Source::Opened(opened.clone()),
            Self::SameAs(other) => Source::SameAs(*other),
            Self::Closed => Source::Closed,
            Self::Spent => return Err(Refusal::SourceSpent { target }),
        })
    }

    /// The same source for a second command.
    pub(super) fn copy(&self, target: RawFd) -> Result<Self, Refusal> {
        match self {
            Self::Given(given) => given.copy().map(Self::Given).ok_or(Refusal::SourceMoved { target }),
            Self::Opened(opened) => Ok(Self::Opened(opened.clone())),
            Self::SameAs(other) => Ok(Self::SameAs(*other)),
            Self::Closed => Ok(Self::Closed),
            Self::Spent => Err(Refusal::SourceSpent { target }),
        }
    }
}

impl<'fd> Given<'fd> {
    pub(super) fn number_and_origin(&self, target: RawFd) -> (RawFd, Origin) {
        match self {
            Self::Inherit => (target, Origin::Inherited),
            Self::InheritFrom(number) => (*number, Origin::Inherited),
            Self::Moved(fd) => (fd.as_raw_fd(), Origin::Moved),
            Self::Shared(fd) => (fd.number(), Origin::Shared),
            Self::Lent(fd) => (fd.as_raw_fd(), Origin::Lent),
            Self::LentByNumber(number) => (*number, Origin::Lent),
            Self::Link(number) => (*number, Origin::Link),
            Self::Kept(fd) => (fd.as_raw_fd(), Origin::Kept),
            Self::KeptByNumber(number) => (*number, Origin::Kept),
            Self::KeptMoved(fd) => (fd.as_raw_fd(), Origin::KeptMoved),
            Self::KeptShared(fd) => (fd.number(), Origin::KeptShared),
        }
    }

    /// The same descriptor, which no spawn closes: an owner that was moved becomes a shared one.
    pub(super) fn shared(self) -> Self {
        match self {
            Self::Moved(fd) => Self::Shared(Shared::new(Arc::new(fd))),
            Self::KeptMoved(fd) => Self::KeptShared(Shared::new(Arc::new(fd))),
            other => other,
        }
    }

    /// Whether a successful spawn closes it in the parent.
    pub(super) fn is_moved(&self) -> bool {
        matches!(self, Self::Moved(_) | Self::KeptMoved(_))
    }

    /// Whether it belongs to the keep list.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_) | Self::KeptByNumber(_) | Self::KeptMoved(_) | Self::KeptShared(_))
    }

    /// The same descriptor for a second command; `None` if only one command can own it.
    fn copy(&self) -> Option<Self> {
        match self {
            Self::Inherit => Some(Self::Inherit),
            Self::InheritFrom(number) => Some(Self::InheritFrom(*number)),
            Self::Shared(fd) => Some(Self::Shared(fd.clone())),
            Self::Lent(fd) => Some(Self::Lent(*fd)),
            Self::LentByNumber(number) => Some(Self::LentByNumber(*number)),
            Self::Link(number) => Some(Self::Link(*number)),
            Self::Kept(fd) => Some(Self::Kept(*fd)),
            Self::KeptByNumber(number) => Some(Self::KeptByNumber(*number)),
            Self::KeptShared(fd) => Some(Self::KeptShared(fd.clone())),
            Self::Moved(_) | Self::KeptMoved(_) => None,
        }
    }
}

impl Opened {
    fn origin(&self, target: RawFd) -> Result<Origin, Refusal> {
        match self {
            Self::Null => Ok(Origin::Null),
            Self::Data(bytes) => Ok(Origin::Data { bytes: bytes.len() }),
            Self::Piped => match target {
                0 => Ok(Origin::WrittenByParent),
                1 | 2 => Ok(Origin::ReadByParent),
                _ => Err(Refusal::PipedWhere { target }),
            },
            Self::Slot { kind: SlotKind::Reader, .. } => Ok(Origin::ReadByParent),
            Self::Slot { kind: SlotKind::Writer, .. } => Ok(Origin::WrittenByParent),
            Self::Slot { kind: SlotKind::Socket, .. } => Ok(Origin::Socket),
        }
    }
}

/// A descriptor whose owner the command shares with others: any type that owns a descriptor.
#[derive(Clone)]
pub(crate) struct Shared {
    owner: Arc<dyn AsFd + Send + Sync>,
    is_of_callers_type: bool,
}

impl Shared {
    pub(super) fn new<T: AsFd + Send + Sync + 'static>(owner: Arc<T>) -> Self {
        let stds = [TypeId::of::<OwnedFd>(), TypeId::of::<File>()];
        Self { owner, is_of_callers_type: !stds.contains(&TypeId::of::<T>()) }
    }

    /// Whether the owner's `as_fd` may be code of the caller.
    pub(super) fn is_of_callers_type(&self) -> bool {
        self.is_of_callers_type
    }

    pub(crate) fn number(&self) -> RawFd {
        self.owner.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.number()).finish()
    }
}

/// Calls a macro with the types of std that own one descriptor, and that can be moved into a command.
macro_rules! each_owner {
    ($macro:ident) => {
        $macro!(
            std::os::fd::OwnedFd,
            std::fs::File,
            std::io::PipeReader,
            std::io::PipeWriter,
            std::os::unix::net::UnixStream,
            std::os::unix::net::UnixDatagram,
            std::os::unix::net::UnixListener,
            std::net::TcpStream,
            std::net::TcpListener,
            std::net::UdpSocket,
            std::process::ChildStdin,
            std::process::ChildStdout,
            std::process::ChildStderr,
        );
    };
}
pub(super) use each_owner;
