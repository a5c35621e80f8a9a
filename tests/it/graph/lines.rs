//! Lines of stages: none, one, two, a hundred; graphs that are started again; attributes and slots of the stages' own.

use super::{Files, LONG, shell, tool, ways};
use crate::own_process;
use crate::support::LAUNCHERS;
use crate::support::table::open_numbers;
use fdspawn::{Capture, Failure, Graph, Launcher, Stdio};
use std::io::{Read, Write};

#[test]
fn lines_of_one_two_and_a_hundred_stages() {
    for way in ways() {
        for count in [1, 2, 100] {
            let mut graph = Graph::pipeline((0..count).map(|_| tool(way, &["cat"])));
            let captured = graph.capture(&Capture::new().input("through all")).unwrap();
            captured.statuses.check().unwrap();
            assert_eq!((captured.stdout.as_slice(), captured.unsent), (&b"through all"[..], 0));
            assert_eq!(captured.statuses.iter().len(), count);
            let order: Vec<String> = (0..count).rev().map(|stage| stage.to_string()).collect();
            let text = graph.explain().to_string();
            assert!(text.ends_with(&format!("order of the launches: {}\n", order.join(", "))), "{text}");
        }
    }
}

#[test]
fn graph_without_stages_is_refused() {
    let mut graph = Graph::pipeline([]);
    for error in [graph.spawn().map(drop), graph.status().map(drop), graph.output().map(drop)] {
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "cannot spawn the graph: the graph has no stage");
        assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), std::io::ErrorKind::InvalidInput));
        assert!(matches!(error.failure(), Failure::Graph(_)));
    }
    assert_eq!(graph.explain().to_string(), "refused: the graph has no stage\n");
    assert_eq!(graph.explain().dot(), "digraph {\n    node [shape=box]\n}\n");
}

#[test]
fn same_graph_runs_any_number_of_times_also_at_the_same_time() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["cat"]), shell(way, "cat; echo slot >&5")]);
        let stages: Vec<_> = graph.stages().collect();
        let own = graph.command(stages[1]).reader(5);
        let (input, output) = (graph.writer([stages[0].stdin()]), graph.reader([stages[1].stdout()]));
        let mut all: Vec<_> = (0..4).map(|_| graph.spawn().unwrap()).collect();
        for (index, running) in all.iter_mut().enumerate() {
            running.take(input).unwrap().write_all(index.to_string().as_bytes()).unwrap();
            assert!(running.take(input).is_none(), "it has been taken");
        }
        for (index, running) in all.iter_mut().enumerate().rev() {
            let (mut text, mut slot) = (String::new(), String::new());
            running.take(output).unwrap().read_to_string(&mut text).unwrap();
            running.take(own).unwrap().read_to_string(&mut slot).unwrap();
            assert_eq!((text, slot.as_str()), (index.to_string(), "slot\n"));
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            // The statuses are there again, and nothing else is.
            assert!(running.wait().unwrap().check().is_ok());
        }
    }
}

own_process! {
    fn descriptors_that_are_moved_into_a_command_are_closed_after_the_start() {
        for way in ways() {
            let before = open_numbers();
            let (reader, writer) = std::io::pipe().unwrap();
            let mut first = tool(way, &["echo", "moved"]);
            first.stdout(Stdio::null()).fd(7, writer);
            let mut second = shell(way, "cat <&8");
            second.fd(8, reader).stdout(Stdio::null());
            let mut graph = Graph::new();
            graph.stage(first);
            graph.stage(second);
            // If the graph kept the writing end, the second stage would wait for ever.
            let mut running = graph.spawn().unwrap();
            running.wait_timeout(LONG).unwrap().expect("nothing keeps the pipe").check().unwrap();
            drop(running);
            assert_eq!(open_numbers(), before);
            assert!(graph.spawn().unwrap_err().to_string().starts_with("cannot spawn stage "));
        }
    }
}

#[test]
fn stages_have_attributes_and_slots_of_their_own() {
    for way in ways() {
        let mut first = shell(way, "umask; pwd; echo $NAME; echo own >&9");
        first.umask(0o027).current_dir("/").env("NAME", "value").nice(3);
        let own = first.reader(9);
        let mut second = shell(way, "cat; cat <&8; read line; echo \"got $line\"; cat <&6");
        second.fd(8, Stdio::data("lent\n"));
        let input = second.writer(6);
        let mut graph = Graph::pipeline([first, second]);
        let second = graph.stages().last().unwrap();
        let output = graph.reader([second.stdout(), second.stderr()]);
        let mut running = graph.spawn().unwrap();
        running.take(input).unwrap().write_all(b"six\n").unwrap();
        let mut texts = [String::new(), String::new()];
        running.take(own).unwrap().read_to_string(&mut texts[0]).unwrap();
        running.take(output).unwrap().read_to_string(&mut texts[1]).unwrap();
        assert_eq!(texts[0], "own\n");
        assert_eq!(texts[1], "0027\n/\nvalue\nlent\ngot \nsix\n");
        running.wait().unwrap().check().unwrap();
    }
}

