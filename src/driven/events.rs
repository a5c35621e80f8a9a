//! `Events`: the set of events and the alarm of something that is driven, from the time at which its descriptor is asked for.

use super::EventSet;
use super::alarm::Alarm;
use super::registration::SetPlace;
use crate::error::{Error, Failure, Result, Subject};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

/// What an object that is driven tells of itself.
pub(crate) trait Steps {
    /// Lets a set of events tell of all descriptors that the object waits for. Returns whether one of them is always ready.
    fn register(&mut self, place: &SetPlace) -> rustix::io::Result<bool>;

    /// When the next step has something to do, if no descriptor is ready before.
    fn wakes_at(&self) -> Option<Instant>;
}

/// The set of events behind the descriptor of something that is driven. It has none before the descriptor is asked for.
#[derive(Debug, Default)]
pub(crate) struct Events(Option<Box<Made>>);

#[derive(Debug)]
struct Made {
    place: SetPlace,
    alarm: Alarm,
}

impl Events {
    /// The descriptor. The first call makes it.
    pub(crate) fn descriptor(&mut self, steps: &mut impl Steps) -> Result<BorrowedFd<'_>> {
        if self.0.is_none() {
            let set = EventSet::new().map_err(events_error)?;
            let mut made = Made { place: SetPlace { set: Arc::new(set), key: 0 }, alarm: Alarm::default() };
            made.update(steps).map_err(events_error)?;
            self.0 = Some(Box::new(made));
        }
        match &self.0 {
            Some(made) => made.place.set.own().map(AsFd::as_fd).map_err(events_error),
            None => Err(events_error(Errno::BADF)), // It has just been made.
        }
    }

    /// After a step: lets the descriptor tell of what the next step waits for.
    pub(crate) fn update(&mut self, steps: &mut impl Steps) -> Result<()> {
        self.0.as_mut().map_or(Ok(()), |made| made.update(steps)).map_err(events_error)
    }
}

impl Made {
    fn update(&mut self, steps: &mut impl Steps) -> rustix::io::Result<()> {
        let is_always_ready = steps.register(&self.place)?;
        let at = if is_always_ready { Some(Instant::now()) } else { steps.wakes_at() };
        self.alarm.set(&self.place.set, at)
    }
}

/// The error of a set of events.
#[cold]
pub(crate) fn events_error(errno: Errno) -> Error {
    Error::new(Subject::Driven, Failure::Events, Some(errno))
}
