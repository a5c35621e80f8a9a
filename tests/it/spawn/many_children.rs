//! Many children at the same time: the sources of a launch keep low numbers, however many descriptors this process holds for the others.

use super::tracing_events::logged;
use crate::own_process;
use crate::support::sources::{close, hard_limit, memory_at, set_limit};
use crate::support::table::{close_on_exec, open_numbers};
use crate::support::{LAUNCHERS, by_turns, children, command};
use fdspawn::{Capture, Cgroup, Child, Children, Command, Group, Launcher, Stdio};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};

/// How many children there are: each has more than one descriptor.
const COUNT: usize = 100;

/// The kernel copies 64 numbers at a time.
const WORD: RawFd = 64;

/// The sources of the launches in a log.
fn sources(log: &str) -> Vec<RawFd> {
    let steps = log.lines().filter_map(|line| line.split_once(" step=duplicate ")).map(|(_, step)| step);
    steps.map(|step| step.split(' ').next().unwrap().parse().unwrap()).collect()
}

/// A program that copies its input until this process closes that, with a slot beside its streams.
fn spawn(launcher: Launcher) -> Child {
    let mut cat = command("cat");
    cat.launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let _ = cat.socket(5);
    cat.spawn().unwrap()
}

own_process! {
    fn sources_of_a_spawn_have_low_numbers_however_many_children_there_are() {
        for launcher in by_turns(LAUNCHERS, 0) {
            let (before, started) = (open_numbers(), children());
            let mut all: Vec<Child> = (0..COUNT).map(|_| spawn(launcher)).collect();
            let log = logged(|| all.push(spawn(launcher)));
            let found = sources(&log);
            assert!(found.len() == 4 && found.iter().all(|&source| source < WORD), "{found:?}");
            let opened: Vec<RawFd> = open_numbers().into_iter().filter(|number| !before.contains(number)).collect();
            assert_eq!(opened.len(), (COUNT + 1) * 5, "three streams, a slot and a pidfd");
            assert!(opened.iter().all(|&number| close_on_exec(number) == Some(true)), "{opened:?}");
            for (index, child) in all.iter_mut().enumerate() {
                child.stdin.take().unwrap().write_all(index.to_string().as_bytes()).unwrap();
                let mut text = String::new();
                child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
                assert_eq!(text, index.to_string());
                assert!(child.wait().unwrap().success());
            }
            drop(all);
            assert_eq!((open_numbers(), children()), (before, started));
        }
    }
}

own_process! {
    fn groups_and_cgroups_of_many_children_leave_the_low_numbers_to_the_sources() {
        for launcher in by_turns(LAUNCHERS, 1) {
            let (before, started) = (open_numbers(), children());
            let groups: Vec<Group> = (0..=COUNT).map(|_| Group::new()).collect();
            let start = |group: &Group| {
                let mut cat = command("cat");
                cat.launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::piped());
                // Two descriptors for each cgroup.
                let cgroup = Cgroup::create().ok();
                (cat.group(group).spawn().unwrap(), cgroup)
            };
            let mut all: Vec<_> = groups[1..].iter().map(start).collect();
            let log = logged(|| all.push(start(&groups[0])));
            let found = sources(&log);
            assert!(found.len() == 2 && found.iter().all(|&source| source < WORD), "{found:?}");
            for (child, _) in &mut all {
                drop(child.stdin.take());
                assert!(child.wait().unwrap().success());
            }
            drop((all, groups));
            assert_eq!((open_numbers(), children()), (before, started));
        }
    }
}

own_process! {
    fn sources_of_a_set_have_low_numbers_however_many_children_it_has() {
        let (waiting, go) = std::io::pipe().unwrap();
        let mut cat = command("cat");
        cat.stdin(&waiting);
        let mut set = Children::new();
        let start = |set: &mut Children<'_, usize>, cat: &mut Command<'_>, tag| {
            set.capture(cat, &Capture::new(), tag).unwrap();
        };
        (0..COUNT).for_each(|tag| start(&mut set, &mut cat, tag));
        let found = sources(&logged(|| start(&mut set, &mut cat, COUNT)));
        assert!(found.len() == 3 && found.iter().all(|&source| source < WORD), "{found:?}");
        drop((go, waiting));
        while let Some(finished) = set.next().unwrap() {
            assert!(finished.status.unwrap().success());
        }
    }
}

own_process! {
    fn descriptors_keep_their_numbers_if_the_limit_allows_no_others() {
        for launcher in LAUNCHERS {
            let before = open_numbers();
            (3..WORD - 7).for_each(|number| std::mem::forget(memory_at(number, "other", true)));
            set_limit(WORD.cast_unsigned().into(), hard_limit());
            let mut one = command("cat");
            let mut child = one.launcher(launcher).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            let kept = [child.stdout.as_ref().unwrap().as_raw_fd(), child.pidfd().unwrap().as_raw_fd()];
            assert!(kept.iter().all(|number| (WORD - 7..WORD).contains(number)), "{kept:?}");
            assert!(child.wait().unwrap().success());
            drop(child);
            set_limit(hard_limit(), hard_limit());
            let mut child = one.spawn().unwrap();
            let kept = [child.stdout.as_ref().unwrap().as_raw_fd(), child.pidfd().unwrap().as_raw_fd()];
            assert!(kept.iter().any(|&number| number >= WORD), "{kept:?}");
            assert!(child.wait().unwrap().success());
            drop(child);
            (3..WORD - 7).for_each(close);
            assert_eq!(open_numbers(), before);
        }
    }
}
