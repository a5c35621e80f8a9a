//! Each stage has the ends of its own links and 0 to 2, and this process keeps no end.

use super::{Files, LONG, planned, shell, tool, ways};
use crate::own_process;
use crate::support::sources::{close, memory_at};
use crate::support::table::{Table, open_numbers};
use crate::support::ways::isolated;
use crate::support::{LAUNCHERS, children, exhaustive};
use fdspawn::{Graph, Launcher, Rest, Stdio};
use std::io::{Read, Write};

/// A graph with links of all kinds at odd numbers. Each stage compares its table with the plan, and a failure is a status.
fn odd_graph<'fd>(way: (Launcher, bool)) -> Graph<'fd> {
    let mut graph = Graph::new();
    let stage = |graph: &mut Graph<'fd>, numbers: &[i32]| graph.stage(planned(way, &["exit", "0"], numbers));
    let one = stage(&mut graph, &[3, 9, 101, 110]);
    let two = stage(&mut graph, &[1, 5, 7, 8, 200]);
    let three = stage(&mut graph, &[0, 9, 11, 63, 111]);
    let four = stage(&mut graph, &[1, 4, 10, 112]);
    graph.pipe([one.fd(3)], [two.fd(5)]);
    graph.pipe([one.fd(9), two.fd(7)], [three.fd(9)]);
    graph.pipe([two.fd(1)], [three.fd(0), four.fd(4)]);
    graph.socket(one.fd(101), three.fd(11));
    graph.pipe([four.stdout()], [three.fd(63)]);
    graph.tee(one.fd(110), [two.fd(200), three.fd(111), four.fd(112)]).spool(two.fd(8), four.fd(10));
    graph
}

#[test]
fn each_stage_has_its_own_ends_and_no_others() {
    for way in ways() {
        for _ in 0..3 {
            let mut graph = odd_graph(way);
            let statuses = graph.status().unwrap();
            statuses.check().unwrap();
            let output = graph.output().unwrap();
            output.check().unwrap();
        }
    }
}

own_process! {
    fn ends_are_right_if_their_numbers_are_those_of_targets() {
        // The links get the lowest free numbers, which are targets of the stages too, in the other order: swaps and cycles.
        for way in ways() {
            for first in [false, true] {
                let (before, started) = (open_numbers(), children());
                let mut graph = Graph::new();
                let script = "exec sh -c 'echo three >&3; echo four >&4; echo five >&5; echo six >&6'";
                let writer = graph.stage(shell(way, script));
                let script = "read a <&6; read b <&5; read c <&4; read d <&3; echo $a $b $c $d";
                let reader = graph.stage(shell(way, script));
                for number in 3..7 {
                    let number = if first { 9 - number } else { number };
                    graph.pipe([writer.fd(number)], [reader.fd(9 - number)]);
                }
                let output = graph.output().unwrap();
                output.statuses.check().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), "three four five six\n");
                assert_eq!((open_numbers(), children()), (before, started));
            }
        }
    }
}

own_process! {
    fn closed_standard_streams_do_not_disturb_the_links() {
        for launcher in LAUNCHERS {
            for closed in [vec![0], vec![1], vec![0, 1], vec![0, 1, 2]] {
                let way = (launcher, true);
                let saved: Vec<_> = closed
                    .iter()
                    .map(|&number| {
                        // SAFETY: the test has the process to itself.
                        let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 1000) };
                        close(number);
                        (number, copy)
                    })
                    .collect();
                let before = open_numbers();
                let mut graph = Graph::pipeline([
                    planned(way, &["print", "hello"], &[]),
                    planned(way, &["cat"], &[]),
                    planned(way, &["cat"], &[]),
                ]);
                let last = graph.stages().last().unwrap();
                let slot = graph.reader([last.stdout()]);
                let mut running = graph.spawn().unwrap();
                let mut end = running.take(slot).unwrap();
                assert!(std::os::fd::AsRawFd::as_raw_fd(&end) > 2);
                let mut text = String::new();
                end.read_to_string(&mut text).unwrap();
                let statuses = running.wait().unwrap();
                drop((running, end));
                let found = open_numbers();
                for (number, copy) in saved {
                    // SAFETY: as above.
                    unsafe { libc::dup2(copy, number) };
                    close(copy);
                }
                statuses.check().unwrap();
                assert_eq!((text.as_str(), found), ("hello", before));
            }
        }
    }
}

own_process! {
    fn descriptors_that_others_leave_open_reach_no_stage() {
        for way in ways() {
            for number in [3, 4, 5, 9, 63, 101, 500] {
                std::mem::forget(memory_at(number, "leak", false));
            }
            odd_graph(way).status().unwrap().check().unwrap();
            for number in [3, 4, 5, 9, 63, 101, 500] {
                close(number);
            }
        }
    }
}

#[test]
fn readers_find_the_end_when_the_writers_have_ended() {
    for way in ways() {
        // The graph, the commands and the running graph live on, and none of them has an end.
        let mut graph = Graph::pipeline([tool(way, &["true"]), tool(way, &["cat"]), tool(way, &["cat"])]);
        let running = graph.spawn().unwrap();
        for stage in graph.stages() {
            let process = running.process(stage).unwrap();
            assert!(process.wait_timeout(LONG).unwrap().unwrap().success());
        }
        drop(running);
        graph.status().unwrap().check().unwrap();
    }
}

