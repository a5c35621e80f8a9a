//! The thread's code, and the caller's end of the socket between them.
//!
//! The caller and the thread share all memory. So a job is a function of the caller, which waits until the thread has run it. The
//! socket is only for descriptors, and to wake the other end.

use super::job::{Job, JobPtr, JobSlot};
use super::transfer::{JobHead, receive, receive_job, send, send_all};
use crate::fd::by_number;
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers};
use crate::sys;
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// The number of the thread's socket. It is high, so that the descriptors of a job get the numbers from 0 on.
const SOCKET_NUMBER: RawFd = 256;

/// How long the caller waits for a message before it checks the job's state.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// The caller's end.
#[derive(Debug)]
pub(super) struct Caller {
    socket: OwnedFd,
    slot: Arc<JobSlot>,
    /// The number of the last job.
    job: u32,
}

/// Opens a connected pair: the caller's end, and the thread's socket.
pub(super) fn pair() -> io::Result<(Caller, OwnedFd)> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (ours, theirs) = (dup_above_stdio(ours)?, dup_above_stdio(theirs)?);
    rustix::net::sockopt::set_socket_timeout(&ours, Timeout::Recv, Some(RECEIVE_TIMEOUT))?;
    Ok((Caller { socket: ours, slot: Arc::default(), job: 0 }, theirs))
}

impl Caller {
    /// The slot for jobs, which the thread shares.
    pub(super) fn slot(&self) -> Arc<JobSlot> {
        self.slot.clone()
    }

    /// Waits until the thread is ready to run jobs, or has failed.
    pub(super) fn wait_for_start(&self) -> Result<(), Errno> {
        self.slot.wait().map(drop)
    }

    /// Makes the thread run a job with copies of these descriptors. Drops `send_guard` when it has sent them.
    pub(super) fn call<G>(
        &mut self,
        fds: &[BorrowedFd<'_>],
        send_guard: G,
        job: &mut Job<'_>,
    ) -> Result<Option<OwnedFd>, Errno> {
        self.job = self.job.wrapping_add(1);
        // SAFETY: this function does not touch the job, and returns only after the wait below or after a cancel.
        self.slot.submit(self.job, unsafe { JobPtr::new(job) })?;
        let sent = send_all(self.socket.as_fd(), self.job, fds);
        drop(send_guard);
        if let Err(errno) = sent {
            if self.slot.cancel() {
                // When the last message arrives, the thread finds no such job, and closes its descriptors.
                let _ = send(self.socket.as_fd(), JobHead { job: self.job, last: true }, &[], SendFlags::empty());
                return Err(errno);
            }
        }
        self.wait_for_answer();
        let with_fd = self.slot.wait();
        let _guard = if matches!(with_fd, Ok(true)) { Some(lock_stdio_numbers()) } else { None };
        let fd = self.receive_answer();
        with_fd?;
        // The descriptor is a pidfd. If no number above 2 is free for it, the child gets no pidfd.
        Ok(fd.and_then(|fd| dup_above_stdio(fd).ok()))
    }

    /// Waits for a message of the thread, and leaves it in the socket. The message only says that the job's state may have
    /// changed. The kernel wakes the reader of a socket on the writer's processor, which is quicker than a condition variable.
    /// If no message arrives or the read fails, the caller still waits for the job's state.
    fn wait_for_answer(&self) {
        let mut head = [0; 5];
        loop {
            match rustix::net::recv(&self.socket, &mut head[..], RecvFlags::PEEK) {
                Err(Errno::INTR) => {}
                // The receive timeout has passed.
                Err(Errno::AGAIN) if self.slot.is_busy() => {}
                _ => return,
            }
        }
    }

    /// Receives the thread's message, and returns its descriptor, if it has one.
    fn receive_answer(&self) -> Option<OwnedFd> {
        loop {
            let message = receive(self.socket.as_fd(), RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT).ok()?;
            // An earlier job's message may still be in the socket.
            if message.head?.job == self.job {
                return message.fds.into_iter().next();
            }
        }
    }

    /// Makes the thread end, even if a forked process has a copy of the socket. Returns whether that worked.
    pub(super) fn shut_down(&self) -> bool {
        rustix::net::shutdown(&self.socket, Shutdown::Both).is_ok()
    }
}

/// The thread's main function: makes a table of its own, and runs jobs until the caller closes its end.
pub(super) fn run(socket: RawFd, slot: &JobSlot) {
    // A signal handler may use descriptors of the process, which this thread does not have. Let other threads run the
    // handlers.
    let _ = sys::block_programs_signals();
    match unshare_table(socket) {
        Ok(socket) => serve(&socket, slot),
        Err(errno) => slot.end(errno),
    }
}

/// Runs jobs until end-of-file.
fn serve(socket: &OwnedFd, slot: &JobSlot) {
    slot.start();
    loop {
        let (number, fds) = match receive_job(socket.as_fd()) {
            Ok(Some(job)) => job,
            Ok(None) => return slot.end(Errno::PIPE),
            Err(errno) => return slot.end(errno),
        };
        let Some(job) = slot.claim(number) else { continue };
        // Close the thread's copies of the descriptors before the caller's wait ends.
        let result = fds.and_then(|fds| catch_unwind(AssertUnwindSafe(|| job.run(&fds))).map_err(|_| Errno::CANCELED));
        match &result {
            Ok(fd) => slot.finish(fd.is_some()),
            Err(errno) => slot.fail(*errno),
        }
        let answer = result.ok().flatten();
        // Do not block: the caller may never read the message.
        let send_answer = |fds: &[BorrowedFd<'_>]| {
            send(socket.as_fd(), JobHead { job: number, last: true }, fds, SendFlags::DONTWAIT)
        };
        let sent = answer.as_ref().is_some_and(|fd| send_answer(&[fd.as_fd()]).is_ok());
        if !sent {
            let _ = send_answer(&[]); // If this write fails, too, the caller sees the job's state after its timeout.
        }
    }
}

/// Gives the calling thread a table of its own that has only the socket, and gives the socket a number above those of jobs.
fn unshare_table(socket: RawFd) -> Result<OwnedFd, Errno> {
    sys::unshare_table()?;
    for (first, last) in by_number::gaps(vec![socket]).into_iter().rev() {
        by_number::close(first, last, by_number::Ways::NONE)?;
    }
    // SAFETY: the number is open in this thread's own table, and nothing else uses that table.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // If the limit of descriptors is too low for that number, the socket keeps its own, among those of jobs.
    match rustix::io::fcntl_dupfd_cloexec(&socket, SOCKET_NUMBER) {
        Ok(moved) => Ok(moved),
        Err(_) => Ok(socket),
    }
}
