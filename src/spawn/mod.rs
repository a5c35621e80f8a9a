//! From a command to a child: prepare, launch, and the child's own code.
#![allow(unsafe_code, reason = "this is the room for it: clone, fork, and system calls in the child")]

mod buffers;
mod child;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod clone;
mod descriptors;
mod exec;
mod explain;
mod fork;
mod hooks;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "no_isolated.rs")]
mod isolated;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod no_clone;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod passing;
mod prepare;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod probe;
mod programs;
mod report;
mod run;
mod signals;
mod sources;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stack;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod travel;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use self::{no_clone as clone, no_clone as probe};

pub use self::isolated::Isolated;
pub use self::run::fork_run;

use self::child::{Orders, Reporter};
use self::prepare::{Defaults, Demands, Prepared, Problem};
use self::report::{Cause, PipeEnd, Report, SharedReport};
use self::signals::Blocked;
use crate::command::Command;
use crate::error::{Error, Failure, Result, Subject};
use crate::plan::{Rest, Start, Step};
use crate::platform::{Features, Launcher};
use crate::process::{Child, Handles, Process};
use crate::sys;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::{ExitStatus, Output};

impl Command<'_> {
    /// Starts the child, and does not wait for it. 0, 1 and 2 are inherited unless the command says otherwise.
    ///
    /// When it returns, the child has become the program, or an error says which step failed and nothing is left of
    /// the child. Descriptors that were moved into the command are then closed here; on an error the command is as it
    /// was.
    ///
    /// # Errors
    ///
    /// [`Failure`] has the steps: bad input is refused before anything is cloned.
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
        let Started { process, handles, launcher } = self.start(Defaults::INHERIT, Purpose::Handle)?;
        Ok(Child::new(process, handles, launcher))
    }

    /// Starts the child and waits for it. 0, 1 and 2 are inherited unless the command says otherwise.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait`].
    pub fn status(&mut self) -> Result<ExitStatus> {
        let Started { process, handles, launcher } = self.start(Defaults::INHERIT, Purpose::Status)?;
        Child::new(process, handles, launcher).wait()
    }

    /// Starts the child, waits for it and collects its output. Standard input is `/dev/null` and output and error are
    /// piped, unless the command says otherwise.
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
        let Started { process, handles, launcher } = self.start(Defaults::OUTPUT, Purpose::Status)?;
        Child::new(process, handles, launcher).wait_with_output()
    }

    fn start(&mut self, defaults: &Defaults, purpose: Purpose) -> Result<Started> {
        self.start_by(purpose, |command, order| match command.isolated {
            Some(isolated) => isolated.launch(command, defaults, order),
            None => launch(command, defaults, order),
        })
    }

    /// Starts the child by a function that launches it, which is called again where a rung turns out to be missing.
    fn start_by(
        &mut self,
        purpose: Purpose,
        mut launch: impl FnMut(&mut Self, Order) -> std::result::Result<(Launched, Handles), Problem>,
    ) -> Result<Started> {
        let span = tracing::debug_span!(
            "spawn",
            program = ?self.get_program(),
            pid = tracing::field::Empty,
            launcher = tracing::field::Empty
        );
        let _entered = span.enter();
        let pidfd = purpose == Purpose::Handle && !self.fd_map.missing.contains(Features::PIDFD);
        let told = is_told();
        let mut refused = Features::empty();
        let result = loop {
            let way = match choose(self, refused) {
                Ok(way) => way,
                Err(problem) => break Err(problem),
            };
            match launch(self, Order { way, purpose, pidfd, told }) {
                Ok((Launched::Started(Running { pid, pidfd }), handles)) => {
                    break Ok(Started { process: Process::new(pid, pidfd), handles, launcher: way.launcher() });
                }
                Ok((Launched::Refused(feature), _)) => {
                    // What has just been refused is not tried again, whatever else is known.
                    refused |= feature;
                    probe::lost(feature);
                }
                Err(problem) => break Err(problem),
            }
        };
        match result {
            Ok(started) => {
                self.fd_map.close_moved();
                span.record("pid", started.process.id());
                span.record("launcher", tracing::field::debug(started.launcher));
                Ok(started)
            }
            Err(Problem { failure, errno }) => {
                let error = Error::new(Subject::Spawn(self.get_program().to_owned()), failure, errno);
                tracing::debug!(%error, "spawn failed");
                Err(error)
            }
        }
    }
}

/// What the child is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To be handed out, with a pidfd.
    Handle,
    /// To be waited for at once, by the library itself.
    Status,
}

/// A child that has become its program.
struct Started {
    process: Process,
    handles: Handles,
    launcher: Launcher,
}

/// The way of launching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Clone { clone3: bool, shared_table: bool },
    Fork,
}

impl Way {
    fn demands(self, pidfd: bool, told: bool) -> Demands {
        let (start, report_pipe, reset_handlers) = match self {
            Self::Clone { clone3, shared_table: true } => (Start::Shared, false, !clone3),
            Self::Clone { clone3, shared_table: false } => (Start::Copied, false, !clone3),
            Self::Fork => (Start::Copied, true, true),
        };
        Demands { start, report_pipe, reset_handlers, pidfd, in_place: false, told }
    }

