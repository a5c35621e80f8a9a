//! `Capture`: the input of a captured child, what is kept of its output, its time, and how it is ended.

use crate::flow::Keep;
use crate::plan::Teardown;
use std::fmt;
use std::time::Duration;

/// What [`Command::capture`](crate::Command::capture) does: the input, what it keeps of the output, how long the child has, and how it is ended then.
///
/// The default has no input, keeps all output without a limit, and has no time limit.
#[derive(Clone)]
pub struct Capture<'a> {
    pub(crate) input: Option<&'a [u8]>,
    pub(crate) stdout: Keep,
    pub(crate) stderr: Keep,
    pub(crate) slots: Keep,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) teardown: Teardown,
}

impl<'a> Capture<'a> {
    /// Makes the default.
    pub const fn new() -> Self {
        Self {
            input: None,
            stdout: Keep::All,
            stderr: Keep::All,
            slots: Keep::All,
            timeout: None,
            grace: Duration::from_secs(2),
            teardown: Teardown::kill(),
        }
    }

    /// Sets the bytes that the child reads from its standard input. If the command connects standard input other than by
    /// [`Stdio::piped`](crate::Stdio::piped), the child reads that, and none of these bytes: [`Captured::unsent`](crate::Captured::unsent) tells.
    #[must_use]
    pub fn input(mut self, bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.input = Some(bytes.as_ref());
        self
    }

    /// Sets what is kept of standard output, of standard error, and of the end of each slot: each has the limit for itself.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        (self.stdout, self.stderr, self.slots) = (keep, keep, keep);
        self
    }

    /// Sets what is kept of standard output.
    #[must_use]
    pub fn keep_stdout(mut self, keep: Keep) -> Self {
        self.stdout = keep;
        self
    }

    /// Sets what is kept of standard error.
    #[must_use]
    pub fn keep_stderr(mut self, keep: Keep) -> Self {
        self.stderr = keep;
        self
    }

    /// Sets how long the child may run. After that it is ended.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sets how long a pipe may still be held after the child has ended, by a process that the child has started. The default is 2 s.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how the child is ended after its time, or at a limit. The default is SIGKILL to the child alone.
    #[must_use]
    pub fn end(mut self, how: Teardown) -> Self {
        self.teardown = how;
        self
    }
}

impl fmt::Debug for Capture<'_> {
    /// Prints how many bytes of input there are, and not the bytes, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("input", &self.input.map(<[u8]>::len))
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("slots", &self.slots)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("teardown", &self.teardown)
            .finish()
    }
}

impl Default for Capture<'_> {
    fn default() -> Self {
        Self::new()
    }
}
