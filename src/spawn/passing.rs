//! Passing descriptors and jobs to a thread that has a descriptor table of its own.
//!
//! The memory is shared, so a job is a function of the caller's, which waits until it has run. Only descriptors have to
//! travel: in messages of a socket, by `SCM_RIGHTS`.

use super::sources::{dup_above_stdio, lock_stdio_numbers};
use rustix::io::{Errno, IoSlice, IoSliceMut, retry_on_intr};
use rustix::net::sockopt::Timeout;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the thread's socket is, so that what arrives has the numbers from 0 on.
pub(super) const OUT_OF_THE_WAY: RawFd = 256;

/// How long the caller waits for a message before it looks for other news.
const LOOK: Duration = Duration::from_millis(100);

/// The most descriptors that a message can have: the kernel's `SCM_MAX_FD`.
const MOST: usize = 253;

/// The descriptors of a job, in the order in which they were sent.
pub(super) type Received<'a> = &'a [OwnedFd];

/// A function of the caller's. It may return a descriptor, which is passed to the caller.
type Job<'a> = dyn FnMut(Received<'_>) -> Option<OwnedFd> + 'a;

/// What both sides know of the job whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    /// The thread has not begun to serve.
    #[default]
    Starting,
    Idle,
    /// The job of this number waits.
    Waiting(u32, Pointer),
    Running,
    Done {
        /// Whether a descriptor has been sent to the caller.
        passed: bool,
    },
    Failed(Errno),
    /// The thread has ended, or is about to.
    Ended(Errno),
}

/// The address of a job, which its caller keeps until the job is done.
#[derive(Debug)]
struct Pointer(*mut Job<'static>);

// SAFETY: the caller hands the job over, and does not touch it until the thread has run it or has ended.
unsafe impl Send for Pointer {}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    /// Says that the thread ends, and why.
    pub(super) fn end(&self, errno: Errno) {
        self.set(State::Ended(errno));
    }

    /// Puts a job up, unless the thread has ended.
    fn offer(&self, number: u32, job: Pointer) -> Result<(), Errno> {
        let mut state = self.lock();
        if let State::Ended(errno) = *state {
            return Err(errno);
        }
        *state = State::Waiting(number, job);
        Ok(())
    }

    /// Takes the job of this number, if it waits.
    fn begin(&self, number: u32) -> Option<*mut Job<'static>> {
        let mut state = self.lock();
        match *state {
            State::Waiting(waiting, Pointer(job)) if waiting == number => {
                *state = State::Running;
                Some(job)
            }
            _ => None,
        }
    }

    /// Takes a job back that nobody has begun. Returns whether that was so.
    fn revoke(&self) -> bool {
        let mut state = self.lock();
        let waiting = matches!(*state, State::Waiting(..));
        if waiting {
            *state = State::Idle;
        }
        waiting
    }

    /// Whether somebody may use a job.
    fn is_busy(&self) -> bool {
        matches!(*self.lock(), State::Waiting(..) | State::Running)
    }

    /// Waits until nobody uses a job. Returns whether a descriptor has been passed.
    fn wait(&self) -> Result<bool, Errno> {
        let mut state = self.lock();
        loop {
            match *state {
                State::Starting | State::Waiting(..) | State::Running => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                State::Ended(errno) => return Err(errno),
                State::Idle => return Ok(false),
                State::Done { passed } => {
                    *state = State::Idle;
                    return Ok(passed);
                }
                State::Failed(errno) => {
                    *state = State::Idle;
                    return Err(errno);
                }
            }
        }
    }
}

/// The caller's end.
#[derive(Debug)]
pub(super) struct Caller {
    socket: OwnedFd,
    board: Arc<Board>,
    /// The number of the last job.
    job: u32,
}

/// A connected pair: the caller's end, and the thread's.
pub(super) fn pair() -> io::Result<(Caller, OwnedFd)> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (ours, theirs) = (dup_above_stdio(ours)?, dup_above_stdio(theirs)?);
    rustix::net::sockopt::set_socket_timeout(&ours, Timeout::Recv, Some(LOOK))?;
    Ok((Caller { socket: ours, board: Arc::default(), job: 0 }, theirs))
}

impl Caller {
    pub(super) fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Waits until the thread serves, or cannot.
    pub(super) fn ready(&self) -> Result<(), Errno> {
        self.board.wait().map(drop)
    }

