//! `CopyThreads`: the threads of a graph's tees and spools.

use super::copier::Copier;
use super::copy::{CopyPipes, CopyStore, copy};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::fd::standard::{dup_above_stdio, lock_stdio_numbers_if_closed};
use crate::sys;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::thread::{Builder, JoinHandle};

/// The threads of the tees and spools of a graph. A drop lets them go on until their pipes end.
#[derive(Debug, Default)]
pub(super) struct CopyThreads {
    threads: Vec<JoinHandle<std::result::Result<(), Errno>>>,
    /// Tells the threads that all stages have ended. `None` without threads.
    over: Option<OwnedFd>,
}

impl CopyThreads {
    /// Starts the threads, all or none. `take` takes the end that the library has of a link.
    pub(super) fn start(
        copiers: &[Copier],
        take: impl FnMut(usize) -> Option<OwnedFd>,
    ) -> std::result::Result<Self, Problem> {
        let mut threads = Self::default();
        if copiers.is_empty() {
            return Ok(threads);
        }
        if let Err(problem) = threads.start_all(copiers, take) {
            // No stage has been started, so the pipes of the other threads are empty, and these threads end at once.
            if let Err(error) = threads.finish() {
                tracing::warn!(%error, "the thread of a graph that could not be started has failed");
            }
            return Err(problem);
        }
        Ok(threads)
    }

    fn start_all(
        &mut self,
        copiers: &[Copier],
        mut take: impl FnMut(usize) -> Option<OwnedFd>,
    ) -> std::result::Result<(), Problem> {
        let _guard = lock_stdio_numbers_if_closed();
        let what = "a descriptor of a tee or a spool";
        let failed = |error: io::Error| Problem::io(Failure::ParentOpen { what }, &error);
        // No stage must find one of these at a standard stream that is closed here.
        let over = eventfd(0, EventfdFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let over = self.over.insert(dup_above_stdio(over).map_err(failed)?);
        for Copier { kind, input, outputs } in copiers {
            let Some(input) = take(*input) else { continue };
            let outputs = outputs.iter().filter_map(|output| take(*output)).collect();
            let over = over.try_clone().map_err(failed)?;
            let store = CopyStore::open(*kind).map_err(failed)?;
            let (kind, pipes) = (*kind, CopyPipes { input, outputs, over });
            let run = move || {
                // Signals are for other threads; and a write to a pipe without a reader must not end the process.
                sys::set_signal_mask(&sys::every_signal())?;
                copy(kind, pipes, &store)
            };
            let thread = Builder::new().name("fdspawn copy".to_owned()).spawn(run);
            self.threads.push(thread.map_err(|error| Problem::io(Failure::Thread, &error))?);
        }
        Ok(())
    }

    /// After the ends of all stages: lets the threads move what is left, and waits for them.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some(over) = self.over.take() else { return Ok(()) };
        let mut result = rustix::io::write(&over, &1_u64.to_ne_bytes()).map(drop);
        for thread in self.threads.drain(..) {
            let copied = thread.join().unwrap_or(Err(Errno::CANCELED));
            result = result.and(copied);
        }
        result.map_err(|errno| Error::new(Subject::Between, Failure::Write, Some(errno)))
    }
}
