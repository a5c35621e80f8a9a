//! `Children`: sets of children, their streams, deadlines, ends and drops.

use super::{shell, ways};
use crate::own_process;
use crate::support::running::is_gone;
use crate::support::seccomp::refuse_to_thread;
use crate::support::table::open_numbers;
use crate::support::tiny::tiny_reader;
use crate::support::{LAUNCHERS, children, command, exhaustive, with_longer_times};
use fdspawn::{
    Capture, Child, Children, Driven, Exchange, Failure, Keep, OnDrop, Reach, Signal, Stdio, Stop, Teardown,
};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::process::Pid;
use std::fs::File;
use std::io::pipe;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::task::Poll;
use std::time::{Duration, Instant};

const WHILE: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Waits until the descriptor is readable.
fn wait_until_readable(stream: impl AsFd) {
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let wait = || poll(&mut [PollFd::new(&stream, PollFlags::IN)], Some(&minute));
    assert_eq!(rustix::io::retry_on_intr(wait).unwrap(), 1);
}

/// A child that ends when its standard input does.
fn cat(way: (fdspawn::Launcher, bool)) -> Child {
    shell(way, "exec cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn children_come_in_the_order_of_their_ends() {
    for launcher in LAUNCHERS {
        for pidfd in [true, false] {
            let mut set = Children::new();
            let mut inputs: Vec<_> = (0..8)
                .map(|tag| {
                    let mut child = cat((launcher, pidfd));
                    let input = child.stdin.take();
                    set.insert(child, tag);
                    input
                })
                .collect();
            assert_eq!(set.len(), 8);
            assert!(set.next_timeout(WHILE / 10).unwrap().is_none());
            for tag in [3, 0, 7, 1, 2, 6, 5, 4] {
                inputs[tag] = None;
                let mut finished = set.next().unwrap().unwrap();
                assert_eq!((finished.tag, finished.stop, finished.ended), (tag, Stop::Done, None));
                assert!(finished.status.as_ref().unwrap().success());
                let (status, usage) = finished.child.as_mut().unwrap().wait_usage().unwrap();
                assert!(status.success() && usage.is_some());
                assert!(set.process(finished.member).is_none() && set.remove(finished.member).is_none());
            }
            assert!(set.is_empty() && set.next().unwrap().is_none());
        }
    }
}

#[test]
fn children_are_added_and_removed_at_any_time() {
    for way in ways() {
        let mut set = Children::new();
        let first = set.insert(cat(way), "first");
        let second = set.insert(cat(way), "second");
        assert!(set.next_timeout(Duration::ZERO).unwrap().is_none());
        let (mut child, _, tag) = set.remove(first).unwrap();
        assert_eq!(tag, "first");
        assert!(set.remove(first).is_none() && !set.end(first, &Teardown::kill()).unwrap());
        child.wait().unwrap();
        // The name of a child that has left is not used again.
        let third = set.insert(cat(way), "third");
        assert_ne!(first, third);
        assert!(!set.set_timeout(first, Duration::ZERO) && set.process(first).is_none());
        assert_eq!(set.len(), 2);
        set.process(third).unwrap().signal(Signal::KILL).unwrap();
        let finished = set.next().unwrap().unwrap();
        assert_eq!((finished.tag, finished.status.unwrap().signal()), ("third", Some(libc::SIGKILL)));
        // A child that is removed before the set has looked at it.
        let fourth = set.insert(cat(way), "fourth");
        assert_eq!(set.remove(fourth).unwrap().2, "fourth");
        assert!(set.end(second, &Teardown::default()).unwrap());
        assert_eq!(set.next().unwrap().unwrap().tag, "second");
        assert!(set.next().unwrap().is_none());
    }
}

#[test]
fn a_time_of_zero_finds_a_child_that_has_ended() {
    for way in ways() {
        let mut set = Children::new();
        let member = set.insert(cat(way), ());
        assert!(set.next_timeout(Duration::ZERO).unwrap().is_none());
        let process = set.process(member).unwrap();
        process.signal(Signal::KILL).unwrap();
        process.wait().unwrap();
        // Without a pidfd the set asks at times.
        let found = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            set.next_timeout(Duration::ZERO).unwrap()
        });
        assert_eq!(found.expect("it has ended").status.unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn drop_follows_the_policy_of_each_child() {
    for way in ways() {
        let mut detached = cat(way);
        let ended = cat(way);
        let processes = [detached.process(), ended.process()];
        let input = detached.stdin.take();
        let mut set = Children::new();
        set.insert(detached, ());
        let member = set.insert(ended, ());
        assert!(set.next_timeout(Duration::ZERO).unwrap().is_none());
        let (child, exchange, ()) = set.remove(member).unwrap();
        child.process().signal(Signal::CONT).unwrap();
        let mut child = child;
        child.set_on_drop(OnDrop::End(Teardown::kill())).unwrap();
        set.insert_with(child, exchange, ());
        drop(set);
        assert!(processes[0].try_wait().unwrap().is_none(), "a drop does nothing to it");
        assert_eq!(processes[1].try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
        drop(input);
        assert!(processes[0].wait().unwrap().success());
    }
}

#[test]
fn child_is_ended_after_its_deadline_and_what_it_has_written_is_there() {
    for way in ways() {
        let mut set = Children::new();
        let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let mut child = shell(way, script).stdout(Stdio::piped()).spawn().unwrap();
        wait_until_readable(child.stdout.as_ref().unwrap());
        let mut exchange = Exchange::new();
        let text = exchange.drain(child.stdout.take().unwrap(), Keep::All);
        exchange.timeout(10 * WHILE);
        let member = set.insert_with(child, exchange, text);
        assert!(set.set_teardown(member, Teardown::term(LONG)));
        let other = set.insert(shell(way, "exec sleep 60").spawn().unwrap(), text);
        assert!(set.set_timeout(other, WHILE));
        let finished = set.next().unwrap().unwrap();
        assert_eq!((finished.member, finished.stop), (other, Stop::Deadline));
        assert_eq!(finished.status.unwrap().signal(), Some(libc::SIGKILL));
        let mut finished = set.next().unwrap().unwrap();
        assert_eq!((finished.stop, finished.ended.unwrap().by), (Stop::Deadline, Some(Signal::TERM)));
        assert_eq!(finished.status.unwrap().code(), Some(3));
        assert_eq!(finished.exchange.bytes(finished.tag), b"ready\nbye\n");
    }
}

#[test]
fn deadline_that_was_taken_back_ends_nothing() {
    for way in ways() {
        let mut set = Children::new();
        let mut child = cat(way);
        let input = child.stdin.take();
        let member = set.insert(child, ());
        set.set_timeout(member, WHILE / 5);
        set.set_deadline(member, None);
        assert!(set.next_timeout(WHILE).unwrap().is_none());
        drop(input);
        assert!(set.next().unwrap().unwrap().status.unwrap().success());
    }
}

#[test]
fn two_hundred_children_with_deadlines_leave_nothing() {
    with_longer_times(20 * WHILE, two_hundred_children_leave_nothing);
}

/// Runs 200 children with deadlines after about this time. Returns whether all have written their text before their deadlines.
fn two_hundred_children_leave_nothing(time: Duration) -> bool {
    let mut set = Children::new();
    let mut pids = Vec::new();
    for tag in 0..200_usize {
        let way = (LAUNCHERS[tag % 2], tag % 3 != 0);
        // Half of them have started a process that holds their pipes.
        let script = match tag % 4 {
            0 => format!("echo {tag}; sleep 60 & echo $!; exec sleep 60"),
            1 => format!("echo {tag}; exec sleep 60"),
            2 => format!("echo {tag}; sleep 60 & echo $!"),
            _ => format!("echo {tag}"),
        };
        let time = time + Duration::from_millis(tag as u64 % 17);
        let how = Capture::new().timeout(time).grace(WHILE).end(Teardown::kill().reach(Reach::Group));
        let member = set.capture(shell(way, &script).process_group(0), &how, tag).unwrap();
        pids.push(set.process(member).unwrap().id());
    }
    let (mut seen, mut has_all_come) = ([false; 200], true);
    while let Some(finished) = set.next().unwrap() {
        let captured = finished.captured.unwrap();
        let text = String::from_utf8(captured.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let (count, stop) = match finished.tag % 4 {
            0 => (2, Stop::Deadline),
            1 => (1, Stop::Deadline),
            2 => (2, Stop::Held),
            _ => (1, Stop::Done),
        };
        let has_come = lines.len() == count && finished.stop == stop;
        assert!(has_come || finished.stop == Stop::Deadline, "{}: {:?} {text:?}", finished.tag, finished.stop);
        assert!(lines.first().is_none_or(|line| *line == finished.tag.to_string()), "{text:?}");
        if let Some(sleeper) = lines.get(1) {
            let sleeper = sleeper.parse().unwrap();
            if finished.tag % 4 == 2 && finished.stop == Stop::Held {
                // The child has ended by itself, so the set has sent no signal to the process that the child has started.
                rustix::process::kill_process(Pid::from_raw(sleeper).unwrap(), Signal::KILL).unwrap();
            }
            assert!(is_gone(sleeper.cast_unsigned()));
        }
        assert!(!std::mem::replace(&mut seen[finished.tag], true));
        has_all_come &= has_come;
    }
    assert!(seen.iter().all(|seen| *seen));
    assert!(pids.into_iter().all(is_gone));
    has_all_come
}

#[test]
fn limits_callbacks_and_failed_calls_end_the_child() {
    for way in ways() {
        let mut set = Children::new();
        let mut insert = |stream: &dyn Fn(&mut Exchange<'static>, std::io::PipeReader)| {
            let mut child = shell(way, "echo one; echo two; exec sleep 60").stdout(Stdio::piped()).spawn().unwrap();
            let mut exchange = Exchange::new();
            stream(&mut exchange, child.stdout.take().unwrap());
            let member = set.insert_with(child, exchange, ());
            set.set_teardown(member, Teardown::term(LONG));
            let finished = set.next().unwrap().unwrap();
            assert_eq!(finished.member, member);
            assert!(finished.child.as_ref().unwrap().try_wait().unwrap().is_some(), "it is reaped");
            finished
        };
        let finished = insert(&|exchange, output| _ = exchange.drain(output, Keep::AtMost(2)));
        assert!(matches!(finished.stop, Stop::Limit(_)));
        assert_eq!(finished.status.unwrap().signal(), Some(libc::SIGTERM));
        let finished = insert(&|exchange, output| _ = exchange.lines(output, 80, |_| ControlFlow::Break(())));
        assert!(matches!(finished.stop, Stop::Asked(_)));
        let finished = insert(&|exchange, output| {
            let flow = exchange.drain(output, Keep::All);
            exchange.also_to(flow, File::options().write(true).open("/dev/full").unwrap());
        });
        let error = finished.status.unwrap_err();
        assert!(matches!(error.failure(), Failure::Write), "{error}");
    }
}

#[test]
fn child_that_is_being_ended_keeps_no_processor_and_no_other_child() {
    for way in ways() {
        let mut set = Children::new();
        let mut stubborn =
            shell(way, "trap '' TERM; echo; while :; do sleep 0.05; done").stdout(Stdio::piped()).spawn().unwrap();
        std::io::Read::read_exact(stubborn.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let member = set.insert(stubborn, "stubborn");
        let mut other = cat(way);
        let input = other.stdin.take();
        set.insert(other, "other");
        assert!(set.end(member, &Teardown::term(LONG)).unwrap());
        let used = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            Duration::try_from(time).unwrap()
        };
        let before = used();
        assert!(set.next_timeout(4 * WHILE).unwrap().is_none());
        assert!(used() - before < 2 * WHILE, "the wait takes no time of the processor");
        drop(input);
        let start = Instant::now();
        assert_eq!(set.next_timeout(LONG / 2).unwrap().unwrap().tag, "other");
        assert!(start.elapsed() < LONG / 4);
        set.end(member, &Teardown::kill()).unwrap();
        assert_eq!(set.next().unwrap().unwrap().tag, "stubborn");
    }
}

#[test]
fn child_that_has_ended_in_time_does_not_wait_for_another_one_that_holds_its_streams() {
    for way in ways() {
        let mut set = Children::new();
        let mut holder = shell(way, "echo held; exec sleep 1000").stdout(Stdio::piped()).spawn().unwrap();
        wait_until_readable(holder.stdout.as_ref().unwrap());
        let mut exchange = Exchange::new();
        let text = exchange.drain(holder.stdout.take().unwrap(), Keep::All);
        exchange.child(&holder, LONG).timeout(4 * WHILE);
        set.insert_with(shell(way, "exit 5").spawn().unwrap(), exchange, "ended");
        let holder = set.insert(holder, "holder");
        let start = Instant::now();
        let mut finished = set.next_timeout(LONG).unwrap().unwrap();
        assert!(start.elapsed() < LONG / 2);
        assert_eq!(
            (finished.tag, finished.stop, finished.exchange.bytes(text).as_slice()),
            ("ended", Stop::Held, &b"held\n"[..])
        );
        assert_eq!(finished.status.unwrap().code(), Some(5));
        set.end(holder, &Teardown::kill()).unwrap();
        assert_eq!(set.next().unwrap().unwrap().tag, "holder");
    }
}

#[test]
fn all_are_ended_though_one_has_no_way() {
    for way in ways() {
        let mut set = Children::new();
        set.insert(shell(way, "exec sleep 60").process_group(0).spawn().unwrap(), 1);
        let stubborn = set.insert(cat(way), 2);
        set.insert(shell(way, "exec sleep 60").process_group(0).spawn().unwrap(), 3);
        let error = set.end_all(&Teardown::default().reach(Reach::Group)).unwrap_err();
        assert!(matches!(error.failure(), Failure::NoGroup), "{error}");
        let mut ended = [set.next().unwrap().unwrap(), set.next().unwrap().unwrap()];
        ended.sort_by_key(|finished| finished.tag);
        assert_eq!(
            ended.map(|finished| (finished.tag, finished.ended.unwrap().by)),
            [(1, Some(Signal::TERM)), (3, Some(Signal::TERM))]
        );
        assert_eq!((set.len(), set.process(stubborn).unwrap().try_wait().unwrap()), (1, None));
        set.end_all(&Teardown::kill()).unwrap();
        assert_eq!(set.next().unwrap().unwrap().tag, 2);
    }
}

#[test]
fn captures_in_a_set_have_what_a_capture_has() {
    let input = vec![b'i'; 300_000];
    for way in ways() {
        let mut set = Children::new();
        let mut command = shell(way, "cat; echo err >&2; echo slot >&5; exit 4");
        let slot = command.reader(5);
        for tag in 0..10 {
            set.capture(&mut command, &Capture::new().input(&input), tag).unwrap();
        }
        let mut sum = 0;
        while let Some(finished) = set.next().unwrap() {
            let captured = finished.captured.unwrap();
            assert!(captured.stdout == input && captured.stderr == b"err\n" && captured.bytes(slot) == b"slot\n");
            assert_eq!((finished.status.unwrap().code(), captured.unsent, finished.stop), (Some(4), 0, Stop::Done));
            assert!(finished.child.is_none());
            sum += finished.tag;
        }
        assert_eq!(sum, 45);
        let error = set.capture(&mut command_not_there(way), &Capture::new(), 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(set.is_empty());
    }
}

fn command_not_there(way: (fdspawn::Launcher, bool)) -> fdspawn::Command<'static> {
    let mut command = command("/no/such/program");
    command.launcher(way.0).pidfd(way.1);
    command
}

/// Drives a set by its descriptor, after waits for its state or for its changes.
fn drive<'a, T>(set: &mut Children<'a, T>, edges: bool) -> Vec<fdspawn::Finished<'a, T>> {
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    if edges {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&outer, set.descriptor().unwrap(), epoll::EventData::new_u64(0), flags).unwrap();
    }
    let mut all = Vec::new();
    loop {
        match set.step().unwrap() {
            Poll::Ready(Some(finished)) => all.push(finished),
            Poll::Ready(None) => return all,
            Poll::Pending if edges => {
                let mut events = Vec::with_capacity(1);
                let wait = || epoll::wait(&outer, rustix::buffer::spare_capacity(&mut events), Some(&minute));
                let count = rustix::io::retry_on_intr(wait).unwrap();
                assert_eq!(count, 1);
            }
            Poll::Pending => wait_until_readable(set.descriptor().unwrap()),
        }
    }
}

#[test]
fn set_is_driven() {
    for edges in [false, true] {
        for way in ways().filter(|way| exhaustive() || way.1 == edges) {
            with_longer_times(20 * WHILE, |time| {
                let mut set = Children::new();
                for tag in 0..30_usize {
                    let script = format!("head -c {} /dev/zero", tag * 10_000);
                    if tag % 3 == 0 {
                        let how = Capture::new().timeout(time);
                        set.capture(&mut shell(way, &format!("{script}; exec sleep 60")), &how, tag).unwrap();
                    } else if tag % 3 == 1 {
                        set.capture(&mut shell(way, &script), &Capture::new(), tag).unwrap();
                    } else {
                        set.insert(shell(way, "exit 7").spawn().unwrap(), tag);
                    }
                }
                let all = drive(&mut set, edges);
                assert_eq!(all.len(), 30);
                let mut has_all_come = true;
                for finished in all {
                    let length = finished.captured.map(|captured| captured.stdout.len());
                    match finished.tag % 3 {
                        2 => assert_eq!(finished.status.unwrap().code(), Some(7)),
                        1 => assert_eq!((finished.stop, length), (Stop::Done, Some(finished.tag * 10_000))),
                        _ => {
                            assert_eq!(finished.stop, Stop::Deadline);
                            has_all_come &= length == Some(finished.tag * 10_000);
                        }
                    }
                }
                has_all_come
            });
        }
    }
}

#[test]
fn child_that_somebody_else_reaps_leaves_the_set() {
    for way in ways() {
        let child = shell(way, "exit 5").spawn().unwrap();
        let id = child.id();
        let mut set = Children::new();
        set.insert(child, ());
        rustix::process::waitpid(Pid::from_raw(id.cast_signed()), rustix::process::WaitOptions::empty()).unwrap();
        // The kernel tells the status by the pidfd (Linux 6.15). Otherwise it is an error.
        match set.next().unwrap().unwrap().status {
            Ok(status) => assert!(way.1 && status.code() == Some(5)),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECHILD)),
        }
        assert!(set.is_empty());
    }
}

