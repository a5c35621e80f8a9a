//! What fdrun has started, while it runs: which signals it gets, and how it has ended.

use crate::signals::{self, Noted, PASSED_ON};
use crate::timeout::Clock;
use fdspawn::{Signal, Slot};
use std::ffi::c_int;
use std::io::PipeReader;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// What fdrun has started: one program or a pipeline.
pub trait Job {
    /// Takes the end of a pipe that fdrun reads.
    fn take(&mut self, slot: Slot<PipeReader>) -> Option<PipeReader>;

    /// Sends a signal of the clock, and SIGCONT, as `timeout` does, so that stopped processes take it.
    fn signal(&mut self, signal: Signal);

    /// Passes on a signal that fdrun has got. If the kernel has sent it, programs in the process group of fdrun have got it, too, and do not get
    /// it again. Returns whether a program gets it.
    fn pass_on(&mut self, signal: Signal, is_from_kernel: bool) -> bool;

    /// How the programs have ended, if all have.
    fn statuses(&mut self) -> fdspawn::Result<Option<Vec<ExitStatus>>>;
}

/// A job, and its times.
pub struct Attended<J> {
    pub job: J,
    pub clock: Clock,
    passed_on: Vec<c_int>,
    /// A signal may have come before the first question.
    is_new: bool,
}

/// How a job has ended.
pub struct JobEnd {
    pub statuses: Vec<ExitStatus>,
    /// Whether fdrun was asked to end: a signal that asks for that was passed on, or has ended a program, or the time is over, or a limit is
    /// reached.
    pub is_asked: bool,
}

impl<J: Job> Attended<J> {
    pub fn new(job: J, clock: Clock) -> Self {
        Self { job, clock, passed_on: Vec::new(), is_new: true }
    }

    /// Passes on the signals that have come, and sends those of the clock. Returns how the job has ended, if it has.
    pub fn attend(&mut self) -> fdspawn::Result<Option<JobEnd>> {
        // The question comes first, so that a signal that comes after the answer is noted for the next one.
        if signals::has_come() || self.is_new {
            self.is_new = false;
            let noted = Noted::take();
            if noted.all() != 0 {
                self.clock.signalled();
            }
            self.pass_on(&noted);
            if let Some(statuses) = self.job.statuses()? {
                let is_asked = self.is_asked_to_end(&statuses);
                return Ok(Some(JobEnd { statuses, is_asked }));
            }
        }
        while let Some(signal) = self.clock.due() {
            self.job.signal(signal);
        }
        Ok(None)
    }

    fn is_asked_to_end(&self, statuses: &[ExitStatus]) -> bool {
        // A program may take SIGHUP for a request to read its configuration again.
        let asks = |signal: &c_int| PASSED_ON.contains(signal) && *signal != libc::SIGHUP;
        let mut signals = statuses.iter().filter_map(ExitStatusExt::signal);
        let ended_by_it = signals.any(|signal| PASSED_ON.contains(&signal));
        ended_by_it || self.clock.code(statuses).is_some() || self.passed_on.iter().any(asks)
    }

    fn pass_on(&mut self, noted: &Noted) {
        for number in PASSED_ON.into_iter().filter(|signal| noted.all() >> signal & 1 == 1) {
            let is_from_kernel = noted.by_process >> number & 1 == 0;
            let Some(signal) = Signal::from_named_raw(number) else { continue };
            if self.job.pass_on(signal, is_from_kernel) {
                self.passed_on.push(number);
            }
        }
    }
}

/// Whether the kernel has sent the program a signal that it has sent to fdrun. A terminal sends its signals to all processes of
/// the foreground group. But if a terminal hangs up, only the leader of the session gets SIGHUP.
pub fn has_got_from_kernel(pid: c_int, signal: Signal) -> bool {
    // SAFETY: only numbers are passed.
    let (own_group, group, own_pid, session) =
        unsafe { (libc::getpgrp(), libc::getpgid(pid), libc::getpid(), libc::getsid(0)) };
    group == own_group && !(signal == Signal::HUP && session == own_pid)
}
