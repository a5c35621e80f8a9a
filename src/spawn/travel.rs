//! A spawn whose sources go to the table of another thread.

use super::descriptors::soft_limit;
use super::passing::Received;
use super::prepare::{Defaults, Demands, Finish, Prepared, Problem, arrange, prepare_sources};
use crate::command::{Command, Directory};
use std::os::fd::{AsFd, AsRawFd, RawFd};

/// What is prepared for the thread's table, on both sides of the journey.
pub(super) struct Travel {
    pub(super) prepared: Prepared,
    demands: Demands,
    /// Where the working directory is among what travels.
    directory: Option<usize>,
    /// Whether the working directory is a path, which does not travel.
    has_path: bool,
    hooks: bool,
}

impl Travel {
    /// Prepares what needs the caller's table. The numbers returned are those of all that has to travel, in order.
    pub(super) fn pack(
        command: &Command<'_>,
        defaults: &Defaults,
        demands: Demands,
    ) -> Result<(Self, Vec<RawFd>), Problem> {
        let mut prepared = prepare_sources(command, defaults, demands)?;
        prepared.standard_closed = false; // There are no standard streams in the thread's table.
        prepared.buffers.plan.limit = soft_limit();
        let mut numbers = prepared.buffers.plan.take_sources();
        let directory = match &command.directory {
            Directory::Descriptor(fd) => {
                numbers.push(fd.as_raw_fd());
                Some(numbers.len() - 1)
            }
            _ => None,
        };
        let has_path = matches!(command.directory, Directory::Path(_));
        Ok((Self { prepared, demands, directory, has_path, hooks: !command.hooks.is_empty() }, numbers))
    }

    /// Compiles the steps for the thread's table, in the thread, with what has arrived there.
    pub(super) fn unpack(&mut self, received: Received<'_>) -> Result<(), Problem> {
        self.prepared.buffers.plan.put_sources(|place| received[place].as_raw_fd());
        let directory = match self.directory.and_then(|place| received.get(place)) {
            Some(fd) => Directory::Descriptor(fd.as_fd()),
            None if self.has_path => Directory::Path(Default::default()),
            None => Directory::Inherit,
        };
        arrange(&mut self.prepared, self.demands, Finish::Exec { directory: &directory, hooks: self.hooks })
    }
}
