//! `Graph::capture`: input, time limits, limits of the output, graces, and stages that are stuck.

use super::{Files, LONG, SHORT, pids, shell, shell_with, tool, ways};
use crate::own_process;
use crate::support::running::is_gone;
use crate::support::table::open_numbers;
use crate::support::{by_turns, children, with_longer_times};
use fdspawn::{Capture, Failure, Graph, Keep, Reach, Signal, Stdio, Stop, Teardown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Instant;

#[test]
fn input_of_any_size_goes_through_the_line() {
    for way in ways() {
        let input: Vec<u8> = (0..3_000_000_u32).map(|byte| (byte % 251) as u8).collect();
        let captured = Graph::pipeline([tool(way, &["cat"]), tool(way, &["cat"]), tool(way, &["cat"])])
            .capture(&Capture::new().input(&input))
            .unwrap();
        assert!(captured.stdout == input && captured.unsent == 0 && captured.stop == Stop::Done);
        captured.check().unwrap();
        // A stage that does not read all.
        let mut graph = Graph::pipeline([shell(way, "head -c 10 >/dev/null"), tool(way, &["cat"])]);
        let captured = graph.capture(&Capture::new().input(&input)).unwrap();
        assert!(captured.unsent > 0);
        captured.check().unwrap();
        // A first stage that has another input.
        let mut graph = Graph::pipeline([tool(way, &["cat"]), tool(way, &["cat"])]);
        graph.command(graph.stages().next().unwrap()).stdin(Stdio::data("other"));
        let captured = graph.capture(&Capture::new().input(&input)).unwrap();
        assert_eq!((captured.stdout.as_slice(), captured.unsent), (&b"other"[..], input.len()));
    }
}

#[test]
fn unconnected_streams_are_null_or_read() {
    for way in ways() {
        // The middle stage reads nothing by 0, which is free since the link goes to 5.
        let mut graph = Graph::new();
        let one = graph.stage(shell(way, "cat; echo one"));
        let two = graph.stage(shell(way, "cat; cat <&5"));
        graph.pipe([one.stdout()], [two.fd(5)]);
        let output = graph.output().unwrap();
        assert_eq!(output.check().unwrap().stdout, b"one\n");
        // A stage before the last one whose output is piped to this process, which drops it.
        let mut graph = Graph::new();
        let first = graph.stage(shell(way, "head -c 300000 /dev/zero"));
        graph.command(first).stdout(Stdio::piped()).stdin(Stdio::piped());
        let middle = graph.stage(shell(way, "cat"));
        graph.command(middle).stdin(Stdio::piped()).stdout(Stdio::piped());
        graph.stage(tool(way, &["echo", "last"]));
        let output = graph.output().unwrap();
        assert!(output.statuses.iter().all(|stage| stage.status.success()), "{output:?}");
        assert_eq!(output.stdout, b"last\n");
    }
}

#[test]
fn time_that_is_over_ends_all_stages_and_keeps_what_has_come() {
    for way in ways() {
        for place in 0..3 {
            // One stage is stuck, the others copy.
            let line = (0..3).map(|stage| {
                let script = if stage == 0 { "echo start; echo err >&2;" } else { "head -n 1; echo err >&2;" };
                let rest = if stage == place { "sleep 1000" } else { "cat" };
                shell(way, &format!("{script} {rest}"))
            });
            let mut graph = Graph::pipeline(line);
            graph.commands().for_each(|command| _ = command.process_group(0));
            with_longer_times(5 * SHORT, |time| {
                let start = Instant::now();
                let how = Capture::new().timeout(time).end(Teardown::kill().reach(Reach::Group));
                let captured = graph.capture(&how).unwrap();
                assert!(start.elapsed() < time + LONG / 4);
                assert_eq!(captured.stop, Stop::Deadline, "{captured:?}");
                let has_come =
                    captured.stdout == b"start\n" && graph.stages().all(|stage| captured.stderr(stage) == b"err\n");
                let error = captured.check().unwrap_err();
                assert!(matches!(error.failure(), Failure::TimedOut), "{error}");
                has_come
            });
        }
    }
}

#[test]
fn stuck_stage_before_an_end_is_ended_by_all_signals_in_time() {
    // The last stage has ended, and the streams are held by a stage that ignores the first signal.
    for way in ways() {
        let stubborn = "trap '' TERM; exec >&-; while :; do sleep 0.05; done";
        let mut graph = Graph::pipeline([shell(way, stubborn), tool(way, &["true"])]);
        let first = graph.stages().next().unwrap();
        with_longer_times(2 * SHORT, |time| {
            let start = Instant::now();
            let captured = graph.capture(&Capture::new().timeout(time).end(Teardown::term(2 * SHORT))).unwrap();
            assert!(start.elapsed() < time + LONG / 4, "{:?}", start.elapsed());
            assert_eq!(captured.stop, Stop::Deadline);
            // A stage that does not ignore the signal yet dies of it.
            let signal = captured.statuses.of(first).signal();
            assert!([Some(libc::SIGTERM), Some(libc::SIGKILL)].contains(&signal), "{signal:?}");
            signal == Some(libc::SIGKILL)
        });
    }
}

#[test]
fn limit_ends_the_stages_before_it_while_they_write_errors() {
    for way in ways() {
        let polite = "trap 'head -c 300000 /dev/zero >&2; exit 3' TERM; echo >&3; while :; do sleep 0.01; done";
        let mut graph = Graph::pipeline([shell(way, polite), shell(way, "read line <&3; yes")]);
        let stages = stages_of(&graph);
        graph.pipe([stages[0].fd(3)], [stages[1].fd(3)]);
        let how = Capture::new().keep_stdout(Keep::AtMost(100)).end(Teardown::term(LONG / 4));
        let start = Instant::now();
        let captured = graph.capture(&how).unwrap();
        assert!(matches!(captured.stop, Stop::Limit(_)), "{captured:?}");
        assert!(start.elapsed() < LONG / 5, "{:?}", start.elapsed());
        assert_eq!((captured.statuses.of(stages[0]).code(), captured.stderr(stages[0]).len()), (Some(3), 300_000));
    }
}

#[test]
fn time_that_is_over_at_once_ends_all_stages() {
    for way in ways() {
        for time in [std::time::Duration::ZERO, std::time::Duration::from_nanos(1)] {
            let mut graph =
                Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
            let captured = graph.capture(&Capture::new().timeout(time)).unwrap();
            assert_eq!(captured.stop, Stop::Deadline);
            assert_eq!(captured.statuses.iter().next().unwrap().status.signal(), Some(libc::SIGKILL));
        }
        let mut graph = Graph::pipeline([tool(way, &["echo", "text"]), tool(way, &["cat"])]);
        let captured = graph.capture(&Capture::new().timeout(std::time::Duration::MAX)).unwrap();
        assert_eq!(captured.check().unwrap().stdout, b"text\n");
    }
}

#[test]
fn what_the_stages_say_while_they_are_ended_is_kept() {
    for way in ways() {
        let polite = "trap 'echo bye >&2; exit 3' TERM; echo ready >&2; while :; do sleep 0.01; done";
        let mut graph = Graph::pipeline([shell(way, polite), shell(way, polite), tool(way, &["sleep", "1000"])]);
        let stages: Vec<_> = graph.stages().collect();
        with_longer_times(5 * SHORT, |time| {
            let captured = graph.capture(&Capture::new().timeout(time).end(Teardown::term(LONG))).unwrap();
            assert_eq!(captured.stop, Stop::Deadline);
            stages[..2].iter().all(|&stage| {
                // A stage that was not ready yet dies of the signal.
                let (status, text) = (captured.statuses.of(stage), captured.stderr(stage));
                let is_ready = text.starts_with(b"ready\n");
                assert!(!is_ready || status.code() == Some(3) && text == b"ready\nbye\n", "{captured:?}");
                is_ready
            })
        });
    }
}

#[test]
fn stages_that_say_more_than_a_pipe_holds_while_they_are_ended_do_so() {
    for way in ways() {
        let polite = "trap 'head -c 300000 /dev/zero >&2; exit 3' TERM; while :; do sleep 0.01; done";
        let mut graph = Graph::pipeline([shell(way, polite), tool(way, &["sleep", "1000"])]);
        let first = graph.stages().next().unwrap();
        with_longer_times(3 * SHORT, |time| {
            let start = Instant::now();
            let captured = graph.capture(&Capture::new().timeout(time).end(Teardown::term(LONG / 4))).unwrap();
            assert!(start.elapsed() < time + LONG / 5, "{:?}", start.elapsed());
            // A stage that has not set its trap yet dies of the signal.
            let status = captured.statuses.of(first);
            assert!(status.signal().is_some() || (status.code(), captured.stderr(first).len()) == (Some(3), 300_000));
            status.signal().is_none()
        });
    }
}

#[test]
fn each_stage_gets_each_signal_once() {
    for way in ways() {
        // Each stage counts the signals, and ends only by the last one. The stages end one after the other.
        let files = Files::new();
        let line = (0..3).map(|stage| {
            let script = format!(
                "trap 'echo term >>\"$0.{stage}\"' TERM; trap 'sleep 0.{stage}; exit 0' USR1; while :; do sleep 0.01; done"
            );
            shell_with(way, &script, &files.path("log"))
        });
        let mut graph = Graph::pipeline(line);
        with_longer_times(5 * SHORT, |time| {
            let how = Capture::new().timeout(time).end(Teardown::term(time * 3 / 5).then(Signal::USR1, LONG));
            let captured = graph.capture(&how).unwrap();
            assert_eq!(captured.stop, Stop::Deadline);
            // A stage that has not set its traps yet dies of a signal.
            let have_trapped = captured.statuses.iter().all(|stage| stage.status.success());
            for stage in 0..3 {
                let log = files.path(&format!("log.{stage}"));
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                assert!(text == "term\n" || !have_trapped && text.is_empty(), "{text:?} {captured:?}");
                let _ = std::fs::remove_file(log);
            }
            have_trapped
        });
    }
}

/// A capture whose time is over leaves no process of those that the stages have written to a list.
fn are_gone_after_a_deadline(graph: &mut Graph<'_>, reach: Reach, list: &Path, count: usize) {
    with_longer_times(8 * SHORT, |time| {
        std::fs::write(list, "").unwrap();
        let start = Instant::now();
        let how = Capture::new().timeout(time).grace(SHORT).end(Teardown::kill().reach(reach));
        let captured = graph.capture(&how).unwrap();
        assert!(start.elapsed() < time + LONG / 4);
        assert_eq!(captured.stop, Stop::Deadline);
        let written = std::fs::read_to_string(list).unwrap();
        assert!(written.lines().all(|pid| is_gone(pid.parse().unwrap())));
        written.lines().count() == count
    });
}

#[test]
fn nothing_survives_the_time_limit_though_half_of_the_stages_have_started_processes() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        // The sleeps hold all the pipes of their stages.
        let line = (0..6).map(|stage| match stage % 2 {
            0 => shell_with(way, "sleep 1000 & echo $! >>\"$0\"; echo $$ >>\"$0\"; cat; sleep 1000", &list),
            _ => shell_with(way, "echo $$ >>\"$0\"; cat; sleep 1000", &list),
        });
        let mut graph = Graph::pipeline(line);
        graph.commands().for_each(|command| _ = command.process_group(0));
        are_gone_after_a_deadline(&mut graph, Reach::Group, &list, 9);
        // By the walk through all descendants, without groups.
        let list = files.path("other");
        let line = (0..4).map(|_| shell_with(way, "sleep 1000 & echo $! >>\"$0\"; cat; sleep 1000", &list));
        are_gone_after_a_deadline(&mut Graph::pipeline(line), Reach::Descendants, &list, 4);
    }
}

