//! What the caller wants the child's descriptors to be.

use super::kept::Kept;
use super::not_inherited::NotInherited;
use super::slot::{Slot, SlotKind};
use super::source::{Given, Opened, Source};
use super::stdio::Stdio;
use crate::plan::{Refusal, Rest};
use crate::platform::Features;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

/// A map of a child's descriptors: 0, 1 and 2, any other targets, the keep list, and what becomes of the rest.
///
/// Every [`Command`] has a map, and the same methods. Make a map on its own for [`fork_run`], which executes no program, or
/// to give it to a command with [`Command::fd_map`]. The library opens, closes and checks nothing before the spawn.
///
/// [`Stdio`] says who closes a descriptor of the map in the parent. `'fd` is the lifetime of the descriptors that the map
/// borrows.
///
/// [`Command`]: crate::Command
/// [`Command::fd_map`]: crate::Command::fd_map
/// [`fork_run`]: crate::fork_run
///
/// ```
/// use fdspawn::{Command, FdMap, Stdio};
///
/// let mut map = FdMap::new();
/// map.stdin(Stdio::data("input")).stderr(Stdio::same_as(1));
/// let output = Command::new("cat").fd_map(map).output()?;
/// assert_eq!(output.stdout, b"input");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FdMap<'fd> {
    /// Sorted by target; entries of one target are in the order of the calls.
    entries: Vec<MapEntry<'fd>>,
    pub(crate) rest: Rest,
    pub(crate) not_inherited: NotInherited,
    pub(crate) missing: Features,
    /// The capacity that the spawn asks for each pipe.
    pub(crate) pipe_capacity: Option<usize>,
}

/// One target and its source.
#[derive(Debug)]
struct MapEntry<'fd> {
    target: RawFd,
    source: Source<'fd>,
    /// Whether `stdin`, `stdout`, `stderr` or `fd` set it, so that the next such call replaces it.
    is_replaceable: bool,
    /// Whether it is the end of a link of a graph, for one launch.
    is_link: bool,
}

