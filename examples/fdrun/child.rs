//! The child from its start to its end: fdrun passes signals on to it, reads what it writes, and ends it.

use crate::program::Program;
use crate::readings::Reading;
use crate::relay::{Relay, Step};
use crate::timeout::{Clock, Times};
use crate::tree::Tree;
use crate::{signals, terminal};
use fdspawn::{Child, Command, OnDrop, Slot, Teardown, Usage};
use std::error::Error;
use std::fs::File;
use std::io::{self, PipeReader};
use std::process::ExitStatus;
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
    /// Adds the pipes of the child to the relay.
    fn add_to(self, relay: &mut Relay, child: &mut Child) -> io::Result<()> {
        for ((reading, file), slot) in self.readings.iter().zip(self.files).zip(self.slots) {
            relay.add(reading, child.take(slot).expect("taken once"), file, self.all_lines)?;
        }
        Ok(())
    }
}

/// How the program has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub usage: Option<Usage>,
    /// The exit status of fdrun, if it is not the program's.
    pub code: Option<u8>,
}

/// Starts the program, passes signals on to it, and reads its pipes until it has ended. The terminal comes back as soon as the program has
/// ended, since a signal may end fdrun while it still reads the pipes; it also comes back after an error.
pub fn run(
    mut command: Command<'_>,
    output: Output,
    make_tree: impl FnOnce(&mut Child) -> fdspawn::Result<Tree>,
    times: &Times,
    terminal: Option<terminal::Foreground>,
) -> Result<Ended, Box<dyn Error>> {
    // Not earlier: a signal has to end an fdrun that waits for a writer of a FIFO, or for the end of its standard input.
    let mut relay = Relay::new(signals::note_signals()?);
    // After an error of fdrun, the program does not go on alone.
    let mut child = command.on_drop(OnDrop::End(Teardown::kill())).spawn()?;
    let clock = Clock::start(times);
    let mut tree = make_tree(&mut child)?;
    drop(command); // The data that it has may be secret.
    signals::unblock_child_signal();
    output.add_to(&mut relay, &mut child)?;
    let mut program = Program::new(&child, &mut tree, clock);
    let asked_to_end = loop {
        if let Some(asked) = program.attend()? {
            break asked;
        }
        if relay.step(program.clock.next())? == Step::Limit {
            program.clock.limit();
        }
    };
    let mut clock = program.clock;
    drop(terminal);
    if read_rest(&mut relay, asked_to_end, clock.timeout())? {
        clock.limit();
    }
    let (status, usage) = child.wait_usage()?;
    Ok(Ended { status, usage, code: clock.code(status) })
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