#[test]
fn limit_of_the_output_ends_all_stages() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["yes"]), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        let captured = graph.capture(&Capture::new().keep(Keep::AtMost(1001))).unwrap();
        assert!(matches!(captured.stop, Stop::Limit(_)), "{captured:?}");
        assert_eq!(captured.stdout.len(), 1001);
        assert!(stages.iter().all(|&stage| captured.statuses.of(stage).signal().is_some()));
        assert!(matches!(captured.check().unwrap_err().failure(), Failure::OutputLimit));
        // The limit of a standard error of the first stage, which would go on.
        let mut graph = Graph::pipeline([shell(way, "yes >&2"), tool(way, &["cat"])]);
        let captured = graph.capture(&Capture::new().keep_stderr(Keep::AtMost(100))).unwrap();
        assert!(matches!(captured.stop, Stop::Limit(_)), "{captured:?}");
        assert_eq!(captured.stderr(stages_of(&graph)[0]).len(), 100);
        // Parts of what is written.
        let mut graph = Graph::pipeline([shell(way, "printf 0123456789"), tool(way, &["cat"])]);
        let captured = graph.capture(&Capture::new().keep(Keep::Last(3))).unwrap();
        assert_eq!(captured.check().unwrap().stdout, b"789");
    }
}

fn stages_of(graph: &Graph<'_>) -> Vec<fdspawn::StageId> {
    graph.stages().collect()
}

