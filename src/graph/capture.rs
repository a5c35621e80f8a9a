//! `Graph::output` and `Graph::capture`: a graph from its start to its end in one call, with its output.

use super::end::{kill_all, start_to_end};
use super::form::GraphForm;
use super::graph::Graph;
use super::stage::StageId;
use super::start::StartedGraph;
use super::statuses::{StageStatus, Statuses};
use crate::child::{Child, ParentEnd, ParentEnds};
use crate::command::Slot;
use crate::error::{Error, Failure, Result, Subject};
use crate::exchange::{Capture, Children, Exchange, Finished, Member, end_of};
use crate::flow::{Flow, Stop};
use crate::plan::Teardown;
use crate::spawn::StreamDefault;
use std::fmt;
use std::io::PipeReader;
use std::time::Instant;

/// What came of [`Graph::capture`] and [`Graph::output`].
#[non_exhaustive]
pub struct GraphCaptured {
    /// How the stages have ended.
    pub statuses: Statuses,
    /// What is kept of the standard output of the stage that was added last.
    pub stdout: Vec<u8>,
    /// Why the reading stopped: see [`Captured::stop`](crate::Captured::stop).
    pub stop: Stop,
    /// How many bytes of the input the first stage has not read.
    pub unsent: usize,
    stderr: Vec<Vec<u8>>,
    slots: Vec<(u64, Vec<u8>)>,
}

impl GraphCaptured {
    /// What is kept of the standard error of a stage. Empty if the stage's command or a link connects it.
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn stderr(&self, stage: StageId) -> &[u8] {
        assert_eq!(stage.graph, self.statuses.graph, "the stage is of another graph");
        &self.stderr[stage.index]
    }

    /// What is kept of the end that a slot stands for. Empty for a slot of another graph.
    pub fn bytes(&self, slot: Slot<PipeReader>) -> &[u8] {
        self.slots.iter().find(|(id, _)| *id == slot.id).map_or(&[], |(_, bytes)| bytes)
    }

    /// Makes an error of what is no success: [`Statuses::check`], a time that was over, a limit that was reached. The error has the end of the
    /// failing stage's standard error.
    ///
    /// # Errors
    ///
    /// [`Failure::TimedOut`], [`Failure::OutputLimit`] or [`Failure::Status`].
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let mut cat = Command::from(["cat", "/nope"]);
    /// cat.env("LC_ALL", "C");
    /// let error = Graph::pipeline([cat, Command::from(["wc", "-l"])]).output()?.check().unwrap_err();
    /// assert_eq!(error.to_string(), "stage 0, `cat`: exit status: 1: cat: /nope: No such file or directory");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn check(self) -> Result<Self> {
        let failure = match self.stop {
            Stop::Deadline => Failure::TimedOut,
            Stop::Limit(_) => Failure::OutputLimit,
            _ => return self.statuses.check_with(|stage| end_of(&self.stderr[stage])).map(|()| self),
        };
        Err(Error::new(Subject::Graph, failure, None))
    }
}

impl fmt::Debug for GraphCaptured {
    /// Prints how many bytes there are, and not the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphCaptured")
            .field("statuses", &self.statuses)
            .field("stdout", &self.stdout.len())
            .field("stop", &self.stop)
            .field("unsent", &self.unsent)
            .finish_non_exhaustive()
    }
}

/// The wait for the stages of a captured graph.
struct GraphWait<'a> {
    set: Children<'a, usize>,
    /// The members of the set, by the place of the stage.
    members: Vec<Member>,
    teardown: Teardown,
    /// The stage that has the streams in the set.
    owner: usize,
    /// The streams after the end of the owner.
    streams: Option<Exchange<'a>>,
    is_ending: bool,
    stop: Stop,
    /// Why the stages could not be ended as the caller has asked.
    error: Option<Error>,
}

impl<'a> GraphWait<'a> {
    fn new(children: Vec<Child>, exchange: Exchange<'a>, capture: &Capture<'_>) -> Self {
        let owner = children.len() - 1;
        let (mut set, mut members, mut exchange) = (Children::new(), Vec::new(), Some(exchange));
        for (index, child) in children.into_iter().enumerate() {
            let streams = if index == owner { exchange.take() } else { None };
            let member = set.insert_with(child, streams.unwrap_or_default(), index);
            set.set_teardown(member, capture.teardown.clone());
            members.push(member);
        }
        let teardown = capture.teardown.clone();
        Self { set, members, teardown, owner, streams: None, is_ending: false, stop: Stop::Done, error: None }
    }

