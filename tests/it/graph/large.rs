//! Graphs with so many stages that this process keeps their descriptors at numbers from 64 on.

use super::plans::{explained, launched};
use super::{Files, LONG, planned, tool, ways};
use crate::own_process;
use crate::spawn::tracing_events::logged;
use crate::support::seccomp::{refuse_if, refuse_to_thread};
use crate::support::sources::{close, hard_limit, memory_at, set_limit};
use crate::support::table::{close_on_exec, open_numbers};
use crate::support::ways::isolated;
use crate::support::{LAUNCHERS, by_turns, children, command, exhaustive};
use fdspawn::plan::Step;
use fdspawn::{Capture, Command, Graph, Launcher, Rest, StageId, Stdio};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

/// The fewest stages of a line whose descriptors have high numbers.
const STAGES: usize = 64;

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
        for count in if exhaustive() { vec![STAGES - 1, STAGES, 120] } else { vec![STAGES] } {
            let captured = line(way, count).capture(&Capture::new().input("through all")).unwrap();
            assert_eq!(captured.check().unwrap().stdout, b"through all");
            if exhaustive() {
                line(way, count).status().unwrap().check().unwrap();
            }
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
        assert!(highest > 2 * HIGH - 10, "the comparison is one: {highest}");
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
            assert!(opened.iter().all(|&number| close_on_exec(number) == Some(true)), "{opened:?}");
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
        for (index, occupied) in [3..HIGH, 3..HIGH - 1, 10..100, 3..3].into_iter().enumerate() {
            occupied.clone().for_each(|number| std::mem::forget(memory_at(number, "other", true)));
            for (turn, way) in ways().enumerate() {
                let graphs = [true_line(way, STAGES), with_ends(true_line(way, STAGES + 10))];
                for mut graph in by_turns(graphs, index + turn) {
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

/// How many pidfds this process has.
fn pidfds() -> usize {
    let is_pidfd = |number: &RawFd| {
        let link = std::fs::read_link(format!("/proc/self/fd/{number}"));
        link.is_ok_and(|link| link.to_string_lossy().contains("pidfd"))
    };
    open_numbers().iter().filter(|number| is_pidfd(number)).count()
}

/// One stage that writes to many.
fn fan_out<'fd>(way: (Launcher, bool), count: usize) -> Graph<'fd> {
    let mut graph = Graph::new();
    let source = graph.stage(tool(way, &["true"]));
    for number in (100..).take(count) {
        let reader = graph.stage(tool(way, &["cat"]));
        graph.command(reader).stdout(Stdio::null());
        graph.pipe([source.fd(number)], [reader.stdin()]);
    }
    graph
}

own_process! {
    fn no_start_fails_or_lacks_a_pidfd_for_the_sake_of_low_numbers() {
        let with_stream = |mut graph: Graph<'static>| {
            let source = graph.stages().next().unwrap();
            graph.command(source).stderr(Stdio::piped());
            graph
        };
        // In use at the last launch: 0 to 2, two numbers for each link, a pidfd for each stage, and what the launch opens.
        let of_line = 3 + 2 * (STAGES - 1) + STAGES;
        for launcher in LAUNCHERS {
            let way = (launcher, true);
            tool(way, &["true"]).status().unwrap();
            let line = || Graph::pipeline((0..STAGES).map(|_| tool(way, &["cat"])));
            let fan = || fan_out(way, STAGES - 1);
            // The fork launcher has a pipe during the launch, and opens the pidfd after that.
            let errpipe = usize::from(launcher == Launcher::Fork);
            let cases: [(&str, usize, &dyn Fn() -> Graph<'static>); 3] = [
                ("line", of_line + errpipe, &line),
                ("one to many", of_line + errpipe, &fan),
                ("one to many, with a stream", of_line + errpipe + 2, &|| with_stream(fan())),
            ];
            for (name, needed, make) in cases {
                // The plain run has one end each, close to the least number or above it by turns.
                let (first, step) = if exhaustive() { (0, 3) } else { (needed % 2 * 101, 150) };
                for end in (needed + first..needed + 150).step_by(step) {
                    // The numbers from `end` on are beyond the limit, or by turns in use.
                    let in_use = end % 2 == 0;
                    let others = || (end as RawFd..1000).filter(|_| in_use);
                    others().for_each(|number| std::mem::forget(memory_at(number, "other", true)));
                    let before = open_numbers();
                    let mut graph = make();
                    set_limit(if in_use { 1000 } else { end as u64 }, hard_limit());
                    let steps = explained(&graph);
                    let mut running = None;
                    let log = logged(|| running = Some(graph.spawn()));
                    set_limit(hard_limit(), hard_limit());
                    let mut running = running.unwrap().unwrap_or_else(|error| panic!("{name}, {end}: {error}"));
                    assert_eq!(pidfds(), STAGES, "{name}, {launcher:?}, numbers below {end}");
                    assert_eq!(steps, launched(&log), "{name}, {launcher:?}, numbers below {end}");
                    let _ = running.wait().unwrap();
                    drop(running);
                    assert_eq!(open_numbers(), before);
                    others().for_each(close);
                }
            }
        }
    }
}

/// Starts large graphs by each launcher, in the plain run by one of them, which have a pidfd for each stage and leave nothing.
fn starts_leave_nothing(turn: usize) {
    for launcher in by_turns(LAUNCHERS, turn) {
        let (before, started) = (open_numbers(), children());
        let mut running = line((launcher, true), STAGES).spawn().unwrap();
        assert_eq!(pidfds(), STAGES);
        running.wait().unwrap().check().unwrap();
        drop(running);
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let first = tool((launcher, true), &[script.to_str().unwrap()]);
        let stages = std::iter::once(first).chain((1..STAGES).map(|_| planned((launcher, true), &["cat"], &[])));
        Graph::pipeline(stages).status().unwrap_err();
        drop(files);
        assert_eq!((open_numbers(), children()), (before, started), "{launcher:?}");
    }
}

own_process! {
    fn refused_duplicates_of_descriptors_leave_them_where_they_are() {
        let duplicate = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::F_DUPFD_CLOEXEC as u64);
        assert!(refuse_if(libc::SYS_fcntl, [duplicate.unwrap()], libc::EPERM));
        assert!(std::fs::File::open("/").unwrap().try_clone().is_err(), "it is refused");
        starts_leave_nothing(0);
    }
}

own_process! {
    fn refused_list_of_descriptors_only_takes_the_duplicates() {
        let sources = || highest_sources(&Graph::pipeline((0..STAGES).map(|_| Command::new("cat"))));
        assert!(sources().iter().all(|&source| source < HIGH));
        let refused = std::thread::spawn(move || {
            refuse_to_thread(&[libc::SYS_getdents64], libc::EPERM);
            let highest = sources();
            for launcher in LAUNCHERS {
                // The filter is for the stages, too, so that they cannot look at their tables.
                let line = (0..STAGES).map(|_| tool((launcher, true), &["cat"]));
                Graph::pipeline(line).status().unwrap().check().unwrap();
            }
            highest
        });
        assert!(refused.join().unwrap().iter().any(|&source| source >= HIGH));
        starts_leave_nothing(1);
    }
}

own_process! {
    fn tees_and_spools_leave_the_low_numbers_to_the_sources() {
        let mut graph = Graph::new();
        let mut last = graph.stage(command("cat"));
        for _ in 0..STAGES {
            let next = graph.stage(command("cat"));
            graph.spool(last.stdout(), next.stdin());
            last = next;
        }
        let first = graph.stages().next().unwrap();
        graph.command(first).stdin(Stdio::data("through all"));
        let highest: Vec<RawFd> = highest_sources(&graph);
        assert!(highest.iter().all(|&source| source < HIGH), "{highest:?}");
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"through all");
    }
}
