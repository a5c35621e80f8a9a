//! Ends a child, and the processes that it has started: the course of a teardown.

use super::ended::Ended;
use super::spawned::Spawned;
use super::target::{Target, TargetError};
use crate::group::GroupError;
use crate::plan::Teardown;
use crate::sys::{self, Backoff};
use rustix::io::Errno;
use rustix::process::Signal;
use std::sync::Arc;
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
    /// Without a limit, but no search for processes may take long.
    Steps,
}

impl Patience {
    /// How long it searches for processes to signal, and how long for processes to kill.
    fn searches(self) -> (Duration, Duration) {
        match self {
            Self::Long => (FIRST_SEARCH, SEARCH),
            // A thread that may not block searches in the time that it has after SIGKILL.
            Self::Short | Self::Steps => (AFTER_KILL / 4, AFTER_KILL / 4),
        }
    }
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

/// A teardown on its way. The child is not reaped by others meanwhile.
#[derive(Debug)]
pub(super) struct Course {
    spawned: Arc<Spawned>,
    how: Teardown,
    patience: Patience,
    target: Target,
    /// How long the first search for processes has taken.
    searched: Duration,
    /// The signal after which the child has ended, or may have.
    by: Option<Signal>,
    state: CourseState,
}

/// What a teardown waits for.
#[derive(Clone, Copy, Debug)]
enum CourseState {
    /// The next signal has this index.
    Signal(usize),
    /// The grace after the signal before this one lasts until then.
    Grace { next: usize, end: Option<Instant> },
    /// The child has ended, and the others have the rest of the grace.
    GraceOfOthers { next: usize, end: Option<Instant>, backoff: Backoff },
    /// SIGKILL has been sent, and a wait for the child ends then.
    Killed { end: Option<Instant>, killed: Result<(), Errno> },
    /// The child has ended, and the others have SIGKILL.
    Swept { over: Instant, backoff: Backoff },
    /// The caller has the result.
    Over,
}

/// What a teardown waits for next.
#[derive(Debug)]
pub(super) enum Next {
    /// The end of the child, at most until then.
    End(Option<Instant>),
    /// The ends of other processes: the next look at them is then.
    Look(Instant),
    Done(Result<Ended, EndError>),
}

impl Course {
    /// Finds the processes, and sends nothing.
    pub(super) fn new(spawned: &Arc<Spawned>, how: &Teardown, patience: Patience) -> Result<Self, EndError> {
        if spawned.is_in_copy() {
            return Err(EndError::Target(GroupError::Copy.into())); // A thread that the copy does not have may hold the lock.
        }
        spawned.start_end();
        // From here on the drop of the course ends what `start_end` has started.
        let mut course = Self {
            spawned: Arc::clone(spawned),
            how: how.clone(),
            patience,
            target: Target::Process(Arc::clone(spawned)),
            searched: Duration::ZERO,
            by: None,
            state: CourseState::Signal(0),
        };
        let start = Instant::now();
        let (first, _) = patience.searches();
        course.target = Target::new(spawned, how.reach, first).map_err(EndError::Target)?;
        course.searched = start.elapsed().min(first);
        Ok(course)
    }

