//! The program while it runs: which signals it gets, and how it has ended.

use crate::signals::{self, Noted, PASSED_ON};
use crate::timeout::Clock;
use crate::tree::Tree;
use fdspawn::{Child, Signal};
use std::ffi::c_int;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The program, the processes that end with it, and its times.
pub struct Program<'a> {
    child: &'a Child,
    tree: &'a mut Tree,
    pub clock: Clock,
    passed_on: Vec<c_int>,
    /// A signal may have come before the first question.
    is_new: bool,
}

impl<'a> Program<'a> {
    pub fn new(child: &'a Child, tree: &'a mut Tree, clock: Clock) -> Self {
        Self { child, tree, clock, passed_on: Vec::new(), is_new: true }
    }

    /// Passes on the signals that have come, and sends those of the clock. If the program has ended, returns whether fdrun was asked to end:
    /// a signal that asks for that was passed on, or has ended the program, or the time is over, or a limit is reached.
    pub fn attend(&mut self) -> fdspawn::Result<Option<bool>> {
        // The question comes first, so that a signal that comes after the answer is noted for the next one.
        if signals::has_come() || self.is_new {
            self.is_new = false;
            let noted = Noted::take();
            if noted.all() != 0 {
                self.clock.signalled();
            }
            self.pass_on(&noted);
            if let Some(status) = self.tree.status(self.child)? {
                return Ok(Some(self.is_asked_to_end(status)));
            }
        }
        while let Some(signal) = self.clock.due() {
            self.tree.signal(self.child, signal);
        }
        Ok(None)
    }

    fn is_asked_to_end(&self, status: ExitStatus) -> bool {
        // A program may take SIGHUP for a request to read its configuration again.
        let asks = |signal: &c_int| PASSED_ON.contains(signal) && *signal != libc::SIGHUP;
        let ended_by_it = status.signal().is_some_and(|signal| PASSED_ON.contains(&signal));
        ended_by_it || self.clock.code(status).is_some() || self.passed_on.iter().any(asks)
    }

    /// Passes the noted signals on to the program, which this thread has not reaped yet, and with --tree to the others.
    fn pass_on(&mut self, noted: &Noted) {
        let pid = self.child.id().cast_signed();
        let is_to_pass = |signal: &c_int| {
            noted.by_process >> signal & 1 == 1
                || (noted.by_kernel >> signal & 1 == 1 && !has_got_from_kernel(pid, *signal))
        };
        for signal in PASSED_ON.into_iter().filter(is_to_pass) {
            self.passed_on.push(signal);
            let Some(signal) = Signal::from_named_raw(signal) else { continue };
            if self.tree.is_process() {
                // The call fails if the program runs as another user. Then the program may not be signalled by this user at all.
                let _ = self.child.signal(signal);
            } else {
                self.tree.signal(self.child, signal);
            }
        }
    }
}

/// Whether the kernel has sent the program a signal that it has sent to fdrun. A terminal sends its signals to all processes of
/// the foreground group. But if a terminal hangs up, only the leader of the session gets SIGHUP.
fn has_got_from_kernel(pid: c_int, signal: c_int) -> bool {
    // SAFETY: only numbers are passed.
    let (own_group, group, own_pid, session) =
        unsafe { (libc::getpgrp(), libc::getpgid(pid), libc::getpid(), libc::getsid(0)) };
    group == own_group && !(signal == libc::SIGHUP && session == own_pid)
}
