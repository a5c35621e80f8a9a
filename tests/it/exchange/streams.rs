//! Streams of children: ends of all kinds at once, callbacks, limits, pipes that are held, errors.

use super::{shell, ways};
use crate::own_process;
use crate::support::last_close::wait_for_hangup;
use crate::support::panics::panic_of;
use crate::support::{LAUNCHERS, exhaustive};
use fdspawn::{Exchange, Failure, Keep, Stdio, Stop};
use std::io::{BufRead, BufReader, Read, Seek, Write, pipe};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn standard_streams_slots_and_a_socket_of_one_child_move_at_once() {
    let length = if exhaustive() { 256 << 20 } else { 2 << 20 };
    for launcher in LAUNCHERS {
        // Each stream has to be moved while all others are: cat fills and empties pipes that hold much less.
        let script = "cat <&5 >&6 & cat <&7 >&7 & cat; wait";
        let mut command = shell((launcher, true), script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (writer, reader, socket) = (command.writer(5), command.reader(6), command.socket(7));
        let mut child = command.spawn().unwrap();
        let inputs: Vec<Vec<u8>> = (0..3).map(|n: u8| (0..length).map(|i| (i % 251) as u8 ^ n).collect()).collect();
        let mut exchange = Exchange::new();
        exchange.feed(child.stdin.take().unwrap(), &inputs[0]);
        exchange.feed(child.take(writer).unwrap(), &inputs[1]);
        let (_, from_socket) = exchange.socket(child.take(socket).unwrap(), &inputs[2], Keep::All).unwrap();
        let from_slot = exchange.drain(child.take(reader).unwrap(), Keep::All);
        let output = exchange.drain(child.stdout.take().unwrap(), Keep::All);
        assert_eq!(exchange.run().unwrap(), Stop::Done);
        for (flow, input) in [output, from_slot, from_socket].into_iter().zip(&inputs) {
            assert!(exchange.bytes(flow) == *input, "{launcher:?}");
        }
        assert!(child.wait().unwrap().success());
    }
}

/// The library reads into other memory first, if the place of the caller's is slow.
#[test]
fn each_byte_comes_wherever_in_a_page_the_memory_begins() {
    let sent: Vec<u8> = (0..300_001_u32).map(|i| (i % 251) as u8).collect();
    let step = if exhaustive() { 1 } else { 7 };
    for before in (0..4200).filter(|before| before % 512 < 40).step_by(step) {
        let mut memory = Vec::with_capacity(1 << 20); // The C library gives it pages of its own.
        memory.resize(before, 7);
        let (mut file, limit) = (tempfile::tempfile().unwrap(), 70_000 + before);
        let ((from, to), (other_from, other_to)) = (pipe().unwrap(), pipe().unwrap());
        let mut exchange = Exchange::new();
        let kept = exchange.drain(from, Keep::AtMost(limit));
        let into = exchange.drain_into(other_from, &mut memory);
        exchange.feed(to, &sent[..]);
        exchange.feed(other_to, &sent[..]);
        assert_eq!(exchange.run().unwrap(), Stop::Limit(kept));
        assert_eq!(exchange.bytes(kept), sent[..limit]);
        exchange.also_to(into, file.try_clone().unwrap());
        assert_eq!(exchange.keep(kept, Keep::All).run().unwrap(), Stop::Done);
        assert!(exchange.bytes(kept) == sent[limit..], "{before}");
        drop(exchange);
        assert!(memory[..before].iter().all(|byte| *byte == 7) && memory[before..] == sent, "{before}");
        let mut copied = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut copied).unwrap();
        assert!(!copied.is_empty() && sent.ends_with(&copied), "{before}");
    }
}

