//! `Command`, the builder that has std's name, methods and signatures.

use super::args::{CommandArgs, CommandEnvs, CommandResolvedEnvs};
use super::child::Child;
use super::error::io_error;
use super::stdio::Stdio;
use crate::command::{Command as AnyCommand, Stdio as AnySource};
use crate::error::{Error, Result as AnyResult};
use crate::plan::Rest;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output};

/// A program to start: `std::process::Command`.
///
/// Each method is that of std. The page `docs/from-std.md` has every difference. [`CommandFdExt`](super::CommandFdExt) adds what std has no
/// words for: descriptors at any number, the rest closed, the [error](super::CommandFdExt::last_error) with the step that failed.
///
/// If the command changes `PATH` or has a group, a user or a hook, std starts the child by a fork, which copies the page tables of this
/// process. Here only hooks and another user or group need that.
///
/// ```
/// use fdspawn::process::Command;
///
/// let output = Command::new("echo").arg("hello").output()?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    pub(super) inner: AnyCommand<'static>,
    /// The error of the last call that started a child or tried to.
    pub(super) error: Option<Error>,
}

impl Command {
    /// Makes a command for `program`, without arguments. The child inherits this process's environment, working directory and standard
    /// streams, and all descriptors that do not have close-on-exec set.
    ///
    /// If the program's name has no `/`, the child looks for it in its own `PATH`.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        let mut inner = AnyCommand::new(program);
        inner.rest(Rest::Inherit).pidfd(false);
        inner.environment.allow_any_name();
        inner.hooks_may_end = true;
        Self { inner, error: None }
    }

    /// Adds an argument.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.inner.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.inner.args(args);
        self
    }

    /// Sets an environment variable of the child. As with std, the child gets the string `name=value` whatever the name is.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.env(key, val);
        self
    }

    /// Sets several environment variables of the child.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.inner.envs(vars);
        self
    }

    /// Removes an environment variable, set by this command or inherited.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self {
        self.inner.env_remove(key);
        self
    }

    /// Removes all environment variables: the inherited ones and those that this command has set so far.
    pub fn env_clear(&mut self) -> &mut Self {
        self.inner.env_clear();
        self
    }

    /// Sets the child's working directory. A relative path of the program starts there.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self {
        self.inner.current_dir(dir);
        self
    }

    /// Connects standard input. The default is to inherit it, or `/dev/null` for [`Command::output`].
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.inner.stdin(shared(cfg.into()));
        self
    }

    /// Connects standard output. The default is to inherit it, or a pipe for [`Command::output`].
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.inner.stdout(shared(cfg.into()));
        self
    }

    /// Connects standard error. The default is to inherit it, or a pipe for [`Command::output`].
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.inner.stderr(shared(cfg.into()));
        self
    }

    /// Starts the child, and does not wait for its end.
    ///
    /// # Errors
    ///
    /// If a system call of this process or of the child fails, the error has its number, as with std. If the library refuses a value,
    /// the error contains a [`fdspawn::Error`](crate::Error), which [`io::Error::get_ref`] and `downcast_ref` find.
    /// [`CommandFdExt::last_error`](super::CommandFdExt::last_error) gives the `fdspawn::Error` in both cases.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let child = self.inner.spawn();
        self.kept(child).map(Child::new)
    }

    /// Starts the child, reads its output, and waits for its end. Unless the command connects them, standard input is
    /// `/dev/null`, and standard output and error are pipes.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait_with_output`].
    pub fn output(&mut self) -> io::Result<Output> {
        let output = self.inner.output();
        self.kept(output)
    }

    /// Starts the child and waits for its end.
    ///
    /// # Errors
    ///
    /// Those of [`Command::spawn`] and [`Child::wait`].
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let status = self.inner.status();
        self.kept(status)
    }

    /// The program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.inner.get_program()
    }

    /// The arguments, without argument 0.
    pub fn get_args(&self) -> CommandArgs<'_> {
        CommandArgs { inner: self.inner.get_args() }
    }

    /// The changes to the environment: a variable without a value is removed.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        CommandEnvs { iter: self.inner.get_envs() }
    }

    /// The child's environment as it is now: this process's variables with the changes of the command. std has this method only in nightly
    /// Rust.
    ///
    /// ```
    /// use fdspawn::process::Command;
    ///
    /// let mut command = Command::new("true");
    /// command.env_clear().env("A", "1");
    /// assert_eq!(command.get_resolved_envs().collect::<Vec<_>>(), [("A".into(), "1".into())]);
    /// ```
    pub fn get_resolved_envs(&self) -> CommandResolvedEnvs {
        let mut variables: BTreeMap<OsString, OsString> = BTreeMap::new();
        if !self.get_env_clear() {
            variables.extend(std::env::vars_os());
        }
        for (name, value) in self.get_envs() {
            match value {
                Some(value) => variables.insert(name.to_owned(), value.to_owned()),
                None => variables.remove(name),
            };
        }
        CommandResolvedEnvs::new(variables)
    }

    /// The working directory, if the command sets one.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.inner.get_current_dir()
    }

    /// Whether [`Command::env_clear`] has been called. std has this method only in nightly Rust.
    #[must_use]
    pub fn get_env_clear(&self) -> bool {
        self.inner.environment.is_cleared()
    }

    /// Keeps the error of a call, and makes it one of std.
    pub(super) fn kept<T>(&mut self, result: AnyResult<T>) -> io::Result<T> {
        match result {
            Ok(value) => {
                self.error = None;
                Ok(value)
            }
            Err(error) => Err(self.keep_error(error)),
        }
    }

    #[cold]
    pub(super) fn keep_error(&mut self, error: Error) -> io::Error {
        self.error = Some(error.clone());
        io_error(error)
    }
}

/// The source of a standard stream. A descriptor that was moved stays the command's, so that each spawn can use it.
fn shared(stdio: Stdio) -> AnySource<'static> {
    AnySource::from(stdio).shared()
}

impl From<Command> for AnyCommand<'static> {
    /// The same command with all that [`fdspawn::Command`](crate::Command) offers. It keeps [`Rest::Inherit`] until
    /// [`rest`](crate::Command::rest) says otherwise, and sources that spawns share. Its children have pidfds.
    /// A hook that ends the child is an error ([`Failure::HookEnded`](crate::Failure::HookEnded)).
    ///
    /// ```
    /// use fdspawn::{Rest, process};
    ///
    /// let command = process::Command::new("true"); // from code that is written for std
    /// let mut command = fdspawn::Command::from(command);
    /// assert!(command.rest(Rest::Close).umask(0o77).status()?.success());
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    fn from(command: Command) -> Self {
        let mut command = command.inner;
        command.pidfd(true);
        command.hooks_may_end = false;
        command
    }
}
