//! `Isolated`: launches from a thread that has a descriptor table of its own.

use super::job::Job;
use super::process_copy::ProcessCopy;
use super::worker::{self, Caller};
use crate::error::{Failure, Problem, Result, Subject};
use crate::fd::standard::lock_stdio_numbers;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A spawner for processes with a crowded descriptor table.
///
/// The cost of a spawn grows with the count of descriptors that the process has open *below* the ones that the plan maps,
/// since the child's table is a copy of all of them. An `Isolated` owns a thread that has an empty descriptor table of its own.
/// A spawn sends the plan's sources to the thread over a socket, and nothing else, so that
///
/// - its cost does not depend on how many descriptors the process has, nor on their numbers;
/// - no child holds any other descriptor of the process, not for a moment;
/// - a parent-death signal (`PR_SET_PDEATHSIG`, set in a hook) belongs to this thread, not to the one that calls: the child
///   gets it when the `Isolated` is dropped or the process ends.
///
/// The child is a child of the process, and its [`Child`](crate::Child) is like any other. Plans and errors are those of
/// [`Command::spawn`], with four differences:
///
/// - A kept descriptor above a lowered limit is refused, since the kernel cannot duplicate it.
/// - [`Rest::Inherit`] is refused, since the thread has nothing that a child could inherit.
/// - A plan that fills every number below the limit is not refused for a cycle: sources that arrive in the order of their
///   targets have no cycle.
/// - [`Failure::SendFds`] says that the plan's sources could not be sent: `EMFILE` if they are more than the soft limit of
///   descriptors, `ETOOMANYREFS` if the user has more than that limit on their way in sockets, `EINVAL` for descriptors that no
///   socket sends (io_uring).
///
/// Use it for crowded tables only. For other tables a plain spawn is quicker: it saves two switches of threads, and more if
/// the kernel spreads the threads over idle processors, which the host of a virtual machine has to wake.
///
/// [`Command::isolated`] makes a command use it. Many threads can use one `Isolated`: their spawns take turns. A drop ends the
/// thread and joins it.
///
/// A child inherits scheduling, affinity, capabilities, seccomp filters and namespaces from the *thread* that launches it. They
/// are those that the thread which called [`Isolated::new`] had then. The signal mask is the caller's at the spawn. Hooks run
/// in a child of this thread, which does not have the caller's thread-local values.
///
/// # Platform notes
///
/// Linux. Threads of other systems have no tables of their own, so [`Isolated::new`] fails. A forked copy of the process does
/// not have the thread, so spawns fail there.
///
/// [`Command::isolated`]: crate::Command::isolated
/// [`Command::spawn`]: crate::Command::spawn
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
    /// The process that has the thread.
    process: ProcessCopy,
}

impl Isolated {
    /// Starts the thread.
    ///
    /// The thread copies the process's table for a moment, to leave it.
    ///
    /// # Errors
    ///
    /// - The thread cannot be started.
    /// - The thread cannot be given a table of its own: `EPERM` from a seccomp filter, or a system other than Linux.
    /// - No descriptor is left for the thread's socket.
    pub fn new() -> Result<Self> {
        Self::start().map_err(|problem| problem.of(Subject::Isolate))
    }

    fn start() -> std::result::Result<Self, Problem> {
        let what = "a pair of sockets";
        let (caller, theirs) = {
            let _guard = lock_stdio_numbers();
            worker::pair().map_err(|error| Problem::io(Failure::ParentOpen { what }, &error))?
        };
        let number = theirs.as_raw_fd();
        let slot = caller.slot();
        let thread = std::thread::Builder::new().name("fdspawn".to_owned()).spawn(move || worker::run(number, &slot));
        let thread = thread.map_err(|error| Problem::io(Failure::Thread, &error))?;
        let started = caller.wait_for_start();
        drop(theirs); // The thread has its own.
        let isolated = Self { caller: Mutex::new(caller), thread: Some(thread), process: ProcessCopy::current() };
        started.map_err(|errno| Problem::system(Failure::PrivateTable, errno))?;
        Ok(isolated)
    }

    /// Waits until the thread is free.
    pub(crate) fn turn(&self) -> std::result::Result<Turn<'_>, Problem> {
        if self.process != ProcessCopy::current() {
            return Err(Failure::AfterFork.into());
        }
        // Lock the caller first: the launch of the caller whose turn it is may need the lock of 0 to 2.
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Turn { stdio_numbers: Some(lock_stdio_numbers()), caller })
    }
}

/// The time in which the thread works for one caller. The caller holds the lock of 0 to 2 until it has sent the sources.
pub(crate) struct Turn<'a> {
    stdio_numbers: Option<MutexGuard<'static, ()>>,
    caller: MutexGuard<'a, Caller>,
}

impl Turn<'_> {
    /// Makes the thread run a job with copies of the descriptors that have these numbers in the caller's table. They are
    /// open for as long as the call lasts. Returns the descriptor that the job returns.
    pub(crate) fn run(
        &mut self,
        numbers: &[RawFd],
        job: &mut Job<'_>,
    ) -> std::result::Result<Option<OwnedFd>, Problem> {
        // SAFETY: the caller has found each number open, and has borrowed or opened the descriptor for this call.
        let lent: Vec<_> = numbers.iter().map(|&number| unsafe { BorrowedFd::borrow_raw(number) }).collect();
        let stdio_numbers = self.stdio_numbers.take();
        self.caller.call(&lent, stdio_numbers, job).map_err(|errno| Problem::system(Failure::SendFds, errno))
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        let thread = self.thread.take();
        // A forked copy of the process must not end the thread. If the socket cannot be shut down, its close ends the thread
        // later.
        let is_ours = self.process == ProcessCopy::current();
        if is_ours && self.caller.get_mut().unwrap_or_else(PoisonError::into_inner).shut_down() {
            let _ = thread.map(JoinHandle::join); // The panic hook has reported a panic of the thread.
        } else {
            std::mem::forget(thread);
        }
    }
}
