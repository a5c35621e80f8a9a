//! `Command::try_clone`: a second command of the same program, descriptors and attributes.

use super::builder::{Command, Directory};
use crate::error::{Failure, Problem, Result, Subject};

impl<'fd> Command<'fd> {
    /// Makes a copy of the command, which can be changed and spawned apart from it, also at the same time in another thread.
    ///
    /// - Lent descriptors are lent to both commands, and the command and its copy are both owners of shared ones (`Arc`).
    /// - The library opens what it opens for a command (pipes, sockets, data, `/dev/null`) for each spawn of either of them.
    /// - **Slots** are those of the command: with the same [`Slot`](crate::Slot) the caller takes an end from each child of either of
    ///   them, and each child has an end of its own.
    /// - Bytes of [`Stdio::data`](crate::Stdio::data) are copied. A prepared [`Environment`](crate::Environment) is shared.
    ///
    /// The copy makes no system call.
    ///
    /// # Errors
    ///
    /// All are `EINVAL`, other than the second one (`EBADF`). The command has not changed.
    ///
    /// - [`Refusal::SourceMoved`]: a descriptor was moved into the command, and only one command can own it.
    /// - [`Refusal::SourceSpent`]: a spawn has closed a descriptor that was moved into the command.
    /// - [`Failure::HooksNotCopied`]: the command has a `pre_exec` hook.
    /// - [`Failure::FunctionNotCopied`]: the command runs a function ([`Command::function`]).
    ///
    /// [`Refusal::SourceMoved`]: crate::plan::Refusal::SourceMoved
    /// [`Refusal::SourceSpent`]: crate::plan::Refusal::SourceSpent
    ///
    /// ```
    /// use fdspawn::{Command, Stdio};
    /// use std::io::Read;
    ///
    /// let mut shell = Command::new("sh");
    /// let seven = shell.stdin(Stdio::null()).reader(7);
    /// for number in ["1", "2"] {
    ///     let mut child = shell.try_clone()?.args(["-c", "echo $0 >&7", number]).spawn()?;
    ///     let mut text = String::new();
    ///     child.take(seven).expect("taken once").read_to_string(&mut text)?;
    ///     assert_eq!(text.trim(), number);
    ///     assert!(child.wait()?.success());
    /// }
    ///
    /// shell.stderr(std::fs::File::open("/dev/null")?); // moved
    /// let text = "cannot copy the command `sh`: the source of target 2 was moved into it; lend it (a reference) or share it (an Arc)";
    /// assert_eq!(shell.try_clone().unwrap_err().to_string(), text);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> Result<Self> {
        self.copy().map_err(|problem| problem.of(Subject::Copy(self.get_program().to_owned())))
    }

    fn copy(&self) -> std::result::Result<Self, Problem> {
        // Without `..`, so that a field that is added has to be copied here.
        let Self {
            program,
            arg0,
            args,
            environment,
            directory,
            fd_map,
            launcher,
            pidfd,
            hooks_may_end,
            isolated,
            hooks,
            function,
            settings,
        } = self;
        if !hooks.is_empty() {
            return Err(Failure::HooksNotCopied.into());
        }
        if function.is_some() {
            return Err(Failure::FunctionNotCopied.into());
        }
        Ok(Self {
            program: program.clone(),
            arg0: arg0.clone(),
            args: args.clone(),
            environment: environment.clone(),
            directory: match directory {
                Directory::Inherit => Directory::Inherit,
                Directory::Path(path) => Directory::Path(path.clone()),
                Directory::Fd(fd) => Directory::Fd(*fd),
            },
            fd_map: fd_map.copy()?,
            launcher: *launcher,
            pidfd: *pidfd,
            hooks_may_end: *hooks_may_end,
            isolated: isolated.clone(),
            hooks: Vec::new(),
            function: None,
            settings: settings.clone(),
        })
    }
}
