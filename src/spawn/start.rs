//! `Command::spawn`, `status` and `output`.

use super::attributes::{check_on_drop, leads_group, needs};
use super::buffers::with_buffers;
use super::defaults::Defaults;
use super::foreground::Foreground;
use super::interpreter;
use super::lent;
use super::prepare::{image, prepare};
use super::rows::trace;
use super::via_isolated;
use crate::child::{Child, ParentEnds, Spawned, output_of, status_of};
use crate::command::Command;
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::group::{Group, GroupError};
use crate::launch::{self, HookList, LaunchError, Method, Mode, Needs};
use crate::plan::{OnDrop, Teardown};
use crate::platform::{Features, Launcher};
use std::io::{self, Write};
use std::process::{ExitStatus, Output};

impl Command<'_> {
    /// Starts the child, and does not wait for its end. The child inherits 0, 1 and 2 unless the command connects them.
    ///
    /// The call returns when the child has executed the program. If a step fails, the call reaps the child and returns the
    /// error. After a success the call closes the descriptors that were moved into the command. After an error the command has
    /// not changed, and can be spawned again.
    ///
    /// # Errors
    ///
    /// [`Failure`] lists the steps that can fail. For invalid input it starts no child.
    ///
    /// # Platform notes
    ///
    /// On Linux, the clone launcher suspends the calling thread until the child has executed or ended. If a stop signal (SIGSTOP, or SIGTSTP
    /// for ^Z) reaches the child before exec, the child stops, and the calling thread waits for it in state D. The shell does not see this
    /// process stop until SIGCONT continues the child. `posix_spawn` and std have the same property. [`Launcher::Fork`] does not have it: on
    /// Linux the calling thread sends SIGCONT to a child that is stopped before exec.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let mut child = Command::new("sleep").arg("0").spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "posix_spawn")]
    #[doc(alias = "vfork")]
    pub fn spawn(&mut self) -> Result<Child> {
        let (spawned, ends, launcher) = self.start(&Defaults::INHERIT, true)?;
        let on_drop = self.settings.get().map(|settings| settings.on_drop.clone()).unwrap_or_default();
        Ok(Child::new(spawned, ends, launcher, on_drop))
    }

    /// [`Command::spawn`], with pipes for standard output and error, and for standard input if it has input, unless the command connects
    /// them. The drop of the child ends it in this way.
    pub(crate) fn spawn_piped(&mut self, has_input: bool, how: &Teardown) -> Result<Child> {
        let on_drop = OnDrop::End(how.clone());
        if let Err(refusal) = check_on_drop(&self.settings, &on_drop) {
            return Err(Problem::from(refusal).of(Subject::Spawn(self.get_program().to_owned())));
        }
        let defaults = if has_input { Defaults::EXCHANGE } else { Defaults::OUTPUT };
        let (spawned, ends, launcher) = self.start(&defaults, true)?;
        Ok(Child::new(spawned, ends, launcher, on_drop))
    }

    /// Starts the child and waits for its end. The child inherits 0, 1 and 2 unless the command connects them.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait`].
    pub fn status(&mut self) -> Result<ExitStatus> {
        let (spawned, ends, _) = self.start(&Defaults::INHERIT, false)?;
        status_of(spawned, ends).map_err(|error| self.killed_before_exec(error))
    }

    /// Starts the child, reads its output, and waits for its end. Unless the command connects them, standard input is
    /// `/dev/null`, and standard output and error are pipes.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait_with_output`].
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let output = Command::new("printf").arg("%s").arg("text").output()?;
    /// assert_eq!(output.stdout, b"text");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn output(&mut self) -> Result<Output> {
        let (spawned, ends, _) = self.start(&Defaults::OUTPUT, false)?;
        output_of(spawned, ends).map_err(|error| self.killed_before_exec(error))
    }

    /// If the wait has found that the child was killed before exec, the error is one of the spawn.
    fn killed_before_exec(&self, error: Error) -> Error {
        match error.failure() {
            Failure::Killed(_) => error.with_subject(Subject::Spawn(self.get_program().to_owned())),
            _ => error,
        }
    }

    /// Starts the child. `handle` says whether the caller gets the child. If not, the library waits for its end.
    fn start(&mut self, defaults: &Defaults, handle: bool) -> Result<(Spawned, ParentEnds, Launcher)> {
        let span = tracing::debug_span!(
            "spawn",
            program = ?self.get_program(),
            pid = tracing::field::Empty,
            launcher = tracing::field::Empty
        );
        let _entered = span.enter();
        match self.try_methods_in_group(defaults, handle) {
            Ok((process, ends, launcher)) => {
                self.fd_map.close_moved();
                span.record("pid", process.id());
                span.record("launcher", tracing::field::debug(launcher));
                Ok((process, ends, launcher))
            }
            Err(problem) => {
                let problem = interpreter::diagnose(self, lent::with_callers_number(self, problem));
                let error = problem.of(Subject::Spawn(self.get_program().to_owned()));
                tracing::debug!(%error, "spawn failed");
                Err(error)
            }
        }
    }

    /// Starts the child, and remembers which process group it is in.
    fn try_methods_in_group(
        &mut self,
        defaults: &Defaults,
        handle: bool,
    ) -> std::result::Result<(Spawned, ParentEnds, Launcher), Problem> {
        let Some(settings) = self.settings.get() else { return self.try_methods(defaults, handle) };
        let (group, leads_group) = (settings.group, leads_group(settings));
        let joining = group.map(Group::join).transpose().map_err(|error| Problem::from(join_failure(error)))?;
        if let Some(joining) = &joining {
            self.settings.plain.process_group = Some(joining.number());
        }
        let (mut spawned, ends, launcher) = self.try_methods(defaults, handle)?;
        match joining {
            Some(joining) => {
                let membership = joining.joined(spawned.id().cast_signed(), spawned.pidfd());
                spawned.set_membership(membership);
            }
            None if leads_group => spawned.set_group_leader(),
            None => {}
        }
        Ok((spawned, ends, launcher))
    }

    /// Starts the child by the best method. If the kernel refuses that method, starts it by the next one.
    fn try_methods(
        &mut self,
        defaults: &Defaults,
        handle: bool,
    ) -> std::result::Result<(Spawned, ParentEnds, Launcher), Problem> {
        let pidfd = handle && self.pidfd && !self.fd_map.missing.contains(Features::PIDFD);
        // If the child takes the terminal, find out here whether it has executed: this function can give the terminal
        // back. So too for a member of a group, for which a later wait cannot tell.
        let handle = handle || self.settings.foreground || self.settings.group.is_some();
        let needs = needs(self)?;
        let mut refused = Features::empty();
        loop {
            let mode = Mode { method: choose(self, needs, refused)?, handle, pidfd };
            if !self.hooks.is_empty() {
                flush_stdout()?;
            }
            let result = match self.isolated.clone() {
                Some(isolated) => via_isolated::launch_in_thread(&isolated, self, defaults, mode),
                None => launch_in_caller(self, defaults, mode),
            };
            match result {
                Ok((process, ends)) => return Ok((process, ends, mode.method.launcher())),
                Err(LaunchError::Failed(problem)) => return Err(problem),
                Err(LaunchError::Missing(feature)) => {
                    // The next attempt does not use the feature, even if the probe has found it.
                    refused |= feature;
                    launch::remember_missing(feature);
                }
            }
        }
    }
}

