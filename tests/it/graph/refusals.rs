//! Graphs that are refused before anything is opened or started, with the exact texts.

use super::{Files, shell_with, ways};
use crate::support::LAUNCHERS;
use crate::support::panics::panic_of;
use fdspawn::plan::GraphRefusal;
use fdspawn::{Failure, Graph, StageId, Stdio};

/// Refuses a graph of two stages, both of which would mark their start.
#[track_caller]
fn refused(links: impl Fn(&mut Graph<'_>, StageId, StageId), refusal: GraphRefusal, text: &str) {
    for way in ways() {
        let files = Files::new();
        let mark = files.path("mark");
        let mut graph = Graph::new();
        let one = graph.stage(shell_with(way, "echo >\"$0\"", &mark));
        let other = graph.stage(shell_with(way, "echo >\"$0\"", &mark));
        links(&mut graph, one, other);
        for error in [graph.spawn().map(drop), graph.status().map(drop), graph.output().map(drop)] {
            let error = error.unwrap_err();
            assert_eq!(error.to_string(), format!("cannot spawn the graph: {text}"));
            assert!(matches!(error.failure(), Failure::Graph(found) if *found == refusal), "{error:?}");
            assert_eq!((error.raw_os_error(), error.program()), (Some(libc::EINVAL), None));
        }
        assert!(graph.explain().to_string().ends_with(&format!("refused: {text}\n")), "{}", graph.explain());
        graph.explain().dot();
        assert!(!files.has("mark"));
    }
}

#[test]
fn number_that_two_links_name_is_refused() {
    let refusal = GraphRefusal::LinkedTwice { stage: 1, target: 0 };
    let text = "target 0 of stage 1 has two sources";
    refused(
        |graph, one, other| _ = graph.pipe([one.fd(1)], [other.fd(0)]).pipe([one.fd(5)], [other.fd(0)]),
        refusal,
        text,
    );
    refused(|graph, one, other| _ = graph.pipe([one.fd(1)], [other.fd(0), other.fd(0)]), refusal, text);
    refused(
        |graph, one, other| _ = graph.pipe([one.fd(1)], [other.fd(0)]).socket(one.fd(5), other.fd(0)),
        refusal,
        text,
    );
    refused(
        |graph, one, other| {
            graph.pipe([one.fd(1)], [other.fd(0)]);
            graph.writer([other.fd(0)]);
        },
        refusal,
        text,
    );
    refused(
        |graph, _, other| {
            graph.reader([other.fd(0)]);
            graph.outside_socket(other.fd(0));
        },
        refusal,
        text,
    );
    let refusal = GraphRefusal::LinkedTwice { stage: 0, target: 7 };
    refused(|graph, one, _| _ = graph.pipe([one.fd(7)], [one.fd(7)]), refusal, "target 7 of stage 0 has two sources");
    refused(|graph, one, _| _ = graph.socket(one.fd(7), one.fd(7)), refusal, "target 7 of stage 0 has two sources");
}

#[test]
fn number_that_the_command_connects_is_refused() {
    let file: &'static std::fs::File = Box::leak(Box::new(std::fs::File::open("/dev/null").unwrap()));
    let kept = std::os::fd::AsRawFd::as_raw_fd(file);
    for number in [0, 1, 2, 5] {
        let refusal = GraphRefusal::LinkedTwice { stage: 0, target: number };
        let text = format!("target {number} of stage 0 has two sources");
        let link =
            |graph: &mut Graph<'_>, one: StageId, other: StageId| _ = graph.pipe([one.fd(number)], [other.fd(9)]);
        refused(
            |graph, one, other| {
                graph.command(one).fd(number, Stdio::null());
                link(graph, one, other);
            },
            refusal,
            &text,
        );
        // It does not count which of the two was set first.
        refused(
            |graph, one, other| {
                link(graph, one, other);
                graph.command(one).fd(number, Stdio::piped());
            },
            refusal,
            &text,
        );
        refused(
            |graph, one, other| {
                link(graph, one, other);
                graph.command(one).reader(number);
            },
            refusal,
            &text,
        );
        refused(
            |graph, one, other| {
                graph.command(one).socket(number);
                link(graph, one, other);
            },
            refusal,
            &text,
        );
        refused(
            |graph, one, other| {
                graph.command(one).fd(number, Stdio::closed());
                link(graph, one, other);
            },
            refusal,
            &text,
        );
    }
    let refusal = GraphRefusal::LinkedTwice { stage: 1, target: kept };
    refused(
        |graph, one, other| {
            graph.command(other).keep(file);
            graph.pipe([one.fd(1)], [other.fd(kept)]);
        },
        refusal,
        &format!("target {kept} of stage 1 has two sources"),
    );
}

#[test]
fn standard_streams_that_the_command_sets_are_refused_as_links() {
    let refusal = GraphRefusal::LinkedTwice { stage: 0, target: 1 };
    let text = "target 1 of stage 0 has two sources";
    refused(
        |graph, one, other| {
            graph.command(one).stdout(Stdio::inherit());
            graph.pipe([one.stdout()], [other.stdin()]);
        },
        refusal,
        text,
    );
    refused(
        |graph, one, other| {
            graph.pipe([one.stdout()], [other.stdin()]);
            graph.command(one).stdout(Stdio::same_as(2));
        },
        refusal,
        text,
    );
}

#[test]
fn stage_of_another_graph_is_refused() {
    let stranger = || Graph::pipeline(LAUNCHERS.map(|_| crate::support::command("true"))).stages().last().unwrap();
    let (first, second) = (stranger(), stranger());
    let refusal = GraphRefusal::OtherGraph { stage: 1, target: 5 };
    let text = "a link goes to target 5 of stage 1 of another graph";
    refused(|graph, one, _| _ = graph.pipe([one.fd(1)], [first.fd(5)]), refusal, text);
    refused(|graph, one, _| _ = graph.socket(second.fd(5), one.fd(1)), refusal, text);
    refused(|graph, _, _| _ = graph.reader([first.fd(5)]), refusal, text);
    refused(|graph, _, _| _ = graph.outside_socket(second.fd(5)), refusal, text);
    refused(|graph, one, _| _ = graph.argument_from(one, first.fd(5)), refusal, text);
    let mut graph = Graph::pipeline([crate::support::command("true")]);
    assert!(panic_of(|| _ = graph.command(first)).contains("another graph"));
    assert!(panic_of(|| _ = graph.allow(first, &[1])).contains("another graph"));
    let own = graph.stages().next().unwrap();
    assert!(panic_of(|| _ = graph.argument_from(first, own.stdout())).contains("another graph"));
    assert!(panic_of(|| _ = graph.argument_to(first, own.stdin())).contains("another graph"));
    // A call that panics has not changed the graph.
    let output = graph.output().unwrap();
    assert!(panic_of(|| output.stderr(first)).contains("another graph"));
    assert!(panic_of(|| output.statuses.of(first)).contains("another graph"));
    output.check().unwrap();
}

#[test]
fn number_below_zero_is_refused() {
    for number in [-1, i32::MIN] {
        let refusal = GraphRefusal::NegativeTarget { stage: 1, target: number };
        let text = format!("a link goes to target {number} of stage 1, which is no number of a descriptor");
        refused(|graph, one, other| _ = graph.pipe([one.fd(1)], [other.fd(number)]), refusal, &text);
        refused(|graph, one, other| _ = graph.socket(other.fd(number), one.fd(7)), refusal, &text);
        refused(|graph, _, other| _ = graph.writer([other.fd(number)]), refusal, &text);
    }
}

#[test]
fn pipe_without_a_writer_or_reader_is_refused() {
    let refusal = GraphRefusal::NoWriter { stage: 1, target: 3 };
    let text = "target 3 of stage 1 reads a pipe that has no writer";
    refused(|graph, _, other| _ = graph.pipe([], [other.fd(3), other.fd(4)]), refusal, text);
    let refusal = GraphRefusal::NoReader { stage: 0, target: 4 };
    let text = "target 4 of stage 0 writes to a pipe that has no reader";
    refused(|graph, one, _| _ = graph.pipe([one.fd(4)], []), refusal, text);
    refused(|graph, one, _| _ = graph.tee(one.fd(4), []), refusal, text);
    refused(|graph, one, _| _ = graph.tee_until_first(one.fd(4), []), refusal, text);
    let text = "a pipe has neither a writer nor a reader";
    refused(|graph, _, _| _ = graph.pipe([], []), GraphRefusal::NoEnds, text);
    refused(|graph, _, _| _ = graph.reader([]), GraphRefusal::NoEnds, text);
    refused(|graph, _, _| _ = graph.writer([]), GraphRefusal::NoEnds, text);
}

#[test]
fn number_beyond_the_limit_starts_no_stage() {
    for way in ways() {
        let files = Files::new();
        let mark = files.path("mark");
        let mut graph = Graph::new();
        let one = graph.stage(shell_with(way, "echo >\"$0\"", &mark));
        let other = graph.stage(shell_with(way, "echo >\"$0\"", &mark));
        // Stage 1 is launched first, and stage 0 has the number.
        graph.pipe([one.fd(2_000_000_000)], [other.fd(5)]);
        let error = graph.spawn().unwrap_err();
        assert!(error.to_string().starts_with("cannot spawn stage 0, `/bin/sh`: "), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert!(!files.has("mark"), "the check comes before the first launch");
    }
}
