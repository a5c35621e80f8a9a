//! `Alarm`: the next time at which a set of events is to be ready.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::epoll::{EventSet, Timer};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::kqueue::{EventSet, Timer};
use rustix::io::Errno;
use std::time::Instant;

/// The key of the timer in its set.
pub(super) const ALARM: usize = usize::MAX;

/// The next time at which a set of events is to be ready. Its timer is made when there is a time for the first time.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    timer: Option<Timer>,
    /// When the timer makes the set ready.
    at: Option<Instant>,
}

impl Alarm {
    /// Sets the time. A time that is over makes the set ready at once, and each call with such a time makes it ready anew.
    pub(crate) fn set(&mut self, set: &EventSet, at: Option<Instant>) -> Result<(), Errno> {
        let now = Instant::now();
        if at == self.at && at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let timer = match &self.timer {
            Some(timer) => timer,
            None => self.timer.insert(Timer::new(set, ALARM)?),
        };
        timer.set(set, ALARM, at.map(|at| at.saturating_duration_since(now)))?;
        self.at = at;
        Ok(())
    }
}
