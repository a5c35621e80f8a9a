//! `Graph::status`: a graph from its start to its end in one call.

use super::form::GraphForm;
use super::graph::Graph;
use super::running::Running;
use super::start::StartedGraph;
use super::statuses::Statuses;
use crate::child::Child;
use crate::error::Result;
use crate::spawn::StreamDefault;

impl Graph<'_> {
    /// Starts all stages and waits for them. Meanwhile it reads the ends of slots, and drops the bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::spawn`] and [`Running::wait`](crate::Running::wait).
    pub fn status(&mut self) -> Result<Statuses> {
        let started = self.start(|_, _| [StreamDefault::Inherit; 3])?;
        if started.ends.has_any() || started.children.iter().any(Child::has_ends) {
            return Running::new(self, started).wait_and_discard();
        }
        wait_for_each(GraphForm::new(self), started)
    }
}

/// Waits for one stage after the other: this process has nothing to do meanwhile, and no other thread has a handle of a stage. Each wait is one
/// system call, and a set of events would take three for each stage.
fn wait_for_each(form: GraphForm, mut started: StartedGraph) -> Result<Statuses> {
    let (mut stages, mut result) = (Vec::with_capacity(started.children.len()), Ok(()));
    for (index, child) in started.children.iter_mut().enumerate() {
        match child.wait() {
            Ok(status) => stages.push(form.status(index, status, Some(child))),
            Err(error) => result = result.and(Err(error)),
        }
    }
    result.and(started.threads.finish())?;
    Ok(form.statuses(stages))
}
