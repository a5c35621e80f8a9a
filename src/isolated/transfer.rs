//! Sends and receives descriptors over a Unix socket (`SCM_RIGHTS`).

use rustix::io::{Errno, IoSlice, IoSliceMut, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The kernel's limit: how many descriptors one message can have.
const SCM_MAX_FD: usize = 253;

/// The bytes of a message: the job that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JobHead {
    /// The number of the job that the message belongs to.
    pub(super) job: u32,
    /// Whether it is the job's last message.
    pub(super) last: bool,
}

impl JobHead {
    fn to_bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.job.to_ne_bytes();
        [a, b, c, d, u8::from(self.last)]
    }

    fn from_bytes([a, b, c, d, last]: [u8; 5]) -> Self {
        Self { job: u32::from_ne_bytes([a, b, c, d]), last: last != 0 }
    }
}

/// A message and its descriptors.
pub(super) struct FdMessage {
    /// `None` at end-of-file.
    pub(super) head: Option<JobHead>,
    pub(super) fds: Vec<OwnedFd>,
    /// Whether the kernel has dropped descriptors, since no number was free for them (`MSG_CTRUNC`).
    pub(super) truncated: bool,
}

/// Sends the descriptors of one job, in as many messages as they need.
pub(super) fn send_all(socket: BorrowedFd<'_>, job: u32, mut fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    loop {
        let (now, later) = fds.split_at(fds.len().min(SCM_MAX_FD));
        send(socket, JobHead { job, last: later.is_empty() }, now, SendFlags::empty())?;
        if later.is_empty() {
            return Ok(());
        }
        fds = later;
    }
}

/// Sends one message, without SIGPIPE.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    head: JobHead,
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SCM_MAX_FD))];
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
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SCM_MAX_FD))];
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
    Ok(FdMessage { head: (received.bytes == head.len()).then(|| JobHead::from_bytes(head)), fds, truncated })
}

/// The number of a job, and its descriptors. An error if no number was free for some of them.
type ReceivedJob = (u32, Result<Vec<OwnedFd>, Errno>);

/// Waits until all messages of a job have arrived. `None` at end-of-file.
pub(super) fn receive_job(socket: BorrowedFd<'_>) -> Result<Option<ReceivedJob>, Errno> {
    let mut fds = Vec::new();
    let mut truncated = false;
    let mut job = None;
    loop {
        // Close-on-exec is not needed: only children of this thread get copies of its table, and they close the rest.
        let message = receive(socket, RecvFlags::empty())?;
        let Some(head) = message.head else { return Ok(None) };
        if job != Some(head.job) {
            // These messages are of an earlier job: the caller could not send all messages of that job.
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
