//! How the parent of a forked child learns that the child has executed or ended: by a robust futex.
//!
//! The child puts the futex into the list of robust futexes of its thread (`set_robust_list(2)`). The kernel walks the list when the
//! thread gives up its memory, at exec and at any end, by a signal too: it sets `FUTEX_OWNER_DIED` and wakes the parent. So no
//! descriptor is needed, and hooks may close or replace all of them.

use super::errpipe::Errpipe;
use super::shared_page::SharedPage;
use super::unreleased::Unreleased;
use crate::sys::pause;
use crate::sys::{self, RobustList, RobustListHead};
use rustix::io::Errno;
use std::cell::UnsafeCell;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The kernel's bits of a robust futex: its owner has died; threads wait for it.
const OWNER_DIED: u32 = 0x4000_0000;
const WAITERS: u32 = 0x8000_0000;

/// The word of a child that could not register the futex. (A registered one has `WAITERS` set.)
const REFUSED: u32 = 1;

/// A futex that the kernel releases at the child's exec or end.
pub(super) struct Release {
    /// 0 until the child has registered the futex; then the id of the child's thread.
    word: AtomicU32,
    list: UnsafeCell<RobustListHead>,
    entry: UnsafeCell<RobustList>,
    /// libc's own list, as its address and size; 0 if there is none. A child that runs a function gets that list back.
    before: [AtomicUsize; 2],
}

/// The page of one fork.
pub(super) type ForkPage = SharedPage<Release>;

impl Release {
    /// This system needs no errpipe.
    pub(super) fn new(_: Option<RawFd>) -> Self {
        Self {
            word: AtomicU32::new(0),
            list: UnsafeCell::new(RobustListHead::EMPTY),
            entry: UnsafeCell::new(RobustList::EMPTY),
            before: [AtomicUsize::new(0), AtomicUsize::new(0)],
        }
    }

    /// The parent calls this before the fork. It marks the futex as not registered.
    pub(super) fn reset(&self) {
        self.word.store(0, Ordering::Relaxed);
    }

    /// The child calls this before its steps: it registers the futex. If the kernel refuses that, the parent looks at
    /// the child again and again.
    #[inline]
    pub(super) fn register(&self) {
        let (head, size) = sys::robust_list();
        self.before[0].store(head, Ordering::Relaxed);
        self.before[1].store(size, Ordering::Relaxed);
        self.word.store(sys::thread_id() | WAITERS, Ordering::Release);
        // SAFETY: both are in the page, which lives in the child until exec, and only the child uses them.
        let registered = unsafe { sys::set_robust_futex(self.list.get(), self.entry.get(), &self.word) };
        if registered.is_err() {
            self.word.store(REFUSED, Ordering::Release);
            let _ = sys::futex_wake(&self.word); // If that fails, the parent's wait times out.
        }
    }

    /// The child that runs a function calls this after its steps.
    pub(super) fn release(&self) {
        let [head, size] = [0, 1].map(|index| self.before[index].load(Ordering::Relaxed));
        // SAFETY: libc has registered this list for this thread.
        let _ = unsafe { sys::set_robust_list(head, size) }; // If this fails, the kernel sets the same bit once more at the child's end.
        self.word.store(OWNER_DIED, Ordering::Release);
        let _ = sys::futex_wake(&self.word); // If that fails, the parent's wait times out.
    }

    /// Waits until the kernel or the child has released the futex, or until `look` finds that the wait is over.
    fn wait(&self, mut look: impl FnMut() -> Unreleased) {
        /// The wait has a timeout, since a child that is killed before it has registered the futex wakes no thread, and a stopped
        /// child wakes none either. (A timeout that is shorter than the kernel's tick costs 20 us, since the kernel has to set the
        /// processor's timer.)
        const LONG: Duration = Duration::from_millis(100);
        const FIRST: Duration = Duration::from_micros(500);
        const LAST: Duration = Duration::from_millis(16);
        let mut time = FIRST;
        let mut found = Unreleased::Runs;
        let mut waits_since = Instant::now();
        loop {
            let word = self.word.load(Ordering::Acquire);
            if word & OWNER_DIED != 0 {
                return;
            }
            // A child that has been stopped may be stopped again at once.
            let timeout = if word == REFUSED || found == Unreleased::Continued { time } else { LONG };
            match sys::futex_wait(&self.word, word, timeout) {
                // The word has changed.
                Ok(()) | Err(Errno::AGAIN) => continue,
                // A signal handler has run. With each signal the wait begins again, and signals may come all the time.
                Err(Errno::INTR) if word & WAITERS != 0 && waits_since.elapsed() < timeout => continue,
                Err(Errno::INTR | Errno::TIMEDOUT) => {}
                Err(_) => pause(time), // The kernel has no such call, or a filter refuses it.
            }
            found = look();
            if found == Unreleased::Over {
                return;
            }
            waits_since = Instant::now();
            time = LAST.min(time * 2);
        }
    }
}

/// The parent calls this. It waits until the child has executed, has ended, or has called [`Release::release`]. `look` asks the system
/// whether a child that has not registered the futex has executed or ended, and continues a child that a signal has stopped.
pub(super) fn wait_for_release(release: &Release, _: Option<Errpipe>, look: impl FnMut() -> Unreleased) {
    release.wait(look);
}
