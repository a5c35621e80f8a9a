//! `Running`: a graph that has been started.

use super::end::{kill_all, start_to_end};
use super::form::GraphForm;
use super::graph::Graph;
use super::stage::StageId;
use super::start::StartedGraph;
use super::statuses::{StageStatus, Statuses};
use super::threads::CopyThreads;
use crate::child::{Handle, ParentEnds, Process};
use crate::command::Slot;
use crate::driven::Driven;
use crate::error::{Error, Failure, Result, Subject};
use crate::exchange::{Children, Exchange, Finished, Member};
use crate::plan::{OnDrop, Teardown};
use crate::spawn::StreamDefault;
use rustix::io::Errno;
use rustix::process::Signal;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::BorrowedFd;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A graph that has been started, from [`Graph::spawn`].
///
/// The drop does to each stage that has not ended what [`Graph::on_drop`](crate::Graph::on_drop), or the stage's command, says.
#[derive(Debug)]
pub struct Running {
    form: GraphForm,
    children: Children<'static, usize>,
    members: Vec<Member>,
    processes: Vec<Process>,
    streams: Vec<[Option<OutsideStream>; 3]>,
    ends: ParentEnds,
    threads: CopyThreads,
    ended: Vec<Option<StageStatus>>,
    /// The first error of a wait that has not been returned.
    error: Option<Error>,
    /// What the graph has set for the drop.
    on_drop: Option<OnDrop>,
}

/// A standard stream of a stage that its command pipes to this process.
#[derive(Debug)]
enum OutsideStream {
    Input(PipeWriter),
    Output(PipeReader),
}

impl Graph<'_> {
    /// Starts all stages, or none.
    ///
    /// # Errors
    ///
    /// [`Failure::Graph`] if the links contradict each other, and those of [`Command::spawn`](crate::Command::spawn) for a stage, which the
    /// error names. No stage is left then, and the commands can be used again, but for descriptors that were moved into those that had been
    /// started.
    pub fn spawn(&mut self) -> Result<Running> {
        let started = self.start(|_, _| [StreamDefault::Inherit; 3])?;
        Ok(Running::new(self, started))
    }
}

impl Running {
    pub(super) fn new(graph: &Graph<'_>, started: StartedGraph) -> Self {
        let mut form = GraphForm::new(graph);
        let StartedGraph { children: stages, mut ends, threads } = started;
        let mut children = Children::new();
        let (mut members, mut processes, mut streams) = (Vec::new(), Vec::new(), Vec::new());
        for (index, mut child) in stages.into_iter().enumerate() {
            processes.push(child.process());
            let outputs = [child.stdout.take(), child.stderr.take()].map(|end| end.map(OutsideStream::Output));
            if outputs.iter().any(Option::is_some) {
                form.set_outside_reader(index);
            }
            let [output, error] = outputs;
            streams.push([child.stdin.take().map(OutsideStream::Input), output, error]);
            let slots = child.take_slots();
            form.set_slots(index, &slots);
            ends.slots.extend(slots);
            members.push(children.insert(child, index));
        }
        let ended = members.iter().map(|_| None).collect();
        let on_drop = graph.on_drop.clone();
        Self { form, children, members, processes, streams, ends, threads, ended, error: None, on_drop }
    }

    /// Takes this process's end that a slot stands for: of a link ([`Graph::reader`]), or of a stage's command
    /// ([`Command::reader`](crate::Command::reader)). The caller owns it. `None` if it has been taken before, or if the slot belongs to
    /// another graph.
    pub fn take<T: Handle>(&mut self, slot: Slot<T>) -> Option<T> {
        self.ends.take(slot)
    }

    /// Takes the end of a stage's standard input, if its command pipes that ([`Stdio::piped`](crate::Stdio::piped)).
    pub fn take_stdin(&mut self, stage: StageId) -> Option<PipeWriter> {
        match self.take_stream(stage, 0) {
            Some(OutsideStream::Input(end)) => Some(end),
            _ => None,
        }
    }

    /// Takes the end of a stage's standard output, if its command pipes that.
    pub fn take_stdout(&mut self, stage: StageId) -> Option<PipeReader> {
        match self.take_stream(stage, 1) {
            Some(OutsideStream::Output(end)) => Some(end),
            _ => None,
        }
    }

    /// Takes the end of a stage's standard error, if its command pipes that.
    pub fn take_stderr(&mut self, stage: StageId) -> Option<PipeReader> {
        match self.take_stream(stage, 2) {
            Some(OutsideStream::Output(end)) => Some(end),
            _ => None,
        }
    }

    fn take_stream(&mut self, stage: StageId, stream: usize) -> Option<OutsideStream> {
        let index = self.index(stage)?;
        self.streams.get_mut(index)?.get_mut(stream)?.take()
    }

    fn index(&self, stage: StageId) -> Option<usize> {
        (stage.graph == self.form.graph()).then_some(stage.index)
    }

    /// A handle of a stage's process; `None` for a stage of another graph.
    pub fn process(&self, stage: StageId) -> Option<&Process> {
        self.processes.get(self.index(stage)?)
    }

