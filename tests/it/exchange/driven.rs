//! Waits, ends, exchanges and captures that are driven by a descriptor and steps.

use super::{shell, ways};
use crate::own_process;
use crate::support::sources::set_limit;
use crate::support::table::{is_open, open_numbers};
use crate::support::{LAUNCHERS, command, with_longer_times};
use fdspawn::{
    Capture, Capturing, Children, Driven, Ending, Exchange, Failure, Keep, Process, Reach, Signal, Stdio, Stop,
    Teardown, block_on,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{Write, pipe};
use std::os::unix::process::ExitStatusExt;
use std::task::Poll;
use std::time::{Duration, Instant};

const WHILE: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Whether the descriptor becomes readable within the time.
fn is_ready<D: Driven + ?Sized>(driven: &mut D, time: Duration) -> bool {
    let descriptor = driven.descriptor().unwrap();
    let time = Timespec::try_from(time).unwrap();
    rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&time))).unwrap() == 1
}

fn is_pending<D: Driven + ?Sized>(driven: &mut D) -> bool {
    driven.step().unwrap().is_pending()
}

#[test]
fn all_that_is_driven_may_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<(Process, Ending, Exchange<'_>, Capturing<'_>, Children<'_, u32>)>();
}

#[test]
fn wait_is_driven() {
    for launcher in LAUNCHERS {
        for pidfd in [true, false] {
            let mut command = command("cat");
            command.launcher(launcher).pidfd(pidfd).stdin(Stdio::piped()).stdout(Stdio::null());
            let mut child = command.spawn().unwrap();
            let mut process = child.process();
            assert!(is_pending(&mut process));
            // Without a pidfd a timer makes the descriptor ready now and then.
            assert!(!pidfd || !is_ready(&mut process, WHILE));
            drop(child.stdin.take());
            let start = Instant::now();
            let status = loop {
                assert!(is_ready(&mut process, LONG));
                if let Poll::Ready(status) = process.step().unwrap() {
                    break status;
                }
                assert!(start.elapsed() < LONG);
            };
            assert!(status.success());
            assert_eq!(child.try_wait().unwrap(), Some(status));
            assert!(block_on(&mut process).unwrap().success(), "a second wait returns the same status");
        }
    }
}

