//! Graphs with so many links that this process keeps their descriptors at numbers from 64 on.

use super::plans::{explained, launched};
use super::{Files, LONG, planned, tool, ways};
use crate::own_process;
use crate::spawn::tracing_events::logged;
use crate::support::sources::{close, hard_limit, memory_at, set_limit};
use crate::support::table::open_numbers;
use crate::support::ways::isolated;
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::Step;
use fdspawn::{Capture, Command, Graph, Launcher, Rest, StageId, Stdio};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

/// The fewest stages of a line whose descriptors have high numbers.
const STAGES: usize = 65;

/// The first high number.
const HIGH: RawFd = 64;

/// A line whose stages check their tables, and copy their input.
fn line<'fd>(way: (Launcher, bool), count: usize) -> Graph<'fd> {
    Graph::pipeline((0..count).map(|_| planned(way, &["cat"], &[])))
}

/// The highest source of the steps of each stage.
fn highest_sources(graph: &Graph<'_>) -> Vec<RawFd> {
    let explanation = graph.explain();
    let highest = |stage: StageId| {
        let plan = explanation.stage(stage).unwrap();
        assert!(plan.error().is_none(), "{plan}");
        let sources = plan.steps().iter().filter_map(|step| match *step {
            Step::Dup2 { source, .. } => Some(source),
            _ => None,
        });
        sources.max().unwrap()
    };
    graph.stages().map(highest).collect()
}

/// Some of the stages have ends of this process's and descriptors at odd numbers.
fn with_ends<'fd>(mut graph: Graph<'fd>) -> Graph<'fd> {
    let stages: Vec<StageId> = graph.stages().collect();
    let command = graph.command(stages[3]);
    command.stderr(Stdio::piped()).fd(7, Stdio::same_as(1)).fd(80, Stdio::null());
    let _ = (command.reader(66), command.socket(3), command.writer(5));
    graph.command(stages[20]).stderr(Stdio::piped()).fd(64, Stdio::data("data")).rest(Rest::Inherit);
    graph.socket(stages[1].fd(100), stages[30].fd(63)).tee(stages[40].fd(9), [stages[1].fd(3), stages[2].fd(90)]);
    graph.reader([stages[10].fd(70)]);
    graph.outside_socket(stages[11].fd(71));
    graph
}

#[test]
fn each_stage_of_a_large_graph_has_its_own_ends_and_no_others() {
    for way in ways() {
        for count in [STAGES - 1, STAGES, 120] {
            let captured = line(way, count).capture(&Capture::new().input("through all")).unwrap();
            assert_eq!(captured.check().unwrap().stdout, b"through all");
            line(way, count).status().unwrap().check().unwrap();
        }
    }
    // By an isolated thread.
    for launcher in LAUNCHERS {
        let mut graph = line((launcher, true), STAGES);
        graph.commands().for_each(|command| _ = command.isolated(isolated()));
        graph.status().unwrap().check().unwrap();
    }
}

own_process! {
    fn sources_of_a_launch_have_low_numbers_however_large_the_graph_is() {
        for count in [STAGES, 500] {
            let line = Graph::pipeline((0..count).map(|_| Command::new("cat")));
            let highest = highest_sources(&line);
            assert!(highest.iter().all(|&source| source < 10), "{highest:?}");
        }
        let small = Graph::pipeline((0..STAGES - 1).map(|_| Command::new("cat")));
        let highest = *highest_sources(&small).iter().max().unwrap();
        assert!(highest >= 2 * HIGH - 4, "the comparison is one: {highest}");
    }
}

own_process! {
    fn running_large_graph_has_high_numbers_only() {
        for way in ways() {
            let (before, started) = (open_numbers(), children());
            let mut graph = line(way, STAGES);
            let stages: Vec<StageId> = graph.stages().collect();
            let output = graph.reader([stages[STAGES - 1].stdout()]);
            let input = graph.writer([stages[0].stdin()]);
            graph.command(stages[5]).stderr(Stdio::piped());
            let slot = graph.command(stages[6]).env_remove(crate::support::helper::PLANNED).socket(9);
            let mut running = graph.spawn().unwrap();
            let opened: Vec<RawFd> = open_numbers().into_iter().filter(|number| !before.contains(number)).collect();
            assert!(opened.iter().all(|&number| number >= HIGH), "{opened:?}");
            let pidfds = if way.1 { STAGES } else { 0 };
            assert_eq!(opened.len(), pidfds + 4, "pidfds, two ends of links, a standard error, and a slot");
            for &number in &opened {
                assert_eq!(crate::support::table::close_on_exec(number), Some(true), "{number}");
            }
            drop(running.take(input).unwrap());
            assert!(running.take(slot).unwrap().as_raw_fd() >= HIGH);
            let mut text = String::new();
            running.take(output).unwrap().read_to_string(&mut text).unwrap();
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            drop(running);
            assert_eq!((open_numbers(), children()), (before, started));
        }
    }
}

own_process! {
    fn failed_start_of_a_large_graph_leaves_nothing() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        for way in ways() {
            let (before, started) = (open_numbers(), children());
            // The first stage is launched last, and only its exec finds that the interpreter is missing.
            let first = tool(way, &[script.to_str().unwrap()]);
            let stages = std::iter::once(first).chain((1..STAGES).map(|_| planned(way, &["cat"], &[])));
            let error = Graph::pipeline(stages).status().unwrap_err();
            assert!(error.to_string().starts_with("cannot spawn stage 0, "), "{error}");
            assert_eq!((open_numbers(), children()), (before, started));
        }
    }
}

own_process! {
    fn steps_of_a_large_graph_are_those_that_were_explained() {
        let true_line = |way, count| Graph::pipeline((0..count).map(move |_| tool(way, &["true"])));
        for launcher in LAUNCHERS {
            tool((launcher, true), &["true"]).status().unwrap();
        }
        // All low numbers are in use; some are; none is.
        for occupied in [3..HIGH, 3..HIGH - 1, 10..100, 3..3] {
            occupied.clone().for_each(|number| std::mem::forget(memory_at(number, "other", true)));
            for way in ways() {
                for mut graph in [true_line(way, STAGES), with_ends(true_line(way, STAGES + 10))] {
                    let steps = explained(&graph);
                    let mut running = None;
                    let log = logged(|| running = Some(graph.spawn()));
                    let mut running = running.unwrap().unwrap();
                    assert_eq!(steps, launched(&log), "{way:?}, {occupied:?} are occupied:\n{:#}", graph.explain());
                    running.wait().unwrap();
                }
            }
            occupied.for_each(close);
        }
    }
}

own_process! {
    fn large_graph_keeps_low_numbers_if_the_limit_allows_no_others() {
        // 3 numbers are in use. Each stage needs two for its links, and one for its pidfd.
        let needed = 3 + 2 * (STAGES - 1) + STAGES;
        for way in ways() {
            let before = open_numbers();
            let limits = [needed, needed + 1, needed + 10, needed + 30, needed + 70];
            for limit in limits {
                let mut graph = line(way, STAGES);
                let run = |graph: &mut Graph<'_>| {
                    let steps = explained(graph);
                    let mut running = None;
                    let log = logged(|| running = Some(graph.spawn()));
                    let mut running = running.unwrap().unwrap_or_else(|error| panic!("{error}, limit {limit}"));
                    assert_eq!(steps, launched(&log), "{way:?}, limit {limit}");
                    running.wait().unwrap().check().unwrap();
                };
                set_limit(limit as u64, hard_limit());
                run(&mut graph);
                set_limit(hard_limit(), hard_limit());
                assert_eq!(open_numbers(), before);
            }
        }
    }
}
