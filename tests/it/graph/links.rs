//! Links between any descriptors: several writers and readers, sockets, arguments, cycles, and ends of this process.

use super::{LONG, shell, tool, ways};
use fdspawn::{Command, Graph, Stdio};
use std::io::{Read, Write};

#[test]
fn several_stages_write_to_one_pipe_and_read_from_it() {
    for way in ways() {
        let mut graph = Graph::new();
        let writers: Vec<_> = (0..5).map(|index| graph.stage(shell(way, &format!("echo {index}")))).collect();
        let readers: Vec<_> = (0..3).map(|_| graph.stage(tool(way, &["cat"]))).collect();
        graph.pipe(writers.iter().map(|stage| stage.stdout()), readers.iter().map(|stage| stage.stdin()));
        let slot = graph.reader(readers.iter().map(|stage| stage.stdout()));
        let output = graph.output().unwrap();
        output.statuses.check().unwrap();
        let mut lines: Vec<&str> = std::str::from_utf8(output.bytes(slot)).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["0", "1", "2", "3", "4"]);
    }
}

#[test]
fn this_process_writes_to_several_readers_and_reads_from_several_writers() {
    for way in ways() {
        let mut graph = Graph::new();
        let stages: Vec<_> = (0..4).map(|_| graph.stage(tool(way, &["cat"]))).collect();
        let input = graph.writer(stages.iter().map(|stage| stage.stdin()));
        let output = graph.reader(stages.iter().map(|stage| stage.stdout()));
        let mut running = graph.spawn().unwrap();
        let (mut input, mut output) = (running.take(input).unwrap(), running.take(output).unwrap());
        let mut sum = 0;
        for round in 0..200_u8 {
            input.write_all(&[round]).unwrap();
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            sum += usize::from(byte[0]);
        }
        assert_eq!(sum, (0..200).sum());
        drop(input);
        assert_eq!(output.read(&mut [0]).unwrap(), 0);
        running.wait().unwrap().check().unwrap();
    }
}

#[test]
fn sockets_go_both_ways() {
    for way in ways() {
        let mut graph = Graph::new();
        let asker = graph.stage(shell(way, "echo question >&5; read answer <&5; echo \"the $answer\""));
        let answerer = graph.stage(shell(way, "read word <&7; echo \"answer to the $word\" >&7"));
        graph.socket(asker.fd(5), answerer.fd(7));
        let slot = graph.reader([asker.stdout()]);
        let output = graph.output().unwrap();
        output.statuses.check().unwrap();
        assert_eq!(output.bytes(slot), b"the answer to the question\n");
        // A socket to this process.
        let mut graph = Graph::new();
        let stage = graph.stage(shell(way, "read word <&0; echo \"$word $word\" >&0"));
        let slot = graph.outside_socket(stage.stdin());
        let mut running = graph.spawn().unwrap();
        let mut socket = running.take(slot).unwrap();
        socket.write_all(b"twice\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert_eq!(text, "twice twice\n");
        running.wait().unwrap().check().unwrap();
        // A capture ends the writing of a socket, so that the stage finds the end.
        let mut graph = Graph::new();
        let stage = graph.stage(tool(way, &["cat"]));
        graph.outside_socket(stage.stdin());
        let output = graph.output().unwrap();
        assert_eq!(output.check().unwrap().stdout, b"");
        graph.status().unwrap().check().unwrap();
    }
}

#[test]
fn arguments_name_links() {
    for way in ways() {
        let mut graph = Graph::new();
        let sources: Vec<_> = (0..3).map(|index| graph.stage(shell(way, &format!("echo {index}")))).collect();
        let paste = graph.stage(tool(way, &["cat"]));
        for &source in &sources {
            graph.argument_from(paste, source.stdout());
        }
        let args: Vec<_> = graph.command(paste).get_args().map(std::ffi::OsStr::to_owned).collect();
        assert_eq!(args, ["/dev/fd/63", "/dev/fd/62", "/dev/fd/61"]);
        let output = graph.output().unwrap();
        output.statuses.check().unwrap();
        assert_eq!(output.stdout, b"0\n1\n2\n");
        // A shell's tee >(sort -r).
        let mut graph = Graph::new();
        let writer = graph.stage(shell(way, "printf 'a\\nb\\n' >\"$0\""));
        let sort = graph.stage(tool(way, &["sort", "-r"]));
        graph.argument_to(writer, sort.stdin());
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"b\na\n");
    }
}