    /// Waits for the next end of a stage. After the deadline, a limit or an error of a stream it ends all stages.
    fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Finished<'a, usize>>> {
        loop {
            let finished = match deadline.filter(|_| !self.is_ending) {
                Some(deadline) => self.set.next_deadline(deadline)?,
                None => self.set.next()?,
            };
            match finished {
                Some(mut finished) => {
                    self.note(&mut finished);
                    return Ok(Some(finished));
                }
                None if self.set.is_empty() => return Ok(None),
                None => {
                    self.stop = Stop::Deadline;
                    self.end_all();
                }
            }
        }
    }

    fn note(&mut self, finished: &mut Finished<'a, usize>) {
        if finished.tag == self.owner {
            if !self.is_ending {
                self.stop = finished.stop;
            }
            self.streams = Some(std::mem::take(&mut finished.exchange));
        }
        if let (Err(_), Some(child)) = (&finished.status, &finished.child) {
            // The set has left a child that it had no way to end, and an error leaves no stage.
            if let Err(error) = child.end(&Teardown::kill()) {
                tracing::warn!(%error, "a stage of a graph could not be ended");
            }
        }
        // What one of them has come to, all come to.
        if finished.ended.is_some() || finished.status.is_err() {
            self.end_all();
        }
        self.hand_on();
    }

    fn end_all(&mut self) {
        if !std::mem::replace(&mut self.is_ending, true) {
            self.error = start_to_end(&mut self.set, &self.teardown).err();
        }
    }

    /// While stages are being ended, one of them has the streams: what they write is read.
    fn hand_on(&mut self) {
        let next = (0..self.members.len()).find(|&index| self.set.process(self.members[index]).is_some());
        if let (true, Some(next)) = (self.is_ending, next) {
            if let Some(streams) = self.streams.take() {
                self.set.hand_on(self.members[next], streams);
                self.owner = next;
            }
        }
    }
}

/// The streams of a captured graph.
struct GraphFlows {
    input: Option<Flow>,
    /// How many bytes of input there are, if no stage reads them.
    unread: usize,
    stdout: Option<Flow>,
    stderr: Vec<Option<Flow>>,
    slots: Vec<(u64, Flow)>,
}

impl Graph<'_> {
    /// [`Graph::capture`] without an input, a time and a limit.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::capture`].
    pub fn output(&mut self) -> Result<GraphCaptured> {
        self.capture(&Capture::new())
    }

    /// Starts all stages, feeds the first one, reads the output of the last one and the standard errors of all, and waits for their ends.
    /// It ends all of them if the time is over or a limit is reached.
    ///
    /// Unless its command or a link connects it, the standard input of the stage that was added first is a pipe with the input, or
    /// `/dev/null` if there is none, and the standard output of the stage that was added last is a pipe. The standard error of each stage is
    /// a pipe of its own, so that the error of a failing stage is known. The standard inputs of other stages are `/dev/null`, and their
    /// outputs are inherited. The ends of reader slots are read; those of writer slots are closed.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::spawn`] and of [`Command::capture`](crate::Command::capture). A stage that fails is no error: see
    /// [`GraphCaptured::check`].
    ///
    /// ```
    /// use fdspawn::{Capture, Command, Graph, Stop};
    /// use std::time::Duration;
    ///
    /// let mut graph = Graph::pipeline([Command::from(["sort"]), Command::from(["uniq", "-c"])]);
    /// let how = Capture::new().input("b\na\nb\n").timeout(Duration::from_secs(60));
    /// let captured = graph.capture(&how)?.check()?;
    /// assert_eq!(captured.stop, Stop::Done);
    /// assert_eq!(String::from_utf8_lossy(&captured.stdout).split_whitespace().collect::<Vec<_>>(), ["1", "a", "2", "b"]);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn capture(&mut self, capture: &Capture<'_>) -> Result<GraphCaptured> {
        let deadline = capture.timeout.and_then(|time| Instant::now().checked_add(time));
        let has_input = capture.input.is_some();
        let started = self.start(|index, count| {
            let input = if index == 0 && has_input { StreamDefault::Piped } else { StreamDefault::Null };
            let output = if index + 1 == count { StreamDefault::Piped } else { StreamDefault::Inherit };
            [input, output, StreamDefault::Piped]
        })?;
        let mut form = GraphForm::new(self);
        let StartedGraph { mut children, ends, mut threads } = started;
        let mut exchange = Exchange::new();
        let flows = GraphFlows::new(&mut children, ends, &mut exchange, capture, &mut form);
        // The streams belong to the stage that was added last, and their grace counts from the end of all.
        children.iter().for_each(|child| _ = exchange.child(child, capture.grace));
        let mut waiting = GraphWait::new(children, exchange, capture);
        let mut ended: Vec<Option<StageStatus>> = waiting.members.iter().map(|_| None).collect();
        let mut error = None;
        loop {
            match waiting.next(deadline) {
                Ok(Some(mut finished)) => match status_of(&form, &mut finished) {
                    Ok(status) => ended[finished.tag] = Some(status),
                    Err(failed) => error = error.or(Some(failed)),
                },
                Ok(None) => break,
                Err(failed) => {
                    error = Some(failed);
                    kill_all(&mut waiting.set);
                    break;
                }
            }
        }
        let GraphWait { stop, streams, error: ending, .. } = waiting;
        let error = error.or(ending).or(threads.finish().err());
        let stages: Option<Vec<StageStatus>> = ended.into_iter().collect();
        match (stages, streams, error) {
            (Some(stages), Some(mut exchange), None) => Ok(flows.captured(&mut exchange, form.statuses(stages), stop)),
            (.., error) => Err(error.unwrap_or_else(|| Error::new(Subject::Graph, Failure::Wait, None))),
        }
    }
}

