//! `--usage`: what the program, or each stage of a pipeline, has used.

use fdspawn::{Statuses, Usage};
use std::io::{self, Write};
use std::time::Duration;

/// Writes the usage to standard error. It ignores an error of the write: fdrun has no other place for a message.
pub fn print(usage: Option<Usage>, elapsed: Duration) {
    let text = usage.map_or("fdrun: the system does not tell what the program has used\n".to_owned(), |usage| {
        text(&usage, elapsed)
    });
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes a line for each stage, and the time of all.
pub fn print_stages(statuses: &Statuses, elapsed: Duration) {
    let mut text = String::new();
    for (number, stage) in statuses.iter().enumerate() {
        let used = stage.usage.map_or("the system does not tell what it has used".to_owned(), |usage| {
            format!("{}, peak memory {} KiB, {}", times(&usage), usage.max_rss / 1024, counts(&usage))
        });
        text += &format!("fdrun: stage {number}, `{}`: {used}\n", stage.program.display());
    }
    text += &format!("fdrun: elapsed {}\n", seconds(elapsed));
    let _ = io::stderr().write_all(text.as_bytes());
}

fn text(usage: &Usage, elapsed: Duration) -> String {
    let (times, elapsed, counts) = (times(usage), seconds(elapsed), counts(usage));
    let kib = usage.max_rss / 1024;
    format!(
        "fdrun: {times}, elapsed {elapsed}\n\
         fdrun: peak memory {kib} KiB (of the largest process; at least what fdrun had when it started it)\n\
         fdrun: {counts}\n"
    )
}

fn times(usage: &Usage) -> String {
    format!("user {}, system {}", seconds(usage.user_time), seconds(usage.system_time))
}

fn counts(usage: &Usage) -> String {
    let (voluntary, involuntary) = (usage.voluntary_switches, usage.involuntary_switches);
    let (minor, major) = (usage.minor_faults, usage.major_faults);
    format!("switches: {voluntary} voluntary, {involuntary} involuntary; page faults: {minor} minor, {major} major")
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
