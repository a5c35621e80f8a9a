//! A job of one program.

use crate::job::{Job, has_got_from_kernel};
use crate::tree::Tree;
use fdspawn::{Child, Signal, Slot};
use std::io::PipeReader;
use std::process::ExitStatus;

/// The program, and the processes that end with it.
pub struct Single {
    pub child: Child,
    pub tree: Tree,
}

impl Job for Single {
    fn take(&mut self, slot: Slot<PipeReader>) -> Option<PipeReader> {
        self.child.take(slot)
    }

    fn signal(&mut self, signal: Signal) {
        self.tree.signal(&self.child, signal);
    }

    fn pass_on(&mut self, signal: Signal, is_from_kernel: bool) -> bool {
        // This thread has not reaped the program yet.
        if is_from_kernel && has_got_from_kernel(self.child.id().cast_signed(), signal) {
            return false;
        }
        if self.tree.is_process() {
            // The call fails if the program runs as another user. Then the program may not be signalled by this user at all.
            let _ = self.child.signal(signal);
        } else {
            self.signal(signal);
        }
        true
    }

    fn statuses(&mut self) -> fdspawn::Result<Option<Vec<ExitStatus>>> {
        Ok(self.tree.status(&self.child)?.map(|status| vec![status]))
    }
}
