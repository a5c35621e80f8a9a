//! The plan of each stage, as it is explained before the start: compared with the steps that are launched, and with the tables that the
//! stages find.

use super::{LONG, planned, tool, ways};
use crate::own_process;
use crate::spawn::tracing_events::logged;
use crate::support::sources::{close, memory_at};
use crate::support::table::{Entry, Table, close_on_exec, open_numbers};
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::{Open, Table as Model};
use fdspawn::{Command, Graph, Group, Launcher, Rest, StageId, Stdio};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

/// A step without the number of a group, which is not known before the launch of its leader.
fn without_number(step: &str) -> String {
    if step.starts_with("join ") { "join".to_owned() } else { step.to_owned() }
}

/// The texts of the steps of each launch, in their order.
pub(super) fn launched(log: &str) -> Vec<Vec<String>> {
    let mut launches = Vec::new();
    for line in log.lines().filter(|line| line.contains(" step index=")) {
        let (_, event) = line.split_once(" step index=").unwrap();
        let (index, step) = event.split_once(" step=").unwrap();
        if index == "0" {
            launches.push(Vec::new());
        }
        launches.last_mut().unwrap().push(without_number(step));
    }
    launches
}

/// The texts of the steps of each stage, in the order of the launches.
pub(super) fn explained(graph: &Graph<'_>) -> Vec<Vec<String>> {
    let explanation = graph.explain();
    let text = explanation.to_string();
    let order = text.lines().find_map(|line| line.strip_prefix("order of the launches: ")).unwrap();
    let stages: Vec<StageId> = graph.stages().collect();
    let steps = |index: &str| {
        let plan = explanation.stage(stages[index.parse::<usize>().unwrap()]).unwrap();
        assert!(plan.error().is_none(), "{plan}");
        let text = plan.to_string();
        let (_, steps) = text.split_once("steps in the child").unwrap();
        steps.lines().skip(1).map(|line| without_number(&line[10..])).collect()
    };
    order.split(", ").map(steps).collect()
}

/// Starts the graph, and waits until it has ended. The steps that are launched have to be those that were explained.
pub(super) fn run_as_explained(graph: &mut Graph<'_>) {
    let steps = explained(graph);
    let mut running = None;
    let log = logged(|| running = Some(graph.spawn()));
    let statuses = running.unwrap().unwrap().wait_timeout(LONG).unwrap();
    assert_eq!(steps, launched(&log));
    statuses.unwrap().check().unwrap();
}

/// Makes graphs with links, slots and sources of all kinds.
fn graphs<'a>(
    way: (Launcher, bool),
    root: &'a File,
    lent: &'a File,
    group: &'a Group,
) -> Vec<(&'static str, Graph<'a>)> {
    let cat = || tool(way, &["true"]);
    let line = Graph::pipeline((0..5).map(|_| cat()));
    let mut links = Graph::new();
    let [one, two, three] = [0; 3].map(|_| links.stage(cat()));
    // The links are at numbers that are sources of others.
    links.pipe([one.fd(4)], [two.fd(3)]).pipe([one.fd(3), two.fd(5)], [three.fd(6)]).socket(one.fd(9), three.fd(3));
    links.argument_from(three, two.stdout());
    links.reader([one.stdout(), three.fd(4)]);
    links.writer([two.stdin()]);
    links.outside_socket(three.fd(100));
    let mut tees = Graph::new();
    let [source, first, second] = [0; 3].map(|_| tees.stage(cat()));
    tees.tee(source.stdout(), [first.stdin(), second.fd(7)]).spool(source.fd(5), second.stdin());
    let mut sources = Graph::new();
    let stages = [0; 4].map(|_| sources.stage(cat()));
    sources.pipe([stages[0].stdout()], [stages[1].stdin()]).pipe([stages[1].stdout()], [stages[2].stdin()]);
    let command = sources.command(stages[0]);
    command.stdin(Stdio::data("data")).stderr(Stdio::piped()).fd(7, Stdio::same_as(1)).fd(8, Stdio::null()).fd(9, lent);
    let _ = (command.reader(4), command.socket(3));
    let moved = lent.try_clone().unwrap();
    sources.command(stages[1]).stderr(Stdio::null()).keep(lent).current_dir_fd(root).fd(99, moved);
    sources.command(stages[2]).rest(Rest::Inherit).fd(3, lent).current_dir("/");
    sources.command(stages[3]).stdin(Stdio::closed()).fd(6, lent);
    let mut hooks = Graph::pipeline([cat(), cat(), cat()]);
    let middle = hooks.stages().nth(1).unwrap();
    let command = hooks.command(middle);
    // SAFETY: the hook does nothing.
    unsafe { command.launcher(Launcher::Auto).pre_exec(|| Ok(())) };
    command.umask(0o22).nice(1).fd(3, lent).fd(lent.as_raw_fd(), Stdio::null());
    let mut groups = Graph::pipeline([cat(), cat(), cat()]);
    groups.group(group);
    // SAFETY: the function does nothing.
    let mut function = unsafe { Command::function("function", || 0) };
    function.current_dir_fd(root).fd(12, lent);
    let functions = Graph::pipeline([cat(), function, cat()]);
    vec![
        ("line", line),
        ("links", links),
        ("tees", tees),
        ("sources", sources),
        ("hooks", hooks),
        ("groups", groups),
        ("functions", functions),
    ]
}