#[test]
fn limit_ends_a_stage_that_has_no_way_to_all_that_should_be_reached() {
    for way in ways() {
        // No stage leads a group, so the teardown has no way to it. The capture must return all the same.
        let mut graph = Graph::pipeline([tool(way, &["sleep", "20"]), tool(way, &["yes"])]);
        graph.command(stages_of(&graph)[1]).process_group(0);
        let start = Instant::now();
        let how = Capture::new().keep(Keep::AtMost(100)).end(Teardown::kill().reach(Reach::Group));
        let result = graph.capture(&how);
        assert!(start.elapsed() < LONG / 6, "{:?}", start.elapsed());
        assert!(matches!(result.unwrap_err().failure(), Failure::NoGroup));
    }
}

own_process! {
    fn time_ends_a_stage_that_has_no_way_to_all_that_should_be_reached() {
        for way in ways() {
            let started = children();
            let mut graph = Graph::pipeline([tool(way, &["sleep", "20"]), tool(way, &["cat"])]);
            let start = Instant::now();
            let how = Capture::new().timeout(SHORT).end(Teardown::kill().reach(Reach::Group));
            graph.capture(&how).unwrap_err();
            assert!(start.elapsed() < LONG / 6, "{:?}", start.elapsed());
            assert_eq!(children(), started, "no stage survives");
        }
    }
}

