//! `Children`: any number of children and their streams, waited for by one thread.

use super::capture::Capture;
use super::capture_flows::CaptureFlows;
use super::child_run::{ChildRun, RunEnd};
use super::exchange::Exchange;
use super::finished::Finished;
use super::member::Member;
use super::times::Times;
use crate::child::{Child, Process};
use crate::command::Command;
use crate::driven::{Alarm, Driven, EventKeys, EventSet, SetPlace, Steps, events_error};
use crate::error::{Error, Failure, Result, Subject};
use crate::flow::Stop;
use crate::plan::Teardown;
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A set of children. One thread waits for all of them, moves the bytes of their streams, and ends those whose time is over.
///
/// Children are added and removed at any time, and the set tells of each one that has ended, in the order in which they end. The cost of an
/// end does not depend on how many others there are: the set has one `epoll(7)` (`kqueue(2)` elsewhere) for the pidfds and streams of all.
/// It installs no handler for SIGCHLD, and it reaps no child that is not in it.
///
/// Each child needs one number for its pidfd, so the limit of descriptors bounds the set (`RLIMIT_NOFILE`). The set looks every 0.5 to 16 ms at
/// children without a pidfd, and at those for which the system has no watch left.
///
/// The drop of the set drops the children, and the policy of each one says what that does to it: [`OnDrop`](crate::OnDrop).
///
/// ```
/// use fdspawn::{Children, Command};
///
/// let mut children = Children::new();
/// for seconds in ["0.2", "0", "0.1"] {
///     children.insert(Command::new("sleep").arg(seconds).spawn()?, seconds);
/// }
/// let mut order = Vec::new();
/// while let Some(finished) = children.next()? {
///     assert!(finished.status?.success());
///     order.push(finished.tag);
/// }
/// assert_eq!(order, ["0", "0.1", "0.2"]);
/// # Ok::<(), fdspawn::Error>(())
/// ```
///
/// With streams, deadlines and limits, by [`Children::capture`]:
///
/// ```
/// use fdspawn::{Capture, Children, Command, Stop};
/// use std::time::Duration;
///
/// let mut children = Children::new();
/// let how = Capture::new().timeout(Duration::from_millis(300));
/// for script in ["echo quick", "echo slow; exec sleep 60"] {
///     children.capture(Command::new("sh").args(["-c", script]), &how, script)?;
/// }
/// let first = children.next()?.expect("two children");
/// assert_eq!(first.captured.expect("captured").stdout, b"quick\n");
/// let second = children.next()?.expect("two children");
/// assert_eq!(second.stop, Stop::Deadline);
/// assert_eq!(second.captured.expect("captured").stdout, b"slow\n"); // until the deadline
/// # Ok::<(), fdspawn::Error>(())
/// ```
pub struct Children<'a, T> {
    members: Vec<Option<MemberRun<'a, T>>>,
    /// Indices of `members` that are unused.
    unused: Vec<usize>,
    count: usize,
    /// Tells a member of another set.
    set_number: u32,
    /// The number of the next member.
    number: u64,
    /// Members that have something to do.
    queue: VecDeque<usize>,
    /// How many members of the queue go on before the next look at events and times, so that members that always have something to do do not
    /// keep the others.
    round: usize,
    /// Members that the set of events does not know yet.
    new: VecDeque<Member>,
    times: Times,
    /// `None` before the first wait.
    set: Option<Arc<EventSet>>,
    /// Set when the descriptor is asked for.
    alarm: Option<Alarm>,
}

struct MemberRun<'a, T> {
    member: Member,
    tag: T,
    run: ChildRun<'a>,
    /// Set if it is a capture.
    flows: Option<CaptureFlows>,
    is_queued: bool,
}

/// How many events one wait gets.
const EVENTS: usize = 256;

/// How long streams may be held after the end of the child, if the caller has not set it.
const GRACE: Duration = Duration::from_secs(2);

/// How often the set looks at a member of which the set of events cannot tell.
const LOOK: Duration = Duration::from_millis(16);

/// How many members a step of the set goes on with.
const STEPS: usize = 64;

