//! Starts a graph: all stages or none.

use super::graph::Graph;
use super::layout::{fork_and_join, launch_order, stage_in_cycle};
use super::link::LinkEnd;
use super::numbers::{GraphNumbers, Lowering};
use super::open::OpenLinks;
use super::threads::CopyThreads;
use crate::child::{Child, ParentEnds};
use crate::command::{Command, Environment};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::plan::{OnDrop, Teardown};
use crate::spawn::{ProgramLooks, StreamDefault, is_in_place, lower};
use rustix::process::Signal;
use std::os::fd::{AsRawFd, RawFd};
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The children of a graph that has been started, in the order of the stages, and the ends of links that this process has.
pub(super) struct StartedGraph {
    pub(super) children: Vec<Child>,
    pub(super) ends: ParentEnds,
    pub(super) threads: CopyThreads,
}

/// What the standard streams of a stage are that neither its command nor a link connects.
pub(super) type StreamDefaults = [StreamDefault; 3];

impl Graph<'_> {
    /// Starts all stages. `defaults` says what a standard stream of a stage is that neither the stage's command nor a link connects.
    pub(super) fn start(&mut self, defaults: impl Fn(usize, usize) -> StreamDefaults) -> Result<StartedGraph> {
        let refused = |refusal| Error::new(Subject::Graph, Failure::Graph(refusal), None);
        self.refusal().map_err(refused)?;
        let prepared = GraphStart::new(self);
        let mut looks = ProgramLooks::default();
        for index in 0..self.stages.len() {
            self.check_stage(index, &prepared, &mut looks)?;
        }
        self.warn();
        let failed = |problem: Problem| problem.of(Subject::Graph);
        let (mut links, ends) =
            OpenLinks::new(&self.links, self.capacity, prepared.numbers.numbering).map_err(failed)?;
        let mut threads = CopyThreads::default();
        // Before the first stage: whether the kernel moves bytes between pipes is known by then.
        let can_copy = threads.start(&self.copiers, prepared.numbers.numbering, |link| links.take_copy_end(link));
        let lowering = prepared.numbers.lowering(0);
        let count = self.stages.len();
        let mut started = StartedStages { children: (0..count).map(|_| None).collect() };
        let mut launch_all = || {
            for index in launch_order(count, &self.links, &self.copiers) {
                started.children[index] =
                    Some(self.launch(index, &prepared, &links, lowering, &defaults(index, count))?);
            }
            Ok(())
        };
        if let Err(error) = can_copy.and_then(|()| launch_all()) {
            drop(started); // Before any end is closed.
            drop((links, ends));
            if let Err(error) = threads.finish() {
                tracing::warn!(%error, "the thread of a graph that could not be started has failed");
            }
            return Err(error);
        }
        threads.note_start();
        // From here on only the stages, and the caller's slots, have ends.
        drop(links);
        Ok(StartedGraph { children: started.into_children(), ends, threads })
    }

    /// Checks a stage with all ends of its links, of which none is open.
    fn check_stage(&mut self, index: usize, prepared: &GraphStart, looks: &mut ProgramLooks) -> Result<()> {
        let linked = Linked::new(&mut self.stages[index].command, prepared.environment.as_ref());
        prepared.ends[index].iter().for_each(|end| linked.0.fd_map.expect_link(end.target));
        let checked = linked.0.check_start(looks);
        drop(linked);
        checked.map_err(|error| of_stage(error, index, &self.stages[index].command))
    }

    /// Launches one stage.
    fn launch(
        &mut self,
        index: usize,
        prepared: &GraphStart,
        links: &OpenLinks,
        lowering: Lowering,
        defaults: &StreamDefaults,
    ) -> Result<Child> {
        let on_drop = self.on_drop.clone();
        let linked = Linked::new(&mut self.stages[index].command, prepared.environment.as_ref());
        let lowers = lowering.is_for(prepared.ends[index].len());
        let mut lowered = Vec::new();
        for end in &prepared.ends[index] {
            if let Some(source) = links.end(end.link, end.side) {
                let low = lowers.then(|| lower(source)).flatten();
                linked.0.fd_map.add_link(end.target, low.as_ref().unwrap_or(source).as_raw_fd());
                lowered.extend(low);
            }
        }
        let child = linked.0.spawn_with_streams(defaults, on_drop, prepared.numbers.numbering);
        drop(linked);
        child.map_err(|error| of_stage(error, index, &self.stages[index].command))
    }

    /// Tells of a form that can wait for ever.
    fn warn(&self) {
        let count = self.stages.len();
        if let Some(stage) = stage_in_cycle(count, &self.links, &self.copiers) {
            tracing::debug!(stage, "the graph has a cycle");
        } else if let Some((fork, join)) = fork_and_join(count, &self.links, &self.copiers) {
            tracing::warn!(fork, join, "outputs of a stage come together again, and can wait for ever");
        }
    }
}

