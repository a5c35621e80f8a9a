//! `Isolated`: launches from a thread that has a descriptor table of its own.

use super::passing::{self, Caller, Received};
use super::prepare::{Defaults, Demands, Prepared, Problem};
use super::travel::Travel;
use super::{Launched, Order, Running, execute, signals, sources, sys, trace};
use crate::command::Command;
use crate::error::{Error, Failure, Result, Subject};
use crate::fd::by_number;
use crate::plan::Rest;
use crate::platform::Features;
use crate::process::Handles;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;

/// A spawner for processes with a crowded descriptor table.
///
/// A spawn costs more where the process has many descriptors open *below* the ones that it maps: the child's table is a
/// copy of all of them. This owns a thread whose descriptor table is its own and empty. A spawn sends it the
/// plan's sources over a socket, and nothing else, so that
///
/// - it costs the same however many descriptors the process has, and wherever they are;
/// - no child holds any other descriptor of the process, not for a moment;
/// - a parent-death signal (`PR_SET_PDEATHSIG`, set in a hook) is bound to this thread, not to the one that
///   calls: the child gets it when the `Isolated` is dropped or the process ends.
///
/// The child is the process's own child, and its [`Child`](crate::Child) is like any other. Plans and errors are those of
/// [`Command::spawn`], with four differences: a kept descriptor above a lowered limit is refused, since no duplicate of it
/// can be made; [`Rest::Inherit`] is refused, since there is nothing to inherit; a plan that fills every number below the limit
/// is not refused for a cycle, since sources that arrive in the order of their targets have none; and [`Failure::SendFds`] says
/// that the plan's sources could not be sent (`EMFILE` where they are more than the soft limit of descriptors,
/// `ETOOMANYREFS` where more are on their way than that, `EINVAL` for those that no socket passes on: io_uring).
///
/// It is for crowded tables only: elsewhere a plain spawn is quicker, by two switches of threads, and by more where the
/// kernel spreads the threads over idle processors, which a virtual machine's host has to wake.
///
/// A command is spawned through it with [`Command::isolated`]. It can be used from many threads: spawns take turns. When it
/// is dropped, the thread ends and is joined.
///
/// What a child inherits from the *thread* that launches it (scheduling, affinity, capabilities, seccomp filters, namespaces)
/// is what the thread that called [`Isolated::new`] had then; the signal mask is the caller's at the spawn. Hooks run in
/// a child of this thread, where the caller's thread-local values are not.
///
/// # Platform notes
///
/// Linux. Elsewhere threads have no tables of their own, and [`Isolated::new`] fails. In a forked copy of the process the
/// thread is missing: spawns fail there.
///
/// ```
/// use fdspawn::{Command, Isolated};
///
/// let isolated = Isolated::new()?;
/// let output = Command::new("echo").arg("from a thread with a table of its own").isolated(&isolated).output()?;
/// assert_eq!(output.stdout, b"from a thread with a table of its own\n");
/// # Ok::<(), fdspawn::Error>(())
/// ```
#[derive(Debug)]
pub struct Isolated {
    caller: Mutex<Caller>,
    thread: Option<JoinHandle<()>>,
    process: Fork,
}

/// The process as it was: another process id, or forked since. Two processes may both be the first of their namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fork {
    pid: u32,
    generation: u32,
}

impl Fork {
    fn now() -> Self {
        static GENERATION: AtomicU32 = AtomicU32::new(0);
        static COUNTED: Once = Once::new();
        extern "C" fn count() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
        }
        COUNTED.call_once(|| {
            // SAFETY: the function only adds to a number. Without memory for it, process ids have to do.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(count)) };
        });
        Self { pid: std::process::id(), generation: GENERATION.load(Ordering::Relaxed) }
    }
}

impl Isolated {
    /// Starts the thread.
    ///
    /// It copies the process's table for a moment, to leave it.
    ///
    /// # Errors
    ///
    /// Where the thread cannot be started, cannot be given a table of its own (`EPERM` from a seccomp filter, or a system
    /// other than Linux), or where there is no descriptor left for its socket.
    pub fn new() -> Result<Self> {
        Self::start().map_err(|Problem { failure, errno }| Error::new(Subject::Isolate, failure, errno))
    }

