//! `pre_exec` hooks: functions of the caller that run in the child before exec.

use super::builder::Command;
use std::io;

impl Command<'_> {
    /// Adds a hook: a function that runs in the child before exec, after all other steps. The launcher is then
    /// [`Launcher::Fork`], so that the function works on a copy of the parent's memory, as with `std::process`.
    ///
    /// The child's descriptors are already those of the map, so a descriptor that the function needs has to be in the map. The
    /// library has one more descriptor until exec, at a high number: if the function closes or replaces it, the spawn fails.
    /// Signals are already as the program gets them, so the program keeps what the function changes of them. If the function
    /// returns an error, the spawn fails with that error and its text.
    ///
    /// A panic ends the child, and the spawn fails. But the child first runs the process's panic hook. Rust's default panic
    /// hook takes locks: if another thread held one of them at the fork, the child waits for ever.
    ///
    /// [`Launcher::Fork`]: crate::Launcher::Fork
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
