//! What a descriptor of the child is connected to.

use super::slot::SlotKind;
use crate::plan::{Mapping, NO_SOURCE, Origin, Refusal};
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Arc;

/// What a descriptor of the child is connected to: `std::process::Stdio` with a lifetime and more kinds.
///
/// Who owns the source decides what becomes of it in the parent:
///
/// | made from | the source in the parent |
/// |---|---|
/// | `OwnedFd`, `File`, a pipe end, a socket: *moved* | closed as soon as a spawn has succeeded; the command cannot be spawned again with it |
/// | `BorrowedFd`, a reference to any of these: *lent* | never closed |
/// | `Arc<OwnedFd>`: *shared* | closed when its last owner is dropped; the command is one of them |
///
/// ```
/// use fdspawn::{Command, Stdio};
/// use std::io::Read;
///
/// // The shell's `echo hello 2>&1`, with the parent's end in hand.
/// let (mut reader, writer) = std::io::pipe()?;
/// let mut child = Command::new("echo").arg("hello").stdout(writer).stderr(Stdio::same_as(1)).spawn()?;
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?; // ends, since the spawn closed the writer
/// assert_eq!(text, "hello\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Stdio<'fd>(pub(super) Source<'fd>);

/// The kinds of source, by what the parent has to do for them.
#[derive(Debug)]
pub(crate) enum Source<'fd> {
    /// The parent has the descriptor already.
    Given(Given<'fd>),
    /// The library opens it for each spawn.
    Opened(Opened),
    /// The same as another target.
    SameAs(RawFd),
    /// Nothing: the target is closed in the child.
    Closed,
    /// A descriptor that was moved into the command. An earlier spawn has closed it.
    Spent,
}

/// A descriptor that the parent has already.
#[derive(Debug)]
pub(crate) enum Given<'fd> {
    /// The one with the target's number.
    Inherit,
    /// The one with this number.
    InheritFrom(RawFd),
    Moved(OwnedFd),
    Shared(Arc<OwnedFd>),
    Lent(BorrowedFd<'fd>),
    /// Lent by the keep list, so that the target has its number.
    Kept(BorrowedFd<'fd>),
}

/// What the library opens for each spawn.
#[derive(Debug)]
pub(crate) enum Opened {
    Null,
    Data(Vec<u8>),
    /// A pipe at 0, 1 or 2, whose direction the target tells.
    Piped,
    Slot {
        kind: SlotKind,
        id: u64,
    },
}

impl Source<'_> {
    pub(crate) const INHERIT: Source<'static> = Source::Given(Given::Inherit);
    pub(crate) const NULL: Source<'static> = Source::Opened(Opened::Null);
    pub(crate) const PIPED: Source<'static> = Source::Opened(Opened::Piped);

    /// The entry of the child's table for this source. If the parent does not have it yet, its number is [`NO_SOURCE`].
    pub(crate) fn mapping(&self, target: RawFd) -> Result<Mapping, Refusal> {
        let (source, origin) = match self {
            Self::Given(given) => given.number_and_origin(target),
            Self::Opened(opened) => (NO_SOURCE, opened.origin(target)?),
            Self::SameAs(other) => (NO_SOURCE, Origin::SameAs(*other)),
            Self::Closed => (NO_SOURCE, Origin::Closed),
            Self::Spent => return Err(Refusal::SourceSpent { target }),
        };
        Ok(Mapping { target, source, close_on_exec: false, origin })
    }
}

