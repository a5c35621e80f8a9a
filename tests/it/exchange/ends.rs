//! The ends of streams, copies, children and graces.

use super::{shell, ways};
use crate::child::cost;
use crate::own_process;
use crate::support::forked::{Forked, status_of};
use crate::support::seccomp::refuse_to_thread;
use crate::support::tools::skip;
use crate::support::{LAUNCHERS, children};
use fdspawn::{Capture, Command, Exchange, Failure, Keep, Launcher, Stdio, Stop};
use std::fs::File;
use std::io::{Read, Write, pipe};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

const WHILE: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn copy_ends_with_its_stream_so_that_its_reader_ends() {
    for launcher in LAUNCHERS {
        let mut first = shell((launcher, true), "echo text").stdout(Stdio::piped()).spawn().unwrap();
        let mut second =
            shell((launcher, true), "exec cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut exchange = Exchange::new();
        let text = exchange.drain(first.stdout.take().unwrap(), Keep::All);
        exchange.also_to(text, second.stdin.take().unwrap());
        let copied = exchange.drain(second.stdout.take().unwrap(), Keep::All);
        assert_eq!(exchange.timeout(LONG / 6).run().unwrap(), Stop::Done);
        assert_eq!((exchange.bytes(text), exchange.bytes(copied)), (b"text\n".to_vec(), b"text\n".to_vec()));
        assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
    }
}

#[test]
fn grace_goes_on_in_the_next_run() {
    for way in ways() {
        let (reader, _writer) = pipe().unwrap();
        let child = shell(way, "exit").spawn().unwrap();
        let mut exchange = Exchange::new();
        exchange.drain(reader, Keep::All);
        exchange.child(&child, 5 * WHILE);
        let start = Instant::now();
        let stop = loop {
            match exchange.timeout(WHILE).run().unwrap() {
                Stop::Deadline if start.elapsed() < LONG / 6 => {}
                stop => break stop,
            }
        };
        assert_eq!(stop, Stop::Held);
        child.process().wait().unwrap();
    }
}

#[test]
fn deadline_after_the_end_of_the_child_is_no_timeout() {
    for way in ways() {
        let mut command = shell(way, "sleep 60 & echo early");
        let how = Capture::new().timeout(15 * WHILE).grace(LONG);
        let captured = command.process_group(0).capture(&how).unwrap();
        assert_eq!((captured.stop, &captured.stdout[..], captured.ended), (Stop::Held, &b"early\n"[..], None));
        assert!(captured.check().is_ok());
    }
}

#[test]
fn socket_whose_process_has_not_read_everything_is_at_its_end() {
    for keep in [Keep::All, Keep::Last(10)] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"answer").unwrap();
        let mut exchange = Exchange::new();
        let (feed, answer) = exchange.socket(ours, "question", keep).unwrap();
        exchange.timeout(Duration::ZERO).run().unwrap();
        assert_eq!(exchange.unsent(feed), 0);
        drop(theirs); // The kernel drops the question, and tells that by ECONNRESET.
        assert_eq!(exchange.timeout(LONG).run().unwrap(), Stop::Done);
        assert_eq!(exchange.bytes(answer), b"answer");
    }
}

#[test]
fn stream_at_its_limit_is_not_at_its_end_when_another_process_takes_the_next_byte() {
    let (pipe_reader, mut pipe_writer) = pipe().unwrap();
    let (socket_reader, mut socket_writer) = UnixStream::pair().unwrap();
    let mut thieves: [Box<dyn Read + Send>; 2] =
        [Box::new(pipe_reader.try_clone().unwrap()), Box::new(socket_reader.try_clone().unwrap())];
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let mut exchange = Exchange::new();
    let flows = [exchange.drain(pipe_reader, Keep::AtMost(0)), exchange.drain(socket_reader, Keep::AtMost(0))];
    std::thread::scope(|scope| {
        for thief in &mut thieves {
            scope.spawn(|| while thief.read(&mut [0]).unwrap() > 0 {});
        }
        let over = crate::support::Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                pipe_writer.write_all(b"x").unwrap();
                socket_writer.write_all(b"x").unwrap();
                std::thread::sleep(Duration::from_micros(30));
            }
            drop((pipe_writer, socket_writer));
        });
        let end = Instant::now() + 25 * WHILE;
        while Instant::now() < end {
            let stop = exchange.timeout(WHILE).run().unwrap();
            assert!(matches!(stop, Stop::Limit(_) | Stop::Deadline), "{stop:?}");
            assert!(flows.iter().all(|flow| !exchange.is_done(*flow)), "the writers are open");
        }
        drop(over);
    });
    for flow in flows {
        exchange.keep(flow, Keep::All);
    }
    assert_eq!(exchange.timeout(LONG).run().unwrap(), Stop::Done);
}

