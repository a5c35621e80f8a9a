//! `Exchange`: any number of streams of any number of children, in one thread.

use crate::child::{Child, Process, WatchedProcesses};
use crate::driven::{Driven, Events, SetPlace, Steps};
use crate::error::{Error, Failure, Result, Subject};
use crate::flow::{Flow, FlowError, FlowSource, Flows, Keep, KeptBytes, Sink, Stop, StreamCall};
use rustix::io::Errno;
use std::borrow::Cow;
use std::fmt;
use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Moves bytes in any number of streams at the same time, in one thread, so that no child and no caller waits for the other for ever.
///
/// A stream is a [`Flow`]: a *feed* writes to a descriptor, and a *drain* reads one. The exchange owns the descriptors and closes each at the
/// end of its stream. [`Exchange::run`] moves bytes until all streams are at their ends, or until a deadline, a limit or a callback stops it.
/// It can be called again after each stop: no byte is lost, and none is moved twice. What was read is kept in each case, also after an error
/// or a panic of a callback.
///
/// - The exchange does not change the flags of a description, which other processes may share. Streams whose descriptions other code has
///   made non-blocking work, too.
/// - A feed whose reader is gone is at its end. That is no error, and SIGPIPE does not reach this process. [`Exchange::unsent`] says how many
///   bytes are left.
/// - Two streams have no common order. If the order of standard output and standard error counts, give the child one pipe for both:
///   [`Stdio::same_as`](crate::Stdio::same_as).
///
/// ```
/// use fdspawn::{Command, Exchange, Keep, Stdio, Stop};
///
/// let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let mut exchange = Exchange::new();
/// exchange.feed(child.stdin.take().expect("piped"), b"b\na\n");
/// let sorted = exchange.drain(child.stdout.take().expect("piped"), Keep::All);
/// assert_eq!(exchange.run()?, Stop::Done);
/// assert_eq!(exchange.bytes(sorted), b"a\nb\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), fdspawn::Error>(())
/// ```
pub struct Exchange<'a> {
    streams: Streams<'a>,
    events: Events,
}

/// The streams, the watched children and the deadline of an exchange.
struct Streams<'a> {
    flows: Flows<'a>,
    watched: WatchedProcesses,
    deadline: Option<Instant>,
}

impl<'a> Exchange<'a> {
    /// Makes an exchange without streams. It makes no system call.
    pub fn new() -> Self {
        let streams = Streams { flows: Flows::new(), watched: WatchedProcesses::default(), deadline: None };
        Self { streams, events: Events::default() }
    }

    /// Writes bytes to a descriptor, and closes it after them.
    ///
    /// For input that is known before the spawn, [`Stdio::data`](crate::Stdio::data) needs no feed, but copies it to memory of the kernel. If
    /// the input is in a file, give the child the file.
    pub fn feed<B: AsRef<[u8]> + ?Sized>(&mut self, to: impl Into<OwnedFd>, bytes: &'a B) -> Flow {
        self.streams.flows.feed(to.into(), Cow::Borrowed(bytes.as_ref()), FlowSource::None)
    }

    /// [`Exchange::feed`] with bytes that the exchange owns.
    pub fn feed_owned(&mut self, to: impl Into<OwnedFd>, bytes: impl Into<Vec<u8>>) -> Flow {
        self.streams.flows.feed(to.into(), Cow::Owned(bytes.into()), FlowSource::None)
    }

    /// Writes what a reader has to a descriptor, and closes the descriptor at the reader's end.
    ///
    /// The exchange reads when all that it has read before was written. Such a read may wait, and then all streams wait: use
    /// [`Exchange::feed_from`] for a descriptor.
    ///
    /// # Errors
    ///
    /// [`Exchange::run`] returns an error of the reader as [`Failure::Write`], and closes the descriptor.
    pub fn feed_read(&mut self, to: impl Into<OwnedFd>, reader: impl Read + Send + 'a) -> Flow {
        self.streams.flows.feed(to.into(), Cow::Borrowed(&[]), FlowSource::Stream(Box::new(reader)))
    }

    /// Reads the descriptor `from` and writes its bytes to the descriptor `to`. Closes both at the end of `from`, or when no process can read
    /// what is written to `to`.
    pub fn feed_from(&mut self, to: impl Into<OwnedFd>, from: impl Into<OwnedFd>) -> Flow {
        self.streams.flows.feed(to.into(), Cow::Borrowed(&[]), FlowSource::Fd(from.into()))
    }

