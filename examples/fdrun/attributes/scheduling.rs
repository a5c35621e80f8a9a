//! What the kernel takes into account if it shares the processors and the memory.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::parsers;
use crate::stage::Stage;
use crate::values::{Parsed, parsed};
use std::ffi::OsString;

pub fn nice(stage: &mut Stage, value: OsString) -> Parsed {
    let increment = parsed("--nice takes a whole number", &value, |text| text.parse().ok())?;
    stage.change(move |command| command.nice(increment))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn scheduler(stage: &mut Stage, value: OsString) -> Parsed {
    let rule = "--scheduler takes other, batch, idle, fifo:PRIORITY or rr:PRIORITY with a priority from 1 to 99";
    let scheduler = parsed(rule, &value, parsers::scheduler)?;
    stage.change(move |command| command.scheduler(scheduler))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn affinity(stage: &mut Stage, value: OsString) -> Parsed {
    let rule = "--affinity takes a list of CPUs below 1024, such as 0,2-5 or 0-6:2";
    let cpus = parsed(rule, &value, parsers::cpus)?;
    stage.change(move |command| command.affinity(&cpus))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn oom_score_adj(stage: &mut Stage, value: OsString) -> Parsed {
    let in_range = |text: &str| text.parse().ok().filter(|value| (-1000..=1000).contains(value));
    let adjustment = parsed("--oom-score-adj takes a number from -1000 to 1000", &value, in_range)?;
    stage.change(move |command| command.oom_score_adj(adjustment))
}