    /// Goes on as far as it can without waiting. `has_ended` is whether the child has ended.
    pub(super) fn next(&mut self, has_ended: bool) -> Next {
        if self.spawned.is_in_copy() {
            return Next::Done(Err(EndError::Target(GroupError::Copy.into())));
        }
        loop {
            match self.state {
                CourseState::Signal(index) => {
                    let is_over = has_ended && (!self.how.graces_for_all || self.target.is_empty());
                    match self.how.signals.get(index) {
                        Some(&(signal, grace)) if !is_over => self.signal(index, signal, grace, has_ended),
                        _ => self.kill(has_ended),
                    }
                    // The caller looks at the child after each signal, even if no time is left to wait for its end.
                    match self.state {
                        CourseState::Grace { end, .. } | CourseState::Killed { end, .. } if !has_ended => {
                            return Next::End(end);
                        }
                        _ => {}
                    }
                }
                CourseState::Grace { end, .. } if !has_ended && !is_past(end) => return Next::End(end),
                CourseState::Grace { next, end } if has_ended && self.how.graces_for_all => {
                    self.state = CourseState::GraceOfOthers { next, end, backoff: Backoff::new() };
                }
                CourseState::Grace { next, .. } => self.state = CourseState::Signal(next),
                CourseState::GraceOfOthers { next, end, mut backoff } => {
                    if self.target.is_empty() || is_past(end) {
                        self.state = CourseState::Signal(next);
                        continue;
                    }
                    let look = Instant::now() + backoff.next();
                    self.state = CourseState::GraceOfOthers { next, end, backoff };
                    return Next::Look(look);
                }
                CourseState::Killed { end, killed } if !has_ended => {
                    if !is_past(end) {
                        return Next::End(end);
                    }
                    return self.done(Err(killed.map_or_else(EndError::Refused, |()| EndError::StillRuns)));
                }
                CourseState::Killed { end, .. } => {
                    let over = match end {
                        Some(end) if self.patience == Patience::Short => end,
                        _ => Instant::now() + AFTER_KILL,
                    };
                    // Kill the processes that were started after the last look at the lists.
                    self.target.sweep(match self.patience {
                        Patience::Steps => Instant::now() + self.patience.searches().1,
                        Patience::Long | Patience::Short => over,
                    });
                    self.state = CourseState::Swept { over, backoff: Backoff::new() };
                }
                CourseState::Swept { over, mut backoff } => {
                    if !self.target.have_ended() && Instant::now() < over {
                        let look = Instant::now() + backoff.next();
                        self.state = CourseState::Swept { over, backoff };
                        return Next::Look(look);
                    }
                    let result = self.reap();
                    return self.done(result);
                }
                CourseState::Over => return Next::Done(Err(EndError::Wait(Errno::CHILD))),
            }
        }
    }

    /// Whether the child has ended.
    pub(super) fn has_ended(&self) -> bool {
        // In a forked copy, a thread that the copy does not have may hold the lock.
        !self.spawned.is_in_copy() && self.spawned.has_ended_by(Some(Instant::now()))
    }

    fn done(&mut self, result: Result<Ended, EndError>) -> Next {
        self.state = CourseState::Over;
        Next::Done(result)
    }

    /// Sends a signal of the teardown.
    fn signal(&mut self, index: usize, signal: Signal, grace: Duration, has_ended: bool) {
        let next = index + 1;
        // If this process may not send the child a signal, the child gets no grace, and the SIGKILL at the end returns
        // the error.
        let start = Instant::now();
        let search = match self.patience {
            Patience::Long => Duration::MAX,
            Patience::Short => grace,
            Patience::Steps => grace.min(self.patience.searches().0),
        };
        if self.target.signal(signal, search).is_err() {
            self.state = CourseState::Signal(next);
            return;
        }
        if !has_ended {
            self.by = Some(signal);
        }
        let start = if self.patience == Patience::Short { start } else { Instant::now() };
        self.state = CourseState::Grace { next, end: start.checked_add(grace) };
    }

    /// Sends SIGKILL.
    fn kill(&mut self, has_ended: bool) {
        let start = Instant::now();
        let (_, search) = self.patience.searches();
        let killed = self.target.kill(search);
        let is_short = self.patience == Patience::Short;
        let over = if is_short { start + (AFTER_KILL - self.searched) } else { Instant::now() + AFTER_KILL };
        if !has_ended && killed.is_ok() {
            self.by = Some(Signal::KILL);
        }
        self.state = CourseState::Killed { end: (is_short || killed.is_err()).then_some(over), killed };
    }

    fn reap(&mut self) -> Result<Ended, EndError> {
        match self.spawned.reap_ended() {
            Ok(Some(reaped)) => match self.target.check_kill() {
                Ok(()) => Ok(Ended { status: reaped.status, by: self.by, reached: self.target.reached() }),
                Err(error) => Err(EndError::Target(error)),
            },
            Ok(None) => Err(EndError::StillRuns),
            Err(errno) => Err(EndError::Wait(errno)),
        }
    }

    /// Goes on to the result. `wait` waits until the child has ended, at most until the deadline, and returns whether it has ended.
    pub(super) fn run(mut self, wait: &mut dyn FnMut(Option<Instant>) -> bool) -> Result<Ended, EndError> {
        let mut has_ended = self.has_ended();
        loop {
            match self.next(has_ended) {
                Next::End(deadline) => has_ended = wait(deadline),
                Next::Look(at) => {
                    let _ = wait(Some(Instant::now())); // The child has ended.
                    sys::pause(at.saturating_duration_since(Instant::now()));
                }
                Next::Done(result) => return result,
            }
        }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        // In a forked copy, a thread that the copy does not have may hold the lock.
        if !self.spawned.is_in_copy() {
            self.spawned.finish_end();
        }
    }
}

fn is_past(end: Option<Instant>) -> bool {
    end.is_some_and(|end| end <= Instant::now())
}
