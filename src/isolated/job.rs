//! Jobs: how a caller gives the thread a function, and waits until the thread has run it.

use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A function of the caller that the thread runs. Its argument is the thread's copies of the descriptors that the caller has
/// sent, in the same order. If it returns a descriptor, the thread sends that to the caller.
pub(super) type Job<'a> = dyn FnMut(&[OwnedFd]) -> Option<OwnedFd> + 'a;

/// The place for one job, which the caller submits and the thread claims.
#[derive(Debug, Default)]
pub(super) struct JobSlot {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SlotState {
    phase: Phase,
    /// Why the thread has ended, or is about to end. The slot keeps the result of its last job for the caller.
    ended: Option<Errno>,
}

#[derive(Debug, Default)]
enum Phase {
    /// The thread does not run jobs yet.
    #[default]
    Starting,
    Idle,
    /// The caller has submitted the job of this number.
    Submitted(u32, JobPtr),
    /// The thread runs the job.
    Claimed,
    Done {
        /// Whether the thread sends a descriptor to the caller.
        with_fd: bool,
    },
    Failed(Errno),
}

/// The address of a job. The caller keeps the job until the thread has run it or has ended.
#[derive(Debug)]
pub(super) struct JobPtr(*mut Job<'static>);

// SAFETY: the caller does not touch the job between its submission and its end.
unsafe impl Send for JobPtr {}

impl JobPtr {
    /// # Safety
    ///
    /// The job lives, and the caller does not touch it, until [`JobSlot::wait`] has returned or [`JobSlot::cancel`] has
    /// returned true.
    pub(super) unsafe fn new(job: &mut Job<'_>) -> Self {
        // SAFETY: only the lifetime changes; the caller promises that the job lives for as long as it is used.
        Self(unsafe { std::mem::transmute::<*mut Job<'_>, *mut Job<'static>>(job) })
    }
}

/// A job that the thread has claimed. Nothing else uses it until the thread reports its end.
pub(super) struct Claimed(*mut Job<'static>);

impl Claimed {
    pub(super) fn run(self, fds: &[OwnedFd]) -> Option<OwnedFd> {
        // SAFETY: the caller waits for the state that follows the claim, and until then only this thread uses the job.
        unsafe { (*self.0)(fds) }
    }
}

impl JobSlot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        self.lock().phase = phase;
        self.changed.notify_all();
    }

    /// The thread runs jobs from now on.
    pub(super) fn start(&self) {
        self.set(Phase::Idle);
    }

    /// The thread has run the job.
    pub(super) fn finish(&self, with_fd: bool) {
        self.set(Phase::Done { with_fd });
    }

    /// The thread could not run the job.
    pub(super) fn fail(&self, errno: Errno) {
        self.set(Phase::Failed(errno));
    }

    /// The thread ends, for this reason.
    pub(super) fn end(&self, errno: Errno) {
        self.lock().ended = Some(errno);
        self.changed.notify_all();
    }

    /// Submits a job, unless the thread has ended.
    pub(super) fn submit(&self, number: u32, job: JobPtr) -> Result<(), Errno> {
        let mut state = self.lock();
        if let Some(errno) = state.ended {
            return Err(errno);
        }
        state.phase = Phase::Submitted(number, job);
        Ok(())
    }

    /// Claims the job of this number, if it is the one that the caller has submitted.
    pub(super) fn claim(&self, number: u32) -> Option<Claimed> {
        let mut state = self.lock();
        match state.phase {
            Phase::Submitted(submitted, JobPtr(job)) if submitted == number => {
                state.phase = Phase::Claimed;
                Some(Claimed(job))
            }
            _ => None,
        }
    }

    /// Cancels a job that the thread has not claimed. Returns whether there was one.
    pub(super) fn cancel(&self) -> bool {
        let mut state = self.lock();
        let is_submitted = matches!(state.phase, Phase::Submitted(..));
        if is_submitted {
            state.phase = Phase::Idle;
        }
        is_submitted
    }

    /// Whether the thread uses a job, or will use one.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.lock();
        match state.phase {
            Phase::Submitted(..) => state.ended.is_none(),
            Phase::Claimed => true,
            Phase::Starting | Phase::Idle | Phase::Done { .. } | Phase::Failed(_) => false,
        }
    }

    /// Waits until the thread uses no job. Returns whether it sends a descriptor.
    pub(super) fn wait(&self) -> Result<bool, Errno> {
        let mut state = self.lock();
        loop {
            match (&state.phase, state.ended) {
                (Phase::Done { with_fd }, _) => {
                    let with_fd = *with_fd;
                    state.phase = Phase::Idle;
                    return Ok(with_fd);
                }
                (Phase::Failed(errno), _) => {
                    let errno = *errno;
                    state.phase = Phase::Idle;
                    return Err(errno);
                }
                (Phase::Claimed, _) | (Phase::Starting | Phase::Submitted(..), None) => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                (Phase::Starting | Phase::Submitted(..) | Phase::Idle, Some(errno)) => {
                    state.phase = Phase::Idle;
                    return Err(errno);
                }
                (Phase::Idle, None) => return Ok(false),
            }
        }
    }
}