impl<'a, T> Children<'a, T> {
    /// Makes an empty set. It makes no system call.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            set_number: NEXT.fetch_add(1, Ordering::Relaxed),
            members: Vec::new(),
            unused: Vec::new(),
            count: 0,
            number: 0,
            queue: VecDeque::new(),
            round: 0,
            new: VecDeque::new(),
            times: Times::default(),
            set: None,
            alarm: None,
        }
    }

    /// Adds a child, and any value by which the caller knows it again.
    ///
    /// The child keeps the parent's ends of its pipes: a program that writes more than a pipe holds waits for a reader. Take them out, or
    /// read them with [`Children::insert_with`].
    pub fn insert(&mut self, child: Child, tag: T) -> Member {
        self.insert_with(child, Exchange::new(), tag)
    }

    /// Adds a child and an exchange, whose streams the set moves. The member has finished when the child has ended and the streams are at
    /// their ends, or when the grace after its end is over: 2 s, unless [`Exchange::child`] sets another one. Then
    /// [`Finished::exchange`] has what was read.
    ///
    /// The deadline of the exchange is that of the child: after it, the set ends the child as [`Children::set_teardown`] says, and reads
    /// meanwhile. It does the same if a stream reaches its limit, if a callback asks to stop, and if a call for a stream fails.
    pub fn insert_with(&mut self, child: Child, exchange: Exchange<'a>, tag: T) -> Member {
        self.add(ChildRun::new(child, exchange, GRACE, Teardown::kill()), None, tag)
    }

    /// Starts a command, and adds the child with streams as [`Command::capture`] makes them. [`Finished::captured`] has what has come
    /// of it.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`].
    pub fn capture(&mut self, command: &mut Command<'_>, capture: &Capture<'a>, tag: T) -> Result<Member> {
        let (run, flows) = command.start_captured(capture)?;
        Ok(self.add(run, Some(flows), tag))
    }

    fn add(&mut self, run: ChildRun<'a>, flows: Option<CaptureFlows>, tag: T) -> Member {
        let index = self.unused.pop().unwrap_or_else(|| {
            self.members.push(None);
            self.members.len() - 1
        });
        let member = Member { set: self.set_number, index, number: self.number };
        self.number += 1;
        self.members[index] = Some(MemberRun { member, tag, run, flows, is_queued: false });
        self.count += 1;
        self.new.push_back(member);
        member
    }

    /// How many children are in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no child is in the set.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The tags of the children that are in the set, in no order.
    pub fn tags(&self) -> impl Iterator<Item = (Member, &T)> {
        self.members.iter().flatten().map(|entry| (entry.member, &entry.tag))
    }

    /// A handle of a child, by which the caller sends it signals; `None` if it has left the set.
    pub fn process(&self, member: Member) -> Option<&Process> {
        self.get(member).map(|entry| entry.run.process())
    }

    /// Sets when the set ends a child; `None` takes that back. False if the child has left the set.
    pub fn set_deadline(&mut self, member: Member, deadline: Option<Instant>) -> bool {
        self.change(member, |run| match deadline {
            Some(deadline) => _ = run.exchange().deadline(deadline),
            None => _ = run.exchange().no_deadline(),
        })
    }

    /// [`Children::set_deadline`], from now on.
    pub fn set_timeout(&mut self, member: Member, time: Duration) -> bool {
        // A time beyond the clock's end is as good as none.
        self.set_deadline(member, Instant::now().checked_add(time))
    }

    /// Sets how the set ends a child when its time is over. The default is [`Teardown::kill`]. False if the child has left the set.
    pub fn set_teardown(&mut self, member: Member, how: Teardown) -> bool {
        self.change(member, |run| run.set_teardown(how))
    }

    /// Starts to end a child. [`Children::next`] goes on with that, and tells when the child has ended. False if the child has left the set.
    ///
    /// # Errors
    ///
    /// Those of [`Child::end`] that say that there is no way to the processes.
    pub fn end(&mut self, member: Member, how: &Teardown) -> Result<bool> {
        let mut ended = Ok(());
        let is_in = self.change(member, |run| ended = run.end(how));
        ended.map(|()| is_in)
    }

    /// Starts to end all children: [`Children::end`]. If the start fails for some of them, the others are ended nevertheless, and the
    /// call returns the first error.
    ///
    /// # Errors
    ///
    /// Those of [`Children::end`].
    ///
    /// ```
    /// use fdspawn::{Children, Command, Teardown};
    ///
    /// let mut children = Children::new();
    /// for tag in 0..3 {
    ///     children.insert(Command::new("sleep").arg("60").spawn()?, tag);
    /// }
    /// children.end_all(&Teardown::default())?;
    /// while let Some(finished) = children.next()? {
    ///     assert!(!finished.status?.success());
    /// }
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn end_all(&mut self, how: &Teardown) -> Result<()> {
        let members: Vec<Member> = self.members.iter().flatten().map(|entry| entry.member).collect();
        let mut ended = Ok(());
        for member in members {
            let result = self.end(member, how).map(drop);
            ended = ended.and(result);
        }
        ended
    }

    /// Gives streams that another member has had to one that is being ended, and that has no streams of its own.
    pub(crate) fn hand_on(&mut self, member: Member, exchange: Exchange<'a>) {
        self.change(member, |run| run.set_exchange(exchange));
    }

    /// Takes a child out of the set, with its streams and its tag, and does nothing to it. `None` if it has left the set.
    pub fn remove(&mut self, member: Member) -> Option<(Child, Exchange<'a>, T)> {
        self.get(member)?;
        let entry = self.take(member.index)?;
        let (child, exchange) = entry.run.into_parts();
        Some((child, exchange, entry.tag))
    }

    /// Waits until a child has finished. `None` if the set is empty.
    ///
    /// # Errors
    ///
    /// [`Failure::Events`] if the set of events cannot be made or used. The children stay in the set, and the call can be made again.
    /// An error that concerns one child alone is in [`Finished::status`].
    #[expect(clippy::should_implement_trait, reason = "an iterator could not return the errors so plainly")]
    pub fn next(&mut self) -> Result<Option<Finished<'a, T>>> {
        self.next_until(None)
    }

    /// [`Children::next`], at most until the deadline. `None` also if the deadline comes first; [`Children::is_empty`] tells.
    ///
    /// # Errors
    ///
    /// Those of [`Children::next`].
    pub fn next_deadline(&mut self, deadline: Instant) -> Result<Option<Finished<'a, T>>> {
        self.next_until(Some(deadline))
    }

    /// [`Children::next`], at most for this time.
    ///
    /// # Errors
    ///
    /// Those of [`Children::next`].
    pub fn next_timeout(&mut self, time: Duration) -> Result<Option<Finished<'a, T>>> {
        // A time beyond the clock's end is as good as none.
        self.next_until(Instant::now().checked_add(time))
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Option<Finished<'a, T>>> {
        let mut is_over = false;
        loop {
            let finished = self.go_on(usize::MAX)?;
            if finished.is_some() || self.is_empty() || is_over {
                return Ok(finished);
            }
            // An alarm that has gone off would make the set ready again and again.
            self.set_alarm()?;
            let now = Instant::now();
            // After the deadline the loop asks the kernel for events once more, and takes what has happened until then.
            is_over = deadline.is_some_and(|deadline| deadline <= now);
            let until = if self.queue.is_empty() { self.times.first() } else { Some(now) };
            let until = deadline.into_iter().chain(until).min();
            self.wait(until.map(|until| until.saturating_duration_since(now)))?;
        }
    }

    /// Goes on with members that have something to do, at most to the end of the round and at most so many, until one has finished.
    fn go_on(&mut self, most: usize) -> Result<Option<Finished<'a, T>>> {
        self.register_new()?;
        if self.round == 0 {
            let now = Instant::now();
            while let Some(index) = self.times.pop(now) {
                self.enqueue(index);
            }
            self.round = self.queue.len();
        }
        for _ in 0..most.min(self.round) {
            self.round -= 1;
            let Some(&index) = self.queue.front() else { break };
            // After an error or a panic the member is the last of the queue, and goes on in the next round.
            self.queue.rotate_left(1);
            let finished = self.step_member(index)?;
            self.queue.pop_back();
            if finished.is_some() {
                return Ok(finished);
            }
            if let Some(Some(entry)) = self.members.get_mut(index) {
                entry.is_queued = false;
            }
        }
        Ok(None)
    }

    fn enqueue(&mut self, index: usize) {
        if let Some(Some(entry)) = self.members.get_mut(index) {
            if !entry.is_queued {
                entry.is_queued = true;
                self.queue.push_back(index);
            }
        }
    }

    /// Goes on with a member.
    fn step_member(&mut self, index: usize) -> Result<Option<Finished<'a, T>>> {
        let Some(Some(entry)) = self.members.get_mut(index) else { return Ok(None) };
        match entry.run.step() {
            Ok(None) => self.update(index).map(|()| None),
            Ok(Some(end)) => Ok(self.take(index).map(|entry| finish(entry, Ok(end)))),
            Err(error) => Ok(self.take(index).map(|entry| finish(entry, Err(error)))),
        }
    }

    /// Lets the set of events tell of members that were added.
    fn register_new(&mut self) -> Result<()> {
        while let Some(&member) = self.new.front() {
            if self.get(member).is_some() {
                self.update(member.index)?;
                // Streams may have something to give that no event tells of: lines that an earlier run has read.
                if self.members[member.index].as_mut().is_some_and(|entry| entry.run.exchange().has_streams()) {
                    self.enqueue(member.index);
                }
            }
            self.new.pop_front();
        }
        Ok(())
    }

    /// Lets the set of events tell of what a member waits for. If the system refuses that (no memory, no number, no watch is left), the set
    /// steps the member every 16 ms.
    fn update(&mut self, index: usize) -> Result<()> {
        let set = self.event_set()?;
        let Some(Some(entry)) = self.members.get_mut(index) else { return Ok(()) };
        let at = match entry.run.register(&SetPlace { set, key: index }) {
            Ok(true) => Some(Instant::now()),
            Ok(false) => entry.run.wakes_at(),
            Err(errno) => {
                tracing::debug!(%errno, "the system has no watch for a child: the set asks for its end every 16 ms");
                Instant::now().checked_add(LOOK).into_iter().chain(entry.run.wakes_at()).min()
            }
        };
        self.times.set(index, at);
        Ok(())
    }

    fn event_set(&mut self) -> Result<Arc<EventSet>> {
        match &self.set {
            Some(set) => Ok(Arc::clone(set)),
            None => Ok(Arc::clone(self.set.insert(Arc::new(EventSet::new().map_err(events_error)?)))),
        }
    }

    /// Waits for events, at most so long.
    fn wait(&mut self, most: Option<Duration>) -> Result<()> {
        let set = self.event_set()?;
        let mut events = EventKeys::new(EVENTS);
        set.wait(&mut events, most).map_err(events_error)?;
        for index in events.iter() {
            self.enqueue(index);
        }
        Ok(())
    }

    fn get(&self, member: Member) -> Option<&MemberRun<'a, T>> {
        self.members.get(member.index)?.as_ref().filter(|entry| entry.member == member)
    }

    /// Changes the run of a member, which then goes on.
    fn change(&mut self, member: Member, change: impl FnOnce(&mut ChildRun<'a>)) -> bool {
        let entry = self.members.get_mut(member.index).and_then(Option::as_mut);
        let Some(entry) = entry.filter(|entry| entry.member == member) else { return false };
        change(&mut entry.run);
        self.enqueue(member.index);
        true
    }

    fn take(&mut self, index: usize) -> Option<MemberRun<'a, T>> {
        let entry = self.members.get_mut(index)?.take()?;
        self.unused.push(index);
        self.count -= 1;
        self.times.set(index, None);
        Some(entry)
    }
}

