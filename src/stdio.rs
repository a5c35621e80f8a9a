//! What a descriptor of the child is connected to.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::marker::PhantomData;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
pub struct Stdio<'fd>(pub(crate) Source<'fd>);

/// The kinds of source.
#[derive(Debug)]
pub(crate) enum Source<'fd> {
    Inherit,
    Null,
    Piped,
    Closed,
    SameAs(RawFd),
    Data(Vec<u8>),
    Moved(OwnedFd),
    Spent,
    Shared(Arc<OwnedFd>),
    Lent(BorrowedFd<'fd>),
    InheritFrom(RawFd),
    Slot { kind: SlotKind, id: u64 },
}

impl<'fd> Stdio<'fd> {
    /// The parent's descriptor of the same number, without close-on-exec.
    ///
    /// Where 0, 1 or 2 is closed in the parent, the child gets `/dev/null` there, never a hole that its next open
    /// would fall into. Any other number has to be open, or the spawn is refused.
    pub const fn inherit() -> Self {
        Self(Source::Inherit)
    }

    /// The parent's descriptor `source`, whatever the number in the child. [`Stdio::inherit`] says what is inherited
    /// where it is closed.
    ///
    /// It names the descriptor by number, as a user on a command line would: whoever owns it may close it before the
    /// spawn, which is then refused, or the number may be another's by then. Code that has the descriptor lends it.
    pub const fn inherit_from(source: RawFd) -> Self {
        Self(Source::InheritFrom(source))
    }

    /// `/dev/null`, for reading and writing.
    pub const fn null() -> Self {
        Self(Source::Null)
    }

    /// A new pipe between parent and child, for standard input, output and error only. The parent's end is in the
    /// `Child`. For other numbers the direction has to be said: [`Command::reader`] and [`Command::writer`].
    ///
    /// [`Command::reader`]: crate::Command::reader
    /// [`Command::writer`]: crate::Command::writer
    pub const fn piped() -> Self {
        Self(Source::Piped)
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
        Self(Source::Data(bytes.into()))
    }
}

impl<'fd> From<BorrowedFd<'fd>> for Stdio<'fd> {
    /// Lends the descriptor: it stays open in the parent.
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Source::Lent(fd))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for Stdio<'fd> {
    /// Lends the descriptor: it stays open in the parent.
    fn from(owner: &'fd T) -> Self {
        Self(Source::Lent(owner.as_fd()))
    }
}

impl From<Arc<OwnedFd>> for Stdio<'_> {
    /// Shares the descriptor: the command is one more owner, for as many spawns as it makes.
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Source::Shared(fd))
    }
}

macro_rules! moved {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio<'_> {
            /// Moves the descriptor into the command: the next spawn that succeeds closes it in the parent.
            fn from(owner: $owner) -> Self {
                Self(Source::Moved(OwnedFd::from(owner)))
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
                use std::os::fd::AsRawFd;
                Self(Source::InheritFrom(stream.as_raw_fd()))
            }
        }
    )*};
}

standard!(std::io::Stdin, std::io::Stdout, std::io::Stderr);

/// What the parent holds of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotKind {
    Reader,
    Writer,
    Socket,
}

/// A claim on the parent's end of a descriptor, redeemed by [`Child::take`].
///
/// It is `Copy`: each child of a command has an end of its own for it. A slot of another command is worth nothing.
///
/// [`Child::take`]: crate::Child::take
pub struct Slot<T> {
    pub(crate) id: u64,
    pub(crate) handle: PhantomData<fn() -> T>,
}

impl<T> Slot<T> {
    /// A slot unlike any other in this process.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), handle: PhantomData }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slot<T> {}

impl<T> std::fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.id).finish()
    }
}
