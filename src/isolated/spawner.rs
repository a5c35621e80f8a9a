//! `Isolated`: a thread that has a descriptor table of its own, for launches.

use super::job::Job;
use super::worker::{self, Caller};
use crate::error::{Failure, Problem, Result, Subject};
use crate::fd::standard::{StdioNumbers, lock_stdio_numbers, lock_stdio_numbers_if_closed};
use crate::sys::{self, ProcessCopy};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Launches children at the same cost however many descriptors the process has.
///
/// The cost of a plain spawn grows with the count of descriptors that the process has open *below* the sources and targets of
/// the map, since the child's table is a copy of all of them. An `Isolated` owns a thread that has an empty descriptor table of
/// its own. A spawn sends only the sources of the map to the thread, over a socket, so that
///
/// - its cost does not depend on how many descriptors the process has, nor on their numbers;
/// - no child holds any other descriptor of the process, not for a moment;
/// - a parent-death signal (`PR_SET_PDEATHSIG`, set in a hook) belongs to this thread, not to the one that spawns: the child
///   gets it when the `Isolated` is dropped or the process ends.
///
/// The child is a child of the process, and its [`Child`](crate::Child) is like any other. Maps and errors are those of
/// [`Command::spawn`], with four differences:
///
/// - A spawn with a kept descriptor that is not below the soft limit fails, since the kernel cannot duplicate it.
/// - A spawn with [`Rest::Inherit`] fails, since the thread has no descriptors that a child could inherit.
/// - [`Refusal::NoScratch`] does not occur: sources that arrive in the order of their targets form no cycle.
/// - [`Failure::SendFds`] is an error of the socket: `EMFILE` if the sources are more than the soft limit of descriptors,
///   `ETOOMANYREFS` if the user has more than that limit in sockets' queues, `EINVAL` for descriptors that no socket can send
///   (io_uring).
///
/// Use it only if the process has very many descriptors. Otherwise a plain spawn is quicker: it saves two switches of threads,
/// and more if the kernel runs the threads on different processors.
///
/// [`Command::isolated`] makes a command use it. Many threads can use one `Isolated`; it launches one child at a time. A drop
/// ends the thread and joins it.
///
/// A child inherits scheduling, affinity, capabilities, seccomp filters and namespaces from the *thread* that launches it. This
/// thread inherits them from the thread that calls [`Isolated::new`]. The signal mask is that of the thread that spawns. Hooks
/// run in a child of this thread, so they do not see the thread-local values of the thread that spawns.
///
/// # Platform notes
///
/// Linux. On other systems threads have no tables of their own, and [`Isolated::new`] fails. A forked copy of the process does
/// not have the thread, so spawns fail there ([`Failure::AfterFork`]).
///
/// [`Command::isolated`]: crate::Command::isolated
/// [`Command::spawn`]: crate::Command::spawn
/// [`Refusal::NoScratch`]: crate::plan::Refusal::NoScratch
/// [`Rest::Inherit`]: crate::Rest::Inherit
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
    /// The process in which the thread runs.
    process: ProcessCopy,
}

impl Isolated {
    /// Starts the thread.
    ///
    /// The thread calls `unshare(2)`, which copies the process's table, and then closes the copies. So for a moment it has a
    /// duplicate of each of the process's descriptors.
    ///
    /// # Errors
    ///
    /// - [`Failure::Thread`]: the process could not start the thread.
    /// - [`Failure::PrivateTable`]: the thread could not get a table of its own: `EPERM` from a seccomp filter, or a system other
    ///   than Linux.
    /// - [`Failure::ParentOpen`]: the process could not open the sockets.
    pub fn new() -> Result<Self> {
        Self::start().map_err(|problem| problem.of(Subject::Isolate))
    }

    fn start() -> std::result::Result<Self, Problem> {
        let what = "a pair of sockets";
        // Until the thread has its own table, libc may open a file in the process's: glibc does so for the heap of about the eighth thread.
        let guard = lock_stdio_numbers_if_closed();
        let (caller, theirs) = worker::pair().map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))?;
        let number = theirs.as_raw_fd();
        let slot = caller.slot();
        // glibc changes the signal mask while it starts a thread, and ignores an error of the call that restores the
        // mask.
        let mask = sys::signal_mask().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        let thread = std::thread::Builder::new().name("fdspawn".to_owned()).spawn(move || worker::run(number, &slot));
        let _ = (0..3).find(|_| sys::set_signal_mask(&mask).is_ok());
        let thread = thread.map_err(|error| Problem::io(Failure::Thread, &error))?;
        let started = caller.wait_for_start();
        drop(guard);
        drop(theirs); // The thread has its own copies.
        let isolated = Self { caller: Mutex::new(caller), thread: Some(thread), process: ProcessCopy::current() };
        started.map_err(|errno| Problem::system(Failure::PrivateTable, errno))?;
        Ok(isolated)
    }

    /// Waits until no other caller uses the thread.
    pub(crate) fn turn(&self) -> std::result::Result<Turn<'_>, Problem> {
        if self.process != ProcessCopy::current() {
            return Err(Failure::AfterFork.into());
        }
        // Take the lock of callers first: another caller that holds it may need the lock of 0 to 2 for its launch.
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Turn { stdio_numbers: Some(lock_stdio_numbers()), caller })
    }
}

/// Exclusive use of the thread. It has the lock of 0 to 2 until the sources have been sent.
pub(crate) struct Turn<'a> {
    stdio_numbers: Option<StdioNumbers>,
    caller: MutexGuard<'a, Caller>,
}

impl Turn<'_> {
    /// Makes the thread run a job with copies of the descriptors that have these numbers in the caller's table. The caller keeps
    /// them open during the call. Returns the descriptor that the job returns.
    pub(crate) fn run(
        &mut self,
        numbers: &[RawFd],
        job: &mut Job<'_>,
    ) -> std::result::Result<Option<OwnedFd>, Problem> {
        // SAFETY: the caller has checked that each number is open, and borrows or owns the descriptor during this call.
        let lent: Vec<_> = numbers.iter().map(|&number| unsafe { BorrowedFd::borrow_raw(number) }).collect();
        let stdio_numbers = self.stdio_numbers.take();
        self.caller.call(&lent, stdio_numbers, job).map_err(|errno| Problem::system(Failure::SendFds, errno))
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        let thread = self.thread.take();
        // A forked copy of the process must not end the thread. If this shutdown fails, the thread ends when the socket
        // closes.
        let is_ours = self.process == ProcessCopy::current();
        if is_ours && self.caller.get_mut().unwrap_or_else(PoisonError::into_inner).shut_down() {
            let _ = thread.map(JoinHandle::join); // The panic hook has reported a panic of the thread.
        } else {
            std::mem::forget(thread);
        }
    }
}
