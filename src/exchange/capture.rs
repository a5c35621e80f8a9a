//! `Capture` and `Command::capture`: input, output, limits, a deadline and the end of a child in one call.

use super::captured::Captured;
use super::exchange::Exchange;
use crate::child::{Child, Ended, ParentEnd, end_while};
use crate::command::Command;
use crate::error::Result;
use crate::flow::{Flow, Keep, Stop};
use crate::plan::Teardown;
use std::ffi::OsString;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// What [`Command::capture`] does: the input, what it keeps of the output, how long the child has, and how it is ended then.
///
/// The default has no input, keeps all output without a limit, and has no time limit.
#[derive(Clone)]
pub struct Capture<'a> {
    input: Option<&'a [u8]>,
    stdout: Keep,
    stderr: Keep,
    slots: Keep,
    timeout: Option<Duration>,
    grace: Duration,
    teardown: Teardown,
}

impl<'a> Capture<'a> {
    /// Makes the default.
    pub const fn new() -> Self {
        Self {
            input: None,
            stdout: Keep::All,
            stderr: Keep::All,
            slots: Keep::All,
            timeout: None,
            grace: Duration::from_secs(2),
            teardown: Teardown::kill(),
        }
    }

    /// Sets the bytes that the child reads from its standard input. If the command connects standard input other than by
    /// [`Stdio::piped`](crate::Stdio::piped), the child reads that, and none of these bytes: [`Captured::unsent`] tells.
    #[must_use]
    pub fn input(mut self, bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.input = Some(bytes.as_ref());
        self
    }

    /// Sets what is kept of standard output, of standard error, and of the end of each slot: each has the limit for itself.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        (self.stdout, self.stderr, self.slots) = (keep, keep, keep);
        self
    }

    /// Sets what is kept of standard output.
    #[must_use]
    pub fn keep_stdout(mut self, keep: Keep) -> Self {
        self.stdout = keep;
        self
    }

    /// Sets what is kept of standard error.
    #[must_use]
    pub fn keep_stderr(mut self, keep: Keep) -> Self {
        self.stderr = keep;
        self
    }

    /// Sets how long the child may run. After that it is ended.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sets how long a pipe may still be held after the child has ended, by a process that the child has started. The default is 2 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how the child is ended after its time, or at a limit. The default is SIGKILL to the child alone.
    #[must_use]
    pub fn end(mut self, how: Teardown) -> Self {
        self.teardown = how;
        self
    }
}

impl fmt::Debug for Capture<'_> {
    /// Prints how many bytes of input there are, and not the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("input", &self.input.map(<[u8]>::len))
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("slots", &self.slots)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("teardown", &self.teardown)
            .finish()
    }
}

impl Default for Capture<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl Command<'_> {
    /// Starts the child, writes its input and reads its output at the same time, waits for its end, and ends it if its time is over or a
    /// limit is reached. In each case it returns what the child has written until then.
    ///
    /// Standard output and error are pipes, and so is standard input if there is input, unless the command connects them. The ends of reader
    /// slots ([`Command::reader`]) are read, too: [`Captured::bytes`] has them. Those of writer slots are closed, and sockets are read and the
    /// bytes dropped.
    ///
    /// When the child has ended, a pipe that another process still holds is read for the grace ([`Capture::grace`]). Then the call returns, with
    /// [`Stop::Held`].
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait`](crate::Child::wait), [`Failure::Read`] and [`Failure::Write`]. After an error of a read or
    /// a write the child is ended. A child that fails is no error: see [`Captured::check`].
    ///
    /// [`Failure::Read`]: crate::Failure::Read
    /// [`Failure::Write`]: crate::Failure::Write
    ///
    /// ```
    /// use fdspawn::{Capture, Command, Keep, Stop};
    /// use std::time::Duration;
    ///
    /// let sorted = Command::new("sort").capture(&Capture::new().input("b\na\n"))?.check()?;
    /// assert_eq!(sorted.stdout, b"a\nb\n");
    ///
    /// // The output until the time is over.
    /// let how = Capture::new().timeout(Duration::from_millis(200));
    /// let captured = Command::new("sh").args(["-c", "echo early; exec sleep 60"]).capture(&how)?;
    /// assert_eq!(captured.stop, Stop::Deadline);
    /// assert_eq!(captured.stdout, b"early\n");
    ///
    /// // Of too much output, the first bytes.
    /// let captured = Command::new("yes").capture(&Capture::new().keep(Keep::AtMost(6)))?;
    /// assert_eq!(captured.stdout, b"y\ny\ny\n");
    /// assert!(captured.check().is_err());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "communicate")]
    pub fn capture(&mut self, capture: &Capture<'_>) -> Result<Captured> {
        let child = self.spawn_piped(capture.input.is_some(), &capture.teardown)?;
        let mut run = Run::start(child, capture);
        let outcome = run.outcome(capture)?;
        Ok(run.captured(outcome, self.get_program().to_owned()))
    }
}