#[test]
fn hundred_lines_from_eight_threads_all_end() {
    let lines = if exhaustive() { 100 } else { 13 };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for round in 0..lines {
                    let way = (LAUNCHERS[(thread + round) % 2], round % 3 != 0);
                    let mut first = tool(way, &["cat"]);
                    first.stdin(Stdio::data(format!("{thread} {round}")));
                    let mut graph =
                        Graph::pipeline([first, tool(way, &["cat"]), tool(way, &["cat"]), tool(way, &["cat"])]);
                    let last = graph.stages().last().unwrap();
                    let slot = graph.reader([last.stdout()]);
                    let mut running = graph.spawn().unwrap();
                    let mut text = String::new();
                    running.take(slot).unwrap().read_to_string(&mut text).unwrap();
                    assert_eq!(text, format!("{thread} {round}"));
                    running.wait_timeout(LONG).unwrap().expect("all of them end").check().unwrap();
                }
            });
        }
    });
}

#[test]
fn hundred_lines_at_the_same_time_hold_no_end_of_each_other() {
    // Each line waits for its own end of its own input only.
    let count = if exhaustive() { 100 } else { 30 };
    let mut lines = Vec::new();
    for index in 0..count {
        let way = (LAUNCHERS[index % 2], true);
        let mut graph = Graph::pipeline([tool(way, &["cat"]), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        let (input, output) = (graph.writer([stages[0].stdin()]), graph.reader([stages[1].stdout()]));
        let mut running = graph.spawn().unwrap();
        let ends = (running.take(input).unwrap(), running.take(output).unwrap());
        lines.push((running, ends));
    }
    // From the middle outwards, and not in the order of the starts.
    let (front, back) = lines.split_at_mut(count / 2);
    let order = front.iter_mut().rev().zip(back).flat_map(|(one, other)| [one, other]);
    for (index, (running, (input, output))) in order.enumerate() {
        input.write_all(&index.to_le_bytes()).unwrap();
        let mut bytes = [0; 8];
        output.read_exact(&mut bytes).unwrap();
        assert_eq!(usize::from_le_bytes(bytes), index);
        let (reader, writer) = std::io::pipe().unwrap();
        drop((std::mem::replace(input, writer), reader));
        assert_eq!(output.read(&mut bytes).unwrap(), 0);
        running.wait_timeout(LONG).unwrap().expect("no other process holds the input").check().unwrap();
    }
}

#[test]
fn no_link_is_non_blocking() {
    for way in ways() {
        let mut graph = Graph::new();
        let numbers = [1, 4, 6, 8, 9];
        let one = graph.stage(planned(way, &["table-on", "2"], &numbers));
        let two = graph.stage(planned(way, &["table-on", "2"], &[0, 5, 7, 8, 9, 10]));
        graph.pipe([one.stdout()], [two.stdin()]).socket(one.fd(4), two.fd(5));
        graph.tee(one.fd(8), [two.fd(8), two.fd(10)]).spool(one.fd(9), two.fd(9));
        graph.reader([one.fd(6)]);
        graph.outside_socket(two.fd(7));
        graph.commands().for_each(|command| _ = command.stderr(Stdio::piped()));
        let mut running = graph.spawn().unwrap();
        for stage in [one, two] {
            let mut text = String::new();
            running.take_stderr(stage).unwrap().read_to_string(&mut text).unwrap();
            let table: Table = text.parse().unwrap();
            for entry in table.0 {
                assert!(
                    entry.number < 3 && entry.number != 1 || entry.status_flags & libc::O_NONBLOCK == 0,
                    "{entry:?}"
                );
            }
        }
        running.wait().unwrap().check().unwrap();
        // A capture moves the bytes of its own ends, which the stages share.
        let mut graph = Graph::new();
        let one = graph.stage(planned(way, &["table-on", "1"], &[1, 4]));
        let two = graph.stage(tool(way, &["cat"]));
        graph.pipe([one.stdout()], [two.stdin()]);
        graph.reader([one.fd(4)]);
        let output = graph.output().unwrap();
        let table: Table = String::from_utf8(output.stdout).unwrap().parse().unwrap();
        assert!(table.0.iter().all(|entry| entry.status_flags & libc::O_NONBLOCK == 0), "{table:?}");
    }
}

#[test]
fn stages_that_an_isolated_thread_launches_have_their_ends() {
    for launcher in LAUNCHERS {
        let mut graph = odd_graph((launcher, true));
        for command in graph.commands() {
            command.isolated(isolated());
        }
        graph.status().unwrap().check().unwrap();
        graph.output().unwrap().check().unwrap();
        // One by the isolated thread and one by this one.
        let mut one = tool((launcher, true), &["echo", "text"]);
        one.isolated(isolated());
        let output = Graph::pipeline([one, tool((launcher, true), &["cat"])]).output().unwrap();
        assert_eq!(output.check().unwrap().stdout, b"text\n");
    }
}

#[test]
fn rest_that_a_stage_inherits_has_no_ends_of_others() {
    for launcher in LAUNCHERS {
        let files = Files::new();
        let out = files.path("out");
        let mut middle = planned((launcher, true), &["table", out.to_str().unwrap()], &[]);
        middle.rest(Rest::Inherit).env_remove(crate::support::helper::PLANNED);
        let mut graph = Graph::pipeline([
            tool((launcher, true), &["true"]),
            middle,
            tool((launcher, true), &["cat"]),
            tool((launcher, true), &["cat"]),
        ]);
        let stages: Vec<_> = graph.stages().collect();
        graph.socket(stages[0].fd(9), stages[3].fd(9));
        graph.status().unwrap().check().unwrap();
        let table = Table::read(&out);
        let pipes = table.0.iter().filter(|entry| entry.number < 2);
        assert_eq!(pipes.count(), 2);
        assert!(table.0.iter().all(|entry| entry.number < 3 || !entry.close_on_exec), "{table:?}");
    }
}