#[test]
fn datagrams_are_read_whole() {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    let lengths = [8190, 5000, 1, 60_000, 8192, 7];
    let mut memory = Vec::with_capacity(10);
    let mut exchange = Exchange::new();
    let kept = exchange.drain(ours.try_clone().unwrap(), Keep::All);
    for length in lengths {
        theirs.send(&vec![1; length]).unwrap();
        exchange.timeout(Duration::ZERO).run().unwrap();
    }
    assert_eq!(exchange.bytes(kept).len(), lengths.iter().sum());
    drop(exchange);
    for limit in [0, 99, 100] {
        let mut exchange = Exchange::new();
        let kept = exchange.drain(ours.try_clone().unwrap(), Keep::AtMost(limit));
        theirs.send(&[1; 100]).unwrap();
        let stop = exchange.timeout(Duration::ZERO).run().unwrap();
        assert_eq!(stop, if limit < 100 { Stop::Limit(kept) } else { Stop::Deadline });
        exchange.keep(kept, Keep::All).run().unwrap();
        assert_eq!(exchange.bytes(kept).len(), 100, "a message is read as a whole or not at all");
    }
    let mut exchange = Exchange::new();
    exchange.drain_into(ours, &mut memory);
    theirs.send(&[1; 100]).unwrap();
    exchange.timeout(Duration::ZERO).run().unwrap();
    drop(exchange);
    assert_eq!(memory.len(), 100);
}

#[test]
fn message_that_comes_during_the_run_is_behind_the_limit_too() {
    for length in [5, 6] {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut exchange = Exchange::new();
        let kept = exchange.drain(ours, Keep::AtMost(5));
        let stop = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(WHILE);
                for byte in [1, 2] {
                    theirs.send(&vec![byte; length]).unwrap();
                }
            });
            exchange.run().unwrap()
        });
        assert_eq!(stop, Stop::Limit(kept));
        assert_eq!(exchange.bytes(kept), [1; 5][..if length > 5 { 0 } else { 5 }]);
    }
}

#[test]
fn feed_to_a_socket_with_messages_sends_all_of_its_bytes() {
    const LENGTH: usize = 3 << 20;
    let sent: Vec<u8> = (0..LENGTH as u32).map(|i| (i % 251) as u8).collect();
    for timeout in [None, Some(LONG)] {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        theirs.set_read_timeout(Some(LONG / 6)).unwrap(); // If the feed fails, the reader does, too.
        let received = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut received, mut message) = (Vec::new(), vec![0; 1 << 20]);
                while received.len() < LENGTH {
                    let length = theirs.recv(&mut message).unwrap();
                    received.extend_from_slice(&message[..length]);
                }
                received
            });
            let mut exchange = Exchange::new();
            exchange.feed(ours, &sent[..]);
            timeout.map(|timeout| exchange.timeout(timeout));
            assert_eq!(exchange.run().unwrap(), Stop::Done);
            reader.join().unwrap()
        });
        assert!(received == sent);
    }
}

#[test]
fn error_tells_whether_a_read_or_a_write_has_failed() {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(b"text").unwrap();
    drop(writer);
    let mut exchange = Exchange::new();
    let text = exchange.drain(reader, Keep::All);
    exchange.also_to(text, File::options().write(true).open("/dev/full").unwrap());
    let error = exchange.run().unwrap_err();
    assert!(matches!(error.failure(), Failure::Write) && error.raw_os_error() == Some(libc::ENOSPC), "{error}");
    assert_eq!(exchange.run().unwrap(), Stop::Done, "the stream goes on without the copy");
    assert_eq!(exchange.bytes(text), b"text");

    let mut exchange = Exchange::new();
    exchange.feed_from(File::options().write(true).open("/dev/null").unwrap(), File::open("/").unwrap());
    let error = exchange.run().unwrap_err();
    assert!(matches!(error.failure(), Failure::Read) && error.raw_os_error() == Some(libc::EISDIR), "{error}");
}

