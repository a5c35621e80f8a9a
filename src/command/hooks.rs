//! `pre_exec` hooks: functions of the caller that run in the child before exec.

use super::builder::Command;
use std::io;

impl Command<'_> {
    /// Adds a hook: a function that runs in the child before exec, after all other steps. The launcher is then
    /// [`Launcher::Fork`], so that the function works on a copy of the parent's memory, as with `std::process`.
    ///
    /// The function finds the targets in place, and all other descriptors of the parent still open, with the numbers that they have
    /// there, other than those that targets have replaced. After all hooks the child closes what the map does not name, also what
    /// the hooks have opened, unless the command asks for [`Rest::Inherit`]. (An [`Isolated`] launches from a table that has no other
    /// descriptors.) So the function may close or replace any number, other than that of a program given by `Command::program_fd`, for
    /// which the child has a descriptor until exec. If the function has closed or replaced that one, the child executes nothing, and the
    /// spawn fails ([`Failure::ProgramReplaced`]).
    ///
    /// Signals are already as the program gets them, so the program keeps what the function changes of them. If the command inherits
    /// the environment without changes, the program also gets what the function changes of that; the search in PATH does not use it.
    /// On Linux the child reads its environment by `process_vm_readv(2)` before and after the hooks. If they have not changed it, the
    /// program gets the copy that the parent made before the fork: another thread of the parent may have been in `set_var` at the fork,
    /// and left a broken environment to the child. If the kernel refuses that call, the program gets the child's own environment.
    ///
    /// The function may execute a program itself: then the child runs that program. If the function returns an error, the spawn
    /// fails with that error and its text.
    ///
    /// On Linux, if a signal stops the child in the function, the parent sends it SIGCONT within about 100 ms, also if the function has raised
    /// the signal itself, for a debugger. (With `std::process` the parent would wait.) Let such a function sleep instead.
    ///
    /// Before the fork the parent writes what its [`std::io::stdout`] has buffered, so that the function does not write it again. For that the
    /// calling thread locks standard output: another thread that holds the lock must not wait for the spawn.
    ///
    /// A panic ends the child, and the spawn fails. But the child first runs the process's panic hook. Rust's default panic
    /// hook takes locks: if another thread held one of them at the fork, the child waits for ever.
    ///
    /// [`Failure::ProgramReplaced`]: crate::Failure::ProgramReplaced
    /// [`Isolated`]: crate::Isolated
    /// [`Launcher::Fork`]: crate::Launcher::Fork
    /// [`Rest::Inherit`]: crate::Rest::Inherit
    ///
    /// ```
    /// use fdspawn::Command;
    ///
    /// let mut command = Command::new("true");
    /// // SAFETY: the function only returns an error that was made before the fork.
    /// unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(1))) };
    /// let error = command.spawn().unwrap_err();
    /// assert_eq!(error.to_string(), "cannot spawn `true`: pre_exec hook 0: Operation not permitted");
    /// ```
    ///
    /// # Safety
    ///
    /// The function runs between fork and exec in a child of a process that may have several threads. It may make only
    /// async-signal-safe calls. It must not allocate memory or take locks.
    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    pub unsafe fn pre_exec<F>(&mut self, hook: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        self.hooks.push(Box::new(hook));
        self
    }
}
