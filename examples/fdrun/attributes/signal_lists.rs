//! Dispositions of signals, the signal mask, and the signal at the parent's death.

use super::parsers;
use crate::dispositions;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::signals;
use crate::stage::Stage;
use crate::values::{Parsed, parsed};
use fdspawn::Signal;
use std::error::Error;
use std::ffi::{OsString, c_int};

/// As with `env`, the signals are also taken out of the mask: a blocked signal would not have its default effect.
pub fn default_signals(stage: &mut Stage, value: Option<OsString>) -> Parsed {
    let signals = list("--default-signal", value)?;
    block(stage, |blocked| blocked.retain(|signal| !signals.contains(signal)));
    stage.change(move |command| command.signal_default(&signals))
}

pub fn ignored_signals(stage: &mut Stage, value: Option<OsString>) -> Parsed {
    let signals = list("--ignore-signal", value)?;
    stage.change(move |command| command.signal_ignore(&signals))
}

/// As with `env`, the signals are added to those that are blocked already.
pub fn blocked_signals(stage: &mut Stage, value: Option<OsString>) -> Parsed {
    let signals = list("--block-signal", value)?;
    block(stage, |blocked| blocked.extend(signals));
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn parent_death_signal(stage: &mut Stage, value: OsString) -> Parsed {
    let one = |text: &str| match text {
        "keep" => Some(signals::own_parent_death_signal().and_then(signal)),
        "clear" => Some(None),
        _ => Some(Some(signal(parsers::signal(text)?)?)),
    };
    stage.parent_death = Some(parsed("--pdeathsig takes keep, clear or a signal", &value, one)?);
    Ok(())
}

/// Changes the program's mask, which starts as that of fdrun.
fn block(stage: &mut Stage, change: impl FnOnce(&mut Vec<Signal>)) {
    change(
        stage
            .blocked
            .get_or_insert_with(|| all().filter(|&signal| dispositions::is_blocked(signal.as_raw())).collect()),
    );
}

/// The signals of a list. Without a list, all that a program can handle. As with `env`, a list may have empty members.
fn list(option: &str, value: Option<OsString>) -> Result<Vec<Signal>, Box<dyn Error>> {
    let Some(value) = value else {
        return Ok(all().filter(|&signal| signal != Signal::KILL && signal != Signal::STOP).collect());
    };
    let rule = format!("{option} takes names or numbers of signals with commas between them");
    let signals = |text: &str| {
        text.split(',').filter(|name| !name.is_empty()).map(|name| signal(parsers::signal(name)?)).collect()
    };
    parsed(&rule, &value, signals)
}

fn all() -> impl Iterator<Item = Signal> {
    (1..=128).filter_map(signal)
}

/// The signal that has the number. None has the numbers that the C library keeps for itself.
pub fn signal(number: c_int) -> Option<Signal> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number) {
        // SAFETY: the number is one of those that the C library leaves to programs.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    Signal::from_named_raw(number)
}
