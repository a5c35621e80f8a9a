//! The methods of `Command` for attributes: the properties of a child other than its descriptors.

use super::builder::Command;
use super::c_strings::CStrings;
use super::lend::Lend;
use crate::group::Group;
use crate::plan::Signals;
use rustix::process::{Resource, Rlimit, Signal};
use std::ffi::OsStr;
use std::path::Path;

/// Attributes: the properties of the child other than its descriptors. The child sets them itself, in one order, which
/// `docs/design.md` shows; each method below names the place of its attribute. If one fails, the error of the spawn names the
/// attribute and its operand, and no program runs.
///
/// The clone launcher can set all attributes but these: [`Command::uid`] and [`Command::gid`], if they change an id, and
/// [`Command::cgroup`], if the kernel kills the cgroup as a whole.
///
/// [`Command::exec`] sets them in the calling process. After a failed exec those that were set before the failure stay set, other than
/// dispositions of signals, the signal mask, the umask and the working directory.
impl<'fd> Command<'fd> {
    /// Sets the child's user: the real, the effective and the saved user id (`setresuid(2)`).
    ///
    /// The child sets it after the groups, the group and the root directory, since each of these needs a privilege that the change may
    /// take away, and before it changes to the working directory, which it does with the rights of the new user.
    ///
    /// If the command does not set the supplementary groups ([`Command::groups`]), the child drops them all before it sets the group and
    /// the user. If the child may not drop them (`EPERM`), the spawn fails, since the new user would get the groups of this process;
    /// `std::process` ignores that error. It is no error if the child has no supplementary group, or if all its user ids (real, effective,
    /// saved, file system) are `id`.
    ///
    /// # Launcher
    ///
    /// If the calling thread has another id (real, effective, saved or for file systems), a child that shares this process's memory would
    /// make this process undumpable for good, and the new user could stop the child before exec, and with it the calling thread for good.
    /// So [`Launcher::Auto`] forks, and [`Launcher::Clone`] is refused ([`Failure::CredentialsNeedFork`]). With [`Command::isolated`] any
    /// id counts as another one, since the thread that launches may have other ids than the calling thread.
    ///
    /// The new user can still stop a forked child before exec. On Linux the calling thread notices that, and sends SIGCONT: each stop holds
    /// it for about 100 ms at most.
    ///
    /// # Errors
    ///
    /// `EPERM` without the right (`CAP_SETUID`, and `CAP_SETGID` to drop supplementary groups). The library refuses 4,294,967,295,
    /// which is no id. If the user has reached its limit of processes (`RLIMIT_NPROC`), the exec fails, with `EAGAIN`.
    ///
    /// [`Launcher::Auto`]: crate::Launcher::Auto
    /// [`Launcher::Clone`]: crate::Launcher::Clone
    /// [`Failure::CredentialsNeedFork`]: crate::Failure::CredentialsNeedFork
    ///
    /// ```
    /// # use fdspawn::Command;
    /// # let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self")?);
    /// let output = Command::new("id").arg("-u").uid(own).output()?;
    /// assert_eq!(output.stdout, format!("{own}\n").as_bytes());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "setuid")]
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.settings.plain.uid = Some(id);
        self
    }

    /// Sets the child's group: the real, the effective and the saved group id (`setresgid(2)`).
    ///
    /// The child sets it after the supplementary groups and before the user. For the launcher and for errors see [`Command::uid`].
    ///
    /// ```
    /// # use fdspawn::Command;
    /// # let own = std::os::unix::fs::MetadataExt::gid(&std::fs::metadata("/proc/self")?);
    /// let output = Command::new("id").arg("-g").gid(own).output()?;
    /// assert_eq!(output.stdout, format!("{own}\n").as_bytes());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "setgid")]
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.settings.plain.gid = Some(id);
        self
    }

    /// Sets the child's supplementary groups (`setgroups(2)`). An empty list removes them all.
    ///
    /// The child sets them before the group and the user.
    ///
    /// # Errors
    ///
    /// `EPERM` without the right (`CAP_SETGID`). More than 65,536 groups are refused.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// match Command::new("id").arg("-G").groups(&[]).gid(44).output() {
    ///     Ok(output) => assert_eq!(output.stdout, b"44\n"),
    ///     Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied), // this process is not root
    /// }
    /// ```
    #[doc(alias = "setgroups")]
    pub fn groups(&mut self, ids: &[u32]) -> &mut Self {
        self.settings.groups = Some(ids.to_vec());
        self
    }

    /// Moves the child into a process group (`setpgid(2)`); 0 makes a new one that has the child's process id.
    ///
    /// The child joins the group after its descriptors are in place, and before all other attributes. [`Command::spawn`] returns after
    /// that. A process group and a new session exclude each other.
    ///
    /// # Errors
    ///
    /// `EPERM` if no process of this session is in the group. A number below zero is refused.
    ///
    /// ```
    /// # use fdspawn::{Command, Stdio};
    /// let mut command = Command::new("cut");
    /// command.args(["-d ", "-f5", "/proc/self/stat"]).process_group(0).stdout(Stdio::piped());
    /// let mut child = command.spawn()?;
    /// let id = child.id().to_string();
    /// assert_eq!(String::from_utf8_lossy(&child.wait_with_output()?.stdout).trim(), id);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "setpgid")]
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        self.settings.plain.process_group = Some(group);
        self.settings.group = None;
        self
    }

    /// Puts the child into a [`Group`]: the first child of it leads the group, and later ones join it. The command borrows the group.
    /// This call and [`Command::process_group`] replace each other; the place in the order is the same.
    ///
    /// # Errors
    ///
    /// [`Failure::GroupGone`] if other code of this process has reaped the leader; `EPERM` if the leader and this process are in different
    /// sessions. A command with a group and a new session is refused.
    ///
    /// [`Failure::GroupGone`]: crate::Failure::GroupGone
    ///
    /// ```
    /// use fdspawn::{Command, Group, Reach, Teardown};
    ///
    /// let group = Group::new();
    /// let child = Command::new("sleep").arg("60").group(&group).spawn()?;
    /// let mut other = Command::new("sleep").arg("60").group(&group).spawn()?;
    /// child.end(&Teardown::default().reach(Reach::Group))?; // both
    /// other.wait()?;
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn group(&mut self, group: &'fd Group) -> &mut Self {
        self.settings.plain.process_group = Some(0);
        self.settings.group = Some(group);
        self
    }

    /// Makes the child the leader of a new session and of a new process group (`setsid(2)`). The session has no controlling terminal
    /// unless the command names one.
    ///
    /// The child does so after its descriptors are in place, and before all other attributes.
    ///
    /// # Platform notes
    ///
    /// If the fork launcher starts the child and this process cannot read the child's file in `/proc` (it is not mounted, or the option
    /// `hidepid` hides the child), the spawn waits up to 2 seconds to be sure that the child has executed the program, and a program that a
    /// signal kills in that time counts as killed before exec ([`Failure::Killed`](crate::Failure::Killed)).
    ///
    /// ```
    /// # use fdspawn::{Command, Stdio};
    /// let mut child = Command::new("cut").args(["-d ", "-f6", "/proc/self/stat"]).setsid(true).stdout(Stdio::piped()).spawn()?;
    /// let id = child.id().to_string();
    /// assert_eq!(String::from_utf8_lossy(&child.wait_with_output()?.stdout).trim(), id);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn setsid(&mut self, setsid: bool) -> &mut Self {
        self.settings.plain.setsid = setsid;
        self
    }

    /// Makes a terminal the controlling terminal of the child's new session (`TIOCSCTTY`). The command borrows the descriptor. The program
    /// does not get it, unless the command also connects it.
    ///
    /// The child does so after it has made its session, which [`Command::setsid`] has to ask for.
    ///
    /// # Errors
    ///
    /// `EPERM` if the terminal is that of another session, `ENOTTY` if the descriptor is no terminal.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// # use std::os::fd::{AsRawFd, FromRawFd};
    /// # let master = std::fs::File::options().read(true).write(true).open("/dev/ptmx")?;
    /// # // SAFETY: the calls unlock the new terminal, and open it; the descriptor is new.
    /// # let terminal = unsafe {
    /// #     let unlocked = 0;
    /// #     assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked), 0);
    /// #     let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    /// #     std::fs::File::from_raw_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))
    /// # };
    /// let mut shell = Command::new("sh");
    /// shell.args(["-c", ": </dev/tty"]).setsid(true).controlling_terminal(&terminal).stdin(&terminal);
    /// assert!(shell.status()?.success()); // the shell has opened its controlling terminal
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "TIOCSCTTY")]
    pub fn controlling_terminal(&mut self, terminal: impl Lend<'fd>) -> &mut Self {
        self.settings.controlling_terminal = Some(terminal.lend());
        self
    }

    /// Makes the child's process group the foreground group of the terminal (`tcsetpgrp(3)`): of the command's controlling terminal, or of
    /// this process's (`/dev/tty`).
    ///
    /// The child does so after it has joined its group. SIGTTOU, which a terminal sends to a process of the background for that, cannot
    /// stop it. The caller gives its own group the terminal back when the child has ended. If the spawn or the exec fails, the library gives
    /// the terminal back to the group that had it, unless the child has made a new session.
    ///
    /// # Errors
    ///
    /// `ENXIO` if this process has no controlling terminal. A new session without a controlling terminal is refused.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// # use std::os::fd::{AsRawFd, FromRawFd};
    /// # let master = std::fs::File::options().read(true).write(true).open("/dev/ptmx")?;
    /// # // SAFETY: the calls unlock the new terminal, and open it; the descriptor is new.
    /// # let terminal = unsafe {
    /// #     let unlocked = 0;
    /// #     assert_eq!(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked), 0);
    /// #     let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    /// #     std::fs::File::from_raw_fd(libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags))
    /// # };
    /// let mut shell = Command::new("sh");
    /// shell.args(["-c", "stty -F /dev/tty -a >&2"]).setsid(true).controlling_terminal(&terminal).foreground(true);
    /// assert!(shell.stderr(fdspawn::Stdio::null()).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "tcsetpgrp")]
    pub fn foreground(&mut self, foreground: bool) -> &mut Self {
        self.settings.foreground = foreground;
        self
    }

    /// Changes the child's root directory (`chroot(2)`). If the command sets no working directory, the child also changes to the new root:
    /// from a working directory outside the new root, the program could leave the new root.
    ///
    /// The child does so after the groups and the group, and before the user and the working directory. Then the paths of the working
    /// directory and of the program start at the new root. A directory given by [`Command::current_dir_fd`] may be outside.
    ///
    /// # Errors
    ///
    /// `EPERM` without the right (`CAP_SYS_CHROOT`): [`Failure::ChangeRoot`] has the path.
    ///
    /// [`Failure::ChangeRoot`]: crate::Failure::ChangeRoot
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let error = Command::new("/bin/server").chroot("/nope").spawn().unwrap_err();
    /// let text = "cannot spawn `/bin/server`: cannot change the root directory to `/nope`: No such file or directory";
    /// assert_eq!(error.to_string(), text);
    /// ```
    pub fn chroot(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.settings.root = Some(CStrings::one(directory.as_ref().as_os_str()));
        self
    }

    /// Sets the mask of permissions that the child's new files do not get (`umask(2)`), for example `0o077`. This process's mask does not
    /// change.
    ///
    /// The child sets it after the terminal and the scheduling, and before the limits. More than the nine bits of the permissions are
    /// refused.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let output = Command::new("sh").args(["-c", "umask"]).umask(0o027).output()?;
    /// assert_eq!(output.stdout, b"0027\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn umask(&mut self, mask: u32) -> &mut Self {
        self.settings.plain.umask = Some(mask);
        self
    }

    /// Sets a limit of the child (`setrlimit(2)`). `None` in a [`Rlimit`] is no limit. Can be called for several resources; the last call for a
    /// resource counts.
    ///
    /// The child sets the limits in the order of the calls, after its descriptors are in place, so that `Resource::Nofile` can be below a
    /// target, and before the groups and the user, since a higher hard limit needs a privilege. Hooks already run with the limits. A target
    /// has to be below this process's own soft limit of descriptors, also if the command raises the child's.
    ///
    /// # Errors
    ///
    /// `EPERM` for a hard limit above this process's, without the right (`CAP_SYS_RESOURCE`). A soft limit above the hard one is refused.
    ///
    /// ```
    /// use fdspawn::{Command, Resource, Rlimit};
    ///
    /// let limit = Rlimit { current: Some(64), maximum: Some(128) };
    /// let output = Command::new("sh").args(["-c", "ulimit -Sn; ulimit -Hn"]).rlimit(Resource::Nofile, limit).output()?;
    /// assert_eq!(output.stdout, b"64\n128\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "setrlimit")]
    #[doc(alias = "ulimit")]
    pub fn rlimit(&mut self, resource: Resource, limit: Rlimit) -> &mut Self {
        self.settings.limits.retain(|(other, _)| *other != resource);
        self.settings.limits.push((resource, limit));
        self
    }

    /// Adds to the child's nice value, as `nice(2)` does: a higher value leaves more of the processor to others. The sum stays between -20
    /// and 19.
    ///
    /// The child does so after it has set the scheduler, which resets the value.
    ///
    /// # Errors
    ///
    /// `EACCES` for a lower value, without the right (`CAP_SYS_NICE` or `RLIMIT_NICE`).
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let own = Command::new("nice").output()?;
    /// let nicer = Command::new("nice").nice(1).output()?;
    /// let [own, nicer] = [own, nicer].map(|output| String::from_utf8_lossy(&output.stdout).trim().parse::<i32>().unwrap());
    /// assert_eq!(nicer, (own + 1).min(19));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nice(&mut self, increment: i32) -> &mut Self {
        self.settings.plain.nice = Some(increment);
        self
    }

    /// Gives signals their default dispositions in the child, also if this process ignores them. Adds to earlier calls.
    ///
    /// A signal for which this process has a handler gets its default in any case, and so does SIGPIPE, unless
    /// [`Command::signals_untouched`] or [`Command::signal_ignore`] says otherwise. Other ignored signals stay ignored. The last call for a
    /// signal counts.
    ///
    /// The child does so after its descriptors are in place, and before all other attributes.
    ///
    /// ```
    /// use fdspawn::{Command, Signal};
    ///
    /// let mut child = Command::new("sleep").arg("60").signal_default(&[Signal::INT, Signal::QUIT]).spawn()?;
    /// child.kill()?;
    /// child.wait()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "sigaction")]
    pub fn signal_default(&mut self, signals: &[Signal]) -> &mut Self {
        for &signal in signals {
            self.settings.plain.default_signals.insert(signal);
            self.settings.plain.ignored_signals.remove(signal);
        }
        self
    }

    /// Ignores signals in the child, as `nohup` does with SIGHUP. Adds to earlier calls; the last call for a signal counts.
    ///
    /// The child does so after it has given signals their defaults. SIGKILL and SIGSTOP are refused: no process can ignore them.
    ///
    /// ```
    /// use fdspawn::{Command, Signal};
    ///
    /// let output = Command::new("sh").args(["-c", "kill -HUP $$; echo alive"]).signal_ignore(&[Signal::HUP]).output()?;
    /// assert_eq!(output.stdout, b"alive\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn signal_ignore(&mut self, signals: &[Signal]) -> &mut Self {
        for &signal in signals {
            self.settings.plain.ignored_signals.insert(signal);
            self.settings.plain.default_signals.remove(signal);
        }
        self
    }

    /// Sets the program's signal mask: exactly these signals are blocked. The last call counts. Without a call, the program gets the mask
    /// of the calling thread.
    ///
    /// The child sets it after all other attributes, and before the hooks. The kernel never blocks SIGKILL and SIGSTOP.
    ///
    /// ```
    /// use fdspawn::{Command, Signal};
    ///
    /// let output = Command::new("grep").args(["SigBlk", "/proc/self/status"]).signal_mask(&[Signal::HUP]).output()?;
    /// assert_eq!(output.stdout, b"SigBlk:\t0000000000000001\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "sigprocmask")]
    pub fn signal_mask(&mut self, blocked: &[Signal]) -> &mut Self {
        self.settings.signal_mask = Some(Signals::of(blocked));
        self
    }

    /// Leaves SIGPIPE as this process has it. Rust programs ignore it, and without this call the child gives it its default.
    ///
    /// [`Command::signal_default`] and [`Command::signal_ignore`] still count.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let mut command = Command::new("grep");
    /// let output = command.args(["SigIgn", "/proc/self/status"]).signals_untouched().output()?;
    /// let text = String::from_utf8_lossy(&output.stdout);
    /// let ignored = u64::from_str_radix(text.trim_start_matches("SigIgn:").trim(), 16).unwrap();
    /// assert_eq!(ignored & 1 << 12, 1 << 12); // signal 13
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn signals_untouched(&mut self) -> &mut Self {
        self.settings.signals_untouched = true;
        self
    }

    /// Lists candidates for the program. The child tries them in order, as they are: each is a path, absolute or relative to the child's
    /// working directory, and none is looked up in `PATH`. The name that [`Command::new`] got stays argument 0, unless
    /// [`Command::arg0`] sets it, and the name in errors.
    ///
    /// One child tries all candidates, and hooks run once. The search ends at the first candidate that the child executes. The child goes
    /// on after a candidate that does not exist (`ENOENT`, `ENOTDIR`, `ESTALE`, `ENODEV`, `ETIMEDOUT`) and after one that it may not use
    /// (`EACCES`, `ELOOP`, `ENAMETOOLONG`). Any other error, such as `ENOEXEC`, `E2BIG` or `ETXTBSY`, ends the search and is the error of
    /// the spawn. If no candidate is left, the error is that of the first one whose file exists; [`Error::path`] has it. If none exists,
    /// it is the first of `EACCES`, `ELOOP` and `ENAMETOOLONG`, or else `ENOENT`. An empty list is refused.
    ///
    /// [`Error::path`]: crate::Error::path
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let output = Command::new("sh").programs(["/nope/sh", "/bin/sh"]).args(["-c", "echo $0"]).output()?;
    /// assert_eq!(output.stdout, b"sh\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "execvp")]
    pub fn programs<S: AsRef<OsStr>>(&mut self, paths: impl IntoIterator<Item = S>) -> &mut Self {
        let mut programs = CStrings::default();
        paths.into_iter().for_each(|path| programs.push(path.as_ref()));
        self.settings.programs = Some(programs);
        self
    }
}
