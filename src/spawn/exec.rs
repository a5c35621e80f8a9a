//! `Command::exec`: the plan in this process.

use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::exec_changes::{Changed, Targets};
use super::interpreter;
use super::lent;
use super::prepare::{image, prepare};
use super::start::join_failure;
use crate::command::Command;
use crate::error::{Error, Failure, Problem, Subject};
use crate::launch::{HookList, LaunchError, Mode, launch};

impl Command<'_> {
    /// Executes the program in this process (`execve(2)`), with the descriptors of the map. It returns only if that fails.
    ///
    /// No destructor of this process runs, and no buffer is flushed. The process keeps its process id, its record locks and its
    /// signal mask. Ignored signals stay ignored, other than SIGPIPE.
    ///
    /// **Targets.** The steps run in the descriptor table of this process, in which other threads work at the same time. So a target
    /// above 2 must be one of these, or [`Refusal::TargetInUse`] is the error: the source's own number, the number of a descriptor that
    /// was moved into the command, or a number that is free. [`Command::exec_any_target`] has no such rule. Targets 0 to 2 replace the
    /// standard streams, as with `std::process`.
    ///
    /// **The rest.** With [`Rest::Close`], close-on-exec is set of all descriptors that are open and that the map does not name. If another
    /// thread opens a descriptor without close-on-exec after that, the program gets it: only a spawn can exclude that.
    ///
    /// **After a failure** the targets, the working directory, the umask, the signal mask, the dispositions of signals and the terminal's
    /// foreground group (unless the process has made a new session) are as they were. Other
    /// attributes that were set before the failure stay set: no call gives back a user or a limit. Close-on-exec stays set of
    /// the rest: another thread may have closed such a number meanwhile and opened it again, so it is not cleared. What hooks have done
    /// stays. Until `exec` returns, other threads see the changes.
    ///
    /// [`Refusal::TargetInUse`]: crate::plan::Refusal::TargetInUse
    /// [`Rest::Close`]: crate::Rest::Close
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] other than [`Failure::Launch`], and [`Failure::NotRestored`].
    ///
    /// ```no_run
    /// let error = fdspawn::Command::new("true").exec();
    /// eprintln!("{error}"); // The process executes this line only if the exec has failed.
    /// ```
    #[doc(alias = "execve")]
    pub fn exec(&mut self) -> Error {
        self.exec_with(Targets::OwnAndFree)
    }

    /// [`Command::exec`], with any number as a target.
    ///
    /// A failure restores what the targets were, and clears close-on-exec again of the rest.
    ///
    /// # Errors
    ///
    /// Those of [`Command::exec`], other than `TargetInUse`.
    ///
    /// # Safety
    ///
    /// Until this returns, no other thread of the process uses, opens or closes a descriptor: its number may be a target, or may get
    /// other flags.
    ///
    /// ```no_run
    /// let log = std::fs::File::create("log")?;
    /// // SAFETY: this process has one thread.
    /// let error = unsafe { fdspawn::Command::new("true").fd(7, &log).exec_any_target() };
    /// eprintln!("{error}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[allow(unsafe_code, reason = "only the caller knows what other threads do")]
    pub unsafe fn exec_any_target(&mut self) -> Error {
        self.exec_with(Targets::Any)
    }

    fn exec_with(&mut self, targets: Targets) -> Error {
        let subject = Subject::Exec(self.get_program().to_owned());
        if self.function.is_some() {
            return Problem::from(Failure::FunctionNeedsFork).of(subject);
        }
        if let Some(group) = self.settings.get().and_then(|settings| settings.group) {
            // The place is not reserved: a hook that runs in this thread may ask the group.
            match group.join().map(|joining| joining.number()) {
                Ok(number) => self.settings.plain.process_group = Some(number),
                Err(error) => return Problem::from(join_failure(error)).of(subject),
            }
        }
        let problem = with_buffers(|buffers| match self.replace(buffers, targets) {
            LaunchError::Failed(problem) => problem,
            LaunchError::Missing(_) => Failure::Exec.into(), // Does not occur: a launch in place needs no feature.
        });
        interpreter::diagnose(self, lent::with_callers_number(self, problem)).of(subject)
    }

    fn replace(&mut self, buffers: &mut Buffers, targets: Targets) -> LaunchError {
        let mut prepared = match prepare(self, &Defaults::INHERIT, Mode::IN_PLACE, buffers) {
            Ok(prepared) => prepared,
            Err(problem) => return problem.into(),
        };
        let mut changed = Changed::default();
        let error = match prepared.settle_environment(self).and_then(|()| changed.make(self, &prepared, targets)) {
            Err(problem) => problem.into(),
            Ok(()) => {
                let hooks = HookList::new(&mut self.hooks);
                let result = launch(Mode::IN_PLACE, &image(self, &prepared, hooks, None), None);
                result.err().unwrap_or(Failure::Exec.into())
            }
        };
        match changed.restore() {
            Ok(()) => error,
            Err((what, errno)) => {
                let exec = match error {
                    LaunchError::Failed(problem) => problem.to_string(),
                    LaunchError::Missing(_) => String::new(),
                };
                Problem::system(Failure::NotRestored { what, exec }, errno).into()
            }
        }
    }
}