#[test]
fn input_is_not_printed() {
    let text = format!("{:?}", Capture::new().input("secret"));
    let bytes = format!("{:?}", "secret".as_bytes());
    assert!(!text.contains("secret") && !text.contains(bytes.trim_matches(['[', ']'])), "{text}");
}

own_process! {
    fn child_is_reaped_although_poll_is_refused() {
        for launcher in LAUNCHERS {
            let status = status_of(|| {
                refuse_to_thread(&[libc::SYS_poll, libc::SYS_ppoll], libc::EPERM);
                let mut command = Command::new("/bin/sh");
                command.args(["-c", "exit 3"]).launcher(launcher);
                let _slot = command.reader(5);
                let status = command.status();
                let output = command.output();
                let waited = command.spawn().unwrap().wait_with_output();
                let captured = command.capture(&Capture::new().timeout(LONG));
                eprintln!("{status:?}, {output:?}, {waited:?}, {captured:?}");
                // SAFETY: the copy ends here.
                unsafe { libc::_exit(children().try_into().unwrap()) };
            });
            assert_eq!(status, 0, "no child is left");
        }
    }
}

own_process! {
    fn child_that_has_ended_and_is_traced_is_no_busy_loop() {
        for launcher in LAUNCHERS {
            let mut command = Command::new("sleep");
            let child = command.arg("60").launcher(launcher).spawn().unwrap();
            let pid = child.id();
            let (mut reader, writer) = pipe().unwrap();
            let tracer = Forked::new(|| {
                // SAFETY: only numbers are passed.
                let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) } == 0;
                (&writer).write_all(&[u8::from(seized)]).unwrap();
            });
            let mut seized = [0];
            reader.read_exact(&mut seized).unwrap();
            child.kill().unwrap();
            if seized == [0] {
                child.process().wait().unwrap();
                skip("one child cannot trace another");
                return;
            }
            while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {
                std::thread::sleep(Duration::from_millis(1));
            }
            let (held, _writer) = pipe().unwrap();
            let mut exchange = Exchange::new();
            exchange.drain(held, Keep::All);
            exchange.child(&child, Duration::ZERO).timeout(Duration::from_millis(400));
            let (spent, _) = cost(|| assert_eq!(exchange.run().unwrap(), Stop::Deadline));
            assert!(spent < Duration::from_millis(100), "{spent:?} of processor time");
            drop(tracer);
            assert_eq!(exchange.timeout(LONG).run().unwrap(), Stop::Held);
            child.process().wait().unwrap();
        }
    }
}

own_process! {
    fn child_without_a_pidfd_and_without_waitid_is_no_ended_one() {
        for launcher in LAUNCHERS {
            let status = status_of(|| {
                let start = |script| {
                    let mut command = Command::new("/bin/sh");
                    command.args(["-c", script]).launcher(launcher).pidfd(false);
                    command
                };
                let mut child = start("sleep 0.3; echo late").stdout(Stdio::piped()).spawn().unwrap();
                refuse_to_thread(&[libc::SYS_waitid], libc::ENOSYS);
                let mut exchange = Exchange::new();
                let text = exchange.drain(child.stdout.take().unwrap(), Keep::All);
                exchange.child(&child, Duration::from_millis(1));
                let stop = exchange.run().unwrap();
                let is_right = matches!(stop, Stop::Done | Stop::Held) && exchange.bytes(text) == b"late\n";
                let code = child.wait().unwrap().code();
                // SAFETY: the copy ends here.
                unsafe { libc::_exit(i32::from(!(is_right && code == Some(0)))) };
            });
            assert_eq!(status, 0);
        }
    }
}

own_process! {
    fn child_in_a_forked_copy_has_not_ended_before_its_end() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "sleep 0.3; echo late"])
            .launcher(Launcher::Fork)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let status = status_of(|| {
            let mut exchange = Exchange::new();
            let text = exchange.drain(child.stdout.take().unwrap(), Keep::All);
            exchange.child(&child, Duration::from_millis(1));
            exchange.run().unwrap();
            let is_right = exchange.bytes(text) == b"late\n";
            // SAFETY: the copy ends here.
            unsafe { libc::_exit(i32::from(!is_right)) };
        });
        drop(child.stdout.take());
        child.wait().unwrap();
        assert_eq!(status, 0);
    }
}
