//! `Command::capture` and `Command::start_capture`: input, output, limits, a deadline and the end of a child in one call.

use super::capture::Capture;
use super::capture_flows::CaptureFlows;
use super::captured::Captured;
use super::capturing::Capturing;
use super::child_run::ChildRun;
use super::exchange::Exchange;
use crate::command::Command;
use crate::error::Result;

impl Command<'_> {
    /// Starts the child, writes its input and reads its output at the same time, waits for its end, and ends it if its time is over or a
    /// limit is reached. In each case it returns what the child has written until then.
    ///
    /// Standard output and error are pipes, and so is standard input if there is input, unless the command connects them. The ends of reader
    /// slots ([`Command::reader`]) are read, too: [`Captured::bytes`] has them. Those of writer slots are closed, and sockets are read and the
    /// bytes dropped.
    ///
    /// When the child has ended, a pipe that another process still holds is read for the grace ([`Capture::grace`]). Then the call returns, with
    /// [`Stop::Held`](crate::Stop::Held).
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
        let (mut run, flows) = self.start_captured(capture)?;
        let end = run.run()?;
        Ok(flows.captured(run, end))
    }

    /// [`Command::capture`] that does not block: the caller drives it. The child runs when this returns.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`].
    ///
    /// ```
    /// use fdspawn::{Capture, Command, block_on};
    ///
    /// let mut capturing = Command::new("sort").start_capture(&Capture::new().input("b\na\n"))?;
    /// let captured = block_on(&mut capturing)?; // or any other loop: see `Driven`
    /// assert_eq!(captured.check()?.stdout, b"a\nb\n");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn start_capture<'c>(&mut self, capture: &Capture<'c>) -> Result<Capturing<'c>> {
        let (run, flows) = self.start_captured(capture)?;
        Ok(Capturing::new(run, flows))
    }

    /// Starts the child and makes its streams.
    pub(super) fn start_captured<'c>(&mut self, capture: &Capture<'c>) -> Result<(ChildRun<'c>, CaptureFlows)> {
        let mut child = self.spawn_piped(capture.input.is_some(), &capture.teardown)?;
        let mut exchange = Exchange::new();
        if let Some(time) = capture.timeout {
            exchange.timeout(time);
        }
        let program = self.get_program().to_owned();
        let flows = CaptureFlows::new(&mut child, &mut exchange, capture, program);
        Ok((ChildRun::new(child, exchange, capture.grace, capture.teardown.clone()), flows))
    }
}
