//! `Stdio`: what a descriptor of the child is connected to.

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
/// The owner of the source closes it in the parent:
///
/// | made from | the source in the parent |
/// |---|---|
/// | `OwnedFd`, `File`, a pipe end, a socket: *moved* | the command closes it as soon as a spawn has succeeded; a second spawn fails ([`Refusal::SourceSpent`]) |
/// | `BorrowedFd`, a reference to any of these: *lent* | the library never closes it |
/// | `Arc<OwnedFd>`: *shared* | it is closed when its last owner is dropped; the command is one of the owners |
///
/// ```
/// use fdspawn::{Command, Stdio};
/// use std::io::Read;
///
/// // The shell's `echo hello 2>&1`. The parent reads the pipe.
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
    /// A pipe at 0, 1 or 2. The target determines its direction.
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

    /// The entry of the child's table for this source. If the parent has not opened the source yet, its number is [`NO_SOURCE`].
    pub(crate) fn mapping(&self, target: RawFd) -> Result<Mapping, Refusal> {
        let (source, origin) = match self {
            Self::Given(Given::Inherit) if !(0..=2).contains(&target) => return Err(Refusal::InheritWhere { target }),
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
    /// The parent's descriptor of the same number, for 0, 1 and 2. Close-on-exec is cleared in the child.
    ///
    /// If it is closed in the parent, the child gets `/dev/null` there, so that the child's next open does not get that number.
    /// For any other target the spawn is refused ([`Refusal::InheritWhere`]): another number may belong to any part of the process.
    /// Lend such a descriptor, or keep it.
    ///
    /// [`Refusal::InheritWhere`]: crate::plan::Refusal::InheritWhere
    pub const fn inherit() -> Self {
        Self(Source::INHERIT)
    }

    /// The parent's descriptor `source`, for any target.
    ///
    /// Use it if you know only the number, for example from a command line. If you have the descriptor itself, lend it. For the
    /// standard streams there are safe conversions from [`std::io::Stdin`], `Stdout` and `Stderr`.
    ///
    /// If `source` is 0, 1 or 2 and closed, the child gets `/dev/null`. If any other number is closed, the spawn is refused
    /// ([`Refusal::SourceNotOpen`]).
    ///
    /// # Safety
    ///
    /// At the spawn the number is closed, or it refers to a descriptor that the caller may hand to the child: its owner permits that,
    /// and does not close it during the spawn.
    ///
    /// ```
    /// use fdspawn::{Command, Stdio};
    ///
    /// // SAFETY: standard error stays open as long as this process runs.
    /// let stderr = unsafe { Stdio::inherit_from(2) };
    /// assert!(Command::new("true").stdout(stderr).status()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[allow(unsafe_code, reason = "only the caller knows who owns the number")]
    pub const unsafe fn inherit_from(source: RawFd) -> Self {
        Self(Source::Given(Given::InheritFrom(source)))
    }

    /// `/dev/null`, for reading and writing.
    pub const fn null() -> Self {
        Self(Source::NULL)
    }

    /// A new pipe between parent and child, for standard input, output and error only. The parent's end is in the [`Child`].
    /// For other numbers use [`Command::reader`] or [`Command::writer`], which name the direction.
    ///
    /// [`Child`]: crate::Child
    /// [`Command::reader`]: crate::Command::reader
    /// [`Command::writer`]: crate::Command::writer
    pub const fn piped() -> Self {
        Self(Source::PIPED)
    }

    /// No descriptor: the number is closed in the child. Few programs work with a closed 0, 1 or 2.
    pub const fn closed() -> Self {
        Self(Source::Closed)
    }

    /// A duplicate of the child's descriptor `target`, as `2>&1` in a shell. Unlike in a shell, the order of the calls does not
    /// matter: it is the `target` of the finished table.
    pub const fn same_as(target: RawFd) -> Self {
        Self(Source::SameAs(target))
    }

    /// A descriptor from which the child reads these bytes, and then end-of-file: a here-document.
    ///
    /// On Linux it is a file in memory (`memfd_create(2)`), sealed so that no process can change it. On other systems, or if the
    /// kernel refuses that, it is a pipe. The bytes have to fit into the pipe's capacity (64 KiB by default), or the spawn fails
    /// with `EFBIG`. Each spawn makes a new one, and the parent keeps no descriptor of it.
    ///
    /// **Secrets.** No other process can read the bytes unless it may look into this process or the child. The file has the mode 0400
    /// (a pipe has 0600) and belongs to this process's user, so programs such as `ssh-keygen -f /dev/fd/3` accept it. The mode only
    /// matters to a program that opens it again by such a path: a program that runs as another user cannot, but can read the
    /// descriptor itself. The bytes stay in this process's memory while the command lives, and the program does not get that memory.
    /// The name in `/proc/PID/fd`, `fdspawn-data`, says nothing of the content.
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
    /// Lends the descriptor, which stays open in the parent.
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Source::Given(Given::Lent(fd)))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for Stdio<'fd> {
    /// Lends the descriptor, which stays open in the parent.
    fn from(owner: &'fd T) -> Self {
        Self(Source::Given(Given::Lent(owner.as_fd())))
    }
}

impl From<Arc<OwnedFd>> for Stdio<'_> {
    /// Shares the descriptor: the command is one of its owners, and can be spawned many times.
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Source::Given(Given::Shared(fd)))
    }
}

macro_rules! moved {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio<'_> {
            /// Moves the descriptor into the command. The first spawn that succeeds closes it in the parent.
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
            /// The parent's standard stream of that name, by its number: see [`Stdio::inherit_from`].
            fn from(stream: $stream) -> Self {
                Self(Source::Given(Given::InheritFrom(stream.as_raw_fd())))
            }
        }
    )*};
}

standard!(std::io::Stdin, std::io::Stdout, std::io::Stderr);
