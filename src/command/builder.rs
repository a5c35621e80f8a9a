//! `Command`, the builder of a spawn. Nothing here makes a system call.

use super::c_strings::CStrings;
use super::child_function::ChildFunction;
use super::environment::{Changes, Environment, Variables};
use super::fd_map::FdMap;
use super::isolated_ref::IsolatedRef;
use super::kept::Kept;
use super::lend::Lend;
use super::settings::LazySettings;
use super::slot::Slot;
use super::stdio::Stdio;
use crate::plan::Rest;
use crate::platform::{Features, Launcher};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A program to start, and the descriptor table to start it with.
///
/// A `Command` is `std::process::Command` with two differences: the child has only the descriptors that the command
/// names (unless it sets [`Rest::Inherit`]), and the command can name any number, not only 0, 1 and 2. A method that has
/// the name of a method of std does the same.
///
/// A command can be spawned many times. Each spawn opens new pipes. [`Stdio`] says who closes the other descriptors in the
/// parent. `'fd` is the lifetime of the descriptors that the command borrows.
///
/// # Platform notes
///
/// On Linux `clone3(2)` starts the child; on other systems, or with a `pre_exec` hook, `fork(2)` does: see [`Launcher`].
///
/// ```
/// use fdspawn::Command;
/// use std::io::Read;
///
/// let mut command = Command::new("sh");
/// command.args(["-c", "echo to standard output; echo to seven >&7"]);
/// let seven = command.reader(7); // a pipe: the child writes at 7, we read
/// let mut child = command.stdout(fdspawn::Stdio::null()).spawn()?;
///
/// let mut text = String::new();
/// child.take(seven).expect("taken once").read_to_string(&mut text)?;
/// assert_eq!(text, "to seven\n");
/// assert!(child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command<'fd> {
    pub(crate) program: CStrings,
    pub(crate) arg0: Option<CStrings>,
    pub(crate) args: CStrings,
    pub(crate) environment: Changes,
    pub(crate) directory: Directory<'fd>,
    pub(crate) fd_map: FdMap<'fd>,
    pub(crate) launcher: Launcher,
    /// Whether the child's handle has a pidfd.
    pub(crate) pidfd: bool,
    /// Whether a child with hooks that ends before exec counts as started, as with std.
    pub(crate) hooks_may_end: bool,
    pub(crate) isolated: Option<IsolatedRef<'fd>>,
    pub(crate) hooks: Vec<Hook>,
    /// What the child runs in place of the program.
    pub(crate) function: Option<ChildFunction>,
    pub(crate) settings: LazySettings<'fd>,
}

/// A function that runs in the forked child before exec.
pub(crate) type Hook = Box<dyn FnMut() -> io::Result<()> + Send + Sync>;

/// The child's working directory.
#[derive(Debug, Default)]
pub(crate) enum Directory<'fd> {
    #[default]
    Inherit,
    Path(CStrings),
    Fd(BorrowedFd<'fd>),
}

impl<S: AsRef<OsStr>, const N: usize> From<[S; N]> for Command<'_> {
    /// A program and its arguments. No element is the program of an empty name, which no system has.
    ///
    /// ```
    /// use fdspawn::Command;
    ///
    /// assert_eq!(Command::from(["printf", "%s", "text"]).output()?.stdout, b"text");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    fn from(words: [S; N]) -> Self {
        let mut words = words.iter();
        let mut command = Self::new(words.next().map(AsRef::as_ref).unwrap_or_default());
        command.args(words);
        command
    }
}

