//! `Graph`: starts of all stages or none, links, statuses, ends, captures, and random graphs against a simulation.

mod capture;
mod checks;
mod copiers;
mod copy_faults;
mod copy_threads;
mod ends;
mod explain;
mod for_all;
mod functions;
mod large;
mod lines;
mod links;
mod load;
pub mod mix;
mod plans;
mod random_plans;
mod refusals;
mod simulation;
mod start;
mod statuses;
mod tables;

use crate::support;
use crate::support::{LAUNCHERS, exhaustive, helper};
use fdspawn::{Command, Launcher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A time that a test can wait for.
const SHORT: Duration = Duration::from_millis(100);

/// Clone with a pidfd and fork without one; in the exhaustive run each launcher with and without one.
fn ways() -> impl Iterator<Item = (Launcher, bool)> {
    let all = LAUNCHERS.into_iter().flat_map(|launcher| [(launcher, true), (launcher, false)]);
    all.filter(|&(launcher, pidfd)| exhaustive() || pidfd == (launcher == Launcher::Clone))
}

/// A program with arguments that is started in this way.
fn tool<'fd>((launcher, pidfd): (Launcher, bool), words: &[&str]) -> Command<'fd> {
    let mut command = support::command(words[0]);
    command.args(&words[1..]).launcher(launcher).pidfd(pidfd);
    command
}

/// A shell that is started in this way.
fn shell<'fd>(way: (Launcher, bool), script: &str) -> Command<'fd> {
    tool(way, &["/bin/sh", "-c", script])
}

/// A shell that knows this path as `$0`.
fn shell_with<'fd>(way: (Launcher, bool), script: &str, path: &Path) -> Command<'fd> {
    tool(way, &["/bin/sh", "-c", script, path.to_str().unwrap()])
}

/// A stage that starts a process of its own, writes the ids of both, and waits.
fn family<'fd>(way: (Launcher, bool), list: &Path) -> Command<'fd> {
    shell_with(way, "sleep 1000 & printf '%s\\n%s\\n' $! $$ >>\"$0\"; exec sleep 1000", list)
}

/// A helper that is started in this way, and has 0 to 2 and these numbers.
fn planned<'fd>((launcher, pidfd): (Launcher, bool), words: &[&str], numbers: &[i32]) -> Command<'fd> {
    let mut command = helper(words[0]);
    let mut numbers: Vec<i32> = numbers.iter().copied().chain(0..3).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let numbers: Vec<String> = numbers.iter().map(i32::to_string).collect();
    command.args(&words[1..]).launcher(launcher).pidfd(pidfd).env(helper::PLANNED, numbers.join(" "));
    command
}

/// A directory for the files of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// A program with this text.
    fn program(&self, name: &str, text: &str) -> PathBuf {
        support::sources::program(&self.path(name), text.as_bytes(), 0o755);
        self.path(name)
    }
}

/// The process ids that scripts have written to a file, one in each line. Waits until there are so many.
fn pids(path: &Path, count: usize) -> Vec<u32> {
    let start = Instant::now();
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= count {
            return text.lines().map(|line| line.trim().parse().unwrap()).collect();
        }
        assert!(start.elapsed() < LONG, "{text:?}");
        std::thread::sleep(SHORT / 50);
    }
}
