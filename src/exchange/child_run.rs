//! `ChildRun`: a child, its streams, its deadline and how it is ended, until it has ended.

use super::exchange::Exchange;
use crate::child::{Child, EndEvent, Ended, EndingSteps, Process, end_while};
use crate::driven::{SetPlace, Steps};
use crate::error::{Error, Result};
use crate::flow::{Pace, Stop};
use crate::plan::Teardown;
use std::mem;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A child whose streams are moved until it has ended, and which is ended if it does not end by itself: after its deadline, at a limit, or
/// if a call for a stream has failed.
pub(super) struct ChildRun<'a> {
    child: Child,
    process: Process,
    /// Its deadline is the run's.
    exchange: Exchange<'a>,
    teardown: Teardown,
    end: EndEvent,
    state: RunState,
}

/// What a run waits for.
enum RunState {
    /// The streams are being moved.
    Moving,
    /// All streams are at their ends, or held, and the child has not been reaped.
    Waiting(Stop),
    /// The child is being ended. `stop` is the reason, unless the caller has asked for it.
    Ending { steps: Box<EndingSteps>, stop: Option<Stop>, error: Option<Error> },
    /// The caller has the end.
    Over,
}

/// The end of a run.
#[derive(Debug)]
pub(super) struct RunEnd {
    pub(super) stop: Stop,
    /// `None` if the child could not be ended.
    pub(super) status: Option<ExitStatus>,
    pub(super) ended: Option<Ended>,
}

impl<'a> ChildRun<'a> {
    pub(super) fn new(child: Child, mut exchange: Exchange<'a>, grace: Duration, teardown: Teardown) -> Self {
        let process = child.process();
        exchange.watch_own(&process, grace);
        Self { end: process.end_event(), child, process, exchange, teardown, state: RunState::Moving }
    }

    /// Goes on to the end, and waits meanwhile. After an error the drop of the run drops the child.
    pub(super) fn run(&mut self) -> Result<RunEnd> {
        loop {
            if let Some(end) = self.turn(Pace::Wait)? {
                return Ok(end);
            }
        }
    }

    /// Goes on as far as it can without waiting. `None` if there is more to do later. After an error of a stream, the child has been ended.
    pub(super) fn step(&mut self) -> Result<Option<RunEnd>> {
        loop {
            let before = mem::discriminant(&self.state);
            let end = self.turn(Pace::NoWait)?;
            // A run that has just begun to wait for something else may find it at once.
            if end.is_some() || mem::discriminant(&self.state) == before {
                return Ok(end);
            }
        }
    }

    fn turn(&mut self, pace: Pace) -> Result<Option<RunEnd>> {
        match &mut self.state {
            RunState::Moving => self.move_streams(pace),
            RunState::Waiting(stop) => {
                let stop = *stop;
                self.wait(stop, pace)
            }
            RunState::Ending { .. } => self.end_step(),
            RunState::Over => Ok(Some(RunEnd { stop: Stop::Done, status: self.child.try_wait()?, ended: None })),
        }
    }

    fn move_streams(&mut self, pace: Pace) -> Result<Option<RunEnd>> {
        let moved = match pace {
            Pace::Wait => self.exchange.run().map(Some),
            Pace::NoWait => self.exchange.try_run(),
        };
        let mut stop = match moved {
            Ok(Some(stop)) => stop,
            Ok(None) => {
                // In the grace the streams count.
                if self.exchange.is_watching_own() {
                    self.end.look_again()
                } else {
                    self.end.set_known()
                }
                return Ok(None);
            }
            Err(error) if pace == Pace::NoWait => return self.start_ending(None, Some(error), pace),
            Err(error) => return Err(error),
        };
        if stop == Stop::Deadline && self.child.try_wait()?.is_some() {
            stop = self.exchange.run_after_end()?; // The child has ended in time, and a pipe is held.
        }
        match stop {
            Stop::Done | Stop::Held => {
                self.state = RunState::Waiting(stop);
                Ok(None)
            }
            stop => self.start_ending(Some(stop), None, pace),
        }
    }

    /// The child may run although nothing is left to read.
    fn wait(&mut self, stop: Stop, pace: Pace) -> Result<Option<RunEnd>> {
        let deadline = self.exchange.end_of_time();
        let status = match (pace, deadline) {
            (Pace::Wait, Some(deadline)) => self.child.wait_deadline(deadline)?,
            (Pace::Wait, None) => Some(self.child.wait()?),
            (Pace::NoWait, _) => self.child.try_wait()?,
        };
        if status.is_some() {
            return Ok(Some(self.over(RunEnd { stop, status, ended: None })));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return self.start_ending(Some(Stop::Deadline), None, pace);
        }
        self.end.look_again();
        Ok(None)
    }

