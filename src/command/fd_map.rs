//! The plan of a child's descriptors, as the caller words it.

use crate::plan::Rest;
use crate::platform::Features;
use crate::stdio::{Slot, SlotKind, Source, Stdio};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;

/// What the descriptors of a child are to be: 0, 1 and 2, any other targets, the keep list, and what becomes of the rest.
///
/// Every [`Command`] has one, and has these methods itself. A plan of its own is for [`fork_run`], which starts no program,
/// and for handing a plan to a command with [`Command::fd_map`]. Nothing is opened, closed or checked before a spawn.
///
/// See [`Stdio`] for what becomes of the descriptors that it is given; `'fd` is how long those that it was lent live.
///
/// [`Command`]: crate::Command
/// [`Command::fd_map`]: crate::Command::fd_map
/// [`fork_run`]: crate::fork_run
///
/// ```
/// use fdspawn::{Command, FdMap, Stdio};
///
/// let mut map = FdMap::new();
/// map.stdin(Stdio::data("input")).stderr(Stdio::same_as(1));
/// let output = Command::new("cat").fd_map(map).output()?;
/// assert_eq!(output.stdout, b"input");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FdMap<'fd> {
    /// Standard input, output and error; `None` leaves it to the method that spawns.
    pub(crate) standard: [Option<Stdio<'fd>>; 3],
    pub(crate) connections: Vec<(RawFd, Stdio<'fd>)>,
    pub(crate) keep: Vec<BorrowedFd<'fd>>,
    pub(crate) rest: Rest,
    pub(crate) missing: Features,
}

impl Default for FdMap<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'fd> FdMap<'fd> {
    /// A plan of 0, 1 and 2 as they are in the parent, and nothing else.
    pub const fn new() -> Self {
        Self {
            standard: [const { None }; 3],
            connections: Vec::new(),
            keep: Vec::new(),
            rest: Rest::Close,
            missing: Features::empty(),
        }
    }

    /// Connects standard input. The last call counts. The default is to inherit it; for [`Command::output`] it is `/dev/null`.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stdin(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.standard[0] = Some(stdio.into());
        self
    }

    /// Connects standard output. The last call counts. The default is to inherit it; for [`Command::output`] it is a pipe.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stdout(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.standard[1] = Some(stdio.into());
        self
    }

    /// Connects standard error. The last call counts. The default is to inherit it; for [`Command::output`] it is a pipe.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stderr(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.standard[2] = Some(stdio.into());
        self
    }

    /// Connects the child's descriptor `target`, whatever its number. Sources may be targets of others at the same
    /// time: all of them are renumbered at once, so a swap is two calls.
    ///
    /// A target given twice is refused by the spawn, and so is one that is not below the soft `RLIMIT_NOFILE`.
    #[doc(alias = "dup2")]
    pub fn fd(&mut self, target: RawFd, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.connections.push((target, stdio.into()));
        self
    }

    /// A pipe that the child writes at `target` and the parent reads. Redeem the slot with [`Child::take`].
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn reader(&mut self, target: RawFd) -> Slot<PipeReader> {
        self.slot(target, SlotKind::Reader)
    }

    /// A pipe that the parent writes and the child reads at `target`. Redeem the slot with [`Child::take`].
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn writer(&mut self, target: RawFd) -> Slot<PipeWriter> {
        self.slot(target, SlotKind::Writer)
    }

    /// A connected pair of stream sockets, for both directions. Redeem the slot with [`Child::take`].
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "socketpair")]
    pub fn socket(&mut self, target: RawFd) -> Slot<UnixStream> {
        self.slot(target, SlotKind::Socket)
    }

    fn slot<T>(&mut self, target: RawFd, kind: SlotKind) -> Slot<T> {
        let slot = Slot::new();
        self.connections.push((target, Stdio(Source::Slot { kind, id: slot.id })));
        slot
    }

    /// Lends a descriptor that the child has under the same number. Close-on-exec is cleared in the child only.
    ///
    /// Keeping one twice is the same as once. One whose number is a target is refused by the spawn.
    pub fn keep(&mut self, fd: impl Lend<'fd>) -> &mut Self {
        self.keep.push(fd.lend());
        self
    }

    /// Says what becomes of the descriptors that the plan does not name: [`Rest::Close`] is the default.
    pub fn rest(&mut self, rest: Rest) -> &mut Self {
        self.rest = rest;
        self
    }

    /// Does as if the kernel lacked these features, for tests of the fallbacks.
    #[doc(hidden)]
    pub fn missing(&mut self, features: Features) -> &mut Self {
        self.missing = features;
        self
    }

    /// Forgets what was moved into the plan, which closes it here: the child has it now.
    pub(crate) fn close_moved(&mut self) {
        let standard = self.standard.iter_mut().flatten();
        for stdio in standard.chain(self.connections.iter_mut().map(|(_, stdio)| stdio)) {
            if let Source::Moved(_) = stdio.0 {
                stdio.0 = Source::Spent;
            }
        }
    }
}

/// What can be lent to a plan: a `BorrowedFd`, or a reference to anything that owns a descriptor.
pub trait Lend<'fd> {
    /// The descriptor, for as long as it is lent.
    fn lend(self) -> BorrowedFd<'fd>;
}

impl<'fd> Lend<'fd> for BorrowedFd<'fd> {
    fn lend(self) -> BorrowedFd<'fd> {
        self
    }
}

impl<'fd, T: AsFd> Lend<'fd> for &'fd T {
    fn lend(self) -> BorrowedFd<'fd> {
        self.as_fd()
    }
}
