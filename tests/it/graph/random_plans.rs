//! Random graphs with attributes, sources and links of all kinds: the steps that are launched are those that were explained, and nothing is
//! left.

use super::plans::{explained, launched};
use super::tool;
use crate::own_process;
use crate::spawn::tracing_events::logged;
use crate::support::random::Random;
use crate::support::sources::{close, memory_at};
use crate::support::table::{close_on_exec, open_numbers};
use crate::support::threads::{threads, wait_for_threads};
use crate::support::{LAUNCHERS, children, exhaustive};
use fdspawn::{Command, Features, Graph, Group, Launcher, Rest, StageFd, StageId, Stdio, Teardown};
use std::fs::File;
use std::os::fd::RawFd;

/// A stage by any launcher, with attributes and sources.
fn stage<'a>(random: &mut Random, root: &'a File, lent: &'a File, groups: &'a [Group]) -> Command<'a> {
    let launcher = [Launcher::Clone, Launcher::Fork, Launcher::Auto][random.below(3)];
    let mut command = tool((launcher, random.below(3) > 0), &["true"]);
    match random.below(12) {
        0 => {
            // SAFETY: the function does nothing.
            command = unsafe { Command::function("function", || 0) };
            command.pidfd(random.below(2) == 0);
        }
        // SAFETY: the hook does nothing.
        1 => unsafe { _ = command.launcher(Launcher::Auto).pre_exec(|| Ok(())) },
        2 => _ = command.rest(Rest::Inherit),
        3 => _ = command.missing(Features::SHARED_TABLE),
        4 => _ = command.missing(Features::CLONE3),
        5 if launcher != Launcher::Clone => _ = command.missing(Features::CLONE),
        6 => _ = command.missing(Features::PIDFD | Features::CLOSE_RANGE),
        _ => {}
    }
    let mut one_of = |count: usize| random.below(count) == 0;
    if one_of(4) {
        command.current_dir_fd(root);
    }
    if one_of(5) {
        command.stderr(Stdio::piped());
    }
    if one_of(5) {
        let _ = command.reader(200);
    }
    if one_of(5) {
        let _ = (command.writer(300), command.socket(20));
    }
    if one_of(5) {
        command.fd(64, Stdio::data("data"));
    }
    if one_of(5) {
        command.fd(110, Stdio::null()).fd(111, lent);
    }
    if one_of(6) {
        command.fd(112, lent.try_clone().unwrap());
    }
    if one_of(6) {
        command.fd(113, Stdio::same_as(1));
    }
    if one_of(9) {
        command.stdin(Stdio::data("input"));
    }
    if !groups.is_empty() && one_of(5) {
        command.group(&groups[random.below(groups.len())]);
    }
    command
}

/// Numbers that no stage connects otherwise, one after the other for each stage.
struct Ends {
    stages: Vec<StageId>,
    used: Vec<usize>,
    numbers: Vec<RawFd>,
}

impl Ends {
    fn any(&mut self, random: &mut Random) -> StageFd {
        let index = random.below(self.stages.len());
        self.used[index] += 1;
        self.stages[index].fd(self.numbers[self.used[index] - 1])
    }
}

/// A graph of up to 80 stages with more links than stages.
fn graph<'a>(random: &mut Random, root: &'a File, lent: &'a File, groups: &'a [Group]) -> Graph<'a> {
    let mut graph = Graph::new();
    let count = [2 + random.below(12), 60 + random.below(20)][random.below(2)];
    for _ in 0..count {
        graph.stage(stage(random, root, lent, groups));
    }
    let numbers: Vec<RawFd> = (3..20).chain(82..110).chain(120..199).collect();
    let mut ends = Ends { stages: graph.stages().collect(), used: vec![0; count], numbers };
    for _ in 0..count / 2 + random.below(count.min(30)) {
        let first = ends.any(random);
        match random.below(14) {
            0 => _ = graph.socket(first, ends.any(random)),
            1 => _ = graph.reader([first]),
            2 => _ = graph.writer([first]),
            3 => _ = graph.outside_socket(first),
            4 => _ = graph.tee(first, [ends.any(random), ends.any(random)]),
            5 => _ = graph.spool(first, ends.any(random)),
            6 => _ = graph.pipe([first, ends.any(random)], [ends.any(random), ends.any(random)]),
            _ => _ = graph.pipe([first], [ends.any(random)]),
        }
    }
    graph
}

/// Numbers that are in use besides the graph's.
fn occupied(random: &mut Random) -> Vec<RawFd> {
    let numbers: Vec<RawFd> = match random.below(5) {
        0 => (5..70).collect(),
        1 => (5..60).collect(),
        2 => (6..90).step_by(3).collect(),
        _ => Vec::new(),
    };
    numbers.into_iter().filter(|&number| close_on_exec(number).is_none()).collect()
}

own_process! {
    fn random_graphs_are_launched_as_they_were_explained_and_leave_nothing() {
        let (root, lent) = (File::open("/").unwrap(), File::open("/dev/null").unwrap());
        for launcher in LAUNCHERS {
            tool((launcher, true), &["true"]).status().unwrap();
        }
        let mut random = Random::new();
        for round in 0..if exhaustive() { 300 } else { 5 } {
            let closed = [None, None, Some(0), Some(1), Some(2)][random.below(5)];
            let saved = closed.map(|number| {
                // SAFETY: the test has the process to itself.
                let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 1000) };
                close(number);
                (number, copy)
            });
            let others = occupied(&mut random);
            others.iter().for_each(|&number| std::mem::forget(memory_at(number, "other", true)));
            let groups: Vec<Group> = (0..random.below(4)).map(|_| Group::new()).collect();
            let (before, started, threads_before) = (open_numbers(), children(), threads());
            let mut graph = graph(&mut random, &root, &lent, &groups);
            let steps = explained(&graph);
            let mut running = None;
            let log = logged(|| running = Some(graph.spawn()));
            let mut running = running.unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
            assert_eq!(steps, launched(&log), "round {round}, {closed:?} is closed, {} others", others.len());
            let opened = open_numbers().into_iter().filter(|number| !before.contains(number));
            assert!(opened.clone().all(|number| close_on_exec(number) != Some(false)), "round {round}: {opened:?}");
            running.end(&Teardown::kill()).unwrap();
            drop((running, graph));
            drop(groups);
            wait_for_threads(threads_before); // They have the pipes of tees and spools.
            assert_eq!((open_numbers(), children()), (before, started), "round {round}");
            others.into_iter().for_each(close);
            if let Some((number, copy)) = saved {
                // SAFETY: as above.
                unsafe { libc::dup2(copy, number) };
                close(copy);
            }
        }
    }
}