#[test]
fn child_that_another_thread_ends_does_not_keep_the_loop_busy() {
    for way in ways() {
        let child = shell(way, "exec sleep 60").spawn().unwrap();
        let mut process = child.process();
        let ending = process.ending(&Teardown::term(LONG)).unwrap();
        assert!(is_pending(&mut process));
        child.signal(Signal::KILL).unwrap();
        // The pidfd is readable, and as long as `ending` exists no other handle reaps the child.
        let end = Instant::now() + 4 * WHILE;
        let mut steps = 0;
        while Instant::now() < end {
            is_ready(&mut process, end.saturating_duration_since(Instant::now()));
            assert!(is_pending(&mut process));
            steps += 1;
        }
        assert!(steps < 100, "{steps} steps");
        drop(ending);
        assert_eq!(block_on(&mut process).unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn end_is_driven() {
    for way in ways() {
        let mut command = shell(way, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
        let mut child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        for reach in [Reach::Process, Reach::Group, Reach::Descendants] {
            let mut ending = child.process().ending(&Teardown::term(LONG).reach(reach)).unwrap();
            assert!(is_pending(&mut ending));
            // It sends no second signal before the grace is over, and its drop lets others wait again.
            is_ready(&mut ending, WHILE / 5);
            assert!(is_pending(&mut ending));
        }
        let start = Instant::now();
        let mut ending = child.process().ending(&Teardown::term(2 * WHILE).reach(Reach::Group)).unwrap();
        let ended = block_on(&mut ending).unwrap();
        assert!(start.elapsed() >= 2 * WHILE);
        assert_eq!((ended.by, ended.status.signal()), (Some(Signal::KILL), Some(libc::SIGKILL)));
        drop(ending);
        assert_eq!(child.wait().unwrap(), ended.status);
    }
}

#[test]
fn end_of_a_child_that_ends_by_the_signal_does_not_wait_for_the_grace() {
    for way in ways() {
        let child = shell(way, "exec sleep 60").spawn().unwrap();
        let start = Instant::now();
        let mut ending = child.process().ending(&Teardown::term(LONG)).unwrap();
        assert_eq!(block_on(&mut ending).unwrap().by, Some(Signal::TERM));
        assert!(start.elapsed() < LONG / 2);
        let error = child.process().ending(&Teardown::kill().reach(Reach::Cgroup)).unwrap_err();
        assert!(matches!(error.failure(), Failure::NotInCgroup), "{error}");
    }
}

#[test]
fn capture_is_driven() {
    let input = vec![b'i'; 1 << 20];
    for way in ways() {
        let mut command = shell(way, "cat; echo err >&2; echo slot >&5");
        let slot = command.reader(5);
        let mut capturing = command.start_capture(&Capture::new().input(&input)).unwrap();
        let captured = block_on(&mut capturing).unwrap().check().unwrap();
        assert!(captured.stdout == input && captured.bytes(slot) == b"slot\n" && captured.stderr == b"err\n");
        assert!(capturing.step().is_err() && capturing.descriptor().is_err(), "it has given the result");

        // In the second one nothing is left to read, and the child runs on.
        for script in ["echo early; exec sleep 60", "echo early; exec sleep 60 >/dev/null 2>&1"] {
            with_longer_times(10 * WHILE, |time| {
                let how = Capture::new().timeout(time);
                let captured = block_on(&mut shell(way, script).start_capture(&how).unwrap()).unwrap();
                assert_eq!((captured.stop, captured.ended.unwrap().by), (Stop::Deadline, Some(Signal::KILL)));
                captured.stdout == b"early\n"
            });
        }

        let limit = Capture::new().keep(Keep::AtMost(7));
        let captured = block_on(&mut shell(way, "exec yes").start_capture(&limit).unwrap()).unwrap();
        assert!(matches!(captured.stop, Stop::Limit(_)));
        assert_eq!(captured.stdout, b"y\ny\ny\ny");

        let held = Capture::new().grace(WHILE);
        let mut command = shell(way, "sleep 60 & echo $!");
        let captured = block_on(&mut command.start_capture(&held).unwrap()).unwrap();
        assert_eq!(captured.stop, Stop::Held);
        let sleeper: i32 = String::from_utf8(captured.stdout).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(sleeper).unwrap(), Signal::KILL).unwrap();
    }
}

#[test]
fn output_of_a_graceful_end_is_read_by_steps_too() {
    for way in ways() {
        let script = "trap 'head -c 300000 /dev/zero; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        with_longer_times(10 * WHILE, |time| {
            let how = Capture::new().timeout(time).end(Teardown::term(LONG));
            let captured = block_on(&mut shell(way, script).start_capture(&how).unwrap()).unwrap();
            let is_ready = captured.stdout.starts_with(b"ready\n");
            assert!(!is_ready || (captured.status.unwrap().code(), captured.stdout.len()) == (Some(3), 300_006));
            is_ready
        });
    }
}

#[test]
fn stream_that_was_closed_does_not_tell_of_a_description_that_others_have() {
    let (reader, mut writer) = pipe().unwrap();
    let other = reader.try_clone().unwrap();
    let mut exchange = Exchange::new();
    let flow = exchange.drain(reader, Keep::All);
    let (second, _open) = pipe().unwrap();
    exchange.drain(second, Keep::All);
    assert!(is_pending(&mut exchange));
    assert!(!is_ready(&mut exchange, Duration::ZERO));
    exchange.close(flow);
    writer.write_all(b"text").unwrap();
    assert!(!is_ready(&mut exchange, WHILE), "the other description is readable, and the stream was closed");
    assert!(is_pending(&mut exchange));
    drop(other);
}

#[test]
fn stream_that_waits_for_a_copy_does_not_make_the_descriptor_ready() {
    let (reader, mut writer) = pipe().unwrap();
    let (copy_reader, copy) = pipe().unwrap();
    let mut exchange = Exchange::new();
    let flow = exchange.drain(reader, Keep::All);
    exchange.also_to(flow, copy);
    writer.write_all(&vec![1; 65_536]).unwrap();
    is_pending(&mut exchange);
    writer.write_all(&vec![2; 60_000]).unwrap();
    // The copy is full: the stream is readable, and there is nothing to do.
    while is_ready(&mut exchange, WHILE) {
        assert!(is_pending(&mut exchange));
    }
    drop(writer);
    assert!(!is_ready(&mut exchange, WHILE));
    drop(copy_reader);
    assert!(is_ready(&mut exchange, LONG), "the copy has no reader any more");
    assert_eq!(block_on(&mut exchange).unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(flow).len(), 125_536);
}

#[test]
fn streams_that_were_added_later_are_told_of_after_the_next_step() {
    let (reader, _writer) = pipe().unwrap();
    let mut exchange = Exchange::new();
    exchange.drain(reader, Keep::All);
    assert!(!is_ready(&mut exchange, Duration::ZERO));
    let (reader, mut writer) = pipe().unwrap();
    exchange.drain(reader, Keep::All);
    assert!(is_pending(&mut exchange));
    writer.write_all(b"text").unwrap();
    assert!(is_ready(&mut exchange, LONG));
}

#[test]
fn files_and_devices_are_driven_though_no_set_of_events_takes_them() {
    let input = vec![7; 300_000];
    let file = tempfile::tempfile().unwrap();
    let zeros = File::open("/dev/zero").unwrap();
    let mut exchange = Exchange::new();
    exchange.feed(file.try_clone().unwrap(), &input);
    let (reader, writer) = pipe().unwrap();
    exchange.feed_from(writer, zeros.try_clone().unwrap());
    let limited = exchange.drain(reader, Keep::AtMost(1 << 20));
    let endless = exchange.drain(zeros, Keep::First(10));
    let stop = block_on(&mut exchange).unwrap();
    assert_eq!(stop, Stop::Limit(limited));
    exchange.close(limited).close(endless);
    assert_eq!(block_on(&mut exchange).unwrap(), Stop::Done);
    assert_eq!(file.metadata().unwrap().len(), 300_000);
    assert_eq!(exchange.bytes(endless), [0; 10]);
}

#[test]
fn one_child_may_be_watched_twice() {
    let mut child = command("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let (reader, _writer) = pipe().unwrap();
    let mut exchange = Exchange::new();
    exchange.drain(reader, Keep::All);
    exchange.child(&child, WHILE).child(&child, WHILE);
    assert!(is_pending(&mut exchange));
    assert!(!is_ready(&mut exchange, WHILE));
    drop(child.stdin.take());
    assert!(is_ready(&mut exchange, LONG));
    assert_eq!(block_on(&mut exchange).unwrap(), Stop::Held);
    child.wait().unwrap();
}

#[test]
fn run_goes_on_where_steps_have_stopped_and_steps_where_a_run_has() {
    let (reader, mut writer) = pipe().unwrap();
    let mut exchange = Exchange::new();
    let flow = exchange.drain(reader, Keep::All);
    writer.write_all(b"one ").unwrap();
    assert!(is_pending(&mut exchange));
    writer.write_all(b"two ").unwrap();
    assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
    writer.write_all(b"three").unwrap();
    drop(writer);
    exchange.no_deadline();
    assert_eq!(block_on(&mut exchange).unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(flow), b"one two three");
}

own_process! {
    fn descriptor_is_made_when_it_is_asked_for() {
        let (reader, _writer) = pipe().unwrap();
        let before = open_numbers().len();
        let mut exchange = Exchange::new();
        exchange.drain(reader, Keep::All);
        assert!(is_pending(&mut exchange));
        assert_eq!(open_numbers().len(), before, "steps need none");
        exchange.descriptor().unwrap();
        assert_eq!(open_numbers().len(), before + 1, "the set of events");
        exchange.timeout(LONG);
        assert!(is_pending(&mut exchange));
        assert_eq!(open_numbers().len(), before + 2, "a timer for the deadline");
        drop(exchange);
        assert_eq!(open_numbers().len(), before - 1, "and the reader");
    }
}

own_process! {
    fn full_table_is_an_error_after_which_it_goes_on() {
        let (reader, mut writer) = pipe().unwrap();
        let mut exchange = Exchange::new();
        let flow = exchange.drain(reader, Keep::All);
        let limit = (0..).find(|&number| !is_open(number)).unwrap() as u64;
        set_limit(limit, 20_000);
        for _ in 0..2 {
            let error = exchange.descriptor().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            assert_eq!(error.to_string(), "cannot wait for events: set of events: Too many open files");
        }
        let mut children: Children<'_, ()> = Children::new();
        assert!(children.descriptor().is_err());
        writer.write_all(b"text").unwrap();
        assert!(is_pending(&mut exchange));
        set_limit(limit + 1, 20_000);
        assert!(!is_ready(&mut exchange, Duration::ZERO));
        // The timer has no number.
        assert!(exchange.timeout(WHILE).step().is_err());
        set_limit(20_000, 20_000);
        assert_eq!(block_on(&mut exchange).unwrap(), Stop::Deadline);
        assert_eq!(exchange.bytes(flow), b"text");
    }
}
