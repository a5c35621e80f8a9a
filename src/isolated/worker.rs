//! The two ends of the socket between callers and the thread.
//!
//! Caller and thread share all memory, so a job is a function of the caller, which waits until the thread has run it. Only
//! descriptors have to be sent.

use super::job::{Job, JobPtr, JobSlot};
use super::transfer::{Head, receive, receive_job, send, send_all};
use crate::fd::by_number;
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers};
use crate::platform::Features;
use crate::sys;
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// The number of the thread's socket, so that the descriptors of a job arrive at the numbers from 0 on.
const SOCKET_NUMBER: RawFd = 256;

/// How long the caller waits for a message before it looks at the job's state.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(100);

/// The caller's end.
#[derive(Debug)]
pub(super) struct Caller {
    socket: OwnedFd,
    slot: Arc<JobSlot>,
    /// The number of the last job.
    job: u32,
}

/// A connected pair: the caller's end, and the thread's socket.
pub(super) fn pair() -> io::Result<(Caller, OwnedFd)> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (ours, theirs) = (dup_above_stdio(ours)?, dup_above_stdio(theirs)?);
    rustix::net::sockopt::set_socket_timeout(&ours, Timeout::Recv, Some(RECEIVE_TIMEOUT))?;
    Ok((Caller { socket: ours, slot: Arc::default(), job: 0 }, theirs))
}

impl Caller {
    /// The place for the job.
    pub(super) fn slot(&self) -> Arc<JobSlot> {
        self.slot.clone()
    }

    /// Waits until the thread serves, or cannot.
    pub(super) fn wait_for_start(&self) -> Result<(), Errno> {
        self.slot.wait().map(drop)
    }

    /// Makes the thread run a job with copies of these descriptors. Drops `sending` when they are on their way.
    pub(super) fn call<G>(
        &mut self,
        fds: &[BorrowedFd<'_>],
        sending: G,
        job: &mut Job<'_>,
    ) -> Result<Option<OwnedFd>, Errno> {
        self.job = self.job.wrapping_add(1);
        // SAFETY: this function neither touches the job nor returns before the wait below is over or the job is cancelled.
        self.slot.submit(self.job, unsafe { JobPtr::new(job) })?;
        let sent = send_all(self.socket.as_fd(), self.job, fds);
        drop(sending);
        if let Err(errno) = sent {
            if self.slot.cancel() {
                // The thread closes what has arrived of the job when the last message comes, since it finds no such job.
                let _ = send(self.socket.as_fd(), Head { job: self.job, last: true }, &[], SendFlags::empty());
                return Err(errno);
            }
        }
        self.wait_for_answer();
        let with_fd = self.slot.wait();
        let _guard = if matches!(with_fd, Ok(true)) { Some(lock_stdio_numbers()) } else { None };
        let fd = self.receive_answer();
        with_fd?;
        // If no number above 2 is free, the caller does without the descriptor.
        Ok(fd.and_then(|fd| dup_above_stdio(fd).ok()))
    }

    /// Waits for a message of the thread, and leaves it in the socket. The message only says that the job's state may have
    /// changed. The kernel wakes the reader of a socket on the writer's processor, which is quicker than a condition variable.
    /// If no message comes, or none can be read, the wait for the job's state still ends.
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

    /// Takes the thread's message out of the socket, with the descriptor that it may have.
    fn receive_answer(&self) -> Option<OwnedFd> {
        loop {
            let message = receive(self.socket.as_fd(), RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT).ok()?;
            // A message of an earlier job is not the answer to this one.
            if message.head?.job == self.job {
                return message.fds.into_iter().next();
            }
        }
    }

    /// Ends the thread, even if a forked process has a copy of the socket. Returns whether that worked.
    pub(super) fn shut_down(&self) -> bool {
        rustix::net::shutdown(&self.socket, Shutdown::Both).is_ok()
    }
}

/// The thread: takes a table of its own, and runs jobs until the caller closes its end.
pub(super) fn run(socket: RawFd, slot: &JobSlot) {
    // The process's handlers run in other threads, which have the process's descriptors.
    block_programs_signals();
    match take_table(socket) {
        Ok(socket) => serve(&socket, slot),
        Err(errno) => slot.end(errno),
    }
}

/// Runs the jobs that arrive.
fn serve(socket: &OwnedFd, slot: &JobSlot) {
    slot.start();
    loop {
        let (number, fds) = match receive_job(socket.as_fd()) {
            Ok(Some(job)) => job,
            Ok(None) => return slot.end(Errno::PIPE),
            Err(errno) => return slot.end(errno),
        };
        let Some(job) = slot.claim(number) else { continue };
        // The thread's copies of the sources are closed before the caller learns of the end.
        let result = fds.and_then(|fds| catch_unwind(AssertUnwindSafe(|| job.run(&fds))).map_err(|_| Errno::CANCELED));
        match &result {
            Ok(fd) => slot.finish(fd.is_some()),
            Err(errno) => slot.fail(*errno),
        }
        let answer = result.ok().flatten();
        // It must not wait for a caller that reads no answers.
        let send_answer =
            |fds: &[BorrowedFd<'_>]| send(socket.as_fd(), Head { job: number, last: true }, fds, SendFlags::DONTWAIT);
        let sent = answer.as_ref().is_some_and(|fd| send_answer(&[fd.as_fd()]).is_ok());
        if !sent {
            let _ = send_answer(&[]); // If that fails too, the caller learns of the end from the job's state.
        }
    }
}

/// Gives the calling thread a table with nothing but the socket, and the socket a number above those that jobs use.
fn take_table(socket: RawFd) -> Result<OwnedFd, Errno> {
    sys::unshare_table()?;
    for (first, last) in by_number::gaps(vec![socket]).into_iter().rev() {
        by_number::close(first, last, Features::empty())?;
    }
    // SAFETY: the number is open in this thread's own table, and nothing else uses that table.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // If the limit of descriptors is too low for this number, descriptors of a job arrive around the socket's own.
    match rustix::io::fcntl_dupfd_cloexec(&socket, SOCKET_NUMBER) {
        Ok(moved) => Ok(moved),
        Err(_) => Ok(socket),
    }
}

/// Blocks the signals that programs use, for as long as this thread runs. The signals that libc keeps for itself stay open:
/// `setuid` in another thread sends one to each thread, and waits for its handler.
fn block_programs_signals() {
    // SAFETY: all zeros is a valid set; libc fills in its own idea of all signals, and only this thread's mask changes.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        // The thread causes these itself: a seccomp filter may have a call answered by a handler of SIGSYS.
        for signal in [libc::SIGSYS, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            libc::sigdelset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}