    fn start_ending(&mut self, stop: Option<Stop>, error: Option<Error>, pace: Pace) -> Result<Option<RunEnd>> {
        match pace {
            Pace::NoWait => match EndingSteps::new(&self.process, &self.teardown) {
                Ok(steps) => {
                    self.state = RunState::Ending { steps: Box::new(steps), stop, error };
                    Ok(None)
                }
                Err(ending) => self.ended(Err(ending), stop, error),
            },
            Pace::Wait => {
                let (process, exchange) = (&self.process, &mut self.exchange);
                let mut wait = |deadline| exchange.run_while_ending(process, deadline);
                let ended = end_while(process, &self.teardown, &mut wait);
                self.ended(ended, stop, error)
            }
        }
    }

    fn end_step(&mut self) -> Result<Option<RunEnd>> {
        self.exchange.step_while_ending();
        let RunState::Ending { steps, stop, error } = &mut self.state else { return Ok(None) };
        match steps.step() {
            Poll::Pending => Ok(None),
            Poll::Ready(ended) => {
                let (stop, error) = (*stop, error.take());
                self.state = RunState::Over; // The teardown is over, so that the child can be reaped.
                self.ended(ended, stop, error)
            }
        }
    }

    /// The child has been ended, or could not be.
    fn ended(&mut self, ended: Result<Ended>, stop: Option<Stop>, error: Option<Error>) -> Result<Option<RunEnd>> {
        self.exchange.read_rest();
        let at_end = if self.exchange.are_all_done() { Stop::Done } else { Stop::Held };
        let stop = stop.unwrap_or(at_end);
        let (status, ended) = match ended {
            Ok(ended) => (Some(ended.status), Some(ended)),
            Err(error) => {
                tracing::warn!(%error, "a child could not be ended");
                (self.child.try_wait().ok().flatten(), None)
            }
        };
        let end = self.over(RunEnd { stop, status, ended });
        error.map_or(Ok(Some(end)), Err)
    }

    fn over(&mut self, end: RunEnd) -> RunEnd {
        self.state = RunState::Over;
        end
    }

    /// Starts to end the child, as the caller asks. The streams are read meanwhile.
    pub(super) fn end(&mut self, how: &Teardown) -> Result<()> {
        let steps = EndingSteps::new(&self.process, how)?;
        let (stop, error) = match &mut self.state {
            RunState::Ending { stop, error, .. } => (*stop, error.take()),
            _ => (None, None),
        };
        self.state = RunState::Ending { steps: Box::new(steps), stop, error };
        Ok(())
    }

    pub(super) fn set_teardown(&mut self, how: Teardown) {
        self.teardown = how;
    }

    /// Replaces the streams. The run is being ended.
    pub(super) fn set_exchange(&mut self, mut exchange: Exchange<'a>) {
        exchange.watch_own(&self.process, Duration::ZERO);
        self.exchange.unregister();
        self.exchange = exchange;
    }

    pub(super) fn exchange(&mut self) -> &mut Exchange<'a> {
        &mut self.exchange
    }

    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Takes the child and its streams out. No set of events tells of them any more.
    pub(super) fn into_parts(mut self) -> (Child, Exchange<'a>) {
        self.end.clear();
        self.exchange.unregister();
        self.exchange.watch_by_itself();
        (self.child, self.exchange)
    }
}

impl Steps for ChildRun<'_> {
    fn register(&mut self, place: &SetPlace) -> rustix::io::Result<bool> {
        match &mut self.state {
            RunState::Moving => Ok(self.exchange.steps().register(place)? | self.end.register(place)?),
            RunState::Waiting(_) => {
                self.exchange.unregister();
                self.end.register(place)
            }
            RunState::Ending { steps, .. } => {
                self.end.clear();
                Ok(self.exchange.steps().register(place)? | steps.register(place)?)
            }
            RunState::Over => {
                self.end.clear();
                self.exchange.unregister();
                Ok(false)
            }
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        let (first, second) = match &self.state {
            RunState::Moving => (self.exchange.wakes_at(), self.end.wakes_at()),
            RunState::Waiting(_) => (self.exchange.end_of_time(), self.end.wakes_at()),
            RunState::Ending { steps, .. } => (self.exchange.wakes_at(), steps.wakes_at()),
            RunState::Over => (None, None),
        };
        first.into_iter().chain(second).min()
    }
}
