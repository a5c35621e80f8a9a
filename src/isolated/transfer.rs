//! Descriptors in messages of a Unix socket (`SCM_RIGHTS`).

use rustix::io::{Errno, IoSlice, IoSliceMut, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// How many descriptors one message can have at most: the kernel's `SCM_MAX_FD`.
const MOST: usize = 253;

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the job that the message belongs to.
    pub(super) job: u32,
    /// Whether it is the job's last message.
    pub(super) last: bool,
}

impl Head {
    fn to_bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.job.to_ne_bytes();
        [a, b, c, d, u8::from(self.last)]
    }

    fn from_bytes([a, b, c, d, last]: [u8; 5]) -> Self {
        Self { job: u32::from_ne_bytes([a, b, c, d]), last: last != 0 }
    }
}

/// One message, with the descriptors that came with it.
pub(super) struct FdMessage {
    /// `None` at the end of all messages.
    pub(super) head: Option<Head>,
    pub(super) fds: Vec<OwnedFd>,
    /// Whether the kernel found no free number for some of the descriptors, and dropped them.
    pub(super) truncated: bool,
}

/// Sends the descriptors of one job, in as many messages as they need.
pub(super) fn send_all(socket: BorrowedFd<'_>, job: u32, mut fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    loop {
        let (now, later) = fds.split_at(fds.len().min(MOST));
        send(socket, Head { job, last: later.is_empty() }, now, SendFlags::empty())?;
        if later.is_empty() {
            return Ok(());
        }
        fds = later;
    }
}

/// Sends one message. It never raises SIGPIPE.
pub(super) fn send(socket: BorrowedFd<'_>, head: Head, fds: &[BorrowedFd<'_>], flags: SendFlags) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let head = head.to_bytes();
    retry_on_intr(|| rustix::net::sendmsg(socket, &[IoSlice::new(&head)], &mut control, flags | SendFlags::NOSIGNAL))
        .map(drop)
}

/// Receives one message.
pub(super) fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<FdMessage, Errno> {
    let mut head = [0; 5];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        retry_on_intr(|| rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut head)], &mut control, flags))?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let truncated = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(FdMessage { head: (received.bytes == head.len()).then(|| Head::from_bytes(head)), fds, truncated })
}

/// The number of a job, and its descriptors; an error instead of them if some found no free number.
type ReceivedJob = (u32, Result<Vec<OwnedFd>, Errno>);

/// Waits for the next job all of whose messages have arrived. `None` at the end of all jobs.
pub(super) fn receive_job(socket: BorrowedFd<'_>) -> Result<Option<ReceivedJob>, Errno> {
    let mut fds = Vec::new();
    let mut truncated = false;
    let mut job = None;
    loop {
        // Without close-on-exec: only children of this thread get copies of its table, and their plans close the rest.
        let message = receive(socket, RecvFlags::empty())?;
        let Some(head) = message.head else { return Ok(None) };
        if job != Some(head.job) {
            // The caller could not send the whole of an earlier job, and has left these.
            fds.clear();
            (job, truncated) = (Some(head.job), false);
        }
        truncated |= message.truncated;
        fds.extend(message.fds);
        if head.last {
            return Ok(Some((head.job, if truncated { Err(Errno::MFILE) } else { Ok(fds) })));
        }
    }
}
