//! `Cgroup`: made, entered by children, limited, signalled, killed and removed.

mod bomb;
mod end;
mod entry;
mod kill;
mod life;
mod limits;
mod names;
mod recycled;
mod signal;
mod wait;

pub use self::bomb::explode;

use crate::support::cgroup::Cgroup as Outer;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Cgroup, Child, Command, Launcher};
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A cgroup for the test, which is removed after it, and a cgroup that the library has made in that. `None`, with a message, if none can be
/// made here.
fn made() -> Option<(Outer, Cgroup)> {
    let outer = Outer::new()?;
    let cgroup = Cgroup::create_in(outer.path("")).unwrap();
    Some((outer, cgroup))
}

/// A child that waits for a signal, in a cgroup.
fn waiting(cgroup: &Cgroup) -> Child {
    let child = helper("wait").own_cgroup(cgroup).spawn().unwrap();
    assert!(!cgroup.is_empty().unwrap());
    child
}

/// Kills a child and reaps it.
fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A shell that each launcher launches.
fn shells<'fd>(script: &str) -> impl Iterator<Item = (Launcher, Command<'fd>)> {
    LAUNCHERS.into_iter().map(move |launcher| {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).launcher(launcher);
        (launcher, command)
    })
}

/// The processes that a cgroup lists.
fn members(directory: &Path) -> Vec<i32> {
    let text = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// Makes this process get the orphans of its children, and reap them.
fn adopt_orphans() {
    // SAFETY: only numbers are passed.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }, 0);
}

/// Reaps all children of this process until it has none. Returns how many.
fn reap_all() -> usize {
    // SAFETY: a null pointer asks for no status.
    (0..).take_while(|_| unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0).count()
}
