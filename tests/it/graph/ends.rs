//! How a running graph is waited for and ended: time limits, every reach, groups, drops, signals, and a poll loop.

use super::{Files, LONG, SHORT, family, pids, planned, shell, shell_with, tool, ways};
use crate::own_process;
use crate::support::running::is_gone;
use crate::support::seccomp::refuse;
use crate::support::table::open_numbers;
use crate::support::{LAUNCHERS, children, rounds};
use fdspawn::{Driven, Failure, Graph, Group, OnDrop, Reach, Signal, StageId, Stdio, Teardown};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::task::Poll;
use std::time::Instant;

#[test]
fn wait_has_a_time_and_goes_on() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["cat"]), tool(way, &["cat"])]);
        let first = graph.stages().next().unwrap();
        let input = graph.writer([first.stdin()]);
        let mut running = graph.spawn().unwrap();
        let end = running.take(input).unwrap();
        assert!(running.wait_timeout(std::time::Duration::ZERO).unwrap().is_none());
        assert!(running.wait_timeout(SHORT / 5).unwrap().is_none());
        assert!(running.wait_deadline(Instant::now()).unwrap().is_none());
        drop(end);
        assert!(running.wait_timeout(std::time::Duration::MAX).unwrap().unwrap().check().is_ok());
    }
}

#[test]
fn wait_closes_the_inputs_that_are_left() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["cat"]), tool(way, &["cat"])]);
        let first = graph.stages().next().unwrap();
        graph.command(first).stdin(Stdio::piped());
        let mut running = graph.spawn().unwrap();
        running.wait_timeout(LONG).unwrap().expect("the input is closed").check().unwrap();
    }
}

#[test]
fn end_reaches_what_it_names() {
    for way in ways() {
        for reach in [Reach::Process, Reach::Group, Reach::Descendants] {
            for how in [Teardown::kill(), Teardown::term(LONG), Teardown::signal(Signal::USR1, LONG)] {
                let files = Files::new();
                let list = files.path("list");
                let mut graph = Graph::pipeline((0..3).map(|_| family(way, &list)));
                graph.commands().for_each(|command| _ = command.process_group(0));
                let mut running = graph.spawn().unwrap();
                let all = pids(&list, 6);
                let statuses = running.end(&how.clone().reach(reach)).unwrap();
                assert!(statuses.iter().all(|stage| stage.status.signal().is_some()), "{statuses:?}");
                for pair in all.chunks(2) {
                    assert!(is_gone(pair[1]));
                    if reach == Reach::Process {
                        let pid = rustix::process::Pid::from_raw(pair[0].cast_signed()).unwrap();
                        rustix::process::kill_process(pid, Signal::KILL).unwrap();
                    }
                    assert!(is_gone(pair[0]), "{reach:?}");
                }
                assert!(running.wait().is_ok(), "the statuses are kept");
            }
        }
    }
}

#[test]
fn end_of_stages_that_ignore_the_signal_takes_one_grace_and_not_one_each() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        let stubborn = || shell_with(way, "trap '' TERM; echo $$ >>\"$0\"; while :; do sleep 1000; done", &list);
        let mut graph = Graph::pipeline((0..4).map(|_| stubborn()));
        graph.commands().for_each(|command| _ = command.process_group(0));
        let mut running = graph.spawn().unwrap();
        let all = pids(&list, 4);
        let start = Instant::now();
        let statuses = running.end(&Teardown::term(10 * SHORT).reach(Reach::Group)).unwrap();
        assert!(start.elapsed() < 30 * SHORT, "{:?}", start.elapsed());
        assert!(statuses.iter().all(|stage| stage.status.signal() == Some(libc::SIGKILL)), "{statuses:?}");
        assert!(all.into_iter().all(is_gone));
    }
}