    /// Sends a signal to each stage that has not been reaped. For one call that reaches all at one moment, see [`Graph::group`].
    ///
    /// # Errors
    ///
    /// Those of [`Process::signal`], after all stages have been tried.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let mut result = Ok(());
        for process in &self.processes {
            let sent = process.signal(signal).map(drop);
            result = result.and(sent);
        }
        result
    }

    /// Waits until all stages have ended. It first closes the ends of standard inputs that the caller has not taken.
    ///
    /// # Errors
    ///
    /// Those of [`Child::wait`](crate::Child::wait), after all other stages have ended.
    pub fn wait(&mut self) -> Result<Statuses> {
        loop {
            if let Some(statuses) = self.wait_until(None)? {
                return Ok(statuses);
            }
        }
    }

    /// [`Running::wait`], at most until the deadline. `None` if the deadline comes first.
    ///
    /// # Errors
    ///
    /// Those of [`Running::wait`].
    pub fn wait_deadline(&mut self, deadline: Instant) -> Result<Option<Statuses>> {
        self.wait_until(Some(deadline))
    }

    /// [`Running::wait`], at most for this time.
    ///
    /// # Errors
    ///
    /// Those of [`Running::wait`].
    pub fn wait_timeout(&mut self, time: Duration) -> Result<Option<Statuses>> {
        // A time beyond the clock's end is as good as none.
        self.wait_until(Instant::now().checked_add(time))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Result<Option<Statuses>> {
        self.close_inputs();
        while !self.children.is_empty() {
            let finished = match deadline {
                Some(deadline) => self.children.next_deadline(deadline)?,
                None => self.children.next()?,
            };
            match finished {
                Some(finished) => self.keep(finished),
                None => return Ok(None),
            }
        }
        self.statuses().map(Some)
    }

    /// Nobody can take these ends any more, so the stages should find the end of their inputs.
    fn close_inputs(&mut self) {
        self.streams.iter_mut().for_each(|streams| streams[0] = None);
    }

    fn keep(&mut self, mut finished: Finished<'static, usize>) {
        let stage = finished.tag;
        match finished.status {
            Ok(status) => self.ended[stage] = Some(self.form.status(stage, status, finished.child.as_mut())),
            Err(error) => _ = self.error.get_or_insert(error),
        }
    }

    /// The statuses. All stages have left the set.
    fn statuses(&mut self) -> Result<Statuses> {
        let copied = self.threads.finish();
        let stages: Option<Vec<StageStatus>> = self.ended.iter().cloned().collect();
        match (self.error.take().or(copied.err()), stages) {
            (None, Some(stages)) => Ok(self.form.statuses(stages)),
            (error, _) => Err(error.unwrap_or_else(|| Error::new(Subject::Graph, Failure::Wait, Some(Errno::CHILD)))),
        }
    }

    /// Ends all stages at the same time, and waits for them.
    ///
    /// # Errors
    ///
    /// Those of [`Child::end`](crate::Child::end) for a stage. Stages that can be ended have been ended.
    pub fn end(&mut self, how: &Teardown) -> Result<Statuses> {
        let started = start_to_end(&mut self.children, how);
        let statuses = self.wait();
        started.and(statuses)
    }

    /// Gives the ends that the caller has not taken to an exchange, which reads them and drops the bytes, and waits for the stages.
    pub(super) fn wait_and_discard(mut self) -> Result<Statuses> {
        self.close_inputs();
        let mut exchange = Exchange::new();
        let outputs = self.streams.iter_mut().flatten().filter_map(Option::take);
        let mut has_ends = false;
        let outputs = outputs.filter_map(|stream| match stream {
            OutsideStream::Output(end) => Some(end.into()),
            OutsideStream::Input(_) => None,
        });
        let slots = std::mem::take(&mut self.ends.slots).into_iter().filter_map(|(_, end)| end.into_discarded());
        for end in outputs.chain(slots) {
            has_ends = true;
            exchange.discard(end);
        }
        if has_ends {
            if let Some((child, _, index)) = self.members.last().and_then(|&member| self.children.remove(member)) {
                self.processes.iter().for_each(|process| _ = exchange.process(process, Duration::ZERO));
                self.children.insert_with(child, exchange, index);
            }
        }
        let statuses = self.wait();
        if statuses.is_err() {
            // The caller has no handle of these stages.
            kill_all(&mut self.children);
            let _ = self.threads.finish(); // The first error is the one that counts.
        }
        statuses
    }
}

impl Drop for Running {
    /// Ends all stages at the same time, if the graph says so: one after the other, each would have the graces for itself.
    fn drop(&mut self) {
        let Some(OnDrop::End(how)) = &self.on_drop else { return };
        let graces = how.signals.iter().fold(AFTER_KILL, |sum, (_, grace)| sum.saturating_add(*grace));
        let deadline = Instant::now().checked_add(graces);
        // The drops of the children end those that are left after an error, or after SIGKILL.
        let _ = start_to_end(&mut self.children, how);
        while !self.children.is_empty() {
            let finished = match deadline {
                Some(deadline) => self.children.next_deadline(deadline),
                None => self.children.next(),
            };
            if !matches!(finished, Ok(Some(_))) {
                return;
            }
        }
        if let Err(error) = self.threads.finish() {
            tracing::warn!(%error, "a graph that was dropped has not moved all bytes");
        }
    }
}

/// How long a drop waits for a stage that has got SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(1);

/// The wait for all stages.
impl Driven for Running {
    type Output = Statuses;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        self.children.descriptor()
    }

    fn step(&mut self) -> Result<Poll<Statuses>> {
        self.close_inputs();
        loop {
            match self.children.step()? {
                Poll::Ready(Some(finished)) => self.keep(finished),
                Poll::Ready(None) => return self.statuses().map(Poll::Ready),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
    }
}
