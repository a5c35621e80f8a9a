//! `Command::function`: a command that runs a function of this process in place of a program.

use super::builder::Command;
use super::child_function::ChildFunction;
use std::ffi::OsStr;

impl Command<'_> {
    /// Makes a command whose child runs a function of this process in place of a program, and exits with the status that the function
    /// returns: a filter of this process between two programs, as a stage of a [`Graph`].
    ///
    /// The command has the descriptors and the attributes of any other one: streams, targets, slots, a process group, limits, a working
    /// directory. `name` is what errors, statuses and `explain` call it. What is about a program has no effect: the environment,
    /// [`Command::arg0`], [`Command::programs`], `Command::program_fd`. An argument is refused
    /// ([`Refusal::FunctionWithArguments`](crate::plan::Refusal::FunctionWithArguments)).
    ///
    /// Each spawn forks (`fork(2)`), from the calling thread also if the command names an [`Isolated`](crate::Isolated). The child is a copy of
    /// this process with the calling thread only. It does the steps of the command, with hooks before the function if there are any, and calls
    /// the function as [`fork_run`] does: standard output is flushed before the fork, signals keep the dispositions of this process (a Rust
    /// program ignores SIGPIPE: a write without a reader is an error), no destructor runs, and a panic exits with status 101. Descriptors that
    /// the function captures have this process's numbers, and are closed in the child. Each child has a copy of the function as it is in this
    /// process, so no call sees what an earlier one has changed.
    ///
    /// # Errors
    ///
    /// A spawn fails as those of a program do, other than by exec. [`Failure::FunctionNeedsFork`] is the error of [`Launcher::Clone`] and of
    /// [`Command::exec`], [`Failure::FunctionNotCopied`] of [`Command::try_clone`], and [`Failure::Flush`] of a standard output that
    /// cannot be flushed. A [`Graph`] refuses [`Rest::Inherit`] ([`GraphRefusal::FunctionInheritsRest`]): without an exec, the child
    /// would have the ends of all other stages.
    ///
    /// # Safety
    ///
    /// The caller promises this for each spawn of the command, with the descriptors that the command then has:
    ///
    /// - If the process has several threads, the child has only one, and a lock that another thread held at the fork stays locked for ever.
    ///   So the function may make only async-signal-safe calls. Memory allocation is safe with some C libraries (glibc). If the process has
    ///   one thread, the function may make any call. The threads of the tees and spools of a [`Graph`] are threads, too.
    /// - The function must not use a descriptor that the command does not give the child, and must not drop a value that owns one: in the child
    ///   that number may be another descriptor.
    ///
    /// [`Failure::Flush`]: crate::Failure::Flush
    /// [`Failure::FunctionNeedsFork`]: crate::Failure::FunctionNeedsFork
    /// [`Failure::FunctionNotCopied`]: crate::Failure::FunctionNotCopied
    /// [`Graph`]: crate::Graph
    /// [`GraphRefusal::FunctionInheritsRest`]: crate::plan::GraphRefusal::FunctionInheritsRest
    /// [`Launcher::Clone`]: crate::Launcher::Clone
    /// [`Rest::Inherit`]: crate::Rest::Inherit
    /// [`fork_run`]: crate::fork_run
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    /// use std::fs::File;
    /// use std::io::{Read, Write};
    /// use std::os::fd::FromRawFd;
    ///
    /// // SAFETY: the function uses 0 and 1 only, which the command gives the child, and calls only read(2), write(2) and close(2).
    /// let upper = unsafe {
    ///     Command::function("upper", || {
    ///         let (mut input, mut output) = (File::from_raw_fd(0), File::from_raw_fd(1));
    ///         let mut buffer = [0; 4096];
    ///         loop {
    ///             let Ok(length) = input.read(&mut buffer) else { return 1 };
    ///             buffer[..length].make_ascii_uppercase();
    ///             match output.write_all(&buffer[..length]) {
    ///                 Ok(()) if length == 0 => return 0,
    ///                 Ok(()) => {}
    ///                 Err(_) => return 1,
    ///             }
    ///         }
    ///     })
    /// };
    /// let output = Graph::pipeline([Command::from(["echo", "text"]), upper, Command::from(["cat"])]).output()?;
    /// assert_eq!(output.check()?.stdout, b"TEXT\n");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[doc(alias = "fork")]
    #[allow(unsafe_code, reason = "only the caller can keep the contract of code that runs after a fork")]
    pub unsafe fn function<F>(name: impl AsRef<OsStr>, function: F) -> Self
    where
        F: FnMut() -> i32 + Send + Sync + 'static,
    {
        let mut command = Self::new(name);
        command.function = Some(ChildFunction(Box::new(function)));
        command
    }
}