#[test]
fn end_without_a_way_to_all_ends_those_that_it_can_reach_in_full() {
    for way in ways() {
        let files = Files::new();
        let (with, without) = (files.path("with"), files.path("without"));
        let mut leads = family(way, &with);
        leads.process_group(0);
        let mut graph = Graph::pipeline([leads, family(way, &without)]);
        let mut running = graph.spawn().unwrap();
        let (with, without) = (pids(&with, 2), pids(&without, 2));
        let error = running.end(&Teardown::kill().reach(Reach::Group)).unwrap_err();
        assert!(matches!(error.failure(), Failure::NoGroup), "{error}");
        assert!(is_gone(with[0]) && is_gone(with[1]), "the stage with a group is ended with its group");
        assert!(is_gone(without[1]));
        rustix::process::kill_process(rustix::process::Pid::from_raw(without[0].cast_signed()).unwrap(), Signal::KILL)
            .unwrap();
        assert!(running.wait().is_ok(), "all have ended");
    }
}

#[test]
fn group_has_all_stages_also_after_its_leader_has_ended() {
    for way in ways() {
        let group = Group::new();
        // The last stage is launched first, and leads. It ends before the first one, which waits for its end, is asked.
        let mut graph =
            Graph::pipeline([shell(way, "echo $$ >&5; exec sleep 1000"), shell(way, "echo $$ >&5; exit 0")]);
        graph.group(&group);
        let stages: Vec<_> = graph.stages().collect();
        let slot = graph.reader(stages.iter().map(|stage| stage.fd(5)));
        let mut running = graph.spawn().unwrap();
        let ids = running.take(slot).unwrap();
        let leader = running.process(stages[1]).unwrap().clone();
        assert!(leader.wait().unwrap().success());
        assert_eq!(group.id(), Some(leader.id()));
        // Others join now, by the same graph and by another one.
        let mut more = graph.spawn().unwrap();
        for mut ids in [ids, more.take(slot).unwrap()] {
            // Both stages have said that they run. The first one lives on, and holds the pipe.
            let mut text = String::new();
            while text.lines().count() < 2 || !text.ends_with('\n') {
                let mut byte = [0];
                ids.read_exact(&mut byte).unwrap();
                text.push(byte[0].into());
            }
        }
        let mut third = tool(way, &["sleep", "1000"]);
        third.group(&group);
        let mut last = Graph::pipeline([third]).spawn().unwrap();
        let in_group = |running: &fdspawn::Running, stage: StageId| {
            let pid = rustix::process::Pid::from_raw(running.process(stage).unwrap().id().cast_signed());
            rustix::process::getpgid(pid).unwrap().as_raw_nonzero().get().unsigned_abs()
        };
        assert_eq!(in_group(&running, stages[0]), leader.id());
        assert_eq!(in_group(&more, stages[0]), leader.id());
        assert!(group.signal(Signal::TERM).unwrap());
        for running in [&mut running, &mut more, &mut last] {
            let statuses = running.wait_timeout(LONG).unwrap().expect("one call has reached all");
            assert_eq!(statuses.iter().next().unwrap().status.signal(), Some(libc::SIGTERM));
        }
    }
}

#[test]
fn stage_that_leaves_the_group_is_waited_for_like_the_others() {
    for way in ways() {
        let group = Group::new();
        let mut graph = Graph::pipeline([tool(way, &["cat"]), planned(way, &["leave-group", "5"], &[])]);
        graph.group(&group);
        let stages: Vec<_> = graph.stages().collect();
        let input = graph.writer([stages[0].stdin()]);
        let left = graph.reader([stages[1].stdout()]);
        let mut running = graph.spawn().unwrap();
        // The stage has left the group when it closes this.
        assert_eq!(running.take(left).unwrap().read(&mut [0]).unwrap(), 0);
        assert!(running.wait_timeout(SHORT / 20).unwrap().is_none());
        drop(running.take(input));
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        assert_eq!(statuses.of(stages[1]).code(), Some(5));
        assert!(statuses.of(stages[0]).success());
    }
}