own_process! {
    fn steps_that_are_launched_are_those_that_were_explained() {
        let (root, lent) = (File::open("/").unwrap(), File::open("/dev/null").unwrap());
        // The first spawns find out what the library can do on this system.
        for launcher in LAUNCHERS {
            tool((launcher, true), &["true"]).status().unwrap();
        }
        for way in ways() {
            for closed in [None, Some(0), Some(2)] {
                let saved = closed.map(|number| {
                    // SAFETY: the test has the process to itself.
                    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 1000) };
                    close(number);
                    (number, copy)
                });
                let group = Group::new();
                for (name, mut graph) in graphs(way, &root, &lent, &group) {
                    let (before, started) = (open_numbers(), children());
                    let steps = explained(&graph);
                    assert_eq!((open_numbers(), children()), (before, started), "it opens and starts nothing");
                    let mut running = None;
                    let log = logged(|| running = Some(graph.spawn()));
                    let mut running = running.unwrap().unwrap();
                    assert_eq!(steps, launched(&log), "{name}, {way:?}, {closed:?} is closed:\n{:#}", graph.explain());
                    assert!(steps.iter().flatten().any(|step| step.starts_with("duplicate ")));
                    running.wait().unwrap();
                }
                if let Some((number, copy)) = saved {
                    // SAFETY: as above.
                    unsafe { libc::dup2(copy, number) };
                    close(copy);
                }
            }
        }
    }
}

/// The model of this process's table, and of the links that a start would open: each has the numbers of an explanation's sources.
fn parent(steps: &[fdspawn::plan::Step]) -> Model {
    use fdspawn::plan::Step;
    let open = open_numbers();
    let mut table: BTreeMap<RawFd, Open> = BTreeMap::new();
    let entry = |number: RawFd, close_on_exec| Open { description: number as u64, close_on_exec };
    for number in open {
        table.insert(number, entry(number, close_on_exec(number) == Some(true)));
    }
    // A source that is not open yet is one that the start opens, with close-on-exec.
    for step in steps {
        if let Step::Dup2 { source: number, .. } | Step::ClearCloexec { fd: number } = *step {
            table.entry(number).or_insert_with(|| entry(number, true));
        }
    }
    table.into_iter().collect()
}

