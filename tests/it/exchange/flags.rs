//! Descriptions that are shared with other processes: the exchange does not change their flags, and works with and without `O_NONBLOCK`.

use super::{shell, ways};
use crate::support::LAUNCHERS;
use fdspawn::{Capture, Exchange, Keep, Stdio, Stop};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io::pipe;
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn ends_that_other_code_has_made_non_blocking_lose_nothing() {
    for launcher in LAUNCHERS {
        let script = "cat; sleep 0.05; head -c 200000 /dev/zero; sleep 0.05; echo end";
        let mut command = shell((launcher, true), script);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        fcntl_setfl(&stdin, OFlags::NONBLOCK).unwrap();
        fcntl_setfl(&stdout, OFlags::NONBLOCK).unwrap();
        let input = vec![b'i'; 300_000];
        let mut exchange = Exchange::new();
        exchange.feed(stdin, &input);
        let output = exchange.drain(stdout, Keep::All);
        assert_eq!(exchange.run().unwrap(), Stop::Done);
        let expected = [&input[..], &vec![0; 200_000], b"end\n"].concat();
        assert!(exchange.bytes(output) == expected);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn wait_with_output_reads_a_non_blocking_pipe_to_its_end() {
    for way in ways() {
        let mut command = shell(way, "echo a; sleep 0.05; echo b; echo c >&2");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        fcntl_setfl(child.stdout.as_ref().unwrap(), OFlags::NONBLOCK).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"a\nb\n"[..], &b"c\n"[..]));
    }
}

#[test]
fn flags_of_descriptions_stay_as_they_are() {
    let (reader, writer) = pipe().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let all = |fds: [&dyn std::os::fd::AsFd; 3]| fds.map(|fd| fcntl_getfl(fd).unwrap());
    let others = (reader.try_clone().unwrap(), writer.try_clone().unwrap(), ours.try_clone().unwrap());
    let before = all([&others.0, &others.1, &others.2]);
    let mut exchange = Exchange::new();
    exchange.feed(writer, b"text");
    exchange.socket(ours, b"text", Keep::All).unwrap();
    let text = exchange.drain(reader, Keep::All);
    exchange.timeout(Duration::from_millis(20));
    assert_eq!(exchange.run().unwrap(), Stop::Deadline, "a duplicate of the writer is open");
    assert_eq!(exchange.bytes(text), b"text");
    assert_eq!(all([&others.0, &others.1, &others.2]), before);
    drop(theirs);
}

#[test]
fn links_of_a_captured_child_are_blocking() {
    for way in ways() {
        let script = "for fd in 0 1 2; do grep flags: /proc/self/fdinfo/$fd; done";
        let captured = shell(way, script).capture(&Capture::new().input("x")).unwrap().check().unwrap();
        let text = String::from_utf8(captured.stdout).unwrap();
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            let flags = u32::from_str_radix(line.trim_start_matches("flags:").trim(), 8).unwrap();
            assert_eq!(flags & OFlags::NONBLOCK.bits(), 0, "{text}");
        }
    }
}