#[test]
fn end_by_the_group_of_all_reaches_what_the_stages_have_started() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        let group = Group::new();
        let mut graph = Graph::pipeline((0..3).map(|_| family(way, &list)));
        graph.group(&group);
        let mut running = graph.spawn().unwrap();
        let all = pids(&list, 6);
        let statuses = running.end(&Teardown::term(LONG).reach(Reach::Group));
        match statuses {
            Ok(statuses) => assert!(statuses.iter().all(|stage| stage.status.signal().is_some())),
            // Members that do not lead the group have no way to it.
            Err(error) => assert!(matches!(error.failure(), Failure::NoGroup), "{error}"),
        }
        assert!(all.into_iter().all(is_gone));
    }
}

#[test]
fn drop_does_what_was_set() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        let running = graph.spawn().unwrap();
        let processes: Vec<_> = stages.iter().map(|&stage| running.process(stage).unwrap().clone()).collect();
        drop(running);
        assert!(processes.iter().all(|process| process.try_wait().unwrap().is_none()), "the default does nothing");
        processes[0].signal(Signal::KILL).unwrap();
        assert!(processes[1].wait().unwrap().success());
        processes[0].wait().unwrap();
        graph.on_drop(OnDrop::End(Teardown::kill()));
        let running = graph.spawn().unwrap();
        let processes: Vec<_> = stages.iter().map(|&stage| running.process(stage).unwrap().clone()).collect();
        drop(running);
        for process in processes {
            assert!(process.try_wait().unwrap().is_some(), "it has been reaped");
        }
        // A policy of one command.
        let mut graph = Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
        graph.command(graph.stages().next().unwrap()).on_drop(OnDrop::End(Teardown::kill()));
        let stages: Vec<_> = graph.stages().collect();
        let running = graph.spawn().unwrap();
        let processes: Vec<_> = stages.iter().map(|&stage| running.process(stage).unwrap().clone()).collect();
        drop(running);
        assert_eq!(processes[0].try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
        assert!(processes[1].wait().unwrap().success());
    }
}

#[test]
fn drop_of_stages_that_ignore_the_signal_takes_one_grace_and_not_one_each() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        let stubborn =
            || shell_with(way, "trap '' TERM; sleep 1000 & echo $! >>\"$0\"; while :; do sleep 0.05; done", &list);
        let mut graph = Graph::pipeline((0..4).map(|_| stubborn()));
        graph.commands().for_each(|command| _ = command.process_group(0));
        graph.on_drop(OnDrop::End(Teardown::term(10 * SHORT).reach(Reach::Group)));
        let running = graph.spawn().unwrap();
        let all = pids(&list, 4);
        let processes: Vec<_> = graph.stages().map(|stage| running.process(stage).unwrap().clone()).collect();
        let start = Instant::now();
        drop(running);
        assert!(start.elapsed() < 25 * SHORT, "{:?}", start.elapsed());
        assert!(processes.iter().all(|process| process.try_wait().unwrap().is_some()), "all have been reaped");
        assert!(all.into_iter().all(is_gone));
    }
}

#[test]
fn stages_run_on_after_the_drop_of_a_graph_and_its_commands() {
    for way in ways() {
        let files = Files::new();
        let mut graph = Graph::pipeline([tool(way, &["cat"]), shell_with(way, "cat >\"$0\"", &files.path("out"))]);
        let stages: Vec<_> = graph.stages().collect();
        let input = graph.writer([stages[0].stdin()]);
        let mut running = graph.spawn().unwrap();
        let mut end = running.take(input).unwrap();
        let last = running.process(stages[1]).unwrap().clone();
        drop((running, graph));
        end.write_all(b"after the drop").unwrap();
        drop(end);
        assert!(last.wait_timeout(LONG).unwrap().unwrap().success());
        assert_eq!(std::fs::read_to_string(files.path("out")).unwrap(), "after the drop");
    }
}

#[test]
fn wait_of_another_thread_and_signals_beside_it() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
        let first = graph.stages().next().unwrap();
        let mut running = graph.spawn().unwrap();
        let process = running.process(first).unwrap().clone();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| running.wait().unwrap());
            assert!(process.wait_timeout(SHORT / 10).unwrap().is_none());
            process.signal(Signal::TERM).unwrap();
            assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert_eq!(waiter.join().unwrap().of(first).signal(), Some(libc::SIGTERM));
        });
    }
}

