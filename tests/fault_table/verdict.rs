//! What a run with a fault means.

use super::entrances::Entrance;
use super::snapshot::Snapshot;
use super::supervisor::{Fault, Seen};
use std::collections::BTreeSet;
use std::fmt;

/// The result of one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// No call has met the fault.
    NotMade,
    /// The entrance has done all that it does without the fault.
    Right,
    /// The process that uses the library has died by the fault, and no program has more descriptors than planned.
    Dies,
    /// An error, and nothing else has changed.
    Error(String),
    /// The process has ended or hangs, and libc is the cause.
    Libc,
    /// What must not be, and what was seen of it.
    Bad { kinds: Vec<&'static str>, seen: String },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMade => f.write_str("not made"),
            Self::Right => f.write_str("ok"),
            Self::Dies => f.write_str("dies"),
            Self::Error(text) => f.write_str(text),
            Self::Libc => f.write_str("libc"),
            Self::Bad { kinds, seen } => write!(f, "{}: {seen}", kinds.join(", ")),
        }
    }
}

/// Compares a run with one without a fault.
pub fn judge(entrance: &Entrance, call: i64, fault: Fault, seen: &Seen, reference: &Seen) -> Verdict {
    let mut bad: Vec<(&'static str, String)> = Vec::new();
    if seen.hang {
        bad.push(("HANG", if seen.end.is_some() { "after the return" } else { "in the entrance" }.to_owned()));
    }
    // What the fault has closed in the child has another file's number.
    let is_closed =
        |line: &str| seen.child_closes.iter().any(|number| line.starts_with(&format!("{number} /dev/null")));
    let program = |seen: &Seen| {
        let lines = seen.program.iter().flat_map(|text| text.lines()).filter(|line| !is_closed(line));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let more: Vec<i32> = numbers(&program(seen)).difference(&numbers(&program(reference))).copied().collect();
    if !more.is_empty() {
        bad.push(("MORE DESCRIPTORS", format!("{more:?}")));
    }
    if bad.is_empty() && seen.faults == 0 {
        return Verdict::NotMade;
    }
    if bad.is_empty() && seen.parent_died {
        return Verdict::Dies;
    }
    let result = seen.result.clone().unwrap_or_default();
    let mut error = None;
    if seen.status != 0 && !seen.hang {
        bad.push(("ABORT", format!("status {}, {}", seen.status, seen.stderr.lines().last().unwrap_or_default())));
    } else if let Some(panic) = result.strip_prefix("panic: ") {
        bad.push(("PANIC", panic.to_owned()));
    } else if seen.result == reference.result {
        if program(seen) != program(reference) {
            bad.push(("FALSE OK", difference(&program(seen), &program(reference))));
        }
    } else if let Some(text) = result.strip_prefix("error: ") {
        error = Some(normal(text, fault));
    } else if !seen.hang {
        bad.push(("FALSE OK", result.clone()));
    }
    if let (Some(begin), Some(end)) = (&seen.begin, &seen.end) {
        left_behind(begin, end, &mut bad);
    }
    if let (Some(begin), Some(settled)) = (&seen.begin, &seen.settled) {
        leaks(entrance, seen, begin, settled, error.is_none(), &mut bad);
    }
    match (bad.is_empty(), error) {
        (false, _) if is_of_libc(entrance, call, &bad) => Verdict::Libc,
        (false, error) => {
            let kinds = bad.iter().map(|(kind, _)| *kind).collect();
            let seen = bad.iter().filter(|(_, text)| !text.is_empty()).map(|(_, text)| text.as_str());
            let seen: Vec<&str> = seen.chain(error.as_deref()).collect();
            Verdict::Bad { kinds, seen: seen.join("; ") }
        }
        (true, Some(error)) => Verdict::Error(error),
        (true, None) => Verdict::Right,
    }
}

/// Whether a thread's call that libc makes is the cause: the last section of the page.
fn is_of_libc(entrance: &Entrance, call: i64, bad: &[(&'static str, String)]) -> bool {
    entrance.has_thread()
        && [libc::SYS_futex, libc::SYS_rseq].contains(&call)
        && bad.iter().all(|(kind, _)| ["ABORT", "HANG"].contains(kind))
}

/// The numbers of a program's report.
pub fn numbers(report: &str) -> BTreeSet<i32> {
    report.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
}

/// The first line that differs.
fn difference(found: &str, expected: &str) -> String {
    if found.is_empty() {
        return "the program did not run".to_owned();
    }
    let lines = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    lines.map_or_else(
        || "the program lacks something".to_owned(),
        |(found, expected)| format!("{found}, not {expected}"),
    )
}

/// What must be as before when the entrance returns.
fn left_behind(begin: &Snapshot, end: &Snapshot, bad: &mut Vec<(&'static str, String)>) {
    if begin.status != end.status {
        let changed = begin.status.iter().zip(&end.status).find(|(before, after)| before != after);
        let kind = match changed.map(|(before, _)| before.split(':').next().unwrap_or_default()) {
            Some("SigBlk") => "MASK",
            Some("SigIgn" | "SigCgt") => "HANDLERS",
            _ => "ATTRIBUTES",
        };
        bad.push((kind, changed.map(|(before, after)| format!("{before} became {after}")).unwrap_or_default()));
    }
    if begin.dumpable != end.dumpable {
        bad.push(("DUMPABLE", format!("{} became {}", begin.dumpable, end.dumpable)));
    }
    if begin.directory != end.directory {
        bad.push(("DIRECTORY", end.directory.clone()));
    }
}

/// What must be as before when all that the entrance returned is dropped.
fn leaks(
    entrance: &Entrance,
    seen: &Seen,
    begin: &Snapshot,
    settled: &Snapshot,
    success: bool,
    bad: &mut Vec<(&'static str, String)>,
) {
    if settled.ended_child {
        bad.push(("ZOMBIE", String::new()));
    }
    if settled.running_child {
        bad.push(("RUNNING CHILD", String::new()));
    }
    if settled.threads > begin.threads {
        bad.push(("LEAK", "a thread".to_owned()));
    }
    let faulty = |number: &i32| seen.closes.contains(number);
    let closes = |number: &i32| entrance.closes.contains(number);
    for (number, file) in &settled.descriptors {
        if faulty(number) {
            continue;
        }
        if file.0 == PIDFD {
            bad.push(("LEAK", format!("{number} {PIDFD}")));
        }
        match begin.descriptors.get(number) {
            Some(_) if success && closes(number) => bad.push(("LEAK", format!("{number} is not closed"))),
            Some(before) if before == file => {}
            Some(_) => bad.push(("CHANGED", format!("{number} is {file:?}"))),
            None => bad.push(("LEAK", format!("{number} {}", file.0))),
        }
    }
    for (number, file) in &begin.descriptors {
        if !settled.descriptors.contains_key(number) && !closes(number) && !faulty(number) && file.0 != PIDFD {
            bad.push(("CLOSED", number.to_string()));
        }
    }
}

/// The link of a pidfd, which a child's handle has until it is dropped.
const PIDFD: &str = "anon_inode:[pidfd]";

/// The text of an error, without what differs between faults and runs.
fn normal(text: &str, fault: Fault) -> String {
    let mut text = text.replace('\n', "; ");
    if let Fault::Errno(errno) = fault {
        let reason = std::io::Error::from_raw_os_error(errno).to_string();
        text = text.replace(&reason, "ERRNO").replace(reason.split(" (os error").next().unwrap(), "ERRNO");
    }
    let mut normal = String::new();
    for part in text.split_inclusive(|character: char| !character.is_ascii_digit()) {
        let digits = part.trim_end_matches(|character: char| !character.is_ascii_digit());
        normal.push_str(if digits.is_empty() { "" } else { "N" });
        normal.push_str(&part[digits.len()..]);
    }
    normal
}
