//! Runs `pre_exec` hooks, which are the caller's code, in the forked child.

use super::errpipe::{Channel, Message, MessageHead, MessageKind};
use crate::child::Process;
use crate::command::Hook;
use rustix::io::Errno;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::time::Duration;

/// The hooks of a command as plain data: an address and a count.
#[derive(Clone, Copy)]
pub(crate) struct HookList {
    first: *mut Hook,
    count: usize,
}

impl HookList {
    pub(crate) fn new(hooks: &mut [Hook]) -> Option<Self> {
        (!hooks.is_empty()).then_some(Self { first: hooks.as_mut_ptr(), count: hooks.len() })
    }
}

/// Runs all hooks in the child, and sends the parent an error or that they are done. Returns whether the child goes on.
pub(super) fn run(hooks: HookList, channel: Channel<'_>, step: usize) -> bool {
    for index in 0..hooks.count {
        // SAFETY: the array lives until the spawn ends, and until then only the child uses it.
        let hook = AssertUnwindSafe(|| unsafe { (*hooks.first.add(index))() });
        match catch_unwind(hook) {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => {
                match Errno::from_io_error(&error) {
                    Some(errno) => {
                        channel.send(&Message::new(MessageHead { step, kind: MessageKind::HookErrno(index, errno) }));
                    }
                    None => {
                        let mut message = Message::new(MessageHead { step, kind: MessageKind::HookText(index) });
                        let _ = write!(message, "{error}");
                        channel.send(&message);
                    }
                }
                // The error may own memory. To free it could take a lock.
                std::mem::forget(error);
            }
            Err(payload) => {
                channel.send(&Message::new(MessageHead { step, kind: MessageKind::HookPanicked(index) }));
                std::mem::forget(payload);
            }
        }
        return false;
    }
    channel.send_done(step)
}

/// The status of a child whose hooks did not report that they are done. Either a hook has ended the child, or a hook has closed
/// the errpipe, and then the child ends itself. `None` if a hook has executed a program of its own, which runs.
pub(super) fn ended(pid: i32) -> Option<ExitStatus> {
    let process = Process::new(pid, None);
    loop {
        match process.try_wait() {
            Ok(None) if has_executed(pid) => return None,
            // The child is about to end, or to execute a program.
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) => return Some(status),
            // Another thread has reaped the child, so its status is not known.
            Err(_) => return Some(ExitStatus::default()),
        }
    }
}

/// Whether a forked child has executed a program. If /proc does not show the flag, the answer is yes.
fn has_executed(pid: i32) -> bool {
    /// `PF_FORKNOEXEC`: the process was forked and has not executed a program.
    const FORK_NO_EXEC: u64 = 0x40;
    let flags = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| {
        // proc_pid_stat(5): after the name, which may have any characters, flags is the seventh field.
        stat.rsplit(") ").next()?.split(' ').nth(6)?.parse::<u64>().ok()
    });
    flags.is_none_or(|flags| flags & FORK_NO_EXEC == 0)
}