    /// Reads a descriptor to its end, and keeps the bytes for [`Exchange::bytes`], or the part of them that `keep` names.
    pub fn drain(&mut self, from: impl Into<OwnedFd>, keep: Keep) -> Flow {
        self.streams.flows.drain(from.into(), Sink::Keep(KeptBytes::new(keep)))
    }

    /// Reads a descriptor to its end, and adds the bytes to the caller's own vector. If the vector has been used before, its memory is used
    /// again.
    pub fn drain_into(&mut self, from: impl Into<OwnedFd>, bytes: &'a mut Vec<u8>) -> Flow {
        self.streams.flows.drain(from.into(), Sink::Into(bytes))
    }

    /// Reads a descriptor to its end, and drops the bytes.
    pub fn discard(&mut self, from: impl Into<OwnedFd>) -> Flow {
        self.streams.flows.drain(from.into(), Sink::Discard)
    }

    /// Reads a descriptor to its end, and calls a function with the bytes of each read, as soon as they arrive.
    ///
    /// If the function returns [`ControlFlow::Break`], [`Exchange::run`] stops with [`Stop::Asked`]. Those bytes count as given.
    pub fn chunks(&mut self, from: impl Into<OwnedFd>, each: impl FnMut(&[u8]) -> ControlFlow<()> + Send + 'a) -> Flow {
        self.streams.flows.drain(from.into(), Sink::Chunks(Box::new(each)))
    }

    /// Reads a descriptor to its end, and calls a function with each line, as soon as it is complete. A line has its newline. The last line
    /// may have none. A line that is longer than `longest` bytes comes in pieces of that length, of which only the last one has a newline.
    ///
    /// If the function returns [`ControlFlow::Break`], [`Exchange::run`] stops with [`Stop::Asked`]. The next run goes on with the next line.
    ///
    /// ```
    /// use fdspawn::{Command, Exchange, Stdio};
    /// use std::ops::ControlFlow;
    ///
    /// let mut child = Command::new("printf").arg("one\\ntwo\\nthree").stdout(Stdio::piped()).spawn()?;
    /// let mut lines = Vec::new();
    /// let mut exchange = Exchange::new();
    /// exchange.lines(child.stdout.take().expect("piped"), 1024, |line| {
    ///     lines.push(String::from_utf8_lossy(line).into_owned());
    ///     ControlFlow::Continue(())
    /// });
    /// exchange.run()?;
    /// drop(exchange);
    /// assert_eq!(lines, ["one\n", "two\n", "three"]);
    /// child.wait()?;
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn lines(
        &mut self,
        from: impl Into<OwnedFd>,
        longest: usize,
        each: impl FnMut(&[u8]) -> ControlFlow<()> + Send + 'a,
    ) -> Flow {
        self.streams.flows.drain(from.into(), Sink::Lines { longest, each: Box::new(each) })
    }

    /// Writes bytes to a socket and reads it, both at the same time. After the bytes it ends the socket's writing side (`shutdown(2)`), so
    /// that the other process finds the end. Returns the feed and the drain.
    ///
    /// # Errors
    ///
    /// `EMFILE` if no number is free for a duplicate of the socket.
    pub fn socket<B: AsRef<[u8]> + ?Sized>(
        &mut self,
        socket: UnixStream,
        bytes: &'a B,
        keep: Keep,
    ) -> Result<(Flow, Flow)> {
        let failed =
            |error: &std::io::Error| Error::new(Subject::Exchange, Failure::Write, Errno::from_io_error(error));
        let writer = socket.try_clone().map_err(|error| failed(&error))?;
        let feed = self.streams.flows.feed_socket(writer.into(), Cow::Borrowed(bytes.as_ref()));
        Ok((feed, self.drain(socket, keep)))
    }

    /// Writes what a drain reads from now on to another descriptor, too: a file, a pipe, the terminal. If the other descriptor takes no more
    /// bytes now, the exchange reads no more of the stream until it does. If no process can read the other descriptor any more, the exchange
    /// closes it and goes on with the stream. It also closes the other descriptor at the end of the stream.
    ///
    /// # Panics
    ///
    /// If the flow is not a drain of this exchange.
    pub fn also_to(&mut self, flow: Flow, to: impl Into<OwnedFd>) -> &mut Self {
        assert!(self.streams.flows.also_to(flow, to.into()), "the flow is no drain of this exchange");
        self
    }

