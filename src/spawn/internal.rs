//! Descriptors that the library itself needs in the child until exec.
//!
//! They are sources in the plan like any other, with numbers that the plan does not decide about, so that no target replaces
//! them and the compiler need not move them.

use super::new_fds::{ABOVE_STDIO, NewNumbers, dup_outside_plan, null, pipe};
use crate::error::{Failure, Problem};
use crate::launch::{Errpipe, Mode};
use crate::plan::{InternalFd, Plan, Role};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// Hooks may use any number, and most use low ones, so the library's descriptor gets a high one.
const ABOVE_HOOKS: RawFd = 512;

/// What the library has opened for the child until exec. A drop closes it, in the thread that has opened it.
#[derive(Default)]
pub(super) struct Internal {
    pub(super) directory: Option<OwnedFd>,
    pub(super) errpipe: Option<Errpipe>,
    scratch: Option<OwnedFd>,
}

impl Internal {
    /// Opens what this launch needs, and adds it to the plan.
    pub(super) fn open(
        plan: &mut Plan,
        mode: Mode,
        directory: Option<impl AsFd>,
        hooks: bool,
    ) -> Result<Self, Problem> {
        let mut internal = Self::default();
        if let Some(fd) = directory {
            let duplicate = dup_outside_plan(fd, ABOVE_STDIO, |number| plan.decides(number))
                .map_err(|error| Problem::io(Failure::WorkingDirectory(None), &error))?;
            plan.internal_fds.push(InternalFd { fd: duplicate.as_raw_fd(), role: Role::WorkingDirectory });
            internal.directory = Some(duplicate);
        }
        if mode.has_errpipe() {
            let pipe = errpipe(plan, hooks).map_err(cannot_open("a pipe for the report of errors"))?;
            plan.internal_fds.push(InternalFd { fd: pipe.writer.as_raw_fd(), role: Role::Errpipe });
            internal.errpipe = Some(pipe);
        }
        if plan.needs_reserved_scratch() && plan.takes_scratch() {
            let scratch = null(&mut NewNumbers::default())
                .and_then(|fd| dup_outside_plan(fd, ABOVE_STDIO, |number| plan.decides(number)))
                .map_err(cannot_open("a scratch number for a cycle"))?;
            plan.scratch = Some(scratch.as_raw_fd());
            internal.scratch = Some(scratch);
        }
        Ok(internal)
    }
}

fn cannot_open(what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::io(Failure::ParentOpen { what }, &error)
}

/// A pipe whose write end no target replaces, and if a high number is free, no hook either.
fn errpipe(plan: &Plan, hooks: bool) -> io::Result<Errpipe> {
    let decides = |number| plan.decides(number);
    let (reader, writer) = pipe(&mut NewNumbers::default())?;
    let writer = if hooks {
        dup_outside_plan(&writer, ABOVE_HOOKS, decides).or_else(|_| dup_outside_plan(&writer, ABOVE_STDIO, decides))?
    } else if decides(writer.as_raw_fd()) {
        dup_outside_plan(writer, ABOVE_STDIO, decides)?
    } else {
        writer
    };
    Ok(Errpipe { reader, writer })
}