impl Default for FdMap<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'fd> FdMap<'fd> {
    /// Makes a map of 0, 1 and 2 as they are in the parent, and of no other descriptor.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            rest: Rest::Close,
            not_inherited: NotInherited::NONE,
            missing: Features::empty(),
            pipe_capacity: None,
        }
    }

    /// Connects standard input. The last call counts. The default is to inherit it; for [`Command::output`] it is `/dev/null`.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stdin(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.set(0, stdio.into().0)
    }

    /// Connects standard output. The last call counts. The default is to inherit it; for [`Command::output`] it is a pipe.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stdout(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.set(1, stdio.into().0)
    }

    /// Connects standard error. The last call counts. The default is to inherit it; for [`Command::output`] it is a pipe.
    ///
    /// [`Command::output`]: crate::Command::output
    pub fn stderr(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.set(2, stdio.into().0)
    }

    /// Connects the child's descriptor `target`, which can be any number.
    ///
    /// A number can be the source of one target and a target itself: the child gets all targets as if at the same moment. So
    /// two calls swap two descriptors.
    ///
    /// The last call for a target counts, as it does for [`FdMap::stdin`]: `fd(1, x)` and `stdout(x)` are the same call. It drops the
    /// source of the call before. But it does not replace a slot or a kept descriptor, which the caller counts on: then the spawn
    /// fails ([`Refusal::TargetTwice`], [`Refusal::KeepCollides`]).
    ///
    /// The spawn also fails if a target is not below the soft limit of descriptors (`RLIMIT_NOFILE`;
    /// [`Refusal::TargetBeyondLimit`]).
    ///
    /// [`Refusal::TargetTwice`]: crate::plan::Refusal::TargetTwice
    /// [`Refusal::KeepCollides`]: crate::plan::Refusal::KeepCollides
    /// [`Refusal::TargetBeyondLimit`]: crate::plan::Refusal::TargetBeyondLimit
    #[doc(alias = "dup2")]
    pub fn fd(&mut self, target: RawFd, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.set(target, stdio.into().0)
    }

    /// Adds a pipe that the child writes at `target` and the parent reads. [`Child::take`] gives the parent's end for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn reader(&mut self, target: RawFd) -> Slot<PipeReader> {
        self.slot(target, SlotKind::Reader)
    }

    /// Adds a pipe that the parent writes and the child reads at `target`. [`Child::take`] gives the parent's end for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn writer(&mut self, target: RawFd) -> Slot<PipeWriter> {
        self.slot(target, SlotKind::Writer)
    }

    /// Adds a connected pair of stream sockets, the child's at `target`. Both processes can read and write. [`Child::take`]
    /// gives the parent's socket for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "socketpair")]
    pub fn socket(&mut self, target: RawFd) -> Slot<UnixStream> {
        self.slot(target, SlotKind::Socket)
    }

    fn slot<T>(&mut self, target: RawFd, kind: SlotKind) -> Slot<T> {
        let slot = Slot::new();
        self.insert(MapEntry {
            target,
            source: Source::Opened(Opened::Slot { kind, id: slot.id }),
            is_replaceable: false,
            is_link: false,
        });
        slot
    }

    /// Gives the child a descriptor under the same number. Only the child clears close-on-exec.
    ///
    /// As for a [`Stdio`], a reference lends the descriptor, an `Arc` shares it, and an owner is moved into the map. See [`Kept`] for who
    /// closes it in the parent.
    ///
    /// The same descriptor may be kept twice. If its number is also a target, the spawn fails ([`Refusal::KeepCollides`]).
    ///
    /// ```
    /// use fdspawn::Command;
    /// use std::os::fd::AsRawFd;
    ///
    /// let (reader, writer) = std::io::pipe()?;
    /// let mut command = Command::new("sh");
    /// command.arg("-c").arg(format!("echo text >&{}", writer.as_raw_fd())).keep(writer); // moved
    /// let mut child = command.spawn()?;
    /// assert_eq!(std::io::read_to_string(reader)?, "text\n"); // ends, since the spawn has closed the writer here
    /// assert!(child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// [`Refusal::KeepCollides`]: crate::plan::Refusal::KeepCollides
    pub fn keep(&mut self, fd: impl Into<Kept<'fd>>) -> &mut Self {
        let Kept(fd) = fd.into();
        let (target, _) = fd.number_and_origin(0);
        // A descriptor that an earlier spawn has closed may have had the same number.
        self.entries.retain(|entry| entry.target != target || !matches!(entry.source, Source::Spent));
        let is_kept = |entry: &&mut MapEntry<'_>| {
            entry.target == target && matches!(&entry.source, Source::Given(given) if given.is_kept())
        };
        match self.entries.iter_mut().find(is_kept) {
            // An owner that the map has stays the owner.
            Some(_) if matches!(fd, Given::Kept(_)) => {}
            Some(entry) => entry.source = Source::Given(fd),
            None => self.insert(MapEntry { target, source: Source::Given(fd), is_replaceable: false, is_link: false }),
        }
        self
    }

    /// Names those of 0, 1 and 2 that are no standard streams of this process, so that the child does not inherit them.
    ///
    /// A process that was started with a closed 0 has opened some file of its own there: a database, the socket of an event loop. If the
    /// child would inherit such a number as a standard stream, by default or by [`Stdio::inherit`], it gets `/dev/null` instead, as it does
    /// if the number is closed. The call does not change a source that the command names itself: [`Stdio::inherit_from`], a lent
    /// descriptor, or [`std::io::stdin`]. Numbers of several calls add up.
    ///
    /// Use this in a runtime that knows which files it has at 0 to 2 and starts programs for others. The library cannot
    /// know that: see [`inspect`](crate::inspect) for what a number refers to.
    ///
    /// The spawn fails if a number is not 0, 1 or 2 ([`Refusal::NotInheritedWhere`]). With [`Rest::Close`] no child inherits another number,
    /// and with [`Rest::Inherit`] use [`Stdio::closed`].
    ///
    /// [`Refusal::NotInheritedWhere`]: crate::plan::Refusal::NotInheritedWhere
    ///
    /// ```
    /// use fdspawn::Command;
    ///
    /// let mut command = Command::new("cat"); // would wait for our standard input
    /// assert!(command.not_inherited([0]).status()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn not_inherited(&mut self, numbers: impl IntoIterator<Item = RawFd>) -> &mut Self {
        numbers.into_iter().for_each(|number| self.not_inherited.add(number));
        self
    }

    /// Says what becomes of the descriptors that the map does not name: [`Rest::Close`] is the default.
    pub fn rest(&mut self, rest: Rest) -> &mut Self {
        self.rest = rest;
        self
    }

    /// Asks for a capacity, in bytes, of each pipe that a spawn or a [`fork_run`] with this map makes (`F_SETPIPE_SZ`). Linux only.
    ///
    /// The kernel rounds the capacity up to a power of two of pages. It may also refuse it; then the pipe stays as it is, and the spawn goes
    /// on. Do not ask for a capacity by habit. All pipes of a user share a small budget (`/proc/sys/fs/pipe-user-pages-soft`, 64 MiB by
    /// default, which is 64 pipes of 1 MiB). When it is spent, each new pipe of that user, in all of the user's programs, has only 8 KiB.
    ///
    /// [`fork_run`]: crate::fork_run
    ///
    /// ```
    /// use fdspawn::{Command, FdMap, Stdio};
    ///
    /// let mut map = FdMap::new();
    /// map.stdout(Stdio::piped()).pipe_capacity(256 * 1024);
    /// Command::new("true").fd_map(map).spawn()?.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[doc(alias = "F_SETPIPE_SZ")]
    pub fn pipe_capacity(&mut self, bytes: usize) -> &mut Self {
        self.pipe_capacity = Some(bytes);
        self
    }

    /// Makes spawns use the fallbacks of these kernel features, for tests.
    #[doc(hidden)]
    pub fn missing(&mut self, features: Features) -> &mut Self {
        self.missing = features;
        self
    }

    /// Closes the descriptors that were moved into the map, since the child has them now.
    pub(crate) fn close_moved(&mut self) {
        for entry in &mut self.entries {
            if matches!(&entry.source, Source::Given(given) if given.is_moved()) {
                entry.source = Source::Spent;
                // Also a kept one: the caller may give its number another source.
                entry.is_replaceable = true;
            }
        }
    }

    /// The numbers of the descriptors that [`FdMap::close_moved`] would close.
    pub(crate) fn moved_numbers(&self) -> impl Iterator<Item = RawFd> {
        self.entries.iter().filter_map(|entry| match &entry.source {
            Source::Given(given) if given.is_moved() => Some(given.number_and_origin(entry.target).0),
            _ => None,
        })
    }

    /// Whether a descriptor's owner is of a type of the caller, whose code gives the number.
    pub(crate) fn has_callers_owner(&self) -> bool {
        self.entries.iter().any(|entry| match &entry.source {
            Source::Given(Given::Shared(fd) | Given::KeptShared(fd)) => fd.is_of_callers_type(),
            _ => false,
        })
    }

    /// The sources of a target that this map names, without the keep list's rules.
    pub(crate) fn source(&self, target: RawFd) -> Option<&Source<'fd>> {
        self.entries.iter().find(|entry| entry.target == target).map(|entry| &entry.source)
    }

    /// Whether the map names a target above 2, or closes the rest: more than std can say.
    pub(crate) fn is_more_than_std(&self) -> bool {
        self.rest == Rest::Close || self.entries.iter().any(|entry| entry.target > 2)
    }

    /// This map with the targets of another one, which the caller borrows during the one spawn for which the result is. They replace the
    /// targets of this map that the last call sets, as [`FdMap::fd`] does. The rest is that of this map.
    pub(crate) fn with_lent(&self, lent: &FdMap<'_>) -> Result<Self, Refusal> {
        let mut map = self.copy()?;
        map.entries.retain(|own| !own.is_replaceable || lent.source(own.target).is_none());
        for entry in &lent.entries {
            let source = entry.source.lent_by_number(entry.target)?;
            let MapEntry { target, is_replaceable, is_link, .. } = *entry;
            map.insert(MapEntry { target, source, is_replaceable, is_link });
        }
        map.not_inherited = map.not_inherited.and(lent.not_inherited);
        map.missing |= lent.missing;
        map.pipe_capacity = lent.pipe_capacity.or(map.pipe_capacity);
        Ok(map)
    }

    /// Whether the map connects a target by itself.
    pub(crate) fn connects(&self, target: RawFd) -> bool {
        self.entries.iter().any(|entry| entry.target == target)
    }

    /// How many descriptors the map connects.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds the end of a link of a graph, which is open until [`FdMap::remove_links`].
    pub(crate) fn add_link(&mut self, target: RawFd, number: RawFd) {
        let source = Source::Given(Given::Link(number));
        self.insert(MapEntry { target, source, is_replaceable: false, is_link: true });
    }

    /// Adds the end of a link of a graph that is not open yet, for a check of the map until [`FdMap::remove_links`].
    pub(crate) fn expect_link(&mut self, target: RawFd) {
        self.insert(MapEntry { target, source: Source::NULL, is_replaceable: false, is_link: true });
    }

    /// Takes the ends of links out.
    pub(crate) fn remove_links(&mut self) {
        self.entries.retain(|entry| !entry.is_link);
    }

    /// The same map for a second command. It fails if a descriptor was moved into this one.
    pub(super) fn copy(&self) -> Result<Self, Refusal> {
        let copy = |entry: &MapEntry<'fd>| {
            let MapEntry { target, ref source, is_replaceable, is_link } = *entry;
            Ok(MapEntry { target, source: source.copy(target)?, is_replaceable, is_link })
        };
        let Self { ref entries, rest, not_inherited, missing, pipe_capacity } = *self;
        let entries = entries.iter().map(copy).collect::<Result<_, _>>()?;
        Ok(Self { entries, rest, not_inherited, missing, pipe_capacity })
    }

    /// All targets with their sources, sorted by target. If the map does not name 0, 1 or 2, it gets its source from `defaults`.
    pub(crate) fn entries<'a>(&'a self, defaults: &'a [Source<'static>; 3]) -> Entries<'a, 'fd> {
        Entries { entries: self.entries.iter(), defaults, stream: 0 }
    }

    fn set(&mut self, target: RawFd, source: Source<'fd>) -> &mut Self {
        match self.entries.iter_mut().find(|entry| entry.is_replaceable && entry.target == target) {
            Some(entry) => entry.source = source,
            None => self.insert(MapEntry { target, source, is_replaceable: true, is_link: false }),
        }
        self
    }

    fn insert(&mut self, entry: MapEntry<'fd>) {
        let place = self.entries.partition_point(|other| other.target <= entry.target);
        self.entries.insert(place, entry);
    }
}

