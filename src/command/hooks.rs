//! `pre_exec` hooks: functions of the caller that run in the child before exec.

use super::builder::Command;
use std::io;

impl Command<'_> {
    /// Adds a function that runs in the child before exec, after all other steps. It makes the launcher fork, so that
    /// the function works on a copy of the parent's memory, as with `std::process`.
    ///
    /// The descriptors are already the plan's: one that the function needs has to be in the plan. The library keeps one
    /// more of its own until exec, at a high number: a function that closes or replaces it fails the spawn. Signals are as the
    /// program will have them, so what the function changes of them stays. An error that it returns is the spawn's
    /// error, with its text.
    ///
    /// A panic ends the child, and is the spawn's error too. But it is first told to the process's panic hook, in the
    /// child: Rust's own takes locks, and waits for ever for one that another thread held at the fork.
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
    /// The function runs in a child of a possibly multithreaded process, between fork and exec: only async-signal-safe
    /// calls are allowed there. Memory allocation and locks are not.
    #[allow(unsafe_code, reason = "the contract is std's, and only the caller can keep it")]
    pub unsafe fn pre_exec<F>(&mut self, hook: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        self.hooks.push(Box::new(hook));
        self
    }
}
