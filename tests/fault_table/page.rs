//! The page of the tables, `docs/fault-table.md`.

use super::calls;
use super::cells::{Cell, Count, FAULTS, Table};
use super::entrances::ENTRANCES;
use super::verdict::Verdict;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Set to write the page.
pub const WRITE: &str = "FDSPAWN_WRITE_FAULT_TABLE";

/// What the page says before and after the tables.
const HEAD: &str = include_str!("head.md");
const TAIL: &str = include_str!("libc.md");

/// The calls with which a parent asks whether a slow child is stopped, has ended, or has a session of its own.
const LOOK_AT_CHILD: [i64; 2] = [libc::SYS_waitid, libc::SYS_getsid];

/// The calls with which a parent finds in /proc whether its child has executed a program, beside those that all entrances make.
const LOOK_IN_PROC: [i64; 4] = [libc::SYS_openat, libc::SYS_readlink, libc::SYS_read, libc::SYS_statx];

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fault-table.md")
}

/// Writes an entrance's section, and leaves those of others as they are.
pub fn write(table: &Table) {
    static PAGE: Mutex<()> = Mutex::new(());
    let _guard = PAGE.lock();
    let mut sections = sections(&std::fs::read_to_string(path()).unwrap_or_default());
    sections.insert(table.entrance.title.to_owned(), section(table));
    let sections = ENTRANCES.iter().filter_map(|entrance| Some((entrance.title, sections.get(entrance.title)?)));
    let mut text = HEAD.to_owned();
    for (title, section) in sections {
        write!(text, "\n## {title}\n{section}").unwrap();
    }
    text.push_str(TAIL);
    std::fs::write(path(), text).unwrap();
}

/// The text of each section, by its title.
fn sections(page: &str) -> BTreeMap<String, String> {
    let sections = page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'));
    sections.map(|(title, text)| (title.to_owned(), format!("{}\n", text.trim_end()))).collect()
}

/// Fails if the page lacks a row for a call that the entrance makes, or a cell, or has a bad one.
pub fn has_rows_of(table: &Table) {
    let page = std::fs::read_to_string(path()).unwrap_or_default();
    let sections = sections(&page);
    let title = table.entrance.title;
    let section = sections.get(title).unwrap_or_else(|| panic!("docs/fault-table.md has no section `{title}`"));
    let rows: BTreeMap<&str, Vec<&str>> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(call, cells)| (call, cells.trim_matches([' ', '|']).split('|').map(str::trim).collect()))
        .collect();
    for (call, cells) in &rows {
        // The first two are the counts of parent and child.
        assert_eq!(cells.len(), 2 + FAULTS.len(), "{title}: {call}");
        let good = |cell: &&str| !cell.is_empty() && !cell.contains("**");
        assert!(cells.iter().all(good), "{title}: `{call}` has an empty cell or a bad one");
    }
    // With debug assertions, std makes calls of its own.
    if !cfg!(debug_assertions) {
        let may_look = rows.contains_key("setpgid");
        let has_looked_in_proc = may_look && table.counts.contains_key(&libc::SYS_readlink);
        let missing: Vec<String> = table
            .counts
            .keys()
            // Whether a parent has to wait for its child depends on the time that both take.
            .filter(|call| ![libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_sched_yield].contains(call))
            // So it is with a thread that waits for another one.
            .filter(|call| **call != libc::SYS_futex || !table.entrance.has_thread())
            // A parent asks with `setpgid(2)` whether its child has executed a program. It asks more, also in /proc, if the child takes long.
            .filter(|call| !LOOK_AT_CHILD.contains(call) || !may_look)
            .filter(|call| !LOOK_IN_PROC.contains(call) || !has_looked_in_proc)
            // If one stream is left when the others are at their ends, the library reads it by another call than before.
            .filter(|call| **call != libc::SYS_read || !rows.contains_key("preadv2"))
            .map(|call| calls::name(*call))
            .filter(|call| !rows.contains_key(call.as_str()))
            .collect();
        assert!(missing.is_empty(), "{title}: docs/fault-table.md has no row for {missing:?}; {WRITE}=1 writes it");
    }
}

/// An entrance's table, and its notes.
fn section(table: &Table) -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut text = String::from("\n| call | parent | child |");
    FAULTS.iter().for_each(|(name, _)| write!(text, " {name} |").unwrap());
    text.push_str(&format!("\n|---{}\n", "|---".repeat(2 + FAULTS.len()) + "|"));
    let mut rows: Vec<(String, i64)> = table.counts.keys().map(|&call| (calls::name(call), call)).collect();
    rows.sort();
    for (name, call) in rows {
        let [parent, child] = table.counts[&call];
        write!(text, "| `{name}` | {} | {} |", times(parent), times(child)).unwrap();
        for fault in 0..FAULTS.len() {
            let none = Cell::new();
            let cell = table.cells.get(&(call, fault)).unwrap_or(&none);
            write!(text, " {} |", words(cell, &mut notes)).unwrap();
        }
        text.push('\n');
    }
    if !notes.is_empty() {
        text.push('\n');
    }
    for (index, note) in notes.iter().enumerate() {
        writeln!(text, "{}. {note}", index + 1).unwrap();
    }
    text
}

/// How often a call is made. The count of some depends on the order in which threads run.
fn times(Count(least, most): Count) -> String {
    match (least, most) {
        (_, 0) => "-".to_owned(),
        _ if least != most => "some".to_owned(),
        _ => least.to_string(),
    }
}

/// A cell: each of its results once. Errors are the numbers of their notes.
fn words(cell: &Cell, notes: &mut Vec<String>) -> String {
    let mut words: Vec<(usize, String)> = cell.iter().map(|(_, verdict)| word(verdict, notes)).collect();
    words.sort();
    words.dedup();
    if words.len() > 1 {
        words.retain(|(place, _)| *place != 0);
    }
    words.into_iter().map(|(_, word)| word).collect::<Vec<_>>().join(" ")
}

/// A result's word, and its place among the others of a cell.
fn word(verdict: &Verdict, notes: &mut Vec<String>) -> (usize, String) {
    match verdict {
        Verdict::NotMade => (0, "not made".to_owned()),
        Verdict::Right => (1, "ok".to_owned()),
        Verdict::Dies => (2, "dies".to_owned()),
        Verdict::Error(text) => {
            let index = notes.iter().position(|note| note == text).unwrap_or_else(|| {
                notes.push(text.clone());
                notes.len() - 1
            });
            (index + 3, (index + 1).to_string())
        }
        Verdict::Libc => (usize::MAX - 1, "libc".to_owned()),
        Verdict::Bad { kinds, .. } => (usize::MAX, format!("**{}**", kinds.join(", "))),
    }
}