/// The targets of a map and those of 0, 1 and 2 that it does not name, with their sources.
#[derive(Clone)]
pub(crate) struct Entries<'a, 'fd> {
    entries: std::slice::Iter<'a, MapEntry<'fd>>,
    defaults: &'a [Source<'static>; 3],
    /// The smallest standard stream that the iterator has not passed: 3 after the last.
    stream: RawFd,
}

impl<'a, 'fd> Iterator for Entries<'a, 'fd> {
    type Item = (RawFd, &'a Source<'fd>);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entries.as_slice().first();
        let stream = self.stream;
        if let Some(default) = self.defaults.get(stream as usize) {
            if next.is_none_or(|entry| entry.target > stream) {
                self.stream += 1;
                return Some((stream, default));
            }
        }
        let entry = self.entries.next()?;
        if entry.target == stream {
            self.stream += 1;
        }
        Some((entry.target, &entry.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: [Source<'static>; 3] = [Source::NULL, Source::PIPED, Source::INHERIT];

    fn listed(map: &FdMap<'_>) -> Vec<String> {
        map.entries(&DEFAULTS).map(|(target, source)| format!("{target} {source:?}")).collect()
    }

    #[test]
    fn streams_that_the_map_does_not_name_have_their_defaults() {
        let inherit = "2 Given(Inherit)";
        assert_eq!(listed(&FdMap::new()), ["0 Opened(Null)", "1 Opened(Piped)", inherit]);
        let mut map = FdMap::new();
        map.fd(7, Stdio::closed()).fd(1, Stdio::closed()).fd(-3, Stdio::closed());
        assert_eq!(listed(&map), ["-3 Closed", "0 Opened(Null)", "1 Closed", inherit, "7 Closed"]);
    }

    #[test]
    fn last_call_for_a_target_counts_and_replaces_no_slot() {
        let mut map = FdMap::new();
        map.stdout(Stdio::null()).stdout(Stdio::closed()).fd(1, Stdio::same_as(2)).stderr(Stdio::null());
        map.fd(7, Stdio::null()).fd(7, Stdio::closed()).fd(0, Stdio::closed()).stdin(Stdio::null());
        assert_eq!(listed(&map), ["0 Opened(Null)", "1 SameAs(2)", "2 Opened(Null)", "7 Closed"]);
        let mut map = FdMap::new();
        map.stdin(Stdio::null());
        let _ = (map.writer(0), map.reader(1));
        map.stdin(Stdio::closed()).stdout(Stdio::null()).stdout(Stdio::closed());
        let targets: Vec<RawFd> = map.entries(&DEFAULTS).map(|(target, _)| target).collect();
        assert_eq!(targets, [0, 0, 1, 1, 2]);
    }

    #[test]
    fn keep_may_be_repeated_in_any_order() {
        let files = [(); 3].map(|()| std::fs::File::open("/dev/null").unwrap());
        let mut map = FdMap::new();
        for index in [2, 0, 2, 1, 2] {
            map.keep(&files[index]);
        }
        let targets: Vec<RawFd> = map.entries(&DEFAULTS).map(|(target, _)| target).collect();
        let mut expected = vec![0, 1, 2];
        expected.extend(files.iter().map(std::os::fd::AsRawFd::as_raw_fd));
        expected.sort_unstable();
        assert_eq!(targets, expected);
    }
}
