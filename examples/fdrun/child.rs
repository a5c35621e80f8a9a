//! A job from its start to its end: fdrun passes signals on to it, reads what it writes, and ends it.

use crate::job::{Attended, Job};
use crate::readings::Reading;
use crate::relay::{Relay, Step};
use crate::timeout::{Clock, Times};
use crate::{signals, terminal};
use fdspawn::Slot;
use std::error::Error;
use std::fs::File;
use std::io::{self, PipeReader};
use std::time::{Duration, Instant};

/// How long fdrun reads the pipes of a program that was asked to end and has ended. What the program itself has written is in
/// the pipes already.
const LONGEST_READ: Duration = Duration::from_secs(1);

/// The descriptors that fdrun reads.
pub struct Output {
    pub readings: Vec<Reading>,
    /// The files of `--capture`.
    pub files: Vec<Option<File>>,
    pub slots: Vec<Slot<PipeReader>>,
    pub all_lines: bool,
}

impl Output {
    /// Adds the pipes of the job to the relay.
    fn add_to(self, relay: &mut Relay, job: &mut impl Job) -> io::Result<()> {
        for ((reading, file), slot) in self.readings.iter().zip(self.files).zip(self.slots) {
            relay.add(reading, job.take(slot).expect("taken once"), file, self.all_lines)?;
        }
        Ok(())
    }
}

/// Starts a job, passes signals on to it, and reads its pipes until it has ended. The terminal comes back as soon as the program has ended, since a
/// signal may end fdrun while it still reads the pipes; it also comes back after an error. Returns the job, and the exit status of fdrun, if it
/// is not the program's.
pub fn run<J: Job>(
    start: impl FnOnce() -> Result<J, Box<dyn Error>>,
    output: Output,
    times: &Times,
    terminal: Option<terminal::Foreground>,
) -> Result<(J, Option<u8>), Box<dyn Error>> {
    // Not earlier: a signal has to end an fdrun that waits for a writer of a FIFO, or for the end of its standard input.
    let mut relay = Relay::new(signals::note_signals()?);
    // After an error of fdrun, the drop of the job ends it.
    let mut job = start()?;
    let clock = Clock::start(times);
    signals::unblock_child_signal();
    output.add_to(&mut relay, &mut job)?;
    let mut attended = Attended::new(job, clock);
    let end = loop {
        if let Some(end) = attended.attend()? {
            break end;
        }
        if relay.step(attended.clock.next())? == Step::Limit {
            attended.clock.limit();
        }
    };
    let Attended { job, mut clock, .. } = attended;
    drop(terminal);
    if read_rest(&mut relay, end.is_asked, clock.timeout())? {
        clock.limit();
    }
    Ok((job, clock.code(&end.statuses)))
}

/// Reads what is left in the pipes of a program that has ended. A process that the program has started may have the pipes, too. Returns
/// whether a limit is reached.
fn read_rest(relay: &mut Relay, asked_to_end: bool, timeout: Option<Instant>) -> Result<bool, Box<dyn Error>> {
    if asked_to_end {
        return relay.read_rest(Some(LONGEST_READ), LONGEST_READ, || {
            signals::Noted::take(); // The caller may have asked twice.
            signals::end_by_signals();
        });
    }
    signals::end_by_signals();
    let time = timeout.map(|time| time.saturating_duration_since(Instant::now()).max(LONGEST_READ));
    relay.read_rest(time, Duration::ZERO, || {})
}
