//! What can be seen of a subject from outside while it waits in a marker.

use super::subject::{ENDED_CHILD, RUNNING_CHILD};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The state of a process that a launch must leave as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The link of each number, and whether it closes at exec.
    pub descriptors: BTreeMap<i32, (String, bool)>,
    /// The blocked, ignored and handled signals of the thread, its ids, and its umask.
    pub status: Vec<String>,
    pub directory: String,
    pub threads: usize,
    pub dumpable: u64,
    pub ended_child: bool,
    pub running_child: bool,
}

impl Snapshot {
    /// Looks at a process that waits in a marker, which has these arguments.
    pub fn take(pid: i32, arguments: &[u64; 6]) -> Self {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = read("status");
        let link = |name: &str| {
            std::fs::read_link(format!("/proc/{pid}/{name}")).map(|link| link.to_string_lossy().into_owned())
        };
        let list = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let descriptors = list.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((
                name.parse().ok()?,
                (link(&format!("fd/{name}")).ok()?, closes_at_exec(&read(&format!("fdinfo/{name}")))),
            ))
        });
        let names = ["SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Umask", "Cpus_allowed_list"];
        Self {
            descriptors: descriptors.collect(),
            status: status
                .lines()
                .filter(|line| names.iter().any(|name| line.starts_with(name)))
                .map(str::to_owned)
                .collect(),
            directory: link("cwd").unwrap_or_default(),
            threads: threads(pid),
            dumpable: arguments[1],
            ended_child: arguments[2] == ENDED_CHILD,
            running_child: arguments[2] == RUNNING_CHILD,
        }
    }

    /// Waits until the process has no more threads than `before`. A thread that has been joined may still be listed.
    pub fn wait_for_threads(&mut self, pid: i32, before: usize) {
        let start = Instant::now();
        while self.threads > before && start.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_millis(1));
            self.threads = threads(pid);
        }
    }
}

fn threads(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

fn closes_at_exec(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim);
    flags.and_then(|flags| i32::from_str_radix(flags, 8).ok()).is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
}