#[test]
fn limits_stop_exactly_there_and_a_higher_one_goes_on() {
    for launcher in LAUNCHERS {
        for (length, limit) in [(0, 0), (1, 0), (5, 5), (6, 5), (200_000, 131_073), (200_000, 200_000), (3, 4)] {
            let script = format!("head -c {length} /dev/zero");
            let mut child = shell((launcher, true), &script).stdout(Stdio::piped()).spawn().unwrap();
            let stdout = child.stdout.take().unwrap();
            let other = stdout.try_clone().unwrap();
            let mut exchange = Exchange::new();
            let flow = exchange.drain(stdout, Keep::AtMost(limit));
            let stop = exchange.run().unwrap();
            if length <= limit {
                assert_eq!(stop, Stop::Done, "{length} bytes, limit {limit}");
                assert_eq!(exchange.bytes(flow).len(), length);
            } else {
                assert_eq!(stop, Stop::Limit(flow), "{length} bytes, limit {limit}");
                assert_eq!(exchange.run().unwrap(), Stop::Limit(flow), "the limit still stops it");
                assert!(rustix::io::ioctl_fionread(&other).unwrap() > 0, "the next byte is in the pipe");
                assert_eq!(exchange.keep(flow, Keep::All).run().unwrap(), Stop::Done);
                assert_eq!(exchange.bytes(flow), vec![0; length]);
            }
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn small_rare_output_arrives_at_once() {
    for way in ways() {
        let mut command = shell(way, "echo one; read answer; echo two");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take();
        let mut lines = Vec::new();
        {
            let mut exchange = Exchange::new();
            // The child goes on only after the callback has got its first line.
            exchange.lines(child.stdout.take().unwrap(), 100, |line| {
                lines.push(line.to_vec());
                if let Some(mut stdin) = stdin.take() {
                    stdin.write_all(b"go on\n").unwrap();
                }
                ControlFlow::Continue(())
            });
            assert_eq!(exchange.run().unwrap(), Stop::Done);
        }
        assert_eq!(lines, [b"one\n", b"two\n"]);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn pipe_that_a_grandchild_holds_is_told_after_the_grace_and_what_it_has_is_read() {
    for way in ways() {
        let mut command = shell(way, "(sleep 60; echo late) & echo early; echo $! >&2");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut number).unwrap();
        let mut exchange = Exchange::new();
        let output = exchange.drain(child.stdout.take().unwrap(), Keep::All);
        exchange.child(&child, Duration::from_millis(50));
        assert_eq!(exchange.run().unwrap(), Stop::Held);
        assert_eq!(exchange.bytes(output), b"early\n");
        assert!(!exchange.is_done(output));
        assert_eq!(exchange.run().unwrap(), Stop::Held, "the next run has a grace of its own");
        child.wait().unwrap();
        // SAFETY: the process is the test's own, and has not ended: its parent did not wait for it.
        unsafe { libc::kill(number.trim().parse().unwrap(), libc::SIGKILL) };
    }
}

#[test]
fn zero_deadline_moves_what_is_ready() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"text").unwrap();
    let mut exchange = Exchange::new();
    let text = exchange.drain(reader, Keep::All);
    exchange.deadline(Instant::now());
    assert_eq!(exchange.run().unwrap(), Stop::Deadline);
    assert_eq!(exchange.bytes(text), b"text");
    drop(writer);
    assert_eq!(exchange.run().unwrap(), Stop::Done, "the end is ready, too");
    assert_eq!(exchange.bytes(text), b"", "no byte comes twice");
}

#[test]
fn callback_that_panics_leaves_what_it_has_not_got() {
    let (reader, mut writer) = pipe().unwrap();
    let (other, mut other_writer) = pipe().unwrap();
    writer.write_all(b"one\ntwo\nthree\n").unwrap();
    other_writer.write_all(b"other").unwrap();
    drop((writer, other_writer));
    let mut lines = Vec::new();
    let mut exchange = Exchange::new();
    let other = exchange.drain(other, Keep::All);
    exchange.lines(reader, 100, |line| {
        lines.push(line.to_vec());
        assert_ne!(line, b"two\n", "the callback panics");
        ControlFlow::Continue(())
    });
    assert!(panic_of(|| exchange.run()).contains("the callback panics"));
    assert_eq!(exchange.run().unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(other), b"other");
    drop(exchange);
    assert_eq!(lines, [&b"one\n"[..], b"two\n", b"three\n"]);
}

#[test]
fn feed_without_a_reader_is_done_and_says_what_is_left() {
    for launcher in LAUNCHERS {
        let mut child = shell((launcher, true), "head -c 3 >/dev/null").stdin(Stdio::piped()).spawn().unwrap();
        let input = vec![b'x'; 1 << 20];
        for is_alone in [true, false] {
            let Some(stdin) = child.stdin.take() else { break };
            let mut exchange = Exchange::new();
            let feed = exchange.feed(stdin, &input);
            if !is_alone {
                exchange.timeout(LONG);
            }
            assert_eq!(exchange.run().unwrap(), Stop::Done);
            assert!(exchange.unsent(feed) > 0 && exchange.is_done(feed));
        }
        child.wait().unwrap();
    }
}

own_process! {
    fn feed_does_not_raise_sigpipe_nor_take_one_that_was_pending() {
        // SAFETY: the disposition and the mask of this process alone are changed.
        unsafe {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            for (is_pending, is_alone) in [(false, true), (false, false), (true, true), (true, false)] {
                let mut set: libc::sigset_t = std::mem::zeroed();
                libc::sigaddset(&raw mut set, libc::SIGPIPE);
                if is_pending {
                    libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
                    libc::pthread_kill(libc::pthread_self(), libc::SIGPIPE);
                }
                let (reader, writer) = pipe().unwrap();
                drop(reader);
                wait_for_hangup(&writer);
                let mut exchange = Exchange::new();
                let feed = exchange.feed(writer, b"text");
                if !is_alone {
                    exchange.timeout(LONG);
                }
                assert_eq!(exchange.run().unwrap(), Stop::Done);
                assert_eq!(exchange.unsent(feed), 4);
                let mut pending: libc::sigset_t = std::mem::zeroed();
                libc::sigpending(&raw mut pending);
                assert_eq!(libc::sigismember(&raw const pending, libc::SIGPIPE) == 1, is_pending);
                let mut taken = 0;
                if is_pending {
                    libc::sigwait(&raw const set, &raw mut taken);
                    libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
                }
            }
        }
    }
}

#[test]
fn copy_gets_the_same_bytes_and_a_copy_without_a_reader_stops_nothing() {
    let mut log = tempfile::tempfile().unwrap();
    let (closed, to_closed) = pipe().unwrap();
    drop(closed);
    for launcher in LAUNCHERS {
        let mut child = shell((launcher, true), "head -c 300000 /dev/zero").stdout(Stdio::piped()).spawn().unwrap();
        log.set_len(0).unwrap();
        log.rewind().unwrap();
        let mut exchange = Exchange::new();
        let output = exchange.drain(child.stdout.take().unwrap(), Keep::Last(10));
        exchange.also_to(output, log.try_clone().unwrap()).also_to(output, to_closed.try_clone().unwrap());
        assert_eq!(exchange.run().unwrap(), Stop::Done);
        assert_eq!((exchange.bytes(output).len(), exchange.dropped(output)), (10, 299_990));
        let mut copied = Vec::new();
        log.rewind().unwrap();
        log.read_to_end(&mut copied).unwrap();
        assert_eq!(copied, vec![0; 300_000]);
        child.wait().unwrap();
    }
}

#[test]
fn failed_read_closes_its_stream_and_the_others_go_on() {
    let directory = std::fs::File::open("/").unwrap();
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"text").unwrap();
    drop(writer);
    let mut exchange = Exchange::new();
    let bad = exchange.drain(directory, Keep::All);
    let good = exchange.drain(reader, Keep::All);
    let error = exchange.run().unwrap_err();
    assert!(matches!(error.failure(), Failure::Read) && error.raw_os_error() == Some(libc::EISDIR), "{error}");
    assert!(exchange.is_done(bad));
    assert_eq!(exchange.run().unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(good), b"text");
}

#[test]
fn fifo_and_terminal_are_read_to_their_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let mut child =
        shell((fdspawn::Launcher::Auto, true), "exec >\"$0\"; echo a; sleep 0.05; echo b").arg(&path).spawn().unwrap();
    let mut exchange = Exchange::new();
    let text = exchange.drain(std::fs::File::open(&path).unwrap(), Keep::All);
    exchange.timeout(LONG);
    assert_eq!(exchange.run().unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(text), b"a\nb\n");
    child.wait().unwrap();

    let crate::support::terminal::Terminal { master, slave } = crate::support::terminal::Terminal::new();
    let mut child = shell((fdspawn::Launcher::Auto, true), "echo text").stdout(&slave).spawn().unwrap();
    drop(slave);
    let mut exchange = Exchange::new();
    let text = exchange.drain(master, Keep::All);
    exchange.timeout(LONG);
    assert_eq!(exchange.run().unwrap(), Stop::Done, "EIO is the end of a terminal");
    assert_eq!(exchange.bytes(text), b"text\r\n");
    child.wait().unwrap();
}

#[test]
fn flows_of_another_exchange_are_refused() {
    let (reader, _writer) = pipe().unwrap();
    let flow = Exchange::new().discard(reader);
    let mut exchange = Exchange::new();
    let (reader, _writer) = pipe().unwrap();
    exchange.drain(reader, Keep::All);
    assert!(panic_of(|| exchange.bytes(flow)).contains("of this exchange"));
    assert!(panic_of(|| exchange.is_done(flow)).contains("of this exchange"));
}