#[test]
fn argument_takes_no_number_that_the_command_connects() {
    for way in ways() {
        let mut graph = Graph::new();
        let source = graph.stage(tool(way, &["echo", "text"]));
        let mut cat = tool(way, &["cat"]);
        cat.fd(63, Stdio::null());
        let cat = graph.stage(cat);
        graph.argument_from(cat, source.stdout());
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"text\n");
    }
}

#[test]
fn many_arguments_leave_the_standard_streams_alone() {
    let way = ways().next().unwrap();
    let mut graph = Graph::new();
    let sources: Vec<_> = (0..70).map(|index| graph.stage(tool(way, &["echo", &index.to_string()]))).collect();
    let cat = graph.stage(tool(way, &["cat"]));
    for &source in &sources {
        graph.argument_from(cat, source.stdout());
    }
    let args: Vec<_> = graph.command(cat).get_args().map(|arg| arg.to_str().unwrap().to_owned()).collect();
    assert!(["/dev/fd/0", "/dev/fd/1", "/dev/fd/2"].iter().all(|path| !args.contains(&(*path).to_owned())), "{args:?}");
    let text: String = (0..70).map(|index| format!("{index}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&graph.output().unwrap().check().unwrap().stdout), text);
}

#[test]
fn stages_in_a_cycle_talk() {
    for way in ways() {
        // Each adds one to the number that it gets, until it is 10.
        let script =
            "while read n && test $n -lt 10; do echo $((n + 1)); done; trap '' PIPE; echo 10 2>&-; echo $n >&2";
        let mut graph = Graph::new();
        let first = graph.stage(shell(way, &format!("echo 0; {script}")));
        let second = graph.stage(shell(way, script));
        graph.pipe([first.stdout()], [second.stdin()]).pipe([second.stdout()], [first.stdin()]);
        let output = graph.output().unwrap();
        assert!(output.stderr(first) == b"10\n" && output.stderr(second) == b"10\n", "{output:?}");
        let text = graph.explain().to_string();
        assert!(text.ends_with("stage 0 is in a cycle: it can wait for itself\n"), "{text}");
        // A stage that writes to itself.
        let mut graph = Graph::new();
        let alone = graph.stage(shell(way, "echo self >&5; read word <&6; echo \"$word\""));
        graph.pipe([alone.fd(5)], [alone.fd(6)]);
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"self\n");
    }
}

#[test]
fn second_name_of_a_link_is_the_same_pipe() {
    for way in ways() {
        let mut graph = Graph::new();
        let mut writer = shell(way, "echo out; echo error >&2");
        writer.stderr(Stdio::same_as(1));
        let writer = graph.stage(writer);
        let reader = graph.stage(tool(way, &["cat"]));
        graph.pipe([writer.stdout()], [reader.stdin()]);
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"out\nerror\n");
        // One pipe from both, as two ends of a link.
        let mut graph = Graph::new();
        let writer = graph.stage(shell(way, "echo out; echo error >&2"));
        let reader = graph.stage(tool(way, &["cat"]));
        graph.pipe([writer.stdout(), writer.stderr()], [reader.stdin()]);
        assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"out\nerror\n");
    }
}

#[test]
fn capacity_of_the_links_is_the_one_that_was_asked_for() {
    for way in ways() {
        // The writer ends before the reader reads, if the pipe takes all.
        let mut graph = Graph::new();
        let writer = graph.stage(shell(way, "head -c 200000 /dev/zero; echo done >&5"));
        let reader = graph.stage(shell(way, "read line <&5; wc -c"));
        graph.pipe([writer.stdout()], [reader.stdin()]).pipe([writer.fd(5)], [reader.fd(5)]).pipe_capacity(1 << 18);
        let (probe, _writer) = std::io::pipe().unwrap();
        if rustix::pipe::fcntl_setpipe_size(&probe, 1 << 18).is_err() {
            crate::support::tools::skip("the user's budget of pipes is used");
            return;
        }
        let mut running = {
            graph.commands().for_each(|command: &mut Command<'_>| _ = command.stderr(Stdio::null()));
            graph.command(reader).stdout(Stdio::piped());
            graph.spawn().unwrap()
        };
        let mut text = String::new();
        running.take_stdout(reader).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text.trim(), "200000");
        running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
    }
}
