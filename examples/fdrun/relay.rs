//! The relay of the program's output: one exchange for all descriptors that fdrun reads.

use crate::readings::Reading;
use crate::signals;
use crate::stream::Stream;
use fdspawn::{Exchange, Flow, Stop};
use std::error::Error;
use std::fs::File;
use std::io::{self, PipeReader};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// While fdrun waits until a line can be written, it looks for signals so often.
const LOOK: Duration = Duration::from_millis(50);

pub struct Relay {
    exchange: Exchange<'static>,
    /// Reads the pipe that has a byte after each signal.
    signals: Flow,
    streams: Vec<Stream>,
    line: Option<WaitingLine>,
}

/// A line that is being written. Until it is written, fdrun reads nothing.
struct WaitingLine {
    exchange: Exchange<'static>,
    feed: Flow,
    /// The index of the stream that the line is from.
    stream: usize,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes have been moved, or a signal has come.
    Moved,
    /// A descriptor has more bytes than its limit.
    Limit,
    /// The deadline is over, and there is nothing to read.
    Deadline,
    /// All descriptors are at their ends.
    Done,
}

impl Relay {
    /// A relay without descriptors.
    pub fn new(pipe: PipeReader) -> Self {
        let mut exchange = Exchange::new();
        // The exchange asks the streams in their order, so that much output does not delay a signal.
        let signals = exchange.chunks(pipe, |_| {
            signals::pipe_is_read();
            ControlFlow::Break(())
        });
        Self { exchange, signals, streams: Vec::new(), line: None }
    }

    /// Adds a descriptor. `all_lines` is `--lines`.
    pub fn add(&mut self, reading: &Reading, pipe: PipeReader, file: Option<File>, all_lines: bool) -> io::Result<()> {
        self.streams.push(Stream::add(&mut self.exchange, reading, pipe, file, all_lines)?);
        Ok(())
    }

    /// Moves bytes until a signal has come, a limit is reached, a line is printed or the deadline is over.
    pub fn step(&mut self, deadline: Option<Instant>) -> Result<Step, Box<dyn Error>> {
        if self.line.is_some() {
            return self.write_line(deadline);
        }
        match deadline {
            Some(deadline) => self.exchange.deadline(deadline),
            None => self.exchange.no_deadline(),
        };
        Ok(match self.exchange.run().map_err(failed)? {
            Stop::Done => Step::Done,
            Stop::Limit(flow) => {
                let exchange = &mut self.exchange;
                let is_reached = self.streams.iter_mut().any(|stream| stream.has_reached_limit(exchange, flow));
                if is_reached { Step::Limit } else { Step::Moved }
            }
            Stop::Asked(flow) => {
                self.begin_line(flow)?;
                Step::Moved
            }
            _ => Step::Deadline,
        })
    }

    /// Begins to write the line that the stream has read.
    fn begin_line(&mut self, flow: Flow) -> io::Result<()> {
        let Some(stream) = self.streams.iter().position(|stream| stream.output == flow) else {
            return Ok(()); // It is the pipe of the signals.
        };
        if let Some(lines) = &mut self.streams[stream].lines {
            let mut exchange = Exchange::new();
            let feed = exchange.feed_owned(lines.to.try_clone()?, lines.take());
            self.line = Some(WaitingLine { exchange, feed, stream });
        }
        Ok(())
    }

    /// Goes on with the line, at most for [`LOOK`].
    fn write_line(&mut self, deadline: Option<Instant>) -> Result<Step, Box<dyn Error>> {
        let Some(line) = &mut self.line else { return Ok(Step::Moved) };
        let look = Instant::now() + LOOK;
        let written = line.exchange.deadline(deadline.map_or(look, |deadline| deadline.min(look))).run();
        if let Ok(Stop::Deadline) = written {
            return Ok(Step::Moved);
        }
        let has_no_reader = line.exchange.unsent(line.feed) > 0;
        let stream = &self.streams[line.stream];
        self.line = None;
        let Some(lines) = &stream.lines else { return Ok(Step::Moved) };
        if !lines.is_pipe_from {
            written.map_err(failed)?;
        }
        // The program learns that no process reads its output, as it would without fdrun.
        if has_no_reader && !lines.is_pipe_from || lines.left == 0 {
            stream.close(&mut self.exchange);
        }
        Ok(Step::Moved)
    }

    /// Whether another process has not read what fdrun wants to write.
    fn is_writing(&self) -> bool {
        self.line.is_some() || self.streams.iter().any(|stream| stream.has_unsent(&self.exchange))
    }

    /// Reads what is left after the end of the program, for as long as `time` says. Then it still passes on what the pipes contain, however
    /// long another process takes to read that. After `patience` it calls `be_patient` once. Returns whether a limit is reached.
    pub fn read_rest(
        &mut self,
        time: Option<Duration>,
        patience: Duration,
        be_patient: impl FnOnce(),
    ) -> Result<bool, Box<dyn Error>> {
        signals::stop_waking();
        self.exchange.close(self.signals);
        let (begin, mut be_patient) = (Instant::now(), Some(be_patient));
        let end = time.and_then(|time| begin.checked_add(time));
        let (mut has_limit, mut is_over) = (false, false);
        loop {
            let step = self.step(if is_over { Some(Instant::now() + LOOK) } else { end })?;
            has_limit |= step == Step::Limit;
            if let Some(be_patient) = be_patient.take_if(|_| begin.elapsed() >= patience) {
                be_patient();
            }
            if !is_over && end.is_some_and(|end| end <= Instant::now()) {
                is_over = true;
                self.streams.iter_mut().for_each(|stream| stream.end_soon(&mut self.exchange));
            }
            if step == Step::Done || is_over && step == Step::Deadline && !self.is_writing() {
                return Ok(has_limit);
            }
        }
    }
}

fn failed(error: fdspawn::Error) -> String {
    format!("cannot pass on what the program has written: {}", io::Error::from(error))
}
