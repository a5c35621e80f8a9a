//! `Flows`: the loop that moves bytes in all streams as each is ready.

use super::drain::{Drain, Progress, Sink};
use super::failure::FlowError;
use super::feed::{Feed, FlowSource, Ready};
use super::keep::KeptBytes;
use super::looks::Looks;
use super::reader::StreamReader;
use super::stop::{Flow, Stop};
use super::wait::{PollSet, WaitOutcome};
use super::watch::{Lookout, Watch};
use crate::driven::SetPlace;
use rustix::event::PollFlags;
use rustix::io::Errno;
use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// The streams of an exchange.
#[derive(Debug)]
pub(crate) struct Flows<'a> {
    /// Tells a flow of another exchange.
    number: u32,
    list: Vec<FlowEntry<'a>>,
    /// When the grace after the end of all watched children is over.
    grace_ends: Option<Instant>,
    lookout: Lookout,
    /// Whether the last step has ended although something was ready, so that others have their turn.
    has_more: bool,
    looks: Looks,
}

#[derive(Debug)]
struct FlowEntry<'a> {
    stream: Stream<'a>,
    /// Whether a run goes on until the stream is at its end.
    is_needed: bool,
}

#[derive(Debug)]
enum Stream<'a> {
    Feed(Feed<'a>),
    Drain(Drain<'a>),
}

/// How often a step looks at the streams, so that streams that are always ready do not keep the caller.
const TURNS: usize = 16;

/// A pipe gives at least so many bytes in a read, if it contains them.
const PIPE_PAGE: usize = 4096;

impl<'a> Flows<'a> {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            list: Vec::new(),
            grace_ends: None,
            lookout: Lookout::new(),
            has_more: false,
            looks: Looks::default(),
        }
    }

    fn add(&mut self, stream: Stream<'a>, is_needed: bool) -> Flow {
        self.list.push(FlowEntry { stream, is_needed });
        self.flow(self.list.len() - 1)
    }

    fn flow(&self, index: usize) -> Flow {
        Flow::new(self.number, index)
    }

    fn get(&self, flow: Flow) -> Option<&Stream<'a>> {
        self.list.get(flow.index_in(self.number)?).map(|entry| &entry.stream)
    }

    fn get_mut(&mut self, flow: Flow) -> Option<&mut Stream<'a>> {
        self.list.get_mut(flow.index_in(self.number)?).map(|entry| &mut entry.stream)
    }

    /// Writes bytes to a descriptor, and then what the source has.
    pub(crate) fn feed(&mut self, to: OwnedFd, bytes: Cow<'a, [u8]>, source: FlowSource<'a>) -> Flow {
        self.add(Stream::Feed(Feed::new(to, bytes, source)), true)
    }

    /// Writes bytes to a socket, and then ends its writing side.
    pub(crate) fn feed_socket(&mut self, to: OwnedFd, bytes: Cow<'a, [u8]>) -> Flow {
        self.add(Stream::Feed(Feed::to_socket(to, bytes)), true)
    }

    pub(crate) fn drain(&mut self, from: OwnedFd, sink: Sink<'a>) -> Flow {
        self.add(Stream::Drain(Drain::new(StreamReader::new(from), sink)), true)
    }

    /// [`Flows::drain`] of a pipe that the library has made.
    pub(crate) fn drain_pipe(&mut self, pipe: OwnedFd, sink: Sink<'a>) -> Flow {
        self.add(Stream::Drain(Drain::new(StreamReader::of_pipe(pipe), sink)), true)
    }

    /// Reads a descriptor while other streams are moved, so that no process waits for a reader. No run waits for its end.
    pub(crate) fn discard(&mut self, from: OwnedFd) {
        self.add(Stream::Drain(Drain::new(StreamReader::new(from), Sink::Discard)), false);
    }

    /// Writes what a drain reads to this descriptor, too. False if the flow is no drain of this exchange.
    pub(crate) fn also_to(&mut self, flow: Flow, to: OwnedFd) -> bool {
        let drain = if let Some(Stream::Drain(drain)) = self.get_mut(flow) { Some(drain) } else { None };
        drain.map(|drain| drain.also_to(to)).is_some()
    }

    /// How many bytes a feed holds that have not been written.
    pub(crate) fn unsent(&self, flow: Flow) -> Option<usize> {
        if let Some(Stream::Feed(feed)) = self.get(flow) { Some(feed.unsent()) } else { None }
    }

    pub(crate) fn is_done(&self, flow: Flow) -> Option<bool> {
        self.get(flow).map(Stream::is_done)
    }

    /// Closes a stream. What was read is kept. False if it is no stream of this exchange.
    pub(crate) fn close(&mut self, flow: Flow) -> bool {
        match self.get_mut(flow) {
            Some(Stream::Feed(feed)) => feed.close(),
            Some(Stream::Drain(drain)) => drain.close(),
            None => return false,
        }
        true
    }

    /// What is kept of a stream.
    pub(crate) fn kept(&mut self, flow: Flow) -> Option<&mut KeptBytes> {
        match self.get_mut(flow) {
            Some(Stream::Drain(Drain { sink: Sink::Keep(kept), .. })) => Some(kept),
            _ => None,
        }
    }

    pub(crate) fn has_streams(&self) -> bool {
        !self.list.is_empty()
    }

    /// Whether all streams that a run is for are at their ends.
    pub(crate) fn are_done(&self) -> bool {
        self.list.iter().all(|entry| !entry.is_needed || entry.stream.is_done())
    }

    /// Moves bytes until all watched children have ended, or all streams are at their ends.
    pub(crate) fn run_until_ended(&mut self, watch: &mut dyn Watch) -> Result<(), FlowError> {
        while watch.is_waiting() && self.list.iter().any(|entry| !entry.stream.is_done()) {
            let has_events = self.lookout.has_events(watch);
            let (has_ended, _) = self.move_ready(Some(&*watch).filter(|_| has_events), self.lookout.asks_at())?;
            if has_ended || self.lookout.has_to_ask() {
                let _ = self.lookout.look(watch);
            }
        }
        Ok(())
    }

    /// Moves bytes until all streams are at their ends, or something else stops it.
    pub(crate) fn run(&mut self, watch: &mut dyn Watch, deadline: Option<Instant>) -> Result<Stop, FlowError> {
        self.lookout = Lookout::new();
        let mut turn = self.start(watch)?;
        loop {
            if let RunTurn::Stopped(stop) = turn {
                return Ok(stop);
            }
            let can_wait = deadline.is_none() && self.grace_ends.is_none() && !watch.is_waiting() && !self.are_done();
            turn = match if can_wait && !self.looks.has_much() { self.move_last()? } else { RunTurn::Nothing } {
                RunTurn::Nothing => self.turn(watch, deadline, Pace::Wait)?,
                turn => turn,
            };
        }
    }

    /// Moves what is ready now, and does not wait. `None` if a next step has to go on.
    pub(crate) fn step(&mut self, watch: &mut dyn Watch, deadline: Option<Instant>) -> Result<Option<Stop>, FlowError> {
        self.has_more = false;
        let mut turn = self.start(watch)?;
        for _ in 0..TURNS {
            if turn != RunTurn::Moved {
                break;
            }
            turn = self.turn(watch, deadline, Pace::NoWait)?;
        }
        self.has_more = turn == RunTurn::Moved;
        Ok(if let RunTurn::Stopped(stop) = turn { Some(stop) } else { None })
    }

    /// When the next step has something to do, if no stream is ready before.
    pub(crate) fn wakes_at(&self, deadline: Option<Instant>) -> Option<Instant> {
        if self.has_more {
            return Some(Instant::now());
        }
        // A step that has nothing to move does not look at the children either.
        if self.are_done() {
            return deadline;
        }
        earliest(earliest(deadline, self.grace_ends), self.lookout.asks_at())
    }

    /// Lets a set of events tell when a step has something to do. Returns whether it always has.
    pub(crate) fn register(&mut self, watch: &mut dyn Watch, place: &SetPlace) -> Result<bool, Errno> {
        let mut is_ready = false;
        for entry in &mut self.list {
            is_ready |= match &mut entry.stream {
                Stream::Feed(feed) => feed.register(place)?,
                Stream::Drain(drain) => drain.register(place)?,
            };
        }
        let has_events = self.lookout.has_events(watch);
        watch.register(place, has_events)?;
        Ok(is_ready)
    }

    /// Lets no set of events tell of the streams any more.
    pub(crate) fn unregister(&mut self) {
        for entry in &mut self.list {
            match &mut entry.stream {
                Stream::Feed(feed) => feed.unregister(),
                Stream::Drain(drain) => drain.unregister(),
            }
        }
    }

    /// Starts a run, or goes on with one.
    fn start(&mut self, watch: &mut dyn Watch) -> Result<RunTurn, FlowError> {
        if let Some(stop) = self.give_lines() {
            return Ok(RunTurn::Stopped(stop));
        }
        if watch.is_waiting() {
            self.grace_ends = None;
        } else if self.grace_ends.is_none() {
            // A grace that has begun in another run goes on.
            self.grace_ends = watch.grace().and_then(|grace| Instant::now().checked_add(grace));
        }
        Ok(RunTurn::Moved)
    }

    /// Waits until something is ready, if it may, and moves it.
    fn turn(&mut self, watch: &mut dyn Watch, deadline: Option<Instant>, pace: Pace) -> Result<RunTurn, FlowError> {
        if self.are_done() {
            return Ok(RunTurn::Stopped(Stop::Done));
        }
        let is_watching = watch.is_waiting();
        let has_events = self.lookout.has_events(watch);
        let (end, looks) = match pace {
            Pace::Wait => {
                (earliest(earliest(deadline, self.grace_ends), self.lookout.asks_at()), self.looks.before_wait())
            }
            Pace::NoWait => (Some(Instant::now()), 0),
        };
        let watched = Some(&*watch).filter(|_| is_watching && has_events);
        let mut found = self.wait(watched, if looks > 0 { Some(Instant::now()) } else { end }, 0)?;
        if looks > 0 && found.is_nothing() {
            self.touch_ahead();
            found = self.wait(watched, end, looks)?;
            self.looks.found(!found.has_waited);
        }
        let WaitOutcome { ready, has_ended, .. } = found;
        let has_moved = !ready.is_empty() || has_ended;
        if let Some(stop) = self.move_these(ready)? {
            return Ok(RunTurn::Stopped(stop));
        }
        if is_watching && (has_ended || self.lookout.has_to_ask()) {
            self.grace_ends = self.lookout.look(watch).and_then(|grace| Instant::now().checked_add(grace));
        }
        let is_over = |end: Option<Instant>| end.is_some_and(|end| end <= Instant::now());
        if is_over(deadline) && !self.are_done() {
            return Ok(RunTurn::Stopped(Stop::Deadline));
        }
        if is_over(self.grace_ends) && !self.are_done() {
            // What the streams contain now was written before the grace was over.
            if let Some(stop) = self.move_contents()? {
                return Ok(RunTurn::Stopped(stop));
            }
            self.grace_ends = None; // The next run has a grace of its own.
            return Ok(RunTurn::Stopped(if self.are_done() { Stop::Done } else { Stop::Held }));
        }
        if self.are_done() {
            return Ok(RunTurn::Stopped(Stop::Done));
        }
        Ok(if has_moved { RunTurn::Moved } else { RunTurn::Nothing })
    }

    /// Makes memory ready for what is read next. The other process has not gone on yet, so that this costs no time.
    fn touch_ahead(&mut self) {
        for entry in &mut self.list {
            if let Stream::Drain(drain) = &mut entry.stream {
                drain.touch_ahead();
            }
        }
    }

    /// Lets no grace of an earlier run go on.
    pub(crate) fn end_grace(&mut self) {
        self.grace_ends = None;
    }

    /// Moves what the streams contain now, and does not wait. It does not go on with a stream that another process fills again and again.
    pub(crate) fn move_contents(&mut self) -> Result<Option<Stop>, FlowError> {
        let drains = self.list.iter().filter_map(|entry| match &entry.stream {
            Stream::Drain(drain) => Some(drain.contained()),
            Stream::Feed(_) => None,
        });
        // Each look at a stream that contains bytes reads as many as this, or all.
        let most = 1 + drains.max().unwrap_or(0) / PIPE_PAGE;
        for _ in 0..most {
            let WaitOutcome { ready, .. } = self.wait(None, Some(Instant::now()), 0)?;
            if ready.is_empty() {
                break;
            }
            if let Some(stop) = self.move_these(ready)? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    /// Gives out lines that an earlier run has read, and that its callback has not got.
    fn give_lines(&mut self) -> Option<Stop> {
        for index in 0..self.list.len() {
            let turn = match &mut self.list[index].stream {
                Stream::Drain(drain) => drain.give_lines(),
                Stream::Feed(_) => None,
            };
            if let Some(stop) = turn.and_then(|turn| stop_of(turn, self.flow(index))) {
                return Some(stop);
            }
        }
        None
    }

    /// If one stream is left, its calls may wait, and need no poll.
    fn move_last(&mut self) -> Result<RunTurn, FlowError> {
        let mut left = self.list.iter().enumerate().filter(|(_, entry)| !entry.stream.is_done());
        let (Some((index, _)), None) = (left.next(), left.next()) else { return Ok(RunTurn::Nothing) };
        let flow = self.flow(index);
        let FlowEntry { stream, is_needed } = &mut self.list[index];
        let moved = match stream {
            Stream::Feed(feed) if feed.has_source() => return Ok(RunTurn::Nothing),
            Stream::Feed(feed) => {
                let step = feed.step_waiting();
                self.looks.note(feed.moved());
                step.map(|has_written| if has_written { RunTurn::Moved } else { RunTurn::Nothing })
            }
            Stream::Drain(drain) if drain.has_copies() || !*is_needed => return Ok(RunTurn::Nothing),
            Stream::Drain(drain) => {
                let step = drain.step_waiting();
                self.looks.note(drain.moved());
                step.map(|(turn, has_read)| match stop_of(turn, flow) {
                    Some(stop) => RunTurn::Stopped(stop),
                    None if has_read => RunTurn::Moved,
                    None => RunTurn::Nothing,
                })
            }
        };
        // A stream that is at its end has no descriptor to poll.
        moved.map(|moved| if moved == RunTurn::Nothing && stream.is_done() { RunTurn::Moved } else { moved })
    }

    /// Waits until a stream is ready or a child has ended, at most until the given time, and moves what is ready. Also returns whether a
    /// child has ended.
    fn move_ready(
        &mut self,
        watch: Option<&dyn Watch>,
        end: Option<Instant>,
    ) -> Result<(bool, Option<Stop>), FlowError> {
        let WaitOutcome { ready, has_ended, .. } = self.wait(watch, end, 0)?;
        self.move_these(ready).map(|stop| (has_ended, stop))
    }

    /// Moves what is ready.
    fn move_these(&mut self, ready: Vec<(usize, Ready)>) -> Result<Option<Stop>, FlowError> {
        let mut moved = 0;
        for (index, ready) in ready {
            let flow = self.flow(index);
            let FlowEntry { stream, is_needed } = &mut self.list[index];
            let turn = match stream {
                Stream::Feed(feed) => {
                    let turn = feed.step(ready);
                    moved += feed.moved();
                    turn.map(|()| Progress::GoOn)
                }
                Stream::Drain(drain) => {
                    let turn = drain.step(ready);
                    moved += drain.moved();
                    turn
                }
            };
            self.looks.note(moved);
            match turn {
                Ok(turn) => {
                    if let Some(stop) = stop_of(turn, flow) {
                        return Ok(Some(stop));
                    }
                }
                Err(error) if *is_needed => return Err(error),
                Err(_) => {} // The stream is closed, and the caller gets none of its bytes.
            }
        }
        Ok(None)
    }

    /// Waits until a stream is ready or a child has ended, at most until the given time. Before it waits, it looks so many times.
    fn wait(&self, watch: Option<&dyn Watch>, end: Option<Instant>, looks: u32) -> Result<WaitOutcome, FlowError> {
        let mut set = PollSet::with_capacity(self.list.len() + 1);
        for (index, entry) in self.list.iter().enumerate() {
            match &entry.stream {
                Stream::Feed(feed) => {
                    if let Some((fd, has_bytes)) = feed.target() {
                        set.add_stream(fd, if has_bytes { PollFlags::OUT } else { PollFlags::empty() }, index);
                    }
                    if let Some(fd) = feed.source() {
                        set.add_stream(fd, PollFlags::IN, index);
                    }
                }
                Stream::Drain(drain) => {
                    if let Some(fd) = drain.source() {
                        set.add_stream(fd, PollFlags::IN, index);
                    }
                    drain.targets().for_each(|fd| set.add_stream(fd, PollFlags::OUT, index));
                }
            }
        }
        if let Some(watch) = watch {
            watch.pidfds().for_each(|fd| set.add_pidfd(fd));
        }
        set.wait(end, looks)
    }
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunTurn {
    /// Something was ready, and there may be more.
    Moved,
    Nothing,
    Stopped(Stop),
}

/// Whether a turn may wait until something is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Wait,
    NoWait,
}

impl Stream<'_> {
    fn is_done(&self) -> bool {
        match self {
            Self::Feed(feed) => feed.is_done(),
            Self::Drain(drain) => drain.is_done(),
        }
    }
}

fn earliest(first: Option<Instant>, second: Option<Instant>) -> Option<Instant> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first.min(second)),
        (first, second) => first.or(second),
    }
}

fn stop_of(turn: Progress, flow: Flow) -> Option<Stop> {
    match turn {
        Progress::GoOn => None,
        Progress::Limit => Some(Stop::Limit(flow)),
        Progress::Asked => Some(Stop::Asked(flow)),
    }
}