impl<'fd> Command<'fd> {
    /// Makes a command for `program`. It has no arguments. The child inherits the parent's environment, working directory
    /// and standard streams, and none of the parent's other descriptors.
    ///
    /// If the program's name has no `/`, the child looks for it in the *child's* `PATH`, as `execvp(3)` does. If that is not
    /// set, it looks in `/bin` and `/usr/bin`. A relative path with `/` starts at the child's working directory. A script
    /// needs a `#!` line: there is no fallback to a shell.
    ///
    /// A file that the child may not execute, a directory that it may not search, a circle of symbolic links and a script whose
    /// interpreter is missing do not end the search. If it finds no program, [`Error::path`] is the first such path, and
    /// [`Failure::Interpreter`] names a missing interpreter.
    ///
    /// [`Error::path`]: crate::Error::path
    /// [`Failure::Interpreter`]: crate::Failure::Interpreter
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: CStrings::one(program.as_ref()),
            arg0: None,
            args: CStrings::default(),
            environment: Changes::default(),
            directory: Directory::default(),
            fd_map: FdMap::default(),
            launcher: Launcher::default(),
            pidfd: true,
            hooks_may_end: false,
            isolated: None,
            hooks: Vec::new(),
            function: None,
            settings: LazySettings::default(),
        }
    }

    /// Takes the command out of a chain of calls, by value, and leaves one without a program.
    ///
    /// ```
    /// use fdspawn::{Command, Graph, Stdio};
    ///
    /// let quiet = Command::new("cat").arg("/nope").stderr(Stdio::null()).take();
    /// let statuses = Graph::pipeline([quiet, Command::from(["true"])]).status()?;
    /// assert!(statuses.last().success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(""))
    }

    /// Adds an argument. The program gets it unchanged: no shell reads it.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref());
        self
    }

    /// Adds several arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Sets argument 0, which by convention is the program's name. The default is the name that [`Command::new`] got.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.arg0 = Some(CStrings::one(arg.as_ref()));
        self
    }

    /// Sets an environment variable of the child. If the name is empty or has a `=` inside, the spawn fails: the child would find
    /// another variable than this one, or none. (std passes such a string on.)
    ///
    /// The child inherits this process's variables in their order, also those with the same name.
    ///
    /// # Platform notes
    ///
    /// On Linux the child also inherits the entries without a `=` that this process was started with. They are no variables:
    /// [`std::env::vars_os`] skips them, and no name sets or removes them. If the process has such entries, each spawn reads the
    /// environment by `process_vm_readv(2)` or from `/proc`, since only std can read it itself while other threads may change it. If
    /// the kernel refuses both, the child does not inherit these entries, and an event of `tracing` says so once. On other systems no
    /// child inherits them. [`Environment::from_strings`] passes such entries on everywhere.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets several environment variables of the child.
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(&mut self, variables: impl IntoIterator<Item = (N, V)>) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes an environment variable, set by this command or inherited. A name that no variable can have, such as an empty one or
    /// `A=B`, removes nothing.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// Removes all environment variables: the inherited ones and those that this command has set so far.
    pub fn env_clear(&mut self) -> &mut Self {
        self.environment.clear();
        self
    }

    /// Gives the child a prepared environment in place of the parent's. It also cancels an earlier [`Command::env_clear`].
    ///
    /// The command's changes apply to the prepared environment, made before or after this call. There is one exception:
    /// [`Command::env_remove`] has no effect if it comes after an `env_clear` and before this call.
    ///
    /// If the command changes no variable, spawns pass the prepared environment to `execve(2)` without a copy. The parent's own environment is
    /// copied for each spawn, unless the process has never had a second thread (with glibc): another thread could change it meanwhile. So could
    /// code of the caller that runs during the spawn, so there is also a copy if a subscriber of `tracing` wants events of the level DEBUG, or if
    /// the command shares a descriptor of a type that the caller has defined.
    ///
    /// ```
    /// use fdspawn::{Command, Environment};
    ///
    /// let environment = Environment::capture();
    /// for word in ["one", "two"] {
    ///     assert!(Command::new("true").arg(word).environment(&environment).status()?.success());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn environment(&mut self, environment: &Environment) -> &mut Self {
        self.environment.set_base(environment);
        self
    }

    /// Sets the child's working directory. If it does not exist, the error is [`Failure::WorkingDirectory`], which differs
    /// from that of a missing program.
    ///
    /// [`Failure::WorkingDirectory`]: crate::Failure::WorkingDirectory
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Directory::Path(CStrings::one(directory.as_ref().as_os_str()));
        self
    }

    /// Sets the child's working directory to the one that a descriptor refers to (`fchdir(2)`). The command borrows the
    /// descriptor. The program does not get it.
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let root = std::fs::File::open("/")?;
    /// let output = Command::new("pwd").current_dir_fd(&root).output()?;
    /// assert_eq!(output.stdout, b"/\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "fchdir")]
    pub fn current_dir_fd(&mut self, directory: impl Lend<'fd>) -> &mut Self {
        self.directory = Directory::Fd(directory.lend());
        self
    }

    /// Connects standard input. The last call counts. The default is to inherit it, or `/dev/null` for `output`.
    pub fn stdin(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.fd_map.stdin(stdio);
        self
    }

    /// Connects standard output. The last call counts. The default is to inherit it, or a pipe for `output`.
    pub fn stdout(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.fd_map.stdout(stdio);
        self
    }

    /// Connects standard error. The last call counts. The default is to inherit it, or a pipe for `output`.
    pub fn stderr(&mut self, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.fd_map.stderr(stdio);
        self
    }

    /// Connects the child's descriptor `target`, which can be any number: see [`FdMap::fd`].
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let motd = std::fs::File::open("/dev/null")?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "cat <&5"]).fd(5, &motd); // lent: `motd` stays open here
    /// assert!(command.status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "dup2")]
    pub fn fd(&mut self, target: RawFd, stdio: impl Into<Stdio<'fd>>) -> &mut Self {
        self.fd_map.fd(target, stdio);
        self
    }

    /// Adds a pipe that the child writes at `target` and the parent reads. [`Child::take`] gives the parent's end for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn reader(&mut self, target: RawFd) -> Slot<PipeReader> {
        self.fd_map.reader(target)
    }

    /// Adds a pipe that the parent writes and the child reads at `target`. [`Child::take`] gives the parent's end for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "pipe")]
    pub fn writer(&mut self, target: RawFd) -> Slot<PipeWriter> {
        self.fd_map.writer(target)
    }

    /// Adds a connected pair of stream sockets, the child's at `target`. Both processes can read and write. [`Child::take`]
    /// gives the parent's socket for the slot.
    ///
    /// [`Child::take`]: crate::Child::take
    #[doc(alias = "socketpair")]
    pub fn socket(&mut self, target: RawFd) -> Slot<UnixStream> {
        self.fd_map.socket(target)
    }

    /// Gives the child a descriptor under the same number: see [`FdMap::keep`]. A reference lends it, an `Arc` shares it, and an owner
    /// is moved into the command.
    pub fn keep(&mut self, fd: impl Into<Kept<'fd>>) -> &mut Self {
        self.fd_map.keep(fd);
        self
    }

    /// Names those of 0, 1 and 2 that are no standard streams of this process, so that the child does not inherit them: see
    /// [`FdMap::not_inherited`].
    pub fn not_inherited(&mut self, numbers: impl IntoIterator<Item = RawFd>) -> &mut Self {
        self.fd_map.not_inherited(numbers);
        self
    }

    /// Says what becomes of the descriptors that the command does not name: [`Rest::Close`] is the default.
    pub fn rest(&mut self, rest: Rest) -> &mut Self {
        self.fd_map.rest(rest);
        self
    }

    /// Replaces the command's map, and with it all that these methods of the command have set before: the sources of the standard streams and
    /// of all targets, slots, kept descriptors, [`Command::rest`], [`Command::not_inherited`], and on Linux `Command::pipe_capacity`. Each
    /// has the value of the new map. Later calls change the new map.
    pub fn fd_map(&mut self, fd_map: FdMap<'fd>) -> &mut Self {
        self.fd_map = fd_map;
        self
    }

    /// Chooses the launcher: [`Launcher::Auto`] is the default.
    pub fn launcher(&mut self, launcher: Launcher) -> &mut Self {
        self.launcher = launcher;
        self
    }

    /// Says whether the [`Child`] has a pidfd, if the system has pidfds. The default is yes.
    ///
    /// Without one, the process has one descriptor less for each child, and makes one system call less. What is lost: `poll(2)` cannot
    /// wait for the child's end, and `wait` and `kill` name the child by its process id. If another part of the process reaps the child,
    /// the kernel may give that id to another process, to which `kill` would then send its signal.
    ///
    /// [`Command::status`] and [`Command::output`] make no pidfd in any case.
    ///
    /// [`Child`]: crate::Child
    ///
    /// ```
    /// # use fdspawn::Command;
    /// let mut child = Command::new("true").pidfd(false).spawn()?;
    /// assert!(child.pidfd().is_none());
    /// assert!(child.wait()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "CLONE_PIDFD")]
    pub fn pidfd(&mut self, pidfd: bool) -> &mut Self {
        self.pidfd = pidfd;
        self
    }

    /// Launches the child from a thread that has a descriptor table of its own: see [`Isolated`]. A reference lends it, and an `Arc` makes
    /// the command one of its owners. It has no effect on [`Command::exec`].
    ///
    /// ```
    /// use fdspawn::{Command, Isolated};
    /// use std::sync::Arc;
    ///
    /// fn command(isolated: &Arc<Isolated>) -> Command<'static> {
    ///     let mut command = Command::new("true");
    ///     command.isolated(isolated.clone());
    ///     command
    /// }
    /// let isolated = Arc::new(Isolated::new()?);
    /// let mut command = command(&isolated);
    /// let thread = std::thread::spawn(move || command.status());
    /// assert!(thread.join().expect("no panic")?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    ///
    /// [`Isolated`]: crate::Isolated
    pub fn isolated(&mut self, isolated: impl Into<IsolatedRef<'fd>>) -> &mut Self {
        self.isolated = Some(isolated.into());
        self
    }

    /// The program, or the name of the function.
    pub fn get_program(&self) -> &OsStr {
        self.program.first()
    }

    /// The arguments, without argument 0.
    pub fn get_args(&self) -> Args<'_> {
        Args { strings: &self.args, next: 0 }
    }

    /// The changes to the environment: a variable without a value is removed.
    pub fn get_envs(&self) -> Variables<'_> {
        self.environment.iter()
    }

    /// The working directory, if [`Command::current_dir`] has set it.
    pub fn get_current_dir(&self) -> Option<&Path> {
        match &self.directory {
            Directory::Path(path) => Some(Path::new(path.first())),
            Directory::Inherit | Directory::Fd(_) => None,
        }
    }

    /// Makes spawns use the fallbacks of these kernel features, for tests.
    #[doc(hidden)]
    pub fn missing(&mut self, features: Features) -> &mut Self {
        self.fd_map.missing(features);
        self
    }
}

/// The arguments of a command, from [`Command::get_args`].
#[derive(Clone)]
pub struct Args<'a> {
    strings: &'a CStrings,
    next: usize,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a OsStr;

    fn next(&mut self) -> Option<Self::Item> {
        let arg = self.strings.get(self.next)?;
        self.next += 1;
        Some(arg)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.strings.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Args<'_> {}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