#[test]
fn member_of_another_set_is_none() {
    let (mut one, mut other) = (Children::new(), Children::new());
    let member = one.insert(command("true").spawn().unwrap(), ());
    other.insert(command("true").spawn().unwrap(), ());
    assert!(other.remove(member).is_none() && other.process(member).is_none());
    assert!(!other.set_timeout(member, Duration::ZERO) && !other.end(member, &Teardown::kill()).unwrap());
    assert_eq!(one.next().unwrap().unwrap().member, member);
    other.next().unwrap();
}

own_process! {
    fn children_without_a_watch_are_looked_at() {
        for pidfd in [true, false] {
            let mut set = Children::new();
            let mut inputs = Vec::new();
            // The set has its epoll before no watch is left.
            let mut first = cat((LAUNCHERS[0], pidfd));
            inputs.push(first.stdin.take());
            set.insert(first, 0);
            assert!(set.next_timeout(Duration::ZERO).unwrap().is_none());
            refuse_to_thread(&[libc::SYS_epoll_ctl], libc::ENOSPC);
            for tag in 1..4 {
                let mut child = cat((LAUNCHERS[tag % 2], pidfd));
                inputs.push(child.stdin.take());
                set.insert(child, tag);
            }
            let mut captured = shell((LAUNCHERS[0], pidfd), "echo text");
            set.capture(&mut captured, &Capture::new(), 9).unwrap();
            let finished = set.next().unwrap().unwrap();
            assert_eq!((finished.tag, &finished.captured.unwrap().stdout[..]), (9, &b"text\n"[..]));
            for tag in [2, 0, 3, 1] {
                inputs[tag] = None;
                assert_eq!(set.next().unwrap().unwrap().tag, tag);
            }
        }
    }
}

own_process! {
    fn ten_thousand_living_children_are_waited_for_by_one_thread() {
        let count = if exhaustive() { 10_000 } else { 1_000 };
        let program = tiny_reader();
        let before = open_numbers();
        let started = children();
        let (input, over) = pipe().unwrap();
        let mut set = Children::new();
        for tag in 0..count {
            let mut command = command(&program);
            set.insert(command.stdin(input.try_clone().unwrap()).spawn().unwrap(), tag);
        }
        drop(input);
        assert_eq!(set.len(), count);
        assert!(set.next_timeout(WHILE).unwrap().is_none());
        assert_eq!(children(), started + count);
        drop(over);
        let mut seen = vec![false; count];
        while let Some(finished) = set.next().unwrap() {
            assert!(finished.status.unwrap().success());
            assert!(!std::mem::replace(&mut seen[finished.tag], true));
        }
        assert!(seen.iter().all(|seen| *seen));
        drop(set);
        assert_eq!(children(), started);
        assert_eq!(open_numbers(), before);
    }
}