    /// Watches a child: after its end, streams that another process holds open have this much time. Then [`Exchange::run`] stops with
    /// [`Stop::Held`].
    ///
    /// The time goes on in the next run if a run stops before it is over. After [`Stop::Held`] the next run has a time of its own.
    ///
    /// The exchange does not reap the child, unless the system has no other call that tells of its end (OpenBSD, some filters). With several
    /// children the time counts from the end of the last one, and the longest counts.
    pub fn child(&mut self, child: &Child, grace: Duration) -> &mut Self {
        self.process(&child.process(), grace)
    }

    /// [`Exchange::child`], by another handle of the child.
    pub fn process(&mut self, process: &Process, grace: Duration) -> &mut Self {
        self.streams.watched.add(process.clone(), grace);
        self
    }

    /// Sets when a run stops with [`Stop::Deadline`]. A deadline that is over stops a run after it has moved what is ready.
    pub fn deadline(&mut self, deadline: Instant) -> &mut Self {
        self.streams.deadline = Some(deadline);
        self
    }

    /// [`Exchange::deadline`], from now on.
    pub fn timeout(&mut self, time: Duration) -> &mut Self {
        // A time beyond the clock's end is as good as none.
        self.streams.deadline = Instant::now().checked_add(time);
        self
    }

    /// Takes back the deadline.
    pub fn no_deadline(&mut self) -> &mut Self {
        self.streams.deadline = None;
        self
    }

    /// Moves bytes until all streams are at their ends ([`Stop::Done`]), or something else stops it.
    ///
    /// # Errors
    ///
    /// [`Failure::Read`] and [`Failure::Write`] if a call for a stream failed. That stream is closed then, and what was read of it is kept;
    /// the next run goes on with the others.
    pub fn run(&mut self) -> Result<Stop> {
        self.streams.flows.run(&mut self.streams.watched, self.streams.deadline).map_err(flow_error)
    }

    /// Takes the bytes that are kept of a drain. Bytes that are read later are kept apart from them, and the limits of [`Keep`] count those
    /// anew.
    ///
    /// # Panics
    ///
    /// If the flow is not a [`drain`](Exchange::drain) of this exchange.
    pub fn bytes(&mut self, flow: Flow) -> Vec<u8> {
        self.kept(flow).take()
    }

    /// How many bytes of a drain have been read and dropped, as its [`Keep`] says.
    ///
    /// # Panics
    ///
    /// If the flow is not a [`drain`](Exchange::drain) of this exchange.
    pub fn dropped(&mut self, flow: Flow) -> u64 {
        self.kept(flow).dropped()
    }

    /// Changes what is kept of a drain, for what was read before, too. After [`Stop::Limit`] a higher limit lets the stream go on.
    ///
    /// # Panics
    ///
    /// If the flow is not a [`drain`](Exchange::drain) of this exchange.
    pub fn keep(&mut self, flow: Flow, keep: Keep) -> &mut Self {
        self.kept(flow).set_keep(keep);
        self
    }

    /// How many bytes a feed holds that no reader has got yet: of those that it was given, or of the last piece that it has read.
    ///
    /// # Panics
    ///
    /// If the flow is not a feed of this exchange.
    pub fn unsent(&self, flow: Flow) -> usize {
        self.streams.flows.unsent(flow).expect("the flow is a feed of this exchange")
    }

    /// Whether a stream is at its end.
    ///
    /// # Panics
    ///
    /// If the flow is not of this exchange.
    pub fn is_done(&self, flow: Flow) -> bool {
        self.streams.flows.is_done(flow).expect("the flow is of this exchange")
    }

    /// Closes the descriptors of a stream before its end. What was read is kept.
    ///
    /// # Panics
    ///
    /// If the flow is not of this exchange.
    pub fn close(&mut self, flow: Flow) -> &mut Self {
        assert!(self.streams.flows.close(flow), "the flow is not of this exchange");
        self
    }

    /// Moves what can be moved now. `None` if there is more to move later.
    pub(super) fn try_run(&mut self) -> Result<Option<Stop>> {
        let Streams { flows, watched, deadline } = &mut self.streams;
        flows.step(watched, *deadline).map_err(flow_error)
    }

    /// Watches the child of the owner of this exchange, whose set of events tells of the child.
    pub(super) fn watch_own(&mut self, process: &Process, grace: Duration) {
        self.streams.watched.add_own(process, grace);
    }

    /// Whether it has streams, also such as are at their ends.
    pub(super) fn has_streams(&self) -> bool {
        self.streams.flows.has_streams()
    }

    /// Whether the child of the owner of this exchange is not known to have ended.
    pub(super) fn is_watching_own(&self) -> bool {
        self.streams.watched.is_waiting_for_own()
    }

