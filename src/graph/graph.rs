//! `Graph`: commands, and links between any descriptors of them.

use super::check::{check, check_copiers};
use super::copier::Copier;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::copier::CopierKind;
use super::later_stages::ForAll;
use super::link::{GraphLink, LinkKind, OutsideEnd};
use super::stage::{StageFd, StageId};
use crate::command::{Command, Slot};
use crate::plan::{GraphRefusal, OnDrop, Rest};
use std::io::{PipeReader, PipeWriter};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};

/// Processes that are started together, and the pipes and sockets between them.
///
/// A stage is a [`Command`], with all that a command has: descriptors, attributes, slots. It executes a program, or runs a function of this
/// process ([`Command::function`]). A link connects descriptors of stages, at any numbers. The library opens nothing before [`Graph::spawn`], and
/// then all or nothing is started:
///
/// - It refuses a graph whose links contradict each other, and looks whether all programs are there, before it opens or starts anything.
/// - It starts the readers of a pipe before its writers.
/// - If a stage cannot be started, it kills and reaps all stages that have been started, and closes the links after that: no stage takes the
///   failure of another one for an end of file. The error names the stage.
/// - Each stage has the ends of its own links and no others, and nothing in this process keeps an end open.
///
/// ```
/// use fdspawn::{Command, Graph};
///
/// let lines = Graph::pipeline([
///     Command::from(["seq", "100"]),
///     Command::from(["grep", "7"]),
///     Command::from(["wc", "-l"]),
/// ])
/// .output()?;
/// lines.statuses.check()?;
/// assert_eq!(lines.stdout, b"19\n");
/// # Ok::<(), fdspawn::Error>(())
/// ```
///
/// Any descriptor can go to any other: here `diff <(printf 'a\nb\n') <(printf 'a\nc\n')`, whose exit code 1 is no failure.
///
/// ```
/// use fdspawn::{Command, Graph};
///
/// let mut graph = Graph::new();
/// let one = graph.stage(Command::from(["printf", "a\\nb\\n"]));
/// let other = graph.stage(Command::from(["printf", "a\\nc\\n"]));
/// let diff = graph.stage(Command::from(["diff"]));
/// graph.argument_from(diff, one.stdout()).argument_from(diff, other.stdout()).allow(diff, &[1]);
/// let output = graph.output()?;
/// output.statuses.check()?;
/// assert_eq!(output.stdout, b"2c2\n< b\n---\n> c\n");
/// # Ok::<(), fdspawn::Error>(())
/// ```
#[derive(Debug)]
pub struct Graph<'fd> {
    pub(super) number: u32,
    pub(super) stages: Vec<StageCommand<'fd>>,
    pub(super) links: Vec<GraphLink>,
    pub(super) copiers: Vec<Copier>,
    pub(super) capacity: Option<usize>,
    pub(super) on_drop: Option<OnDrop>,
    pub(super) for_all: ForAll<'fd>,
}

/// A command, and what the graph knows of it.
#[derive(Debug)]
pub(super) struct StageCommand<'fd> {
    pub(super) command: Command<'fd>,
    /// Exit codes that are no failure, besides 0.
    pub(super) allowed: Vec<i32>,
}

/// The number of the first link that an argument names, as bash has it. The next one of the same stage has the number below.
const ARGUMENT: RawFd = 63;