#[test]
fn graph_is_driven_by_its_descriptor() {
    for way in ways() {
        let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
        let mut graph = Graph::pipeline([tool(way, &["cat"]), shell(way, "cat >/dev/null; exit 4")]);
        let first = graph.stages().next().unwrap();
        let input = graph.writer([first.stdin()]);
        let mut running = graph.spawn().unwrap();
        let mut end = running.take(input);
        let mut polls = 0;
        let statuses = loop {
            match running.step().unwrap() {
                Poll::Ready(statuses) => break statuses,
                Poll::Pending => {
                    end = None;
                    let descriptor = running.descriptor().unwrap();
                    assert_eq!(
                        rustix::io::retry_on_intr(|| poll(
                            &mut [PollFd::new(&descriptor, PollFlags::IN)],
                            Some(&minute)
                        ))
                        .unwrap(),
                        1
                    );
                    polls += 1;
                }
            }
        };
        assert!(polls > 0 && end.is_none());
        assert_eq!(statuses.last().code(), Some(4));
        let Poll::Ready(again) = running.step().unwrap() else { panic!("it has ended") };
        assert_eq!(again.last().code(), Some(4));
        let mut running = Graph::pipeline([tool(way, &["true"])]).spawn().unwrap();
        fdspawn::block_on(&mut running).unwrap().check().unwrap();
    }
}

#[test]
fn signal_reaches_each_stage_that_runs() {
    for way in ways() {
        let mut graph =
            Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["true"]), tool(way, &["sleep", "1000"])]);
        let stages: Vec<_> = graph.stages().collect();
        let mut running = graph.spawn().unwrap();
        running.process(stages[1]).unwrap().wait().unwrap();
        running.signal(Signal::TERM).unwrap();
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        assert_eq!(statuses.iter().map(|stage| stage.status.signal()).collect::<Vec<_>>(), [Some(15), None, Some(15)]);
        running.signal(Signal::TERM).unwrap();
        running.end(&Teardown::default()).unwrap().last();
    }
}

#[test]
fn status_reads_slots_and_streams_that_no_code_can_take() {
    for way in ways() {
        // Each stage writes more than a pipe holds to all its ends, and one reads an end that this process has.
        let script = "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero >&5; head -c 300000 /dev/zero >&6; cat <&7; cat <&8; cat";
        let mut graph = Graph::pipeline([shell(way, script), shell(way, script)]);
        let stages: Vec<_> = graph.stages().collect();
        for command in graph.commands() {
            command.stderr(Stdio::piped());
            command.reader(5);
            command.writer(7);
            command.socket(8);
        }
        graph.command(stages[0]).stdin(Stdio::piped());
        graph.command(stages[1]).stdout(Stdio::piped());
        graph.reader(stages.iter().map(|stage| stage.fd(6)));
        let start = Instant::now();
        let statuses = graph.status().unwrap();
        assert!(start.elapsed() < LONG);
        statuses.check().unwrap();
        assert!(statuses.iter().all(|stage| stage.status.success()), "{statuses:?}");
        // The same where the last stage ends first.
        let mut graph =
            Graph::pipeline([shell(way, "exec >&-; sleep 0.1; head -c 300000 /dev/zero >&5"), shell(way, "exit 0")]);
        let first = graph.stages().next().unwrap();
        graph.reader([first.fd(5)]);
        let statuses = graph.status().unwrap();
        assert!(statuses.iter().all(|stage| stage.status.success()), "{statuses:?}");
    }
}

#[test]
fn status_of_a_graph_whose_slot_a_grandchild_holds_returns() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        let mut graph = Graph::pipeline([
            shell_with(way, "sleep 1000 >/dev/null 2>&1 & echo $! >\"$0\"", &list),
            tool(way, &["true"]),
        ]);
        let first = graph.stages().next().unwrap();
        graph.reader([first.fd(5)]);
        let start = Instant::now();
        graph.status().unwrap().check().unwrap();
        assert!(start.elapsed() < LONG / 4, "{:?}", start.elapsed());
        let sleeper = pids(&list, 1)[0];
        rustix::process::kill_process(rustix::process::Pid::from_raw(sleeper.cast_signed()).unwrap(), Signal::KILL)
            .unwrap();
    }
}