impl Given<'_> {
    fn number_and_origin(&self, target: RawFd) -> (RawFd, Origin) {
        match self {
            Self::Inherit => (target, Origin::Inherited),
            Self::InheritFrom(number) => (*number, Origin::Inherited),
            Self::Moved(fd) => (fd.as_raw_fd(), Origin::Moved),
            Self::Shared(fd) => (fd.as_raw_fd(), Origin::Shared),
            Self::Lent(fd) => (fd.as_raw_fd(), Origin::Lent),
            Self::Kept(fd) => (fd.as_raw_fd(), Origin::Kept),
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

impl<'fd> Stdio<'fd> {
    /// The parent's descriptor of the same number, without close-on-exec.
    ///
    /// Where 0, 1 or 2 is closed in the parent, the child gets `/dev/null` there, never a hole that its next open
    /// would fall into. Any other number has to be open, or the spawn is refused.
    pub const fn inherit() -> Self {
        Self(Source::INHERIT)
    }

    /// The parent's descriptor `source`, whatever the number in the child. [`Stdio::inherit`] says what is inherited
    /// where it is closed.
    ///
    /// It names the descriptor by number, as a user on a command line would: whoever owns it may close it before the
    /// spawn, which is then refused, or the number may be another's by then. Code that has the descriptor lends it.
    pub const fn inherit_from(source: RawFd) -> Self {
        Self(Source::Given(Given::InheritFrom(source)))
    }

    /// `/dev/null`, for reading and writing.
    pub const fn null() -> Self {
        Self(Source::NULL)
    }

    /// A new pipe between parent and child, for standard input, output and error only. The parent's end is in the
    /// `Child`. For other numbers the direction has to be said: [`Command::reader`] and [`Command::writer`].
    ///
    /// [`Command::reader`]: crate::Command::reader
    /// [`Command::writer`]: crate::Command::writer
    pub const fn piped() -> Self {
        Self(Source::PIPED)
    }

    /// A hole: the number is not open in the child. Few programs expect that of 0, 1 or 2.
    pub const fn closed() -> Self {
        Self(Source::Closed)
    }

    /// A duplicate of whatever `target` is in the child, as `2>&1` in a shell; but the order of the calls does not
    /// matter, since it is about the finished table.
    pub const fn same_as(target: RawFd) -> Self {
        Self(Source::SameAs(target))
    }

    /// The bytes that the child reads, and then end-of-file: a here-document.
    ///
    /// On Linux it is a sealed `memfd_create(2)` that nobody can change; where there is none, a pipe. A pipe holds
    /// only as much as its capacity (64 KiB, by default): more is an error. Each spawn makes it afresh, and the
    /// parent keeps no descriptor of it.
    ///
    /// ```
    /// # use fdspawn::{Command, Stdio};
    /// let output = Command::new("cat").stdin(Stdio::data("from memory")).output()?;
    /// assert_eq!(output.stdout, b"from memory");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn data(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Source::Opened(Opened::Data(bytes.into())))
    }
}

impl<'fd> From<BorrowedFd<'fd>> for Stdio<'fd> {
    /// Lends the descriptor: it stays open in the parent.
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Source::Given(Given::Lent(fd)))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for Stdio<'fd> {
    /// Lends the descriptor: it stays open in the parent.
    fn from(owner: &'fd T) -> Self {
        Self(Source::Given(Given::Lent(owner.as_fd())))
    }
}

impl From<Arc<OwnedFd>> for Stdio<'_> {
    /// Shares the descriptor: the command is one more owner, for as many spawns as it makes.
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Source::Given(Given::Shared(fd)))
    }
}

macro_rules! moved {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio<'_> {
            /// Moves the descriptor into the command: the next spawn that succeeds closes it in the parent.
            fn from(owner: $owner) -> Self {
                Self(Source::Given(Given::Moved(OwnedFd::from(owner))))
            }
        }
    )*};
}

moved!(
    OwnedFd,
    File,
    PipeReader,
    PipeWriter,
    UnixStream,
    UnixDatagram,
    UnixListener,
    TcpStream,
    TcpListener,
    UdpSocket,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
);

macro_rules! standard {
    ($($stream:ty),*) => {$(
        impl From<$stream> for Stdio<'_> {
            /// The parent's standard stream, which is open for as long as the process runs.
            fn from(stream: $stream) -> Self {
                Self(Source::Given(Given::InheritFrom(stream.as_raw_fd())))
            }
        }
    )*};
}

standard!(std::io::Stdin, std::io::Stdout, std::io::Stderr);
