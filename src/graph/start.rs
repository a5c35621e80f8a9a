//! Starts a graph: all stages or none.

use super::graph::Graph;
use super::layout::{fork_and_join, launch_order, stage_in_cycle};
use super::link::GraphLink;
use super::open::OpenLinks;
use super::threads::CopyThreads;
use crate::child::{Child, ParentEnds};
use crate::command::Command;
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::plan::{OnDrop, Teardown};
use crate::spawn::StreamDefault;
use rustix::process::Signal;
use std::os::fd::RawFd;

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
        for index in 0..self.stages.len() {
            self.check_stage(index)?;
        }
        self.warn();
        let failed = |problem: Problem| problem.of(Subject::Graph);
        let (mut links, ends) = OpenLinks::new(&self.links, self.capacity).map_err(failed)?;
        let mut threads = CopyThreads::default();
        // Before the first stage: whether the kernel moves bytes between pipes is known by then.
        let can_copy = threads.start(&self.copiers, |link| links.take_copy_end(link));
        let count = self.stages.len();
        let mut started = StartedStages { children: (0..count).map(|_| None).collect() };
        let mut launch_all = || {
            for index in launch_order(count, &self.links, &self.copiers) {
                started.children[index] = Some(self.launch(index, &links, &defaults(index, count))?);
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
        // From here on only the stages, and the caller's slots, have ends.
        drop(links);
        Ok(StartedGraph { children: started.into_children(), ends, threads })
    }

    /// Checks a stage with all ends of its links, of which none is open.
    fn check_stage(&mut self, index: usize) -> Result<()> {
        let command = &mut self.stages[index].command;
        let ends = self.links.iter().flat_map(GraphLink::ends).filter(|(end, _)| end.stage.index == index);
        ends.for_each(|(end, _)| command.fd_map.expect_link(end.fd));
        let checked = Linked(command).0.check_start();
        checked.map_err(|error| of_stage(error, index, &self.stages[index].command))
    }

    /// Launches one stage.
    fn launch(&mut self, index: usize, links: &OpenLinks, defaults: &StreamDefaults) -> Result<Child> {
        let ends = self.links.iter().enumerate().flat_map(|(link, ends)| {
            let own = ends.ends().filter(|(end, _)| end.stage.index == index);
            own.filter_map(move |(end, side)| Some((end.fd, links.number(link, side)?)))
        });
        let ends: Vec<(RawFd, RawFd)> = ends.collect();
        let on_drop = self.on_drop.clone();
        let command = &mut self.stages[index].command;
        let linked = Linked::new(command, &ends);
        let child = linked.0.spawn_with_streams(defaults, on_drop);
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

/// A command with the ends of its links. The drop takes them out.
struct Linked<'a, 'fd>(&'a mut Command<'fd>);

impl<'a, 'fd> Linked<'a, 'fd> {
    fn new(command: &'a mut Command<'fd>, ends: &[(RawFd, RawFd)]) -> Self {
        ends.iter().for_each(|&(target, number)| command.fd_map.add_link(target, number));
        Self(command)
    }
}

impl Drop for Linked<'_, '_> {
    fn drop(&mut self) {
        self.0.fd_map.remove_links();
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