    fn launcher(self) -> Launcher {
        match self {
            Self::Clone { .. } => Launcher::Clone,
            Self::Fork => Launcher::Fork,
        }
    }

    /// The rung that this way stands on.
    fn feature(self) -> Features {
        match self {
            Self::Clone { clone3: true, .. } => Features::CLONE3,
            Self::Clone { clone3: false, .. } | Self::Fork => Features::CLONE,
        }
    }

    /// The best way that is left, for a command that asks for a launcher, where these rungs are missing.
    fn choose(launcher: Launcher, hooks: bool, rest: Rest, missing: Features) -> std::result::Result<Self, Failure> {
        let clone = Self::Clone {
            clone3: !missing.contains(Features::CLONE3),
            shared_table: !missing.contains(Features::SHARED_TABLE) && rest == Rest::Close,
        };
        match launcher {
            Launcher::Clone if hooks => Err(Failure::HookNeedsFork),
            Launcher::Clone if missing.contains(Features::CLONE) => Err(Failure::CloneUnavailable),
            Launcher::Clone => Ok(clone),
            Launcher::Auto if !hooks && !missing.contains(Features::CLONE) => Ok(clone),
            Launcher::Auto | Launcher::Fork => Ok(Self::Fork),
        }
    }
}

fn choose(command: &Command<'_>, refused: Features) -> std::result::Result<Way, Problem> {
    let hooks = !command.hooks.is_empty();
    let may_clone = !hooks && command.launcher != Launcher::Fork;
    let missing = match may_clone.then(probe::missing) {
        Some(Ok(missing)) => missing,
        // It is not known whether clone works, but that it would not work now.
        Some(Err(errno)) if command.launcher == Launcher::Clone => {
            return Err(Problem::system(Failure::Launch(Launcher::Clone), errno));
        }
        Some(Err(_)) => Features::CLONE,
        None => Features::empty(),
    };
    let missing = missing | refused | command.fd_map.missing;
    Ok(Way::choose(command.launcher, hooks, command.fd_map.rest, missing)?)
}

/// A new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cloned {
    pid: i32,
    /// A descriptor that the caller owns.
    pidfd: Option<RawFd>,
}

/// What has become of a launch.
enum Launched {
    Started(Running),
    /// The system does not do this, whatever the probe said.
    Refused(Features),
}

/// A child that has become its program, in the numbers of the thread that has launched it.
struct Running {
    pid: i32,
    pidfd: Option<OwnedFd>,
}

/// How to launch.
#[derive(Clone, Copy)]
struct Order {
    way: Way,
    purpose: Purpose,
    /// Whether a pidfd is wanted.
    pidfd: bool,
    /// Whether somebody is to be told of the plan.
    told: bool,
}

fn launch(
    command: &mut Command<'_>,
    defaults: &Defaults,
    order: Order,
) -> std::result::Result<(Launched, Handles), Problem> {
    let mut prepared = prepare::prepare(command, defaults, order.way.demands(order.pidfd, order.told))?;
    if order.told {
        trace(&prepared);
    }
    let launched = execute(command, &mut prepared, order, None)?;
    Ok((launched, prepared.handles))
}

/// Launches what is prepared, and returns when the child has become its program or is gone. The program gets the signal mask
/// that is given, or the caller's.
fn execute(
    command: &mut Command<'_>,
    prepared: &mut Prepared,
    order: Order,
    mask: Option<sys::SignalSet>,
) -> std::result::Result<Launched, Problem> {
    let Order { way, purpose, pidfd, .. } = order;
    let memory = SharedReport::new();
    let hooks = hooks::Runner::new(&mut command.hooks);
    let result = {
        let blocked = Blocked::all();
        let orders = orders(command, prepared, hooks, &memory, mask.unwrap_or(blocked.before()));
        match way {
            Way::Clone { clone3, shared_table } => {
                let pidfd = pidfd && !prepared.standard_closed;
                // SAFETY: all signals are blocked, and the orders are made for a child.
                unsafe { clone::child(clone3, shared_table, pidfd, &orders) }
            }
            // SAFETY: all signals are blocked, and the orders are made for a child.
            Way::Fork => unsafe { fork::fork(&orders) }.map(|pid| Cloned { pid, pidfd: None }),
        }
    };
    let Cloned { pid, pidfd: cloned } = match result {
        Ok(cloned) => cloned,
        Err(errno) if way != Way::Fork && probe::is_refusal(errno) => return Ok(Launched::Refused(way.feature())),
        Err(errno) => return Err(Problem::system(Failure::Launch(way.launcher()), errno)),
    };
    // SAFETY: the kernel has made the descriptor for this spawn.
    let cloned = cloned.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let (report, done) = match prepared.report.take() {
        None => (memory.get(), true),
        Some(pipe) => {
            let received = fork::receive(pipe);
            (received.report, received.done || hooks.is_none())
        }
    };
    if let Some(report) = report {
        sys::reap(pid);
        return Err(problem(report, &prepared.buffers.steps, command));
    }
    if !done {
        if let Some(status) = hooks::ended(pid) {
            return Err(Failure::HookEnded(status).into());
        }
    }
    if purpose == Purpose::Handle && way != Way::Fork {
        if let Some(status) = Process::ended_before_exec(pid) {
            return Err(Failure::Killed(status).into());
        }
    }
    let pidfd = match cloned {
        Some(fd) => Some(fd),
        None if pidfd => open_pidfd(pid),
        None => None,
    };
    Ok(Launched::Started(Running { pid, pidfd }))
}