own_process! {
    fn limit_of_a_stage_without_a_way_leaves_no_stage() {
        // The stage whose output is read has no group itself.
        for way in ways() {
            let started = children();
            let start = Instant::now();
            let how = Capture::new().keep(Keep::AtMost(100)).end(Teardown::kill().reach(Reach::Group));
            Graph::pipeline([tool(way, &["yes"]), shell(way, "head -c 200; exec sleep 20")]).capture(&how).unwrap_err();
            assert!(start.elapsed() < LONG / 6, "{:?}", start.elapsed());
            assert_eq!(children(), started);
        }
    }
}

#[test]
fn pipe_that_a_grandchild_holds_ends_the_capture_after_the_grace() {
    for way in ways() {
        for place in 0..2 {
            let files = Files::new();
            let list = files.path("list");
            let holder = |holds: bool| {
                let script = if holds {
                    "sleep 1000 & echo $! >\"$0\"; echo text >&2; exit 0"
                } else {
                    "cat; echo text >&2; exit 0"
                };
                shell_with(way, script, &list)
            };
            // The first stage's sleep also holds the pipe to the second, so this has no end of its input: it reads none.
            let mut graph = Graph::new();
            let one = graph.stage(holder(place == 0));
            let two = graph.stage(holder(place == 1));
            graph.command(one).stdout(Stdio::null());
            let start = Instant::now();
            let captured = graph.capture(&Capture::new().grace(SHORT)).unwrap();
            assert_eq!(captured.stop, Stop::Held);
            assert!(start.elapsed() < 15 * SHORT, "{:?}", start.elapsed());
            assert!(captured.stderr(one) == b"text\n" && captured.stderr(two) == b"text\n");
            captured.check().unwrap();
            let sleeper = rustix::process::Pid::from_raw(pids(&list, 1)[0].cast_signed()).unwrap();
            rustix::process::kill_process(sleeper, Signal::KILL).unwrap();
        }
    }
}

