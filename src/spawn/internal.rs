//! Descriptors that the library itself needs in the child until exec.
//!
//! The plan lists these descriptors. Their numbers are neither targets nor to be closed, so no step replaces them, and the child
//! does not have to move them.

use super::lent::Lent;
use super::new_fds::{ABOVE_STDIO, NewNumbers, dup_outside_plan, null, pipe};
use crate::error::{Failure, Problem};
use crate::launch::{Errpipe, Method, Mode};
use crate::plan::{InternalFd, Plan, Role};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A hook may open descriptors, which get low numbers, and may use any number. So with hooks the errpipe gets a high number.
pub(super) const ABOVE_HOOKS: RawFd = 512;

/// What the library has opened for the child until exec. A drop closes these descriptors. Drop the value in the thread that has
/// opened them, since an isolated thread has a table of its own.
#[derive(Default)]
pub(super) struct Internal {
    /// Each is a duplicate that closes at exec.
    pub(super) lent: Lent<OwnedFd>,
    /// The directory of the cgroup in which the kernel makes the child. No step has it.
    pub(super) into_cgroup: Option<RawFd>,
    pub(super) errpipe: Option<Errpipe>,
    scratch: Option<OwnedFd>,
}

impl Internal {
    /// Opens the descriptors that this launch needs, and adds them to the plan.
    pub(super) fn open(plan: &mut Plan, mode: Mode, lent: Lent<impl AsFd>) -> Result<Self, Problem> {
        let mut internal = Self::default();
        if !lent.is_empty() {
            internal.duplicate_lent(plan, mode, lent)?;
        }
        if mode.has_errpipe() {
            let pipe = errpipe(plan).map_err(cannot_open("a pipe for the report of errors"))?;
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

    #[inline(never)]
    fn duplicate_lent(&mut self, plan: &mut Plan, mode: Mode, mut lent: Lent<impl AsFd>) -> Result<(), Problem> {
        if matches!(mode.method, Method::Clone { into_cgroup: true, .. }) {
            self.into_cgroup = lent.cgroup.take().map(|fd| fd.as_fd().as_raw_fd());
        }
        self.lent = lent.try_map(|role, fd| {
            let duplicate = duplicate(plan, role, fd.as_fd()).map_err(|error| Problem::io(failure(role), &error))?;
            plan.internal_fds.push(InternalFd { fd: duplicate.as_raw_fd(), role });
            Ok::<_, Problem>(duplicate)
        })?;
        Ok(())
    }
}

/// A duplicate of a descriptor that the child needs. No target has its number. The child executes the program after the hooks, which
/// use low numbers. So with hooks the program's descriptor gets a high number, if one is free.
fn duplicate(plan: &Plan, role: Role, fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let above = |first| dup_outside_plan(fd, first, |number| plan.decides(number));
    match first_number(plan, role) {
        ABOVE_STDIO => above(ABOVE_STDIO),
        first => above(first).or_else(|_| above(ABOVE_STDIO)),
    }
}

/// The number from which on a duplicate for this role is looked for.
pub(super) fn first_number(plan: &Plan, role: Role) -> RawFd {
    if plan.hooks && role == Role::Program { ABOVE_HOOKS } else { ABOVE_STDIO }
}

fn failure(role: Role) -> Failure {
    match role {
        Role::WorkingDirectory => Failure::WorkingDirectory(None),
        Role::Program => Failure::ParentOpen { what: "the program's descriptor for the child" },
        Role::Terminal => Failure::ParentOpen { what: "the terminal's descriptor for the child" },
        Role::Cgroup => Failure::ParentOpen { what: "the cgroup's descriptor for the child" },
        Role::Errpipe => Failure::ParentOpen { what: "a pipe for the report of errors" },
    }
}

fn cannot_open(what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::io(Failure::ParentOpen { what }, &error)
}

/// Opens an errpipe. No target has the number of its write end. If there are hooks and a high number is free, the write end
/// gets a high number.
fn errpipe(plan: &Plan) -> io::Result<Errpipe> {
    let decides = |number| plan.decides(number);
    let (reader, writer) = pipe(&mut NewNumbers::default())?;
    let writer = if plan.hooks {
        dup_outside_plan(&writer, ABOVE_HOOKS, decides).or_else(|_| dup_outside_plan(&writer, ABOVE_STDIO, decides))?
    } else if decides(writer.as_raw_fd()) {
        dup_outside_plan(writer, ABOVE_STDIO, decides)?
    } else {
        writer
    };
    Ok(Errpipe { reader, writer })
}