own_process! {
    fn stages_get_the_environment_of_the_time_of_the_start_with_their_own_changes() {
        const NAME: &str = "FDSPAWN_GRAPH_TIME";
        for way in ways() {
            let line = |print: &str| format!("cat; echo \"{print} ${NAME}\"");
            let mut own = shell(way, &line("own"));
            own.env(NAME, "mine");
            let mut none = shell(way, &line("none"));
            none.env_remove(NAME);
            let mut cleared = tool(way, &["/bin/sh", "-c", &format!("/bin/cat; echo \"cleared ${NAME}\"")]);
            cleared.env_clear();
            let mut hooked = shell(way, &line("hooked"));
            if way.0 == Launcher::Fork {
                // SAFETY: the child has one thread and a copy of the memory.
                let set = || unsafe { std::env::set_var(NAME, "hook's") };
                // SAFETY: as above.
                unsafe {
                    hooked.pre_exec(move || {
                        set();
                        Ok(())
                    })
                };
            }
            let mut graph = Graph::pipeline([shell(way, &line("inherited")), own, none, cleared, hooked]);
            for time in ["first", "second"] {
                // SAFETY: no other thread of this process runs.
                unsafe { std::env::set_var(NAME, time) };
                let last = if way.0 == Launcher::Fork { "hook's" } else { time };
                let expected = format!("inherited {time}\nown mine\nnone \ncleared \nhooked {last}\n");
                assert_eq!(String::from_utf8(graph.output().unwrap().check().unwrap().stdout).unwrap(), expected);
            }
            // A stage's command has its own copy again after the start.
            // SAFETY: no other thread of this process runs.
            unsafe { std::env::set_var(NAME, "alone") };
            let first = graph.stages().next().unwrap();
            let output = graph.command(first).stdin(Stdio::null()).output().unwrap();
            assert_eq!(output.stdout, b"inherited alone\n");
        }
    }
}

#[test]
fn stages_with_both_launchers_and_hooks_are_one_line() {
    let mut hooked = tool((LAUNCHERS[1], true), &["cat"]);
    // SAFETY: the hook does nothing.
    unsafe { hooked.pre_exec(|| Ok(())) };
    let mut graph = Graph::pipeline([
        tool((LAUNCHERS[0], true), &["echo", "both"]),
        hooked,
        tool((LAUNCHERS[0], false), &["cat"]),
        tool((LAUNCHERS[1], false), &["cat"]),
    ]);
    assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"both\n");
}

#[test]
fn piped_streams_of_stages_are_taken_by_their_names() {
    for way in ways() {
        let mut both = shell(way, "cat; echo error >&2");
        both.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut graph = Graph::new();
        let stage = graph.stage(both);
        let other = Graph::pipeline([tool(way, &["true"])]).stages().next().unwrap();
        let mut running = graph.spawn().unwrap();
        assert!(running.take_stdin(other).is_none() && running.process(other).is_none());
        running.take_stdin(stage).unwrap().write_all(b"input\n").unwrap();
        let (mut output, mut error) = (String::new(), String::new());
        running.take_stdout(stage).unwrap().read_to_string(&mut output).unwrap();
        running.take_stderr(stage).unwrap().read_to_string(&mut error).unwrap();
        assert_eq!((output.as_str(), error.as_str()), ("input\n", "error\n"));
        assert!(running.take_stdout(stage).is_none());
        running.wait().unwrap().check().unwrap();
    }
}

#[test]
fn file_of_a_later_stage_is_written_in_full() {
    for way in ways() {
        let files = Files::new();
        let out = std::fs::File::create(files.path("out")).unwrap();
        let mut last = tool(way, &["sort", "-r"]);
        last.stdout(&out);
        Graph::pipeline([shell(way, "printf 'a\\nc\\nb\\n'"), last]).status().unwrap().check().unwrap();
        assert_eq!(std::fs::read_to_string(files.path("out")).unwrap(), "c\nb\na\n");
    }
}