    /// Has the thread run a job with copies of these descriptors. `sending` is held until they are on their way.
    pub(super) fn call<G>(
        &mut self,
        fds: &[BorrowedFd<'_>],
        sending: G,
        job: &mut Job<'_>,
    ) -> Result<Option<OwnedFd>, Errno> {
        self.job = self.job.wrapping_add(1);
        // SAFETY: only the lifetime changes. The thread does not use it once the wait below is over, or it is revoked.
        let pointer = unsafe { std::mem::transmute::<*mut Job<'_>, *mut Job<'static>>(job) };
        self.board.offer(self.job, Pointer(pointer))?;
        let sent = self.send_all(fds);
        drop(sending);
        if let Err(errno) = sent {
            if self.board.revoke() {
                // What has arrived of it is closed there when its last message comes, and there is no such job.
                let _ = send(self.socket.as_fd(), Head { job: self.job, last: true }, &[], SendFlags::empty());
                return Err(errno);
            }
        }
        self.wait_for_answer();
        let passed = self.board.wait();
        let _guard = if matches!(passed, Ok(true)) { Some(lock_stdio_numbers()) } else { None };
        let fd = self.receive_answer();
        passed?;
        // Where no number was left, the caller does without.
        Ok(fd.and_then(|fd| dup_above_stdio(fd).ok()))
    }

    /// Waits for a message of the thread, and leaves it there. It says no more than that the board may have changed, but the
    /// kernel wakes the reader of a socket on the writer's processor, which is quicker than the board's own way. Where none
    /// comes, or none can be read, there is still the board.
    fn wait_for_answer(&self) {
        let mut head = [0; 5];
        loop {
            match rustix::net::recv(&self.socket, &mut head[..], RecvFlags::PEEK) {
                Err(Errno::INTR) => {}
                // Long enough without a word for another look at the board.
                Err(Errno::AGAIN) if self.board.is_busy() => {}
                _ => return,
            }
        }
    }

    /// Takes the thread's message out, with the descriptor that it may have.
    fn receive_answer(&self) -> Option<OwnedFd> {
        loop {
            let message = receive(self.socket.as_fd(), RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT).ok()?;
            // What an earlier job has left is not this one's.
            if message.head?.job == self.job {
                return message.fds.into_iter().next();
            }
        }
    }

    fn send_all(&self, mut fds: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        loop {
            let (now, later) = fds.split_at(fds.len().min(MOST));
            send(self.socket.as_fd(), Head { job: self.job, last: later.is_empty() }, now, SendFlags::empty())?;
            if later.is_empty() {
                return Ok(());
            }
            fds = later;
        }
    }

    /// PipeHolders the thread, whoever else has a copy of the socket. Returns whether that can be done.
    pub(super) fn shut_down(&self) -> bool {
        rustix::net::shutdown(&self.socket, Shutdown::Both).is_ok()
    }
}

/// Runs the jobs that arrive, in the thread, until the caller closes its end.
pub(super) fn serve(socket: &OwnedFd, board: &Board) {
    board.set(State::Idle);
    loop {
        let (number, fds) = match receive_job(socket) {
            Ok(Some(job)) => job,
            Ok(None) => return board.end(Errno::PIPE),
            Err(errno) => return board.end(errno),
        };
        let Some(job) = board.begin(number) else { continue };
        let (state, passed) = match fds {
            Err(errno) => (State::Failed(errno), None),
            // SAFETY: the caller waits for the state that is set below, and until then only this thread uses the job.
            Ok(fds) => match catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(&fds) })) {
                Err(_) => (State::Failed(Errno::CANCELED), None),
                Ok(passed) => (State::Done { passed: passed.is_some() }, passed),
            },
        };
        board.set(state);
        // It must not wait for a caller that reads no answers.
        let answer =
            |fds: &[BorrowedFd<'_>]| send(socket.as_fd(), Head { job: number, last: true }, fds, SendFlags::DONTWAIT);
        let sent = passed.as_ref().is_some_and(|fd| answer(&[fd.as_fd()]).is_ok());
        if !sent {
            let _ = answer(&[]); // Where that fails too, the socket's end or the board tells the caller.
        }
    }
}

/// The number of a job, and its descriptors; an error instead of them where some found no number.
type Arrived = (u32, Result<Vec<OwnedFd>, Errno>);

/// The next job that has arrived as a whole. `None` at the end of all jobs.
fn receive_job(socket: &OwnedFd) -> Result<Option<Arrived>, Errno> {
    let mut fds = Vec::new();
    let mut truncated = false;
    let mut job = None;
    loop {
        // Without close-on-exec: the table is this thread's, and only its children get copies, by their plans.
        let message = receive(socket.as_fd(), RecvFlags::empty())?;
        let Some(head) = message.head else { return Ok(None) };
        if job != Some(head.job) {
            // What a job has left that was not sent as a whole.
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

/// What a message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    job: u32,
    /// Whether it is the job's last message.
    last: bool,
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

struct Message {
    /// `None` at the end of all messages.
    head: Option<Head>,
    fds: Vec<OwnedFd>,
    /// Whether some descriptors found no number.
    truncated: bool,
}

fn receive(socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<Message, Errno> {
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
    Ok(Message { head: (received.bytes == head.len()).then(|| Head::from_bytes(head)), fds, truncated })
}

fn send(socket: BorrowedFd<'_>, head: Head, fds: &[BorrowedFd<'_>], flags: SendFlags) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let head = head.to_bytes();
    retry_on_intr(|| rustix::net::sendmsg(socket, &[IoSlice::new(&head)], &mut control, flags | SendFlags::NOSIGNAL))
        .map(drop)
}
