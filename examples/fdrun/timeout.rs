//! `--timeout`, `--kill-after` and `--signal`: when the program gets which signal, as with `timeout`; and the end at a `--limit`.

use crate::attributes::{parsers, signal};
use crate::request::Request;
use crate::values::{Parsed, parsed};
use fdspawn::Signal;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// What the command line says. An option that is not given is `None`.
#[derive(Default)]
pub struct Times {
    pub timeout: Option<Duration>,
    pub kill_after: Option<Duration>,
    pub signal: Option<Signal>,
}

pub fn timeout(request: &mut Request, value: OsString) -> Parsed {
    request.times.timeout = Some(time("--timeout", &value)?);
    Ok(())
}

pub fn kill_after(request: &mut Request, value: OsString) -> Parsed {
    request.times.kill_after = Some(time("--kill-after", &value)?);
    Ok(())
}

pub fn first_signal(request: &mut Request, value: OsString) -> Parsed {
    let one = |text: &str| signal(parsers::signal(text)?);
    request.times.signal = Some(parsed("--signal takes the name or the number of a signal", &value, one)?);
    Ok(())
}

fn time(option: &str, value: &OsString) -> Result<Duration, Box<dyn std::error::Error>> {
    let rule = format!("{option} takes a number, such as 5 or 0.5, and perhaps a unit: s, m, h or d");
    parsed(&rule, value, parsers::duration)
}

/// The times of a run that has begun.
pub struct Clock {
    signal: Signal,
    kill_after: Option<Duration>,
    /// When the program gets the signal.
    timeout: Option<Instant>,
    /// When the program gets SIGKILL.
    kill: Option<Instant>,
    ends_by: Option<EndsBy>,
}

/// Why fdrun ends the program. What comes first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndsBy {
    Time,
    Limit,
}

/// The exit status of fdrun after a limit. The others of its own are those of `timeout` and `env`: 124 to 127, and 137.
const LIMIT_CODE: u8 = 123;

impl Clock {
    /// Starts the time of the program. As with `timeout`, a time of 0 is none.
    pub fn start(times: &Times) -> Self {
        Self {
            signal: times.signal.unwrap_or(Signal::TERM),
            kill_after: times.kill_after.filter(|time| !time.is_zero()),
            timeout: times.timeout.filter(|time| !time.is_zero()).and_then(from_now),
            kill: None,
            ends_by: None,
        }
    }

    /// Tells that fdrun has got a signal for the program. As with `timeout`, the time of --kill-after starts at the first signal of all.
    pub fn signalled(&mut self) {
        if let Some(time) = self.kill_after.take() {
            self.kill = from_now(time);
        }
    }

    /// When fdrun has to act next. `None` if only a signal or the end of the program can make it act.
    pub fn next(&self) -> Option<Instant> {
        [self.timeout, self.kill].into_iter().flatten().min()
    }

    /// The signal that the program is to get now. The caller asks until there is none.
    pub fn due(&mut self) -> Option<Signal> {
        let now = Instant::now();
        let is_due = |time: &mut Option<Instant>| time.take_if(|time| *time <= now).is_some();
        let signal = if is_due(&mut self.timeout) {
            self.signalled();
            self.signal
        } else if is_due(&mut self.kill) {
            Signal::KILL
        } else {
            return None;
        };
        self.ends_by.get_or_insert(EndsBy::Time);
        Some(signal)
    }

    /// Tells that a limit is reached: the program gets now what it would get at the timeout, unless it has got that already.
    pub fn limit(&mut self) {
        if self.ends_by.is_none() {
            self.ends_by = Some(EndsBy::Limit);
            self.timeout = Some(Instant::now());
        }
    }

    /// When the time of the program ends, if it has not ended.
    pub fn timeout(&self) -> Option<Instant> {
        self.timeout
    }

    /// The exit status of fdrun, if a limit is reached, or the programs have had no time left or one of them got the SIGKILL of --kill-after.
    /// For the time, `timeout` has the same.
    pub fn code(&self, statuses: &[ExitStatus]) -> Option<u8> {
        let killed = statuses.iter().any(|status| status.signal() == Some(libc::SIGKILL));
        self.ends_by.map(|ends_by| match ends_by {
            EndsBy::Limit => LIMIT_CODE,
            EndsBy::Time if killed => 128 + 9,
            EndsBy::Time => 124,
        })
    }
}

/// `None` if the clock does not go as far.
fn from_now(time: Duration) -> Option<Instant> {
    Instant::now().checked_add(time)
}
