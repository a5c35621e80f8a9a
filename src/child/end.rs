//! Ends a child, and the processes that it has started: the course of a teardown.

use super::ended::Ended;
use super::spawned::Spawned;
use super::target::{Target, TargetError};
use crate::plan::Teardown;
use crate::sys::{self, Backoff};
use rustix::io::Errno;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// How long a thread that may not block waits for the end of the child after SIGKILL, and how long each teardown waits for the ends of the
/// other processes, which need a moment to end after SIGKILL.
const AFTER_KILL: Duration = Duration::from_millis(100);

/// How long a thread that may block searches for processes to signal, and how long for processes to kill, if their number grows and grows.
const FIRST_SEARCH: Duration = Duration::from_secs(1);
const SEARCH: Duration = Duration::from_secs(2);

/// How long a teardown waits for the end of the child after SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Without a limit, if the child has got the signal.
    Long,
    /// At most [`AFTER_KILL`].
    Short,
}

/// Why a child has not been ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndError {
    /// There is no way to the processes that should be reached; or there was none to some of them when the child, which has been reaped, had
    /// ended.
    Target(TargetError),
    /// The child still runs: this process may not send it a signal.
    Refused(Errno),
    /// The child still runs, although it has got SIGKILL.
    StillRuns,
    /// The child has ended, and cannot be reaped.
    Wait(Errno),
}

impl Spawned {
    /// [`Spawned::end_with`], and nothing else is to be done meanwhile.
    pub(super) fn end(&self, how: &Teardown, patience: Patience) -> Result<Ended, EndError> {
        self.end_with(how, patience, &mut |deadline| self.has_ended_by(deadline))
    }

    /// Sends the signals of a teardown until the child has ended, kills what is left of the processes that it reaches, and reaps the child.
    ///
    /// `wait` waits until the child has ended, at most until the deadline, and returns whether it has ended.
    pub(super) fn end_with(
        &self,
        how: &Teardown,
        patience: Patience,
        wait: &mut dyn FnMut(Option<Instant>) -> bool,
    ) -> Result<Ended, EndError> {
        let _ender = self.start_end();
        // A thread that may not block searches in the time that it has after SIGKILL.
        let (first, search) =
            if patience == Patience::Short { (AFTER_KILL / 4, AFTER_KILL / 4) } else { (FIRST_SEARCH, SEARCH) };
        let start = Instant::now();
        let mut target = Target::new(self, how.reach, first).map_err(EndError::Target)?;
        let searched = start.elapsed().min(first);
        let mut by = None;
        let mut has_ended = self.has_ended_by(Some(Instant::now()));
        for &(signal, grace) in &how.signals {
            if has_ended && (!how.graces_for_all || target.is_empty()) {
                break;
            }
            // If this process may not send the child a signal, the child gets no grace, and the SIGKILL below returns
            // the error.
            let start = Instant::now();
            if target.signal(signal, if patience == Patience::Short { grace } else { Duration::MAX }).is_err() {
                continue;
            }
            if !has_ended {
                by = Some(signal);
            }
            let start = if patience == Patience::Short { start } else { Instant::now() };
            let deadline = start.checked_add(grace);
            has_ended = wait(deadline);
            if has_ended && how.graces_for_all {
                wait_until_empty(&mut target, deadline, wait);
            }
        }
        let start = Instant::now();
        let killed = target.kill(search);
        let over =
            if patience == Patience::Short { start + (AFTER_KILL - searched) } else { Instant::now() + AFTER_KILL };
        if !has_ended {
            by = if killed.is_ok() { Some(Signal::KILL) } else { by };
            let deadline = (patience == Patience::Short || killed.is_err()).then_some(over);
            if !wait(deadline) {
                return Err(killed.map_or_else(EndError::Refused, |()| EndError::StillRuns));
            }
        }
        // Kill the processes that were started after the last look at the lists.
        let over = if patience == Patience::Short { over } else { Instant::now() + AFTER_KILL };
        target.sweep(over);
        target.wait_until_ended(over);
        match self.reap_ended() {
            Ok(Some(reaped)) => match target.check_kill() {
                Ok(()) => Ok(Ended { status: reaped.status, by, reached: target.reached() }),
                Err(error) => Err(EndError::Target(error)),
            },
            Ok(None) => Err(EndError::StillRuns),
            Err(errno) => Err(EndError::Wait(errno)),
        }
    }
}

/// Waits until no process that the teardown reaches runs any more, at most until the deadline. Between two looks, `wait` reads what those
/// processes write.
fn wait_until_empty(target: &mut Target<'_>, deadline: Option<Instant>, wait: &mut dyn FnMut(Option<Instant>) -> bool) {
    let mut backoff = Backoff::new();
    while !target.is_empty() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
        let _ = wait(Some(Instant::now())); // The child has ended.
        sys::pause(backoff.next());
    }
}