#[test]
fn stage_that_other_code_reaps_is_an_error_or_is_told_by_its_pidfd() {
    for way in ways() {
        let mut graph = Graph::pipeline([shell(way, "exit 5"), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        let mut running = graph.spawn().unwrap();
        let pid = rustix::process::Pid::from_raw(running.process(stages[0]).unwrap().id().cast_signed());
        rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).unwrap();
        match running.wait() {
            Ok(statuses) => assert!(way.1 && statuses.of(stages[0]).code() == Some(5)),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                // The other stage has ended, too.
                assert!(running.process(stages[1]).unwrap().try_wait().unwrap().is_some());
                assert_eq!(running.wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
            }
        }
    }
}

own_process! {
    fn nothing_is_left_after_ends_of_all_kinds() {
        let (before, started) = (open_numbers(), children());
        for round in 0..rounds(24, 48) {
            let way = (LAUNCHERS[round % 2], round % 3 != 0);
            let mut graph = Graph::pipeline([tool(way, &["yes"]), tool(way, &["cat"]), tool(way, &["cat"])]);
            let last = graph.stages().last().unwrap();
            let slot = graph.reader([last.stdout()]);
            graph.on_drop(OnDrop::End(Teardown::kill()));
            let mut running = graph.spawn().unwrap();
            match round % 4 {
                0 => drop(running.take(slot)),
                1 => _ = running.end(&Teardown::default()).unwrap(),
                2 => assert!(running.wait_timeout(SHORT / 20).unwrap().is_none()),
                _ => assert!(matches!(running.step().unwrap(), Poll::Pending)),
            }
            if round % 4 == 0 {
                running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            }
            drop(running);
            assert_eq!((open_numbers(), children()), (before.clone(), started), "round {round}");
        }
    }
}

#[test]
fn input_of_this_process_is_written_while_the_graph_runs() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["cat"]), tool(way, &["wc", "-c"])]);
        let stages: Vec<_> = graph.stages().collect();
        let (input, output) = (graph.writer([stages[0].stdin()]), graph.reader([stages[1].stdout()]));
        let mut running = graph.spawn().unwrap();
        let mut input = running.take(input).unwrap();
        for _ in 0..100 {
            input.write_all(&[b'x'; 10_000]).unwrap();
        }
        drop(input);
        let mut text = String::new();
        running.take(output).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text.trim(), "1000000");
        running.wait().unwrap().check().unwrap();
    }
}

own_process! {
    fn graph_that_cannot_be_waited_for_leaves_no_process() {
        let (before, started) = (open_numbers(), children());
        if !refuse(&[libc::SYS_epoll_create1], libc::EMFILE) {
            return;
        }
        for way in ways() {
            let line = || Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
            let start = Instant::now();
            let read_status = || {
                let mut graph = line();
                let last = graph.stages().last().unwrap();
                graph.reader([last.stderr()]);
                graph.status().map(drop)
            };
            for error in [line().output().map(drop), read_status()] {
                let error = error.unwrap_err();
                assert!(matches!(error.failure(), Failure::Events), "{error}");
                assert_eq!((open_numbers(), children()), (before.clone(), started));
            }
            // A graph without an end of this process needs no set of events.
            Graph::pipeline([tool(way, &["true"]), tool(way, &["cat"])]).status().unwrap().check().unwrap();
            // A caller that has the running graph can try again, or end it: here the policy of the drop does so.
            let mut graph = line();
            let mut running = graph.on_drop(OnDrop::End(Teardown::kill())).spawn().unwrap();
            assert!(matches!(running.wait().unwrap_err().failure(), Failure::Events));
            assert!(matches!(running.wait_timeout(SHORT).unwrap_err().failure(), Failure::Events));
            drop(running);
            assert_eq!((open_numbers(), children()), (before.clone(), started));
            assert!(start.elapsed() < LONG);
        }
    }
}