own_process! {
    fn tables_that_stages_find_are_those_of_the_explained_steps() {
        for way in ways() {
            std::mem::forget(memory_at(9, "leak", false));
            let mut graph = Graph::new();
            let table = |graph: &mut Graph<'_>, numbers: &[RawFd]| graph.stage(planned(way, &["table-on", "2"], numbers));
            let one = table(&mut graph, &[1, 3, 4, 9]);
            let two = table(&mut graph, &[0, 3, 5, 101]);
            let three = table(&mut graph, &[0, 4, 6]);
            graph.pipe([one.stdout()], [two.stdin()]).pipe([two.fd(5), one.fd(4)], [three.stdin()]);
            graph.socket(one.fd(3), two.fd(101)).pipe([two.fd(3)], [three.fd(6)]).pipe([one.fd(9)], [three.fd(4)]);
            // All of them write their tables to one pipe each.
            let reports = [one, two, three].map(|stage| graph.reader([stage.stderr()]));
            let explanation = graph.explain();
            let plans: Vec<Model> = [one, two, three]
                .map(|stage| {
                    let plan = explanation.stage(stage).unwrap();
                    let mut model = parent(plan.steps());
                    model.run(plan.steps()).unwrap();
                    model.exec();
                    assert_eq!(model.iter().map(|(number, _)| number).collect::<Vec<_>>(), plan.targets(), "{plan}");
                    model
                })
                .into();
            let mut running = graph.spawn().unwrap();
            let tables: Vec<Table> = reports
                .map(|slot| {
                    let mut text = String::new();
                    running.take(slot).unwrap().read_to_string(&mut text).unwrap();
                    text.parse().unwrap()
                })
                .into();
            running.wait().unwrap().check().unwrap();
            // The numbers are the same; and two ends are of one pipe in the tables where their sources were a pair's.
            let file = |table: &Table, number: RawFd| table.0.iter().find(|entry| entry.number == number).map(|entry: &Entry| entry.file);
            for (model, table) in plans.iter().zip(&tables) {
                assert_eq!(model.iter().map(|(number, _)| number).collect::<Vec<_>>(), table.numbers());
            }
            let mut pipes: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
            for (model, table) in plans.iter().zip(&tables) {
                for (number, Open { description, .. }) in model.iter() {
                    pipes.entry(description).or_default().push(file(table, number).unwrap());
                }
            }
            for (description, files) in &pipes {
                assert!(files.windows(2).all(|pair| pair[0] == pair[1]), "source {description} is one file in all stages: {files:?}");
            }
            let files = |stage: usize, number| file(&tables[stage], number).unwrap();
            let links = [((0, 1), (1, 0)), ((1, 5), (2, 0)), ((0, 4), (2, 0)), ((1, 3), (2, 6)), ((0, 9), (2, 4))];
            assert!(links.iter().all(|(from, to)| files(from.0, from.1) == files(to.0, to.1)));
            close(9);
        }
    }
}

#[test]
fn plans_are_shown_behind_the_graph() {
    let way = (LAUNCHERS[0], true);
    let mut graph = Graph::pipeline([tool(way, &["seq", "9"]), tool(way, &["cat"])]);
    let explanation = graph.explain();
    let text = format!("{explanation:#}");
    assert!(
        text.starts_with(&format!("{explanation}\nstage 0: descriptors of `seq`; all others are closed\n")),
        "{text}"
    );
    let parts: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(parts.len(), 3);
    assert!(
        parts[2].starts_with("stage 1: descriptors of `cat`") && parts[2].contains("  the end of a link\n"),
        "{text}"
    );
    // The plans of refused links would be wrong, and another graph's stages have none here.
    let stages: Vec<StageId> = graph.stages().collect();
    assert!(Graph::pipeline([tool(way, &["cat"])]).explain().stage(stages[0]).is_none());
    graph.pipe([stages[0].stdout()], [stages[1].fd(3)]);
    let explanation = graph.explain();
    assert!(explanation.stage(stages[0]).is_none());
    assert_eq!(format!("{explanation:#}"), explanation.to_string());
    // A stage that could not be started has its error.
    let mut graph = Graph::pipeline([tool(way, &["seq", "9"])]);
    let first = graph.stages().next().unwrap();
    graph.command(first).umask(0o10000);
    let explanation = graph.explain();
    let error = explanation.stage(first).unwrap().error().unwrap().to_string();
    assert_eq!(error, graph.spawn().unwrap_err().to_string().replace("stage 0, ", ""));
    _ = explanation.stage(first).map(|plan| assert_eq!(plan.to_string(), error));
}