    /// The exchange has left its owner, so its own set of events tells of all children.
    pub(super) fn watch_by_itself(&mut self) {
        self.streams.watched.disown();
    }

    /// What the owner of this exchange has to let its set of events tell of.
    pub(super) fn steps(&mut self) -> &mut impl Steps {
        &mut self.streams
    }

    /// When the next step has something to do, if no stream is ready before.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.streams.wakes_at()
    }

    /// Lets no set of events tell of the streams any more.
    pub(super) fn unregister(&mut self) {
        self.streams.flows.unregister();
        self.streams.watched.unregister();
    }

    /// Whether all streams that a run is for are at their ends.
    pub(super) fn are_all_done(&self) -> bool {
        self.streams.flows.are_done()
    }

    /// Moves what can be moved now, while the child is being ended. A stream that has reached its limit or whose call has failed is closed.
    pub(super) fn step_while_ending(&mut self) {
        self.no_deadline();
        loop {
            let Streams { flows, watched, .. } = &mut self.streams;
            match flows.step(watched, None) {
                Ok(Some(Stop::Limit(flow) | Stop::Asked(flow))) => _ = flows.close(flow),
                // The stream whose call has failed is closed, and the others go on.
                Err(FlowError { call: StreamCall::Read | StreamCall::Write, .. }) => {}
                _ => return,
            }
        }
    }

    /// The deadline.
    pub(super) fn end_of_time(&self) -> Option<Instant> {
        self.streams.deadline
    }

    /// Moves bytes until a child has ended that is being ended, at most until the deadline. Returns whether it has ended. A stream that has
    /// reached its limit is closed.
    pub(super) fn run_while_ending(&mut self, process: &Process, deadline: Option<Instant>) -> bool {
        self.streams.watched.set_grace(Duration::ZERO);
        loop {
            match self.streams.flows.run(&mut self.streams.watched, deadline) {
                Ok(Stop::Limit(flow) | Stop::Asked(flow)) => _ = self.streams.flows.close(flow),
                // The stream whose call has failed is closed, and the others go on.
                Err(FlowError { call: StreamCall::Read | StreamCall::Write, .. }) => {}
                _ => return process.has_ended_by(deadline),
            }
        }
    }

    /// Reads what the streams contain after the end of the child, and does not wait.
    pub(super) fn run_after_end(&mut self) -> Result<Stop> {
        self.no_deadline();
        self.streams.flows.end_grace();
        let stop = self.streams.flows.move_contents().map_err(flow_error)?;
        let at_end = if self.are_all_done() { Stop::Done } else { Stop::Held };
        Ok(stop.unwrap_or(at_end))
    }

    /// Reads what the streams contain, and does not wait. A stream that has reached its limit or whose call has failed is closed.
    pub(super) fn read_rest(&mut self) {
        loop {
            match self.streams.flows.move_contents() {
                Ok(Some(Stop::Limit(flow) | Stop::Asked(flow))) => _ = self.streams.flows.close(flow),
                Err(FlowError { call: StreamCall::Read | StreamCall::Write, .. }) => {}
                _ => return,
            }
        }
    }

    fn kept(&mut self, flow: Flow) -> &mut KeptBytes {
        self.streams.flows.kept(flow).expect("the flow is a drain of this exchange")
    }
}

/// A run, step by step. It can go on where a run has stopped, and a run can go on where steps have stopped.
///
/// Streams that are always ready do not keep the caller: a step reads and writes a bounded number of times.
impl Driven for Exchange<'_> {
    type Output = Stop;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        self.events.descriptor(&mut self.streams)
    }

    fn step(&mut self) -> Result<Poll<Stop>> {
        if let Some(stop) = self.try_run()? {
            return Ok(Poll::Ready(stop));
        }
        self.events.update(&mut self.streams)?;
        Ok(Poll::Pending)
    }
}

impl Steps for Streams<'_> {
    fn register(&mut self, place: &SetPlace) -> rustix::io::Result<bool> {
        self.flows.register(&mut self.watched, place)
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.flows.wakes_at(self.deadline)
    }
}

impl Default for Exchange<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Exchange<'_> {
    /// Does not print the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("flows", &self.streams.flows)
            .field("deadline", &self.streams.deadline)
            .finish_non_exhaustive()
    }
}

/// The error of a run.
pub(super) fn flow_error(error: FlowError) -> Error {
    let failure = match error.call {
        StreamCall::Poll | StreamCall::Read => Failure::Read,
        StreamCall::Write => Failure::Write,
    };
    Error::new(Subject::Exchange, failure, Some(error.errno))
}
