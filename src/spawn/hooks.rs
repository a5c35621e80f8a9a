//! `pre_exec` hooks: the caller's code in the forked child.

use super::child::Reporter;
use super::report::{Cause, PipeEnd, Report, wire};
use crate::command::{Command, Hook};
use crate::process::Process;
use rustix::io::Errno;
use std::fmt::Write;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::time::Duration;

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

/// The hooks of a command, as plain data.
#[derive(Clone, Copy)]
pub(super) struct Runner {
    first: *mut Hook,
    count: usize,
}

impl Runner {
    pub(super) fn new(hooks: &mut [Hook]) -> Option<Self> {
        (!hooks.is_empty()).then_some(Self { first: hooks.as_mut_ptr(), count: hooks.len() })
    }
}

/// Runs all hooks, in the child, and tells the parent how that went. Returns whether the child may go on.
pub(super) fn run(runner: Runner, reporter: Reporter<'_>, step: usize) -> bool {
    for index in 0..runner.count {
        // SAFETY: the array lives until the spawn ends, and until then only the child uses it.
        let hook = AssertUnwindSafe(|| unsafe { (*runner.first.add(index))() });
        match catch_unwind(hook) {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => {
                match reporter {
                    Reporter::Pipe(pipe) => send(&error, pipe, step, index),
                    Reporter::Memory(report) => report.set_hook(Report { step, cause: cause(&error, index) }),
                }
                // The error may own memory, and freeing it could take a lock.
                std::mem::forget(error);
            }
            Err(payload) => {
                match reporter {
                    Reporter::Pipe(pipe) => {
                        pipe.send(&wire::head(wire::Kind::HookPanicked, step, 0, index));
                    }
                    Reporter::Memory(report) => report.set_hook(Report { step, cause: Cause::HookPanicked { index } }),
                }
                std::mem::forget(payload);
            }
        }
        return false;
    }
    match reporter {
        Reporter::Pipe(pipe) => pipe.send(&wire::head(wire::Kind::Done, step, 0, 0)),
        Reporter::Memory(_) => true,
    }
}

/// The cause as a value, where memory may be allocated.
fn cause(error: &io::Error, index: usize) -> Cause {
    match Errno::from_io_error(error) {
        Some(errno) => Cause::Hook { index, errno },
        None => Cause::HookMessage { index, message: error.to_string() },
    }
}

/// The cause as a message, where memory may not be allocated.
fn send(error: &io::Error, pipe: PipeEnd, step: usize, index: usize) {
    if let Some(errno) = Errno::from_io_error(error) {
        pipe.send(&wire::head(wire::Kind::Hook, step, errno.raw_os_error(), index));
        return;
    }
    let mut message = Message { bytes: [0; wire::MESSAGE], length: 0 };
    message.push(&wire::head(wire::Kind::HookMessage, step, 0, index));
    let _ = write!(message, "{error}");
    pipe.send(message.bytes.get(..message.length).unwrap_or_default());
}

/// How a child ended whose report pipe is closed, but not by an exec of the library's: a hook has ended the child, or
/// has closed the pipe, which ends it too. `None` where a hook has executed a program of its own, which now runs.
pub(super) fn ended(pid: i32) -> Option<ExitStatus> {
    let process = Process::new(pid, None);
    loop {
        match process.try_wait() {
            Ok(None) if has_execed(pid) => return None,
            // It is about to end, or to execute something.
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) => return Some(status),
            // Reaped by someone else: nothing more is known.
            Err(_) => return Some(ExitStatus::default()),
        }
    }
}

/// Whether a forked child has execed since. Where that cannot be known it is believed to have.
fn has_execed(pid: i32) -> bool {
    /// The kernel's flag for "forked, and has not execed" (`PF_FORKNOEXEC`).
    const FORK_NO_EXEC: u64 = 0x40;
    let flags = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| {
        // After the name, which may have anything inside: state, parent, group, session, terminal, its group, flags.
        stat.rsplit(") ").next()?.split(' ').nth(6)?.parse::<u64>().ok()
    });
    flags.is_none_or(|flags| flags & FORK_NO_EXEC == 0)
}

/// A text of limited length; what does not fit is cut.
struct Message {
    bytes: [u8; wire::MESSAGE],
    length: usize,
}

impl Message {
    fn push(&mut self, bytes: &[u8]) {
        for (room, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *room = *byte;
            self.length += 1;
        }
    }
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