/// A capture that runs. If it is dropped before the child has been reaped, the drop of the child ends the child.
struct Run<'a> {
    child: Child,
    exchange: Exchange<'a>,
    input: Option<Flow>,
    /// The input, if the child does not read it.
    unread: usize,
    stdout: Option<Flow>,
    stderr: Option<Flow>,
    slots: Vec<(u64, Flow)>,
}

/// How a capture has ended.
struct Outcome {
    stop: Stop,
    status: Option<ExitStatus>,
    ended: Option<Ended>,
}

impl<'a> Run<'a> {
    /// Makes the streams of a child.
    fn start(mut child: Child, capture: &Capture<'a>) -> Self {
        let mut exchange = Exchange::new();
        exchange.child(&child, capture.grace);
        if let Some(time) = capture.timeout {
            exchange.timeout(time);
        }
        let bytes = capture.input.unwrap_or_default();
        let input = child.stdin.take().map(|stdin| exchange.feed(stdin, bytes));
        let stdout = child.stdout.take().map(|stdout| exchange.drain(stdout, capture.stdout));
        let stderr = child.stderr.take().map(|stderr| exchange.drain(stderr, capture.stderr));
        let mut slots = Vec::new();
        for (id, end) in child.take_slots() {
            match end {
                ParentEnd::Reader(reader) => slots.push((id, exchange.drain(reader, capture.slots))),
                end => _ = end.into_discarded().map(|fd| exchange.discard(fd)),
            }
        }
        let unread = if input.is_some() { 0 } else { bytes.len() };
        Self { child, exchange, input, unread, stdout, stderr, slots }
    }

    /// Moves bytes until all has been read and the child has ended, or until the child has to be ended.
    fn outcome(&mut self, capture: &Capture<'_>) -> Result<Outcome> {
        let mut stop = self.exchange.run()?;
        if stop == Stop::Deadline && self.child.try_wait()?.is_some() {
            stop = self.exchange.run_after_end()?; // The child has ended in time, and a pipe is held.
        }
        if matches!(stop, Stop::Done | Stop::Held) {
            let status = match self.exchange.end_of_time() {
                // The child may run although nothing is left to read.
                Some(deadline) => self.child.wait_deadline(deadline)?,
                None => Some(self.child.wait()?),
            };
            if status.is_some() {
                return Ok(Outcome { stop, status, ended: None });
            }
        }
        let stop = if matches!(stop, Stop::Limit(_)) { stop } else { Stop::Deadline };
        let process = self.child.process();
        let ended =
            end_while(&process, &capture.teardown, &mut |deadline| self.exchange.run_while_ending(&process, deadline));
        self.exchange.read_rest();
        Ok(match ended {
            Ok(ended) => Outcome { stop, status: Some(ended.status), ended: Some(ended) },
            Err(error) => {
                tracing::warn!(%error, "a captured child could not be ended");
                Outcome { stop, status: self.child.try_wait().ok().flatten(), ended: None }
            }
        })
    }

    fn captured(mut self, outcome: Outcome, program: OsString) -> Captured {
        let mut bytes = |flow: Option<Flow>| flow.map(|flow| self.exchange.bytes(flow)).unwrap_or_default();
        let (stdout, stderr) = (bytes(self.stdout), bytes(self.stderr));
        let slots = self.slots.iter().map(|&(id, flow)| (id, bytes(Some(flow)))).collect();
        let unsent = self.unread + self.input.map_or(0, |input| self.exchange.unsent(input));
        let Outcome { stop, status, ended } = outcome;
        self.child.detach();
        Captured { status, stdout, stderr, stop, ended, unsent, slots, program }
    }
}
