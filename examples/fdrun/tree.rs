//! `--tree`: the processes that get the signals of fdrun, and that end with the program.

#[cfg(any(target_os = "linux", target_os = "android"))]
use fdspawn::Cgroup;
use fdspawn::{Child, Command, OnDrop, Reach, Signal, Teardown};
use rustix::process::{Pid, getpgid};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::PathBuf;
use std::process::ExitStatus;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// What the option makes the program start as.
pub fn prepare(command: &mut Command<'_>, reach: Reach, makes_session: bool) {
    match reach {
        // The leader of a session leads a process group, too.
        Reach::Group if !makes_session => _ = command.process_group(0),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        Reach::Session => _ = command.setsid(true),
        _ => {}
    }
}

/// Makes a cgroup for the program, in the cgroup of this directory or in fdrun's own. It is removed when the program has ended.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn prepare_cgroup(command: &mut Command<'_>, directory: Option<PathBuf>) -> fdspawn::Result<Cgroup> {
    let cgroup = match directory {
        Some(directory) => Cgroup::create_in(directory)?,
        None => Cgroup::create()?,
    };
    command.own_cgroup(&cgroup);
    Ok(cgroup)
}

/// How many threads hold the processes that their signals have found. After so many signals the program alone gets the others: a program
/// may get any number of signals, and each thread has as many descriptors as there are processes.
const MOST_ENDERS: usize = 16;

/// The program and the processes that it has started, as far as the option reaches them.
pub struct Tree {
    reach: Reach,
    /// Threads that have sent a signal, and hold the processes that they have found until the end of the program.
    enders: Vec<JoinHandle<()>>,
    /// The cgroup of the program, which needs no such threads.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    cgroup: Option<Cgroup>,
}

impl Tree {
    /// Fails if there is no way to the processes. From then on a drop of the child kills them all.
    pub fn new(child: &mut Child, reach: Reach) -> fdspawn::Result<Self> {
        child.set_on_drop(OnDrop::End(Teardown::kill().reach(reach)))?;
        Ok(Self {
            reach,
            enders: Vec::new(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            cgroup: None,
        })
    }

    /// Sends signals to all of this cgroup, which is the program's.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn in_cgroup(self, cgroup: Option<Cgroup>) -> Self {
        Self { cgroup, ..self }
    }

    /// Whether the program stands alone.
    pub fn is_process(&self) -> bool {
        self.reach == Reach::Process
    }

    /// Sends a signal to all, and SIGCONT, as `timeout` does, so that stopped processes take it. fdrun does not tell
    /// that it may not signal a process, since that runs as another user.
    pub fn signal(&mut self, child: &Child, signal: Signal) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| signal != Signal::KILL) {
            if cgroup.signal(signal).is_err() {
                send(child, Reach::Process, signal); // At least the program gets the signal.
            }
            if needs_cont(signal) {
                let _ = cgroup.signal(Signal::CONT);
            }
            return;
        }
        match self.reach {
            Reach::Process | Reach::Group => {
                send(child, self.reach, signal);
                if needs_cont(signal) {
                    send(child, self.reach, Signal::CONT);
                }
            }
            _ => self.end_by(child, signal),
        }
    }

    /// Begins a teardown. It sends the signal at once, has no time after which it sends SIGKILL, and sweeps what is left when the program
    /// has ended. By then the processes that the program has started have other parents, so that only it finds them.
    fn end_by(&mut self, child: &Child, signal: Signal) {
        if self.enders.len() >= MOST_ENDERS && signal != Signal::KILL {
            send(child, Reach::Process, signal);
            return;
        }
        let how = match signal {
            Signal::KILL => Teardown::kill(),
            _ => Teardown::signal(signal, Duration::MAX),
        };
        let (process, how) = (child.process(), how.reach(self.reach));
        let end = move || _ = process.end(&how);
        match Builder::new().spawn(end) {
            Ok(ender) => self.enders.push(ender),
            // No thread can be made. At least the program gets the signal.
            Err(_) => send(child, Reach::Process, signal),
        }
    }

    /// The status of the program, if it has ended. Then it kills what is left of the others.
    pub fn status(&mut self, child: &Child) -> fdspawn::Result<Option<ExitStatus>> {
        if self.is_process() {
            return child.try_wait();
        }
        if !has_ended(child) {
            return Ok(None);
        }
        for ender in self.enders.drain(..) {
            // A thread that has panicked has said so.
            let _ = ender.join();
        }
        child.end(&Teardown::kill().reach(self.reach)).map(|ended| Some(ended.status))
    }
}

/// Whether a stopped process takes the signal only after SIGCONT.
pub fn needs_cont(signal: Signal) -> bool {
    ![Signal::KILL, Signal::CONT, Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal)
}

fn send(child: &Child, reach: Reach, signal: Signal) {
    if reach == Reach::Group {
        let _ = child.signal_group(signal);
        if is_in_its_group(child) {
            return;
        }
    }
    let _ = child.signal(signal);
}

/// Whether the program is still in the process group that it has started as the leader of. The shell of a terminal may join another one.
fn is_in_its_group(child: &Child) -> bool {
    Pid::from_raw(child.id().cast_signed()).is_some_and(|pid| getpgid(Some(pid)) == Ok(pid))
}

/// Whether the program has ended. This does not reap it, so that its group and its session still have their numbers for themselves.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_ended(child: &Child) -> bool {
    use rustix::io::Errno;
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let pid = Pid::from_raw(child.id().cast_signed()).expect("a child has a number");
    // There is no such child any more if one of the other threads has reaped the program.
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_)) | Err(Errno::CHILD))
}

/// This system has no `--tree`.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_ended(_: &Child) -> bool {
    true
}
