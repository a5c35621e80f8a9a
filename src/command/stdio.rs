//! `Stdio`: what a descriptor of the child is connected to.

use super::source::{Given, Opened, Shared, Source, each_owner};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// What a descriptor of the child is connected to: `std::process::Stdio` with a lifetime and more kinds.
///
/// The owner of the source closes it in the parent:
///
/// | made from | the source in the parent |
/// |---|---|
/// | `OwnedFd`, `File`, a pipe end, a socket: *moved* | the command closes it as soon as a spawn has succeeded; a second spawn fails ([`Refusal::SourceSpent`]) |
/// | `BorrowedFd`, a reference to any of these: *lent* | the library never closes it |
/// | an `Arc` of any of these, or of another type that owns a descriptor (`AsFd`): *shared* | it is closed when its last owner is dropped; the command is one of the owners |
///
/// [`Refusal::SourceSpent`]: crate::plan::Refusal::SourceSpent
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

impl<'fd> Stdio<'fd> {
    /// The parent's descriptor of the same number, for 0, 1 and 2. Close-on-exec is cleared in the child.
    ///
    /// If it is closed in the parent, or named by [`Command::not_inherited`], the child gets `/dev/null` there, so that the child's next
    /// open does not get that number. For any other target the spawn is refused ([`Refusal::InheritWhere`]): another number may belong to
    /// any part of the process. Lend such a descriptor, or keep it.
    ///
    /// [`Command::not_inherited`]: crate::Command::not_inherited
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
    /// ([`Refusal::SourceNotOpen`]). [`Stdio::borrow_raw`] refuses a closed 0, 1 or 2, too.
    ///
    /// [`Refusal::SourceNotOpen`]: crate::plan::Refusal::SourceNotOpen
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

    /// The parent's descriptor `number`, for any target. It has to be open: if it is closed at the spawn, the spawn is refused
    /// ([`Refusal::SourceNotOpen`], `EBADF`), also for 0, 1 and 2.
    ///
    /// Use it if you know only the number and the child must not start without that descriptor: in a language's runtime, whose programs
    /// name descriptors by number. [`Stdio::inherit_from`] differs for a closed 0, 1 or 2: there the child gets `/dev/null`.
    ///
    /// The descriptor is *lent*: it stays open in the parent, with its flags. Only the child's duplicate has no close-on-exec.
    ///
    /// [`Refusal::SourceNotOpen`]: crate::plan::Refusal::SourceNotOpen
    ///
    /// # Safety
    ///
    /// As for [`BorrowedFd::borrow_raw`], the caller has the right to use the descriptor: its owner permits that the child gets it, and does
    /// not close it during a spawn. Other than there, the number may be closed, or -1; this library checks that at each spawn. But if
    /// other code closes the number before a spawn, and opens another file that gets it, then the child gets that file.
    ///
    /// ```
    /// use fdspawn::{Command, Failure, Stdio, plan::Refusal};
    /// use std::os::fd::AsRawFd;
    ///
    /// let file = std::fs::File::open("/dev/null")?;
    /// // SAFETY: `file` is open for as long as the command is used.
    /// let source = unsafe { Stdio::borrow_raw(file.as_raw_fd()) };
    /// assert!(Command::new("true").fd(7, source).status()?.success());
    ///
    /// // SAFETY: -1 is no descriptor.
    /// let closed = unsafe { Stdio::borrow_raw(-1) };
    /// let error = Command::new("true").stdin(closed).spawn().unwrap_err();
    /// assert!(matches!(error.failure(), Failure::Refused(Refusal::SourceNotOpen { target: 0, source: -1 })));
    /// assert_eq!(std::io::Error::from(error).to_string(), "Bad file descriptor (os error 9)");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(unsafe_code, reason = "only the caller knows who owns the number")]
    pub const unsafe fn borrow_raw(number: RawFd) -> Self {
        Self(Source::Given(Given::LentByNumber(number)))
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

    /// The same source, which no spawn closes: a descriptor that was moved becomes a shared one.
    pub(crate) fn shared(self) -> Self {
        match self.0 {
            Source::Given(given) => Self(Source::Given(given.shared())),
            other => Self(other),
        }
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

impl<T: AsFd + Send + Sync + 'static> From<Arc<T>> for Stdio<'_> {
    /// Shares the descriptor of any owner, such as `Arc<File>`, `Arc<OwnedFd>` or `Arc<TcpStream>`: the command is one of its owners,
    /// and can be spawned many times. The descriptor stays open in this process until the last owner is dropped.
    ///
    /// ```
    /// use fdspawn::{Command, Stdio};
    /// use std::sync::Arc;
    ///
    /// let log = Arc::new(std::fs::File::options().write(true).open("/dev/null")?);
    /// let mut command = Command::new("true"); // borrows nothing, so another thread or a struct can own it
    /// command.stdout(log.clone()).stderr(log.clone());
    /// assert!(command.status()?.success() && command.status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn from(owner: Arc<T>) -> Self {
        Self(Source::Given(Given::Shared(Shared::new(owner))))
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

each_owner!(moved);

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