    fn start() -> std::result::Result<Self, Problem> {
        let what = "a pair of sockets";
        let (caller, theirs) = {
            let _guard = sources::lock_stdio_numbers();
            passing::pair().map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))?
        };
        let number = theirs.as_raw_fd();
        let board = caller.board();
        let serve = move || {
            // Handlers of the process run elsewhere, where its descriptors are.
            signals::block_programs();
            match take_table(number) {
                Ok(socket) => passing::serve(&socket, &board),
                Err(errno) => board.end(errno),
            }
        };
        let thread = std::thread::Builder::new().name("fdspawn".to_owned()).spawn(serve);
        let thread = thread.map_err(|error| Problem::io(Failure::Thread, &error))?;
        let started = caller.ready();
        drop(theirs); // The thread has its own.
        let isolated = Self { caller: Mutex::new(caller), thread: Some(thread), process: Fork::now() };
        started.map_err(|errno| Problem::system(Failure::PrivateTable, errno))?;
        Ok(isolated)
    }

    /// Launches from the thread.
    pub(super) fn launch(
        &self,
        command: &mut Command<'_>,
        defaults: &Defaults,
        order: Order,
    ) -> std::result::Result<(Launched, Handles), Problem> {
        let mut turn = self.turn(command)?;
        let demands = order.way.demands(order.pidfd, order.told);
        let (mut travel, numbers) = Travel::pack(command, defaults, demands)?;
        let mask = sys::signal_mask();

        let mut outcome = None;
        let mut job = |received: Received<'_>| -> Option<OwnedFd> {
            let launched =
                travel.unpack(received).and_then(|()| execute(command, &mut travel.prepared, order, Some(mask)));
            travel.prepared.close_internal_fds();
            let (launched, pidfd) = match launched {
                Ok(Launched::Started(Running { pid, pidfd })) => {
                    (Ok(Launched::Started(Running { pid, pidfd: None })), pidfd)
                }
                launched => (launched, None),
            };
            outcome = Some(launched);
            pidfd
        };
        let pidfd = turn.call(&numbers, &mut job)?;
        drop(turn); // Whoever listens to events may spawn, too.
        let prepared = travel.prepared;
        if order.told {
            trace(&prepared);
        }
        match outcome {
            Some(Ok(Launched::Started(Running { pid, .. }))) => {
                Ok((Launched::Started(Running { pid, pidfd }), prepared.handles))
            }
            Some(Ok(refused)) => Ok((refused, prepared.handles)),
            Some(Err(problem)) => Err(problem),
            None => Err(Failure::SendFds.into()),
        }
    }

    /// Does all of a launch but the launch itself, in the thread too.
    pub(super) fn explain(
        &self,
        command: &Command<'_>,
        defaults: &Defaults,
        demands: Demands,
    ) -> std::result::Result<Prepared, Problem> {
        let mut turn = self.turn(command)?;
        let (mut travel, numbers) = Travel::pack(command, defaults, demands)?;
        let mut outcome = None;
        let mut job = |received: Received<'_>| -> Option<OwnedFd> {
            outcome = Some(travel.unpack(received));
            travel.prepared.close_internal_fds();
            None
        };
        turn.call(&numbers, &mut job)?;
        match outcome {
            Some(unpacked) => unpacked.map(|()| travel.prepared),
            None => Err(Failure::SendFds.into()),
        }
    }

    /// Waits until the thread is free for this command.
    fn turn(&self, command: &Command<'_>) -> std::result::Result<Turn<'_>, Problem> {
        if command.fd_map.rest == Rest::Inherit {
            return Err(Failure::NothingToInherit.into());
        }
        if self.process != Fork::now() {
            return Err(Failure::AfterFork.into());
        }
        // Before the lock of opening: the launch of the one whose turn it is may need that.
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Turn { opening: Some(sources::lock_stdio_numbers()), caller })
    }
}

/// The time in which the thread works for one caller.
struct Turn<'a> {
    /// Held until the sources are on their way.
    opening: Option<MutexGuard<'static, ()>>,
    caller: MutexGuard<'a, Caller>,
}

impl Turn<'_> {
    /// Has the thread run a job with copies of the sources, which have these numbers here.
    fn call(
        &mut self,
        numbers: &[RawFd],
        job: &mut dyn FnMut(Received<'_>) -> Option<OwnedFd>,
    ) -> std::result::Result<Option<OwnedFd>, Problem> {
        // SAFETY: each number was found open, and is lent to the call by the plan or opened for it.
        let lent: Vec<_> = numbers.iter().map(|&number| unsafe { BorrowedFd::borrow_raw(number) }).collect();
        let opening = self.opening.take();
        self.caller.call(&lent, opening, job).map_err(|errno| Problem::system(Failure::SendFds, errno))
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        let thread = self.thread.take();
        // In a forked copy it is the other process's. Where the socket cannot be shut down, its close has to do, later.
        let is_ours = self.process == Fork::now();
        if is_ours && self.caller.get_mut().unwrap_or_else(PoisonError::into_inner).shut_down() {
            let _ = thread.map(JoinHandle::join); // A panic of it has been told already.
        } else {
            std::mem::forget(thread);
        }
    }
}

/// Gives the calling thread a table with nothing but the socket, which is moved out of the way of what is received.
fn take_table(socket: RawFd) -> std::result::Result<OwnedFd, Errno> {
    use std::os::fd::FromRawFd;
    sys::unshare_table()?;
    for (first, last) in by_number::gaps(vec![socket]).into_iter().rev() {
        by_number::close(first, last, Features::empty())?;
    }
    // SAFETY: it is open in this thread's table, which nobody else knows.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // Sources then arrive at the numbers from 0 on. Where the limit is too low, they have to do with others.
    match rustix::io::fcntl_dupfd_cloexec(&socket, passing::OUT_OF_THE_WAY) {
        Ok(moved) => Ok(moved),
        Err(_) => Ok(socket),
    }
}
