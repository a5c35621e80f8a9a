//! A job of several programs: a pipeline.

use crate::job::{Job, has_got_from_kernel};
use crate::tree::needs_cont;
use fdspawn::{Group, Process, Running, Signal, Slot, StageId, Statuses};
use rustix::process::{Pid, getpgid};
use std::io::PipeReader;
use std::process::ExitStatus;

/// The stages of a pipeline, and the processes that end with them.
pub struct Stages {
    running: Running,
    ids: Vec<StageId>,
    /// The process group of all stages, with `--tree group`.
    group: Option<Group>,
    pub statuses: Option<Statuses>,
}

impl Stages {
    pub fn new(running: Running, ids: Vec<StageId>, group: Option<Group>) -> Self {
        Self { running, ids, group, statuses: None }
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.ids.iter().filter_map(|id| self.running.process(*id))
    }

    /// Sends a signal to all. fdrun does not tell that it may not signal a process, since that runs as another user.
    fn send(&self, signal: Signal) {
        let Some(group) = &self.group else {
            let _ = self.running.signal(signal);
            return;
        };
        let _ = group.signal(signal);
        // A stage may have joined another group since, as the shell of a terminal does.
        let id = group.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let is_outside = |process: &&Process| {
            let pid = Pid::from_raw(process.id().cast_signed());
            pid.is_some_and(|pid| getpgid(Some(pid)).ok() != id)
        };
        self.processes().filter(is_outside).for_each(|process| _ = process.signal(signal));
    }
}

impl Job for Stages {
    fn take(&mut self, slot: Slot<PipeReader>) -> Option<PipeReader> {
        self.running.take(slot)
    }

    fn signal(&mut self, signal: Signal) {
        self.send(signal);
        if needs_cont(signal) {
            self.send(Signal::CONT);
        }
    }

    fn pass_on(&mut self, signal: Signal, is_from_kernel: bool) -> bool {
        if self.group.is_some() {
            self.signal(signal); // The kernel has not sent it to this group.
            return true;
        }
        let is_to_get =
            |process: &&Process| !(is_from_kernel && has_got_from_kernel(process.id().cast_signed(), signal));
        // A stage that has been reaped gets nothing.
        let sent = self.processes().filter(is_to_get).map(|process| !matches!(process.signal(signal), Ok(false)));
        sent.fold(false, |any, sent| any | sent)
    }

    fn statuses(&mut self) -> fdspawn::Result<Option<Vec<ExitStatus>>> {
        if self.statuses.is_none() {
            // Not `Running::step`: SIGCHLD wakes fdrun, and not the descriptor of the graph.
            for process in self.processes() {
                if process.try_wait()?.is_none() {
                    return Ok(None);
                }
            }
            self.statuses = Some(self.running.wait()?);
            if let Some(group) = &self.group {
                let _ = group.signal(Signal::KILL); // This fails if no process is left.
            }
        }
        Ok(self.statuses.as_ref().map(|statuses| statuses.iter().map(|stage| stage.status).collect()))
    }
}