/// What the caller gets of a member that has left the set.
fn finish<'a, T>(entry: MemberRun<'a, T>, end: Result<RunEnd>) -> Finished<'a, T> {
    let MemberRun { member, tag, run, flows, .. } = entry;
    let (end, error) = match end {
        Ok(end) => (end, None),
        Err(error) => (RunEnd { stop: Stop::Done, status: None, ended: None }, Some(error)),
    };
    let still_runs = || Error::new(Subject::End(run.process().id()), Failure::StillRuns, None);
    let status = match error {
        Some(error) => Err(error),
        None => end.status.ok_or_else(still_runs),
    };
    let (stop, ended) = (end.stop, end.ended);
    let (captured, child, exchange) = match flows {
        Some(flows) => (Some(flows.captured(run, end)), None, Exchange::new()),
        None => {
            let (child, exchange) = run.into_parts();
            (None, Some(child), exchange)
        }
    };
    Finished { member, tag, status, stop, ended, captured, child, exchange }
}

/// The next child that has finished; `None` if the set is empty.
impl<'a, T> Driven for Children<'a, T> {
    type Output = Option<Finished<'a, T>>;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        self.register_new()?;
        self.event_set()?;
        self.alarm.get_or_insert_default();
        self.set_alarm()?;
        match &self.set {
            Some(set) => set.own().map(AsFd::as_fd).map_err(events_error),
            None => Err(events_error(rustix::io::Errno::BADF)), // It has just been made.
        }
    }

    fn step(&mut self) -> Result<Poll<Self::Output>> {
        if self.round == 0 {
            self.wait(Some(Duration::ZERO))?;
        }
        let finished = self.go_on(STEPS)?;
        let alarm = self.set_alarm();
        if finished.is_some() || self.is_empty() {
            return Ok(Poll::Ready(finished)); // The next step returns the error of the alarm.
        }
        alarm.map(|()| Poll::Pending)
    }
}

impl<T> Children<'_, T> {
    /// If the descriptor is in use, lets it be readable when a member has something to do.
    fn set_alarm(&mut self) -> Result<()> {
        let at = if self.queue.is_empty() { self.times.first() } else { Some(Instant::now()) };
        match (&mut self.alarm, &self.set) {
            (Some(alarm), Some(set)) => alarm.set(set, at).map_err(events_error),
            _ => Ok(()),
        }
    }
}

impl<T> Default for Children<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Children<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tags().map(|(_, tag)| tag)).finish()
    }
}
