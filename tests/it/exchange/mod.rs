//! `Exchange` and `Command::capture`: many streams at the same time, stops, limits, deadlines, and what is left behind.

mod capture;
mod children;
mod driven;
mod ends;
mod fairness;
mod flags;
mod leaks;
mod model;
mod streams;
mod waits;

use crate::support;
use crate::support::{LAUNCHERS, exhaustive};
use fdspawn::{Command, Launcher};

/// Clone with a pidfd and fork without one; in the exhaustive run each launcher with and without one.
fn ways() -> impl Iterator<Item = (Launcher, bool)> {
    let all = LAUNCHERS.into_iter().flat_map(|launcher| [(launcher, true), (launcher, false)]);
    all.filter(|&(launcher, pidfd)| exhaustive() || pidfd == (launcher == Launcher::Clone))
}

/// A shell that is started in this way.
fn shell<'fd>((launcher, pidfd): (Launcher, bool), script: &str) -> Command<'fd> {
    let mut command = support::command("/bin/sh");
    command.args(["-c", script]).launcher(launcher).pidfd(pidfd);
    command
}
