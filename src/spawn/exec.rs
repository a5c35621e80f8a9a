//! `Command::exec`: the plan, in this process.

use super::prepare::{self, Defaults, Demands, Problem};
use super::report::SharedReport;
use super::signals::Blocked;
use super::{child, clone, hooks, plan, probe, problem, sys};
use crate::command::Command;
use crate::error::{Error, Failure, Subject};
use crate::plan::Start;
use crate::rungs::Rungs;

impl Command<'_> {
    /// Replaces this process by the program, with the descriptors of the plan. It returns only if that fails.
    ///
    /// Destructors of this process do not run, and its buffers are not flushed.
    ///
    /// # Platform notes
    ///
    /// On Linux a failure leaves this process as it was: the steps run in a thread that has a descriptor table and a
    /// working directory of its own, and that takes the process with it only if the exec succeeds. Where clone is
    /// refused, and on other systems, the steps run in the calling thread, as those of `std::process` do: after a
    /// failure, descriptors and working directory are whatever the steps have made of them.
    ///
    /// ```no_run
    /// let error = fdspawn::Command::new("true").exec();
    /// eprintln!("{error}"); // not reached, if there is a `true`
    /// ```
    #[doc(alias = "execve")]
    pub fn exec(&mut self) -> Error {
        let Problem { failure, errno } = match self.replace() {
            Ok(never) => match never {},
            Err(problem) => problem,
        };
        Error::new(Subject::Exec(self.get_program().to_owned()), failure, errno)
    }

    fn replace(&mut self) -> Result<std::convert::Infallible, Problem> {
        let missing = self.without | probe::missing();
        let demands = Demands { start: Start::Copied, report_pipe: false, reset_handlers: false };
        let prepared = prepare::prepare(self, Defaults::INHERIT, demands)?;
        let memory = SharedReport::new();
        let runner = hooks::Runner::new(&mut self.hooks);
        // The disposition of a signal is the whole process's.
        let sigpipe = sys::Disposition::of(libc::SIGPIPE);
        let result = {
            let blocked = Blocked::all();
            let plan = plan(self, &prepared, runner, &memory, blocked.before());
            if missing.contains(Rungs::CLONE) {
                child::run_steps(&plan);
                Ok(())
            } else {
                // SAFETY: all signals are blocked, and the plan is made for a thread.
                unsafe { clone::thread(!missing.contains(Rungs::CLONE3), &plan) }
            }
        };
        sigpipe.restore();
        result.map_err(|errno| Problem::system(Failure::Launch(crate::Launcher::Clone), errno))?;
        Err(match memory.get() {
            Some(report) => problem(report, &prepared.steps, self),
            None => Failure::Exec.into(),
        })
    }
}
