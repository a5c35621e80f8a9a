//! `OwnedProcess`: the process of a `Child`, with what the drop of the `Child` does to it.

use super::end::Patience;
use super::process::end;
use super::spawned::Spawned;
use crate::plan::{OnDrop, Teardown};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// The process of a `Child`.
#[derive(Debug)]
pub(super) struct OwnedProcess {
    process: Arc<Spawned>,
    /// How the drop ends the process; `None` if it does nothing.
    on_drop: Option<Box<Teardown>>,
}

impl OwnedProcess {
    pub(super) fn new(process: Spawned, on_drop: OnDrop) -> Self {
        let mut process = Self { process: Arc::new(process), on_drop: None };
        process.set_on_drop(on_drop);
        process
    }

    pub(super) fn set_on_drop(&mut self, on_drop: OnDrop) {
        self.on_drop = match on_drop {
            OnDrop::Detach => None,
            OnDrop::End(how) => Some(Box::new(how)),
        };
    }

    /// Takes the process out. From then on no drop ends it.
    pub(super) fn detach(mut self) -> Arc<Spawned> {
        self.on_drop = None;
        Arc::clone(&self.process)
    }
}

impl Deref for OwnedProcess {
    type Target = Arc<Spawned>;

    fn deref(&self) -> &Arc<Spawned> {
        &self.process
    }
}

impl DerefMut for OwnedProcess {
    fn deref_mut(&mut self) -> &mut Arc<Spawned> {
        &mut self.process
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        let Some(how) = self.on_drop.take() else { return };
        // In a forked copy of the process, the child is no child. After a wait has returned the status, this drop does nothing: the
        // caller has seen the end of the child, and what the child has left may go on.
        if self.process.is_in_copy() || self.process.is_reaped() {
            return;
        }
        if let Err(error) = end(&self.process, &how, Patience::Short) {
            tracing::warn!(%error, "the drop of a child could not end it");
        }
    }
}
