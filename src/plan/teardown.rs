//! How to end a child, as plain data: [`Teardown`], [`Reach`] and [`OnDrop`].

use rustix::process::Signal;
use std::time::Duration;

/// How to end a child: signals, each with a grace (the time that the child has after it), and at last SIGKILL.
///
/// The default is SIGTERM, and SIGKILL after 2 s.
///
/// ```
/// use fdspawn::{Command, Signal, Stdio, Teardown};
/// use std::io::Read;
/// use std::time::Duration;
///
/// let script = "trap '' INT; echo; while :; do sleep 0.01; done";
/// let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn()?;
/// child.stdout.as_mut().expect("piped").read_exact(&mut [0])?; // From now on the shell ignores SIGINT.
/// // SIGINT, 100 ms later SIGTERM, a second later SIGKILL.
/// let how = Teardown::signal(Signal::INT, Duration::from_millis(100)).then(Signal::TERM, Duration::from_secs(1));
/// assert_eq!(child.end(&how)?.by, Some(Signal::TERM));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Teardown {
    pub(crate) signals: Vec<(Signal, Duration)>,
    pub(crate) reach: Reach,
    pub(crate) graces_for_all: bool,
}

impl Teardown {
    /// SIGKILL at once.
    pub const fn kill() -> Self {
        Self { signals: Vec::new(), reach: Reach::Process, graces_for_all: false }
    }

    /// SIGTERM, and SIGKILL if the child still runs after this time.
    pub fn term(grace: Duration) -> Self {
        Self::signal(Signal::TERM, grace)
    }

    /// This signal, and SIGKILL if the child still runs after this time.
    pub fn signal(signal: Signal, grace: Duration) -> Self {
        Self::kill().then(signal, grace)
    }

    /// Adds one more signal, and the time that the child has after it, before the SIGKILL that ends each teardown.
    #[must_use]
    pub fn then(mut self, signal: Signal, grace: Duration) -> Self {
        self.signals.push((signal, grace));
        self
    }

    /// Which processes get the signals. The default is the child alone.
    #[must_use]
    pub fn reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// Whether each grace is for all processes that the teardown reaches, and not for the child alone. The default is no: as soon as the
    /// child has ended, the others get SIGKILL. With yes, they get SIGKILL after the grace, or not at all if they end before. Service
    /// managers do that: if a shell script has started a server, and the first signal ends the shell, the server can still finish its
    /// work.
    ///
    /// The library looks in `/proc` or in the cgroup whether any of them still runs (Linux only; for [`Reach::Process`] the setting changes
    /// nothing).
    ///
    /// ```
    /// use fdspawn::{Command, Reach, Teardown};
    /// use std::time::Duration;
    ///
    /// let script = "(trap 'sleep 0.1; echo finished; exit' TERM; echo; while :; do sleep 0.01; done) & wait";
    /// let mut child = Command::new("sh").args(["-c", script]).stdout(fdspawn::Stdio::piped()).process_group(0).spawn()?;
    /// let mut output = std::io::BufReader::new(child.stdout.take().expect("piped"));
    /// std::io::BufRead::read_line(&mut output, &mut String::new())?; // The inner shell has set its trap.
    /// child.end(&Teardown::term(Duration::from_secs(60)).reach(Reach::Group).graces_for_all(true))?;
    /// assert_eq!(std::io::read_to_string(output)?, "finished\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn graces_for_all(mut self, for_all: bool) -> Self {
        self.graces_for_all = for_all;
        self
    }
}

impl Default for Teardown {
    fn default() -> Self {
        Self::term(Duration::from_secs(2))
    }
}

/// Which processes a [`Teardown`] reaches, and so which ones it can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// The child alone. The teardown misses all processes that the child has started.
    Process,
    /// The process group that the child leads, or the [`Group`](crate::Group) that it is a member of.
    ///
    /// The teardown misses processes that have moved to another group or session (`setpgid(2)`, `setsid(2)`): most daemons, and the jobs
    /// of an interactive shell. The kernel signals the members at one moment, so a member that forks at that moment does not get away. The
    /// child needs [`Command::process_group`] 0, [`Command::setsid`] or [`Command::group`]; a spawn with [`OnDrop::End`] is refused
    /// without one of them.
    ///
    /// [`Command::process_group`]: crate::Command::process_group
    /// [`Command::setsid`]: crate::Command::setsid
    /// [`Command::group`]: crate::Command::group
    Group,
    /// All processes of the session that the child leads, in all of its groups: the jobs of an interactive shell, too. Linux only.
    ///
    /// The teardown misses processes that have made a session of their own. The child needs [`Command::setsid`](crate::Command::setsid).
    /// The library finds the processes in `/proc`, by session, and stops them (SIGSTOP) before it kills them, so that none of them starts
    /// another one meanwhile.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Session,
    /// All descendants of the child that `/proc` shows at the moment: its children, their children, and so on. Linux only.
    ///
    /// The teardown misses a process whose parent had ended before the teardown began: a daemon that has forked twice. The library stops
    /// the descendants (SIGSTOP) before it kills them, so that none of them starts another one meanwhile, and holds pidfds of them, so
    /// that no other process gets a signal. The command needs no setting for this.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descendants,
    /// All processes in the [`Cgroup`](crate::Cgroup) in which the child was started, and in cgroups below it. Linux only.
    ///
    /// The teardown misses only processes that have moved out of the cgroup, which takes the right to write `cgroup.procs` elsewhere (root,
    /// in most cases). New groups, new sessions, double forks and other users do not help a process to get away. The child needs
    /// [`Command::own_cgroup`].
    ///
    /// [`Command::own_cgroup`]: crate::Command::own_cgroup
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Cgroup,
}

/// What the drop of a [`Child`](crate::Child) does to the child process, from [`Command::on_drop`](crate::Command::on_drop).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnDrop {
    /// Nothing, as with `std::process`: the child goes on. After its end it is a zombie until this process ends.
    #[default]
    Detach,
    /// Ends the child, and the others that the teardown reaches, and reaps the child. If a wait or [`Child::end`](crate::Child::end) has
    /// returned the status of the child before, the drop does nothing, and what the child has left goes on.
    ///
    /// The drop blocks for at most the graces of the teardown, and 100 ms after SIGKILL. A drop cannot return an error, so it sends the
    /// error as an event of `tracing` (level WARN).
    End(Teardown),
}