#[test]
fn slots_of_commands_and_links_are_read_and_writers_are_closed() {
    for way in ways() {
        let script = "head -c 200000 /dev/zero >&5; cat <&7; cat <&8; echo link >&6; cat";
        let mut graph = Graph::pipeline([shell(way, script), shell(way, script)]);
        let stages = stages_of(&graph);
        let own: Vec<_> = stages.iter().map(|&stage| graph.command(stage).reader(5)).collect();
        for command in graph.commands() {
            command.writer(7);
            command.socket(8);
        }
        let link = graph.reader(stages.iter().map(|stage| stage.fd(6)));
        let captured = graph.output().unwrap();
        assert!(own.iter().all(|&slot| captured.bytes(slot).len() == 200_000));
        assert_eq!(captured.bytes(link), b"link\nlink\n");
        let strange = Graph::pipeline([tool(way, &["true"])]).reader([]);
        assert_eq!(captured.bytes(strange), b"");
        captured.check().unwrap();
    }
}

#[test]
fn stage_that_never_reads_does_not_hold_the_capture_for_ever() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["yes"]), tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
        let captured = graph.capture(&Capture::new().input("input").timeout(3 * SHORT)).unwrap();
        assert_eq!((captured.stop, captured.stdout.as_slice()), (Stop::Deadline, &b""[..]));
        assert!(
            captured.statuses.iter().take(2).all(|stage| stage.status.signal() == Some(libc::SIGKILL)),
            "{captured:?}"
        );
    }
}

#[test]
fn debug_output_has_no_bytes() {
    let way = ways().next().unwrap();
    let captured = Graph::pipeline([tool(way, &["echo", "secret"])]).output().unwrap();
    assert!(!format!("{captured:?}").contains("115, 101"), "{captured:?}");
    assert!(format!("{captured:?}").contains("stdout: 7"), "{captured:?}");
}

own_process! {
    fn nothing_is_left_after_captures_of_all_kinds() {
        let (before, started) = (open_numbers(), children());
        for way in ways() {
            let all = [
                ("cat", Capture::new().input("text")),
                ("exec sleep 1000", Capture::new().timeout(SHORT)),
                ("yes", Capture::new().keep(Keep::AtMost(10))),
                ("exit 3", Capture::new()),
                ("kill -9 $$", Capture::new().input("text")),
                ("exec >&- 2>&-; sleep 0.1", Capture::new()),
            ];
            for (turn, (script, how)) in all.into_iter().enumerate() {
                for place in by_turns(0..3, turn) {
                    let line = (0..3).map(|stage| if stage == place { shell(way, script) } else { tool(way, &["cat"]) });
                    Graph::pipeline(line).capture(&how).unwrap();
                    assert_eq!((open_numbers(), children()), (before.clone(), started), "{script:?} at {place}");
                }
            }
        }
    }
}