/// Launches the child from the calling thread.
fn launch_in_caller(
    command: &mut Command<'_>,
    defaults: &Defaults,
    mode: Mode,
) -> std::result::Result<(Spawned, ParentEnds), LaunchError> {
    with_buffers(|buffers| {
        let mut prepared = prepare(command, defaults, mode, buffers)?;
        trace(prepared.buffers);
        // A pidfd that the kernel makes during the clone could get the number of a closed standard stream.
        let mode = Mode { pidfd: mode.pidfd && !prepared.std_fd_was_free, ..mode };
        let errpipe = prepared.errpipe.take();
        let hooks = HookList::new(&mut command.hooks);
        let foreground = Foreground::save(command, &prepared.internal);
        let launched = launch::launch(mode, &image(command, &prepared, hooks, None), errpipe);
        if let (Err(_), Some(foreground)) = (&launched, foreground) {
            let _ = foreground.restore(); // The failure of the launch is the error that counts.
        }
        Ok((launched?, prepared.ends))
    })
    .map(|(process, ends)| (launch::with_pidfd(process, mode.pidfd), ends))
}

/// Why a command cannot join a group.
fn join_failure(error: GroupError) -> Failure {
    if error == GroupError::NoLeader { Failure::GroupGone } else { error.failure() }
}

/// The method for the next attempt.
fn choose(command: &Command<'_>, needs: Needs, refused: Features) -> std::result::Result<Method, Problem> {
    let may_clone = !needs.needs_copy() && command.launcher != Launcher::Fork;
    let missing = match may_clone.then(launch::missing) {
        Some(Ok(missing)) => missing,
        // The probe failed since there is no memory, process or descriptor left. A clone would fail now, too.
        Some(Err(errno)) if command.launcher == Launcher::Clone => {
            return Err(Problem::system(Failure::Launch(Launcher::Clone), errno));
        }
        Some(Err(_)) => Features::CLONE,
        None => Features::empty(),
    };
    let missing = missing | refused | command.fd_map.missing;
    Ok(Method::choose(command.launcher, needs, missing)?)
}

/// Writes what standard output has buffered, so that a hook that prints does not write it again. Call this in the caller's thread: that
/// thread may hold the lock of standard output, and another thread would wait for it for ever.
fn flush_stdout() -> std::result::Result<(), Problem> {
    io::stdout().flush().map_err(|error| Problem::io(Failure::Flush, &error))
}
