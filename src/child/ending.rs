//! `Ending`: the end of a child, driven by steps.

use super::end::{Course, Next, Patience};
use super::end_event::EndEvent;
use super::ended::Ended;
use super::process::{Process, end_error};
use crate::driven::{Driven, Events, SetPlace, Steps};
use crate::error::Result;
use crate::plan::Teardown;
use std::os::fd::BorrowedFd;
use std::task::Poll;
use std::time::Instant;

/// The end of a child ([`Process::end`]) that does not block, from [`Process::ending`]: the caller drives it ([`Driven`]).
///
/// Until it is dropped, other waits for the child do not return, as with [`Process::end`]. If it is dropped before its result, the signals
/// that it has sent until then stay sent, and no other is sent.
///
/// For [`Reach::Descendants`](crate::Reach::Descendants) and [`Reach::Session`](crate::Reach::Session) a step may take up to 25 ms: it reads
/// `/proc`, and stops the processes before it kills them.
///
/// ```
/// use fdspawn::{Command, Signal, Teardown, block_on};
/// use std::time::Duration;
///
/// let child = Command::new("sleep").arg("60").spawn()?;
/// let mut ending = child.process().ending(&Teardown::term(Duration::from_secs(1)))?;
/// let ended = block_on(&mut ending)?; // or any other loop
/// assert_eq!(ended.by, Some(Signal::TERM));
/// # Ok::<(), fdspawn::Error>(())
/// ```
#[derive(Debug)]
pub struct Ending {
    course: EndingSteps,
    events: Events,
}

/// A teardown, step by step.
#[derive(Debug)]
pub(crate) struct EndingSteps {
    process: Process,
    course: Course,
    end: EndEvent,
    wakes_at: Option<Instant>,
}

impl Process {
    /// Starts to end the child as [`Process::end`] does, and does not block: see [`Ending`]. The first step sends the first signal.
    ///
    /// # Errors
    ///
    /// Those of [`Process::end`] that say that there is no way to the processes.
    pub fn ending(&self, how: &Teardown) -> Result<Ending> {
        let course = EndingSteps::new(self, how)?;
        Ok(Ending { course, events: Events::default() })
    }
}

impl EndingSteps {
    pub(crate) fn new(process: &Process, how: &Teardown) -> Result<Self> {
        let course =
            Course::new(&process.spawned, how, Patience::Steps).map_err(|error| end_error(&process.spawned, error))?;
        // The first step sends a signal.
        let wakes_at = Some(Instant::now());
        Ok(Self { process: process.clone(), course, end: process.end_event(), wakes_at })
    }

    /// Does what can be done now.
    pub(crate) fn step(&mut self) -> Poll<Result<Ended>> {
        let has_ended = self.course.has_ended();
        self.wakes_at = match self.course.next(has_ended) {
            Next::Done(result) => {
                self.end.set_known();
                self.end.clear();
                self.wakes_at = None;
                return Poll::Ready(result.map_err(|error| end_error(&self.process.spawned, error)));
            }
            Next::End(deadline) => {
                self.end.look_again();
                match (deadline, self.end.wakes_at()) {
                    (Some(deadline), Some(look)) => Some(deadline.min(look)),
                    (deadline, look) => deadline.or(look),
                }
            }
            Next::Look(at) => {
                self.end.set_known();
                Some(at)
            }
        };
        Poll::Pending
    }
}

impl Steps for EndingSteps {
    fn register(&mut self, place: &SetPlace) -> rustix::io::Result<bool> {
        self.end.register(place)
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.wakes_at
    }
}

impl Driven for Ending {
    type Output = Ended;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        self.events.descriptor(&mut self.course)
    }

    /// After the result, a step is an error ([`Failure::Wait`](crate::Failure::Wait)).
    fn step(&mut self) -> Result<Poll<Ended>> {
        if let Poll::Ready(ended) = self.course.step() {
            return ended.map(Poll::Ready);
        }
        self.events.update(&mut self.course)?;
        Ok(Poll::Pending)
    }
}