impl<'fd> Graph<'fd> {
    /// Makes a graph without stages.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let (stages, links, copiers) = (Vec::new(), Vec::new(), Vec::new());
        Self { number, stages, links, copiers, capacity: None, on_drop: None, for_all: ForAll::default() }
    }

    /// Makes a line: the standard output of each command is the standard input of the next one. The other ends are what the commands say:
    /// the input of the first, the output of the last, the standard error of each.
    pub fn pipeline(commands: impl IntoIterator<Item = Command<'fd>>) -> Self {
        let mut graph = Self::new();
        let mut last: Option<StageId> = None;
        for command in commands {
            let stage = graph.stage(command);
            if let Some(last) = last.replace(stage) {
                graph.pipe([last.stdout()], [stage.stdin()]);
            }
        }
        graph
    }

    /// Adds a stage.
    pub fn stage(&mut self, mut command: Command<'fd>) -> StageId {
        self.for_all.apply(&mut command);
        self.stages.push(StageCommand { command, allowed: Vec::new() });
        StageId { graph: self.number, index: self.stages.len() - 1 }
    }

    /// The stages, in the order in which they were added.
    pub fn stages(&self) -> impl ExactSizeIterator<Item = StageId> + use<'fd> {
        let graph = self.number;
        (0..self.stages.len()).map(move |index| StageId { graph, index })
    }

    /// The command of a stage. That of a function ([`Command::function`]) is one like any other, with descriptors and attributes.
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn command(&mut self, stage: StageId) -> &mut Command<'fd> {
        assert_eq!(stage.graph, self.number, "the stage is of another graph");
        &mut self.stages[stage.index].command
    }

    /// The commands of all stages, for what all of them have: an environment, limits, a drop policy.
    pub fn commands(&mut self) -> impl Iterator<Item = &mut Command<'fd>> {
        self.stages.iter_mut().map(|stage| &mut stage.command)
    }

    /// Adds a pipe: all of `from` write to it, and all of `to` read from it, each a part of the bytes.
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let mut graph = Graph::new();
    /// let tool = graph.stage(Command::from(["sh", "-c", "echo output; echo status >&5"]));
    /// let reader = graph.stage(Command::from(["sh", "-c", "cat; cat <&7"]));
    /// graph.pipe([tool.stdout()], [reader.stdin()]).pipe([tool.fd(5)], [reader.fd(7)]);
    /// assert_eq!(graph.output()?.stdout, b"output\nstatus\n");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn pipe(
        &mut self,
        from: impl IntoIterator<Item = StageFd>,
        to: impl IntoIterator<Item = StageFd>,
    ) -> &mut Self {
        let (from, to): (Vec<_>, Vec<_>) = (from.into_iter().collect(), to.into_iter().collect());
        self.links.push(GraphLink::pipe(&from, &to, None));
        self
    }

    /// Adds a connected pair of stream sockets between two descriptors: both stages can read and write.
    pub fn socket(&mut self, one: StageFd, other: StageFd) -> &mut Self {
        self.links.push(GraphLink { kind: LinkKind::Socket, from: vec![one], to: vec![other], slot: None });
        self
    }

    /// Gives each of `to` all of the bytes that `from` writes, by a pipe for each. Linux only.
    ///
    /// A thread of the library moves the bytes inside of the kernel (`tee(2)`, `splice(2)`), without a copy through this process. It reads no
    /// faster than the slowest reader does. A reader that ends does not stop the others; when the last one has ended, the writer gets
    /// SIGPIPE as it would with a pipe.
    ///
    /// The thread ends with its pipes. It lives in this process: when this process ends or executes another program, the readers find the end
    /// of their inputs. If the kernel refuses to move bytes (a seccomp filter), the graph does not start. If a call of the thread fails later,
    /// the readers find the end of their inputs, and each wait for the graph returns the error.
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let mut graph = Graph::new();
    /// let numbers = graph.stage(Command::from(["seq", "1000"]));
    /// let sum = graph.stage(Command::from(["awk", "{ sum += $1 } END { print sum }"]));
    /// let last = graph.stage(Command::from(["tail", "-n", "1"]));
    /// graph.tee(numbers.stdout(), [sum.stdin(), last.stdin()]);
    /// let sum = graph.reader([sum.stdout()]);
    /// let output = graph.output()?;
    /// output.statuses.check()?;
    /// assert_eq!((output.bytes(sum), &output.stdout[..]), (&b"500500\n"[..], &b"1000\n"[..]));
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn tee(&mut self, from: StageFd, to: impl IntoIterator<Item = StageFd>) -> &mut Self {
        self.copier(CopierKind::Tee { stops_early: false }, from, to)
    }

    /// [`Graph::tee`] that ends when the first of its readers has ended.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn tee_until_first(&mut self, from: StageFd, to: impl IntoIterator<Item = StageFd>) -> &mut Self {
        self.copier(CopierKind::Tee { stops_early: true }, from, to)
    }

    /// Adds a pipe that is never full: what the reader has not read yet is kept in memory (`memfd_create(2)`), without a limit. Linux only.
    ///
    /// A graph whose branches come together again needs one: else the stage that reads them can wait for one branch while the other one waits
    /// for the stage. [`Graph::explain`] names such branches.
    ///
    /// A thread of the library moves the bytes, as for [`Graph::tee`]. It has at most twice the memory of what is not read, and a little more.
    /// What it moves while other stages are launched stays in memory until it moves more. If the process has a limit for the size of a file
    /// (`RLIMIT_FSIZE`), it takes several files.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn spool(&mut self, from: StageFd, to: StageFd) -> &mut Self {
        self.copier(CopierKind::Spool, from, [to])
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn copier(&mut self, kind: CopierKind, from: StageFd, to: impl IntoIterator<Item = StageFd>) -> &mut Self {
        let input = self.links.len();
        self.links.push(GraphLink::pipe(&[from], &[], Some(OutsideEnd::CopyReader)));
        let output = |end: StageFd| GraphLink::pipe(&[], &[end], Some(OutsideEnd::CopyWriter));
        self.links.extend(to.into_iter().map(output));
        self.copiers.push(Copier { kind, input, outputs: (input + 1..self.links.len()).collect() });
        self
    }

    /// Adds an argument `/dev/fd/N` to a stage, with a pipe behind it to which `from` writes: a shell's `<(from)`. N is 63, and for
    /// the next argument of the same stage 62. A number that the stage's command or another link has is left out.
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn argument_from(&mut self, to: StageId, from: StageFd) -> &mut Self {
        let end = self.argument(to);
        self.pipe([from], [end])
    }

    /// Adds an argument `/dev/fd/N` to a stage, with a pipe behind it from which `to` reads: a shell's `>(to)`. See
    /// [`Graph::argument_from`].
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn argument_to(&mut self, from: StageId, to: StageFd) -> &mut Self {
        let end = self.argument(from);
        self.pipe([end], [to])
    }

    fn argument(&mut self, stage: StageId) -> StageFd {
        let is_connected = |number| self.stages.get(stage.index).is_some_and(|own| own.command.fd_map.connects(number));
        let is_taken = |number: &RawFd| {
            let end = stage.fd(*number);
            is_connected(*number) || self.links.iter().any(|link| link.ends().any(|(other, _)| other == end))
        };
        // The standard streams are no arguments. A stage with more arguments gets numbers above the first one.
        let numbers = (3..=ARGUMENT).rev().chain(ARGUMENT + 1..);
        let number = numbers.into_iter().find(|number| !is_taken(number)).unwrap_or(ARGUMENT);
        self.command(stage).arg(format!("/dev/fd/{number}"));
        stage.fd(number)
    }

    /// Adds a pipe to which all of `from` write and which this process reads: [`Running::take`](crate::Running::take) gives its end. For one
    /// descriptor this is the same as [`Command::reader`].
    pub fn reader(&mut self, from: impl IntoIterator<Item = StageFd>) -> Slot<PipeReader> {
        let slot = Slot::new();
        let from: Vec<StageFd> = from.into_iter().collect();
        self.links.push(GraphLink::pipe(&from, &[], Some(OutsideEnd::Reader(slot.id))));
        slot
    }

    /// Adds a pipe to which this process writes and which all of `to` read: [`Running::take`](crate::Running::take) gives its end.
    pub fn writer(&mut self, to: impl IntoIterator<Item = StageFd>) -> Slot<PipeWriter> {
        let slot = Slot::new();
        let to: Vec<StageFd> = to.into_iter().collect();
        self.links.push(GraphLink::pipe(&[], &to, Some(OutsideEnd::Writer(slot.id))));
        slot
    }

    /// Adds a connected pair of stream sockets between a descriptor and this process.
    pub fn outside_socket(&mut self, end: StageFd) -> Slot<UnixStream> {
        let slot = Slot::new();
        let socket = Some(OutsideEnd::Socket(slot.id));
        self.links.push(GraphLink { kind: LinkKind::Socket, from: vec![end], to: Vec::new(), slot: socket });
        slot
    }

    /// Names exit codes of a stage that are no failure, besides 0: 1 for `grep` and `diff`.
    ///
    /// # Panics
    ///
    /// If it is a stage of another graph.
    pub fn allow(&mut self, stage: StageId, codes: &[i32]) -> &mut Self {
        assert_eq!(stage.graph, self.number, "the stage is of another graph");
        self.stages[stage.index].allowed.extend_from_slice(codes);
        self
    }

    /// Asks for a capacity, in bytes, of each pipe between stages. See [`Command::pipe_capacity`] for the budget that all pipes of a user share.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn pipe_capacity(&mut self, bytes: usize) -> &mut Self {
        self.capacity = Some(bytes);
        self
    }

    /// Sets what a drop of [`Running`](crate::Running) does to the stages that have not ended. The default is what their commands say.
    pub fn on_drop(&mut self, on_drop: OnDrop) -> &mut Self {
        self.on_drop = Some(on_drop);
        self
    }

    /// Why the graph is refused, if it is.
    pub(super) fn refusal(&self) -> Result<(), GraphRefusal> {
        let has_own =
            |stage: usize, target| self.stages.get(stage).is_some_and(|stage| stage.command.fd_map.connects(target));
        check(self.number, self.stages.len(), &self.links, has_own)?;
        check_copiers(&self.links, &self.copiers)?;
        let inherits_rest =
            |stage: &StageCommand<'_>| stage.command.function.is_some() && stage.command.fd_map.rest == Rest::Inherit;
        match self.stages.iter().position(inherits_rest) {
            Some(stage) => Err(GraphRefusal::FunctionInheritsRest { stage }),
            None => Ok(()),
        }
    }
}

impl Default for Graph<'_> {
    fn default() -> Self {
        Self::new()
    }
}