fn of_stage(error: Error, index: usize, command: &Command<'_>) -> Error {
    error.with_subject(Subject::SpawnStage(index, command.get_program().to_owned()))
}

/// What is made once for all stages of a start.
struct GraphStart {
    /// The ends of links that each stage has.
    ends: Vec<Vec<StageLinkEnd>>,
    /// One copy of this process's environment for all stages that get it; `None` if none needs a copy.
    environment: Option<Environment>,
    numbers: GraphNumbers,
}

/// An end of a link that a stage has.
struct StageLinkEnd {
    target: RawFd,
    link: usize,
    side: LinkEnd,
}

impl GraphStart {
    fn new(graph: &Graph<'_>) -> Self {
        let mut ends: Vec<Vec<StageLinkEnd>> = graph.stages.iter().map(|_| Vec::new()).collect();
        for (link, each) in graph.links.iter().enumerate() {
            each.ends().for_each(|(end, side)| ends[end.stage.index].push(StageLinkEnd { target: end.fd, link, side }));
        }
        let environment = needs_environment(graph).then(Environment::capture);
        Self { ends, environment, numbers: GraphNumbers::new(graph) }
    }
}

/// Whether the stages need a copy of this process's environment. They need none if all of them get it as it is, and nothing can change it
/// between two launches: the process has one thread, which runs no code of the caller's, such as a subscriber that wants warnings.
fn needs_environment(graph: &Graph<'_>) -> bool {
    let commands = || graph.stages.iter().map(|stage| &stage.command);
    let in_place = graph.copiers.is_empty() && Level::WARN > LevelFilter::current() && commands().all(is_in_place);
    !in_place && commands().any(shares_environment)
}

/// Whether a stage gets this process's environment from the copy that all stages share. A command with hooks needs the environment of the
/// moment of its fork, since its hooks may change that.
fn shares_environment(command: &Command<'_>) -> bool {
    command.environment.is_from_parents() && command.hooks.is_empty()
}

/// A command during the start of its graph. The drop takes out what the start has added to it.
struct Linked<'a, 'fd>(&'a mut Command<'fd>);

impl<'a, 'fd> Linked<'a, 'fd> {
    fn new(command: &'a mut Command<'fd>, environment: Option<&Environment>) -> Self {
        if shares_environment(command) {
            command.environment.set_parents(environment.cloned());
        }
        Self(command)
    }
}

impl Drop for Linked<'_, '_> {
    fn drop(&mut self) {
        self.0.fd_map.remove_links();
        self.0.environment.set_parents(None);
    }
}

/// Stages that have been started. The drop kills and reaps them.
struct StartedStages {
    children: Vec<Option<Child>>,
}

impl StartedStages {
    fn into_children(mut self) -> Vec<Child> {
        std::mem::take(&mut self.children).into_iter().flatten().collect()
    }
}

impl Drop for StartedStages {
    fn drop(&mut self) {
        let children: Vec<Child> = self.children.drain(..).flatten().collect();
        // First all of them, so that none works on with the end of another one's output.
        for child in &children {
            let _ = child.signal(Signal::KILL); // The next call says whether it was refused.
        }
        for mut child in children {
            // The caller has not got this child, so its policy does not count.
            let _ = child.set_on_drop(OnDrop::Detach);
            if let Err(error) = child.end(&Teardown::kill()) {
                tracing::warn!(%error, "a stage of a graph that could not be started could not be ended");
            }
        }
    }
}
