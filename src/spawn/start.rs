//! `Command::spawn`, `status` and `output`.

use super::attributes::needs;
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
use crate::launch::{self, HookList, LaunchError, Method, Mode, Needs};
use crate::platform::{Features, Launcher};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};

impl Command<'_> {
    /// Starts the child, and does not wait for its end. The child inherits 0, 1 and 2 unless the command connects them.
    ///
    /// It returns when the child has executed the program. If a step fails, it returns the error, and the child has been reaped.
    /// After a success it closes the descriptors that were moved into the command. After an error the command has not changed,
    /// and can be spawned again.
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
        Ok(Child::new(spawned, ends, launcher))
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

    /// The error of a wait that has found that the child was killed before exec is one of the spawn.
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
        match self.try_methods(defaults, handle) {
            Ok((process, ends, launcher)) => {
                self.fd_map.close_moved();
                span.record("pid", process.id());
                span.record("launcher", tracing::field::debug(launcher));
                Ok((keeping_cgroup(self, process), ends, launcher))
            }
            Err(problem) => {
                let problem = interpreter::diagnose(self, lent::with_callers_number(self, problem));
                let error = problem.of(Subject::Spawn(self.get_program().to_owned()));
                tracing::debug!(%error, "spawn failed");
                Err(error)
            }
        }
    }

    /// Starts the child by the best method. If the kernel refuses it, by the next one.
    fn try_methods(
        &mut self,
        defaults: &Defaults,
        handle: bool,
    ) -> std::result::Result<(Spawned, ParentEnds, Launcher), Problem> {
        let pidfd = handle && self.pidfd && !self.fd_map.missing.contains(Features::PIDFD);
        let needs = needs(self)?;
        // The error of a child that takes the terminal has to be known here, where the terminal can be given back. So does the end of a child
        // that the kernel has killed in its cgroup, where another method can be tried.
        let handle = handle || self.settings.foreground || needs.cgroup;
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
                Err(LaunchError::Failed(problem)) if is_killed_by_clone(mode.method, &problem) => {
                    refused |= Features::INTO_CGROUP;
                }
                Err(LaunchError::Failed(problem)) => return Err(problem),
                Err(LaunchError::Missing(feature)) => {
                    // The next attempt does not use it, even if the probe has found it.
                    refused |= feature;
                    launch::remember_missing(feature);
                }
            }
        }
    }
}

/// The child, which keeps the cgroup that the library has made for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keeping_cgroup(command: &Command<'_>, child: Spawned) -> Spawned {
    let cgroup = command.settings.get().and_then(|settings| settings.linux.cgroup.as_ref()?.own());
    match cgroup {
        Some(cgroup) => child.with_cgroup(cgroup.clone()),
        None => child,
    }
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keeping_cgroup(_: &Command<'_>, child: Spawned) -> Spawned {
    child
}

/// Whether a clone into a cgroup may have been the death of the child. If processes of the cgroup, or of this process's own cgroup, have ever
/// been killed by a write to `cgroup.kill`, Linux 6.18 kills each child that a clone makes in the cgroup: it compares the counts of such writes
/// of the two cgroups, where it means those of one before and after the clone. A child that joins the cgroup itself lives.
fn is_killed_by_clone(method: Method, problem: &Problem) -> bool {
    let is_killed = |status: ExitStatus| status.signal() == Some(libc::SIGKILL);
    matches!(method, Method::Clone { into_cgroup: true, .. })
        && matches!(problem.failure, Failure::Killed(status) if is_killed(status))
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

/// The method for the next attempt.
fn choose(command: &Command<'_>, needs: Needs, refused: Features) -> std::result::Result<Method, Problem> {
    let may_clone = !needs.needs_copy() && command.launcher != Launcher::Fork;
    let missing = match may_clone.then(launch::missing) {
        Some(Ok(missing)) => missing,
        // The probe failed for want of memory, processes or descriptors. A clone would fail now, too.
        Some(Err(errno)) if command.launcher == Launcher::Clone => {
            return Err(Problem::system(Failure::Launch(Launcher::Clone), errno));
        }
        Some(Err(_)) => Features::CLONE,
        None => Features::empty(),
    };
    let missing = missing | refused | command.fd_map.missing;
    Ok(Method::choose(command.launcher, needs, missing)?)
}

/// Writes what standard output has buffered, so that a hook that prints does not write it again. In the caller's thread, which may have
/// the lock of standard output: another one would wait for ever.
fn flush_stdout() -> std::result::Result<(), Problem> {
    io::stdout().flush().map_err(|error| Problem::io(Failure::Flush, &error))
}
