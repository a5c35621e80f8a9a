//! What a process is besides its descriptors, and what a child must not change of its parent.

use super::children;
use super::table::Table;
use super::tools::skip;
use std::fs::{read_link, read_to_string};

/// The state of this process. A test compares the state before a spawn with the one after it.
#[derive(Debug, PartialEq, Eq)]
pub struct ParentState {
    table: Table,
    /// The ids, the groups, the capabilities, the signals, and more lines of `/proc/thread-self/status`.
    status: Vec<String>,
    files: Vec<String>,
    links: Vec<std::path::PathBuf>,
    numbers: Vec<i64>,
    children: usize,
}

/// The lines of a status that do not change by themselves.
const LINES: [&str; 15] = [
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "TracerPid",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Cpus_allowed_list",
];

impl ParentState {
    pub fn now() -> Self {
        let file = |name: &str| read_to_string(format!("/proc/self/{name}")).unwrap();
        let link = |name: &str| read_link(format!("/proc/self/{name}")).unwrap();
        let status = read_to_string("/proc/thread-self/status").unwrap();
        let is_kept = |line: &&str| LINES.iter().any(|name| line.starts_with(&format!("{name}:")));
        let mut signal = 0_i32;
        // SAFETY: the calls only ask; one number is written.
        let numbers = unsafe {
            libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
            [
                libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0),
                signal,
                libc::getsid(0),
                libc::getpgid(0),
                libc::sched_getscheduler(0),
                libc::getpriority(libc::PRIO_PROCESS, 0),
            ]
        };
        Self {
            table: Table::current(),
            status: status.lines().filter(is_kept).map(str::to_owned).collect(),
            files: ["limits", "cgroup", "oom_score_adj"].map(file).to_vec(),
            links: ["cwd", "root"].map(link).to_vec(),
            numbers: numbers.map(i64::from).to_vec(),
            children: children(),
        }
    }
}

/// Whether this process is root. If not, the test says that it is skipped.
pub fn is_root() -> bool {
    // SAFETY: the call has no arguments.
    let user = unsafe { libc::geteuid() };
    user == 0 || skip("this is not root")
}

/// The words of a line of a status, such as the four user ids of `Uid`.
pub fn words<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status:?}")).split_whitespace().collect()
}

/// A field of `/proc/PID/stat` by its number in proc(5), from 3 on.
pub fn field(stat: &str, number: usize) -> i64 {
    let (_, fields) = stat.rsplit_once(") ").unwrap_or_else(|| panic!("{stat:?}"));
    fields.split_whitespace().nth(number - 3).unwrap().parse().unwrap()
}
