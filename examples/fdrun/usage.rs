//! `--usage`: what the program has used.

use fdspawn::Usage;
use std::io::{self, Write};
use std::time::Duration;

/// Writes the usage to standard error. It ignores an error of the write: fdrun has no other place for a message.
pub fn print(usage: Option<Usage>, elapsed: Duration) {
    let text = usage.map_or("fdrun: the system does not tell what the program has used\n".to_owned(), |usage| {
        text(&usage, elapsed)
    });
    let _ = io::stderr().write_all(text.as_bytes());
}

fn text(usage: &Usage, elapsed: Duration) -> String {
    let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
    let (user, system, elapsed) = (seconds(usage.user_time), seconds(usage.system_time), seconds(elapsed));
    let kib = usage.max_rss / 1024;
    let (voluntary, involuntary) = (usage.voluntary_switches, usage.involuntary_switches);
    let (minor, major) = (usage.minor_faults, usage.major_faults);
    format!(
        "fdrun: user {user}, system {system}, elapsed {elapsed}\n\
         fdrun: peak memory {kib} KiB (of the largest process; at least what fdrun had when it started it)\n\
         fdrun: switches: {voluntary} voluntary, {involuntary} involuntary; page faults: {minor} minor, {major} major\n"
    )
}