/// A pidfd for a child that is there already.
fn open_pidfd(pid: i32) -> Option<OwnedFd> {
    let _guard = sources::lock_stdio_numbers();
    let pidfd = sources::dup_above_stdio(sys::open_pidfd(pid).ok()?).ok()?;
    // Where the kernel reaps children by itself (SIGCHLD is ignored), the number may be another process's by now.
    Process::is_child(&pidfd).then_some(pidfd)
}

fn orders<'a>(
    command: &'a Command<'_>,
    prepared: &'a Prepared,
    hooks: Option<hooks::Runner>,
    memory: &'a SharedReport,
    mask: sys::SignalSet,
) -> Orders<'a> {
    Orders {
        steps: &prepared.buffers.steps,
        programs: prepared.buffers.programs.as_slice(),
        searched: prepared.searched(),
        argv: prepared.buffers.argv.as_ptr(),
        envp: prepared.envp(),
        function: None,
        directory: match &command.directory {
            crate::command::Directory::Path(path) => path.pointers().next().unwrap_or(std::ptr::null()),
            _ => std::ptr::null(),
        },
        mask,
        hooks,
        missing: command.fd_map.missing | probe::known_missing() & Features::CLOSE_RANGE,
        reporter: match &prepared.report {
            Some(pipe) => Reporter::Pipe(PipeEnd::new(pipe.writer.as_raw_fd())),
            None => Reporter::Memory(memory),
        },
    }
}

/// Whether somebody listens to what [`trace`] tells. It asks whoever filters events, who may do anything: no lock is held.
fn is_told() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// Tells of the plan, in the parent, before the signals are blocked.
fn trace(prepared: &Prepared) {
    for row in &prepared.buffers.rows {
        tracing::debug!(target = ?row.target, source = ?row.source, origin = %row.origin, "descriptor");
    }
    for (index, step) in prepared.buffers.steps.iter().enumerate() {
        tracing::debug!(index, %step, "step");
    }
}

/// What a child's report means.
fn problem(report: Report, steps: &[Step], command: &Command<'_>) -> Problem {
    let step = steps.get(report.step).copied().unwrap_or(Step::Exec);
    match report.cause {
        Cause::System(errno) => {
            let failure = match step {
                Step::ChangeDirectory | Step::ChangeDirectoryTo { .. } => {
                    Failure::WorkingDirectory(prepare::directory_path(command))
                }
                Step::Exec => Failure::Exec,
                step => Failure::Child(step),
            };
            Problem::system(failure, errno)
        }
        Cause::Hook { index, errno } => Problem::system(Failure::Hook { index, message: None }, errno),
        Cause::HookMessage { index, message } => Failure::Hook { index, message: Some(message) }.into(),
        Cause::HookPanicked { index } => Failure::HookPanicked { index }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_fall_back_one_feature_at_a_time() {
        let auto = |missing| Way::choose(Launcher::Auto, false, Rest::Close, missing).unwrap();
        assert_eq!(auto(Features::empty()), Way::Clone { clone3: true, shared_table: true });
        assert_eq!(auto(Features::SHARED_TABLE), Way::Clone { clone3: true, shared_table: false });
        assert_eq!(auto(Features::CLONE3), Way::Clone { clone3: false, shared_table: true });
        assert_eq!(auto(Features::CLONE3 | Features::SHARED_TABLE), Way::Clone { clone3: false, shared_table: false });
        assert_eq!(auto(Features::CLONE), Way::Fork);
    }

    #[test]
    fn an_inherited_rest_needs_a_copy_of_the_table() {
        let way = Way::choose(Launcher::Clone, false, Rest::Inherit, Features::empty()).unwrap();
        assert_eq!(way, Way::Clone { clone3: true, shared_table: false });
    }

    #[test]
    fn hooks_fork_and_an_explicit_clone_is_not_replaced_in_silence() {
        let choose = |launcher, hooks, missing| Way::choose(launcher, hooks, Rest::Close, missing);
        assert_eq!(choose(Launcher::Auto, true, Features::empty()).unwrap(), Way::Fork);
        assert_eq!(choose(Launcher::Fork, true, Features::empty()).unwrap(), Way::Fork);
        assert!(matches!(choose(Launcher::Clone, true, Features::empty()), Err(Failure::HookNeedsFork)));
        assert!(matches!(choose(Launcher::Clone, false, Features::CLONE), Err(Failure::CloneUnavailable)));
    }
}