fn status_of(form: &GraphForm, finished: &mut Finished<'_, usize>) -> Result<StageStatus> {
    let child: Option<&mut Child> = finished.child.as_mut();
    match &finished.status {
        Ok(status) => Ok(form.status(finished.tag, *status, child)),
        Err(_) => Err(std::mem::replace(&mut finished.status, Ok(Default::default())).unwrap_err()),
    }
}

impl GraphFlows {
    fn new<'a>(
        children: &mut [Child],
        ends: ParentEnds,
        exchange: &mut Exchange<'a>,
        capture: &Capture<'a>,
        form: &mut GraphForm,
    ) -> Self {
        let bytes = capture.input.unwrap_or_default();
        let stdin = children.first_mut().and_then(|child| child.stdin.take());
        let input = stdin.map(|stdin| exchange.feed(stdin, bytes));
        let unread = if input.is_some() { 0 } else { bytes.len() };
        let last = children.len() - 1;
        let stdout = children[last].stdout.take().map(|stdout| exchange.drain(stdout, capture.stdout));
        if stdout.is_some() {
            form.set_outside_reader(last);
        }
        let mut stderr = Vec::new();
        let mut all: Vec<(u64, ParentEnd)> = ends.slots;
        for (index, child) in children.iter_mut().enumerate() {
            stderr.push(child.stderr.take().map(|stderr| exchange.drain(stderr, capture.stderr)));
            let own = child.take_slots();
            form.set_slots(index, &own);
            all.extend(own);
            drop(child.stdin.take());
            // A stage before the last one pipes its output to this process. The caller gets no handle of that pipe.
            let _ = child.stdout.take().map(|stdout| exchange.discard(stdout));
        }
        let mut slots = Vec::new();
        for (id, end) in all {
            match end {
                ParentEnd::Reader(reader) => slots.push((id, exchange.drain(reader, capture.slots))),
                end => _ = end.into_discarded().map(|fd| exchange.discard(fd)),
            }
        }
        Self { input, unread, stdout, stderr, slots }
    }

    fn captured(self, exchange: &mut Exchange<'_>, statuses: Statuses, stop: Stop) -> GraphCaptured {
        let mut bytes = |flow: Option<Flow>| flow.map(|flow| exchange.bytes(flow)).unwrap_or_default();
        let stdout = bytes(self.stdout);
        let stderr = self.stderr.into_iter().map(&mut bytes).collect();
        let slots = self.slots.into_iter().map(|(id, flow)| (id, bytes(Some(flow)))).collect();
        let unsent = self.unread + self.input.map_or(0, |input| exchange.unsent(input));
        GraphCaptured { statuses, stdout, stop, unsent, stderr, slots }
    }
}
