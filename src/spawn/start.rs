//! `Command::spawn`, `status` and `output`.

use super::attributes::{check_on_drop, leads_group, needs};
use super::buffers::with_buffers;
use super::defaults::{Defaults, StreamDefault};
use super::foreground::Foreground;
use super::function::launch_function;
use super::interpreter;
use super::lent;
use super::numbering::Numbering;
use super::prepare::{image, prepare};
use super::rows::trace;
use super::via_isolated;
use crate::child::{Child, ParentEnds, Spawned, output_of, status_of};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::command::ChildCgroup;
use crate::command::{Command, Settings};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::group::{Group, GroupError};
use crate::isolated::Isolated;
use crate::launch::{self, HookList, LaunchError, Method, Mode, Needs};
use crate::plan::{OnDrop, Teardown};
use crate::platform::{Features, Launcher};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Output};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span};

/// A child that has been started. The functions of a start put it into a place of the caller. If they returned it, it would be copied at
/// each return, and it is large.
struct Started {
    process: Spawned,
    ends: ParentEnds,
    launcher: Launcher,
}

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
        let on_drop = self.settings.get().map(|settings| settings.on_drop.clone()).unwrap_or_default();
        self.spawn_with(&Defaults::INHERIT, on_drop, Numbering::Lowest)
    }

    /// [`Command::spawn`], with pipes for standard output and error, and for standard input if it has input, unless the command connects
    /// them. The drop of the child ends it in this way.
    pub(crate) fn spawn_piped(&mut self, has_input: bool, how: &Teardown) -> Result<Child> {
        let on_drop = OnDrop::End(how.clone());
        if let Err(refusal) = check_on_drop(&self.settings, &on_drop) {
            return Err(Problem::from(refusal).of(Subject::Spawn(self.get_program().to_owned())));
        }
        let defaults = if has_input { Defaults::EXCHANGE } else { Defaults::OUTPUT };
        self.spawn_with(&defaults, on_drop, Numbering::Lowest)
    }

    /// [`Command::spawn`], with these standard streams unless the command connects them. `on_drop` replaces the policy of the command, and
    /// `numbering` says which numbers the parent's ends and the pidfd have.
    pub(crate) fn spawn_with_streams(
        &mut self,
        streams: &[StreamDefault; 3],
        on_drop: Option<OnDrop>,
        numbering: Numbering,
    ) -> Result<Child> {
        let own = || self.settings.get().map(|settings| settings.on_drop.clone()).unwrap_or_default();
        let on_drop = on_drop.unwrap_or_else(own);
        if let Err(refusal) = check_on_drop(&self.settings, &on_drop) {
            return Err(Problem::from(refusal).of(Subject::Spawn(self.get_program().to_owned())));
        }
        self.spawn_with(&Defaults::of(streams), on_drop, numbering)
    }

    fn spawn_with(&mut self, defaults: &Defaults, on_drop: OnDrop, numbering: Numbering) -> Result<Child> {
        let mut place = None;
        self.start(defaults, true, &mut place)?;
        let Started { mut process, mut ends, launcher } = place.expect("the start has put the child there");
        let pidfd = process.pidfd().map(|pidfd| pidfd.as_raw_fd());
        if ends.numbers().chain(pidfd).any(|number| numbering.is_reserved(number)) {
            ends.replace(|end| numbering.raise(end));
            process.replace_pidfd(|pidfd| numbering.raise(pidfd));
        }
        Ok(Child::new(process, ends, launcher, on_drop))
    }

    /// Starts the child and waits for its end. The child inherits 0, 1 and 2 unless the command connects them.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait`].
    pub fn status(&mut self) -> Result<ExitStatus> {
        let mut place = None;
        let Started { process, ends, .. } = self.start(&Defaults::INHERIT, false, &mut place)?;
        status_of(process, ends).map_err(|error| self.killed_before_exec(error))
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
        let mut place = None;
        let Started { process, ends, .. } = self.start(&Defaults::OUTPUT, false, &mut place)?;
        output_of(process, ends).map_err(|error| self.killed_before_exec(error))
    }

    /// If the wait has found that the child was killed before exec, the error is one of the spawn.
    fn killed_before_exec(&self, error: Error) -> Error {
        match error.failure() {
            Failure::Killed(_) => error.with_subject(Subject::Spawn(self.get_program().to_owned())),
            _ => error,
        }
    }

    /// Starts the child, and puts it into `place`. `handle` says whether the caller gets the child. If not, the library waits for its end.
    fn start<'p>(
        &mut self,
        defaults: &Defaults,
        handle: bool,
        place: &'p mut Option<Started>,
    ) -> Result<&'p mut Started> {
        if Level::DEBUG > LevelFilter::current() {
            return self.start_in(&Span::none(), defaults, handle, place); // No subscriber wants the span.
        }
        let span = tracing::debug_span!(
            "spawn",
            program = ?self.get_program(),
            pid = tracing::field::Empty,
            launcher = tracing::field::Empty
        );
        let _entered = span.enter();
        self.start_in(&span, defaults, handle, place)
    }

    /// Starts the child, and records it in the span.
    fn start_in<'p>(
        &mut self,
        span: &Span,
        defaults: &Defaults,
        handle: bool,
        place: &'p mut Option<Started>,
    ) -> Result<&'p mut Started> {
        let started = match self.settings.get() {
            Some(_) => self.try_methods_in_group(defaults, handle, place),
            None => self.try_methods(defaults, handle, place),
        };
        match started {
            Ok(started) => {
                self.fd_map.close_moved();
                span.record("pid", started.process.id());
                span.record("launcher", tracing::field::debug(started.launcher));
                Ok(started)
            }
            Err(problem) => {
                let error = self.spawn_error(problem);
                tracing::debug!(%error, "spawn failed");
                Err(error)
            }
        }
    }

    /// The error of a spawn that has failed.
    #[cold]
    pub(super) fn spawn_error(&self, problem: Problem) -> Error {
        let problem = interpreter::diagnose(self, lent::with_callers_number(self, problem));
        problem.of(Subject::Spawn(self.get_program().to_owned()))
    }

    /// Starts the child, and remembers which process group it is in.
    #[inline(never)]
    fn try_methods_in_group<'p>(
        &mut self,
        defaults: &Defaults,
        handle: bool,
        place: &'p mut Option<Started>,
    ) -> std::result::Result<&'p mut Started, Problem> {
        let settings = &*self.settings;
        let (group, leads_group) = (settings.group, leads_group(settings));
        let joining = group.map(Group::join).transpose().map_err(|error| Problem::from(join_failure(error)))?;
        if let Some(joining) = &joining {
            self.settings.plain.process_group = Some(joining.number());
        }
        let started = self.try_methods(defaults, handle, place)?;
        let spawned = &mut started.process;
        match joining {
            Some(joining) => {
                let membership = joining.joined(spawned.id().cast_signed(), spawned.pidfd());
                spawned.set_membership(membership);
            }
            None if leads_group => spawned.set_group_leader(),
            None => {}
        }
        keep_cgroup(&self.settings, spawned);
        Ok(started)
    }

    /// Starts the child by the best method. If the kernel refuses that method, starts it by the next one.
    #[inline]
    fn try_methods<'p>(
        &mut self,
        defaults: &Defaults,
        handle: bool,
        place: &'p mut Option<Started>,
    ) -> std::result::Result<&'p mut Started, Problem> {
        let pidfd = handle && self.pidfd && !self.fd_map.missing.contains(Features::PIDFD);
        let needs = needs(self)?;
        // If the child takes the terminal, find out here whether it has executed: this function can give the terminal
        // back. So too for a member of a group, for which a later wait cannot tell, and for a child in a cgroup: if the kernel has killed it
        // there, this function tries another method.
        let attributes = self.settings.get();
        let asks = attributes.is_some_and(|settings| settings.foreground || settings.group.is_some());
        let handle = handle || asks || needs.cgroup;
        let mut refused = Features::empty();
        loop {
            let mode = Mode { method: choose(self, needs, refused)?, handle, pidfd };
            if !self.hooks.is_empty() {
                flush_stdout()?;
            }
            // The child of a function is a copy of this thread.
            let isolated = self.isolated.clone().filter(|_| self.function.is_none());
            let result = match isolated {
                Some(isolated) => launch_in_thread(&isolated, self, defaults, mode, place),
                None => launch_in_caller(self, defaults, mode, place),
            };
            match result {
                Ok(()) => return Ok(place.as_mut().expect("the launch has put the child there")),
                Err(LaunchError::Failed(problem)) if is_killed_by_clone(mode.method, &problem) => {
                    refused |= Features::INTO_CGROUP;
                }
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

/// Lets the child keep the cgroup that the library has made for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn keep_cgroup(settings: &Settings<'_>, child: &mut Spawned) {
    if let Some(cgroup) = settings.linux.cgroup.as_ref().and_then(ChildCgroup::own) {
        child.set_cgroup(cgroup.clone());
    }
}

/// Other systems have no cgroups.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn keep_cgroup(_: &Settings<'_>, _: &mut Spawned) {}

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
    place: &mut Option<Started>,
) -> std::result::Result<(), LaunchError> {
    with_buffers(|buffers| {
        let mut prepared = prepare(command, defaults, mode, buffers)?;
        trace(prepared.buffers);
        prepared.settle_environment(command)?;
        // A pidfd that the kernel makes during the clone could get the number of a closed standard stream.
        let mode = Mode { pidfd: mode.pidfd && !prepared.std_fd_was_free, ..mode };
        let errpipe = prepared.errpipe.take();
        let hooks = HookList::new(&mut command.hooks);
        let foreground = Foreground::save(command, &prepared.internal);
        let launched = match command.function.take() {
            None => launch::launch(mode, &image(command, &prepared, hooks, None), errpipe),
            Some(mut function) => {
                let image = image(command, &prepared, hooks, None);
                let launched = launch_function(mode, image, &mut function.0, errpipe);
                command.function = Some(function);
                launched
            }
        };
        match launched {
            Ok(process) => {
                *place = Some(Started { process, ends: prepared.ends, launcher: mode.method.launcher() });
                Ok(())
            }
            Err(error) => {
                let _ = foreground.as_ref().map(Foreground::restore); // The failure of the launch is the error that counts.
                Err(error)
            }
        }
    })?;
    if mode.pidfd && place.as_ref().is_some_and(|started| started.process.pidfd().is_none()) {
        add_pidfd(place);
    }
    Ok(())
}

/// Opens a pidfd for a child that the kernel has made without one.
#[inline(never)]
fn add_pidfd(place: &mut Option<Started>) {
    let with_pidfd = |started: Started| Started { process: launch::with_pidfd(started.process, true), ..started };
    *place = place.take().map(with_pidfd);
}

/// Launches the child from an isolated thread.
#[inline(never)]
fn launch_in_thread(
    isolated: &Isolated,
    command: &mut Command<'_>,
    defaults: &Defaults,
    mode: Mode,
    place: &mut Option<Started>,
) -> std::result::Result<(), LaunchError> {
    let (process, ends) = via_isolated::launch_in_thread(isolated, command, defaults, mode)?;
    *place = Some(Started { process, ends, launcher: mode.method.launcher() });
    Ok(())
}

/// Why a command cannot join a group.
pub(super) fn join_failure(error: GroupError) -> Failure {
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
