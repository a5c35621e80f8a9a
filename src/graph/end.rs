//! Ends all stages of a graph that has been started.

use crate::error::Result;
use crate::exchange::{Children, Member};
use crate::plan::{OnDrop, Reach, Teardown};
use rustix::process::Signal;

/// Starts to end all stages. A stage without a way to all processes that should be reached is ended alone, and the call returns the error.
pub(super) fn start_to_end(stages: &mut Children<'_, usize>, how: &Teardown) -> Result<()> {
    let alone = Teardown { reach: Reach::Process, ..how.clone() };
    let mut started = Ok(());
    for member in members(stages) {
        let result = stages.end(member, how);
        if result.is_err() {
            // If this fails too, the first error says why.
            let _ = stages.end(member, &alone);
        }
        started = started.and(result.map(drop));
    }
    started
}

/// Kills and reaps all stages that are left, after an error of the set of events.
pub(super) fn kill_all(stages: &mut Children<'_, usize>) {
    let members = members(stages);
    for process in members.iter().filter_map(|&member| stages.process(member)) {
        let _ = process.signal(Signal::KILL); // The next call says whether it was refused.
    }
    for member in members {
        let Some((mut child, ..)) = stages.remove(member) else { continue };
        // The caller has not got this child, so its policy does not count.
        let _ = child.set_on_drop(OnDrop::Detach);
        if let Err(error) = child.end(&Teardown::kill()) {
            tracing::warn!(%error, "a stage of a graph could not be ended");
        }
    }
}

fn members(stages: &Children<'_, usize>) -> Vec<Member> {
    stages.tags().map(|(member, _)| member).collect()
}
