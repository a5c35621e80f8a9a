//! Steps that do not wait, loops that are not busy, members that do not keep others, and what a forked copy leaves alone.

use crate::own_process;
use crate::support::command;
use crate::support::panics::panic_of;
use crate::support::table::is_open;
use fdspawn::{Child, Children, Command, Driven, Exchange, Keep, OnDrop, Stdio, Stop, Teardown, block_on};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::task::Poll;
use std::time::{Duration, Instant};

const WHILE: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(8);

fn is_ready<D: Driven + ?Sized>(driven: &mut D, time: Duration) -> bool {
    let descriptor = driven.descriptor().unwrap();
    let time = Timespec::try_from(time).unwrap();
    rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&time))).unwrap() == 1
}

/// A shell. The drop of its child ends it.
fn shell(script: &str) -> Command<'static> {
    let mut command = command("/bin/sh");
    command.args(["-c", script]).on_drop(OnDrop::End(Teardown::kill()));
    command
}

/// A child that ignores SIGTERM for two seconds.
fn deaf() -> Child {
    let mut child = shell("trap '' TERM; echo; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; done")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    child.stdout = None;
    child
}

/// The processor time of this thread.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn ending_is_not_busy() {
    let mut set = Children::new();
    let member = set.insert(deaf(), ());
    set.end(member, &Teardown::term(20 * WHILE)).unwrap();
    let start = Instant::now();
    assert!(set.next_timeout(2 * WHILE).unwrap().is_none());
    assert!(start.elapsed() < 10 * WHILE);
    let (mut steps, end) = (0, Instant::now() + 4 * WHILE);
    while Instant::now() < end {
        is_ready(&mut set, end.saturating_duration_since(Instant::now()));
        assert!(set.step().unwrap().is_pending());
        steps += 1;
    }
    assert!(steps < 50, "{steps}");
}

#[test]
fn always_ready_member_starves_none() {
    let mut set = Children::new();
    let mut exchange = Exchange::new();
    exchange.discard(File::open("/dev/zero").unwrap());
    exchange.timeout(20 * WHILE);
    set.insert_with(shell("exec sleep 60").spawn().unwrap(), exchange, "zero");
    set.insert(shell("exec sleep 0.1").spawn().unwrap(), "quick");
    assert_eq!(set.next().unwrap().unwrap().tag, "quick");
}

#[test]
fn deadline_of_next_holds_though_a_member_is_always_ready() {
    let mut set = Children::new();
    let mut exchange = Exchange::new();
    exchange.discard(File::open("/dev/zero").unwrap());
    exchange.timeout(20 * WHILE);
    set.insert_with(shell("exec sleep 60").spawn().unwrap(), exchange, "zero");
    assert!(set.next_timeout(2 * WHILE).unwrap().is_none());
}

#[test]
fn many_always_ready_members_starve_none() {
    let mut set = Children::new();
    for _ in 0..70 {
        let mut exchange = Exchange::new();
        exchange.discard(File::open("/dev/zero").unwrap());
        exchange.timeout(80 * WHILE);
        set.insert_with(shell("exec sleep 60").spawn().unwrap(), exchange, "zero");
    }
    set.insert(shell("exec sleep 0.5").spawn().unwrap(), "quick");
    let tag = loop {
        if let Poll::Ready(Some(finished)) = set.step().unwrap() {
            break finished.tag;
        }
        is_ready(&mut set, LONG);
    };
    assert_eq!(tag, "quick");
}

#[test]
fn next_without_time_looks_once() {
    let mut set = Children::new();
    set.insert(shell("exit 0").spawn().unwrap(), ());
    std::thread::sleep(4 * WHILE);
    assert!(set.next_timeout(Duration::ZERO).unwrap().is_some());
}

#[test]
fn alarm_does_not_keep_next_busy() {
    let mut set = Children::new();
    let member = set.insert(deaf(), ());
    set.set_teardown(member, Teardown::term(10 * WHILE));
    set.set_timeout(member, WHILE);
    set.descriptor().unwrap();
    assert!(set.step().unwrap().is_pending());
    let before = cpu();
    assert!(set.next().unwrap().is_some());
    let used = cpu() - before;
    assert!(used < WHILE, "{used:?}");
}

own_process! {
    fn failed_poll_does_not_keep_the_end() {
        let mut child = shell("echo; exec sleep 60").stdout(Stdio::piped()).spawn().unwrap();
        let mut set = Children::new();
        let mut exchange = Exchange::new();
        exchange.discard(child.stdout.take().unwrap());
        let member = set.insert_with(child, exchange, ());
        assert!(set.next_timeout(WHILE).unwrap().is_none());
        let old = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        // SAFETY: it only ends this process if the set never returns.
        unsafe { libc::alarm(10) };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, rustix::process::Rlimit { current: Some(0), maximum: old.maximum }).unwrap();
        set.end(member, &Teardown::kill()).unwrap();
        let finished = set.next_timeout(LONG);
        rustix::process::setrlimit(rustix::process::Resource::Nofile, old).unwrap();
        // SAFETY: as above.
        unsafe { libc::alarm(0) };
        assert!(finished.unwrap().is_some());
    }
}

#[test]
fn end_between_the_step_and_the_descriptor_is_told() {
    let child = shell("exec sleep 60").spawn().unwrap();
    let mut ending = child.process().ending(&Teardown::kill()).unwrap();
    assert!(ending.step().unwrap().is_pending());
    std::thread::sleep(2 * WHILE);
    assert!(is_ready(&mut ending, LONG));
    assert!(block_on(&mut ending).is_ok());
}

own_process! {
    fn drop_in_a_forked_copy_leaves_the_registration() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut exchange = Exchange::new();
        exchange.drain(reader, Keep::All);
        assert!(exchange.step().unwrap().is_pending());
        exchange.descriptor().unwrap();
        // SAFETY: the copy only drops the exchange.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            drop(exchange);
            // SAFETY: the copy ends.
            unsafe { libc::_exit(0) }
        }
        // SAFETY: the call writes no status.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        std::io::Write::write_all(&mut &writer, b"x").unwrap();
        assert!(is_ready(&mut exchange, LONG));
    }
}

#[test]
fn descriptor_of_a_process_stays_after_the_result() {
    let child = shell("sleep 0.1").spawn().unwrap();
    let mut process = child.process();
    assert!(process.step().unwrap().is_pending());
    let number = process.descriptor().unwrap().as_raw_fd();
    loop {
        if process.step().unwrap().is_ready() {
            break;
        }
        is_ready(&mut process, LONG);
    }
    assert_eq!(process.descriptor().unwrap().as_raw_fd(), number);
    assert!(is_open(number));
}

#[test]
fn removed_exchange_tells_of_its_child() {
    let mut child = shell("sleep 3 & sleep 0.2").stdout(Stdio::piped()).spawn().unwrap();
    let mut exchange = Exchange::new();
    exchange.drain(child.stdout.take().unwrap(), Keep::All);
    exchange.child(&child, WHILE);
    let mut set = Children::new();
    let member = set.insert_with(child, exchange, ());
    assert!(set.next_timeout(WHILE).unwrap().is_none());
    let (_child, mut exchange, ()) = set.remove(member).unwrap();
    let start = Instant::now();
    let stop = loop {
        if let Poll::Ready(stop) = exchange.step().unwrap() {
            break stop;
        }
        is_ready(&mut exchange, LONG);
    };
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    assert_eq!(stop, Stop::Held);
}

#[test]
fn step_does_not_wait_for_another_watched_child() {
    let mut child = shell("sleep 3 & exit").stdout(Stdio::piped()).spawn().unwrap();
    let other = shell("exec sleep 2").spawn().unwrap();
    let mut exchange = Exchange::new();
    exchange.drain(child.stdout.take().unwrap(), Keep::All);
    exchange.child(&other, WHILE).timeout(2 * WHILE);
    let mut set = Children::new();
    set.insert_with(child, exchange, ());
    let mut longest = Duration::ZERO;
    loop {
        let start = Instant::now();
        let step = set.step().unwrap();
        longest = longest.max(start.elapsed());
        if step.is_ready() {
            break;
        }
        is_ready(&mut set, LONG);
    }
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn lines_after_a_panic_are_given() {
    let mut child = shell("printf '1\\n2\\n3\\n'; exec sleep 60").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = Vec::new();
    let mut exchange = Exchange::new();
    exchange.lines(child.stdout.take().unwrap(), 100, |line| {
        lines.push(line.to_vec());
        assert!(lines.len() > 1);
        ControlFlow::Continue(())
    });
    let mut set = Children::new();
    set.insert_with(child, exchange, ());
    panic_of(|| set.next());
    assert!(set.next_timeout(4 * WHILE).unwrap().is_none());
    drop(set);
    assert_eq!(lines.len(), 3);
}

#[test]
fn descriptor_of_an_end_is_ready_before_the_first_step() {
    let child = shell("exec sleep 60").spawn().unwrap();
    let mut ending = child.process().ending(&Teardown::kill()).unwrap();
    assert!(is_ready(&mut ending, LONG));
}

#[test]
fn each_result_makes_an_edge() {
    let mut set = Children::new();
    for _ in 0..3 {
        set.insert(shell("exit 0").spawn().unwrap(), ());
    }
    std::thread::sleep(4 * WHILE);
    let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    epoll::add(
        &outer,
        set.descriptor().unwrap(),
        epoll::EventData::new_u64(0),
        epoll::EventFlags::IN | epoll::EventFlags::ET,
    )
    .unwrap();
    let mut events = Vec::with_capacity(4);
    for round in 0..3 {
        events.clear();
        epoll::wait(&outer, rustix::buffer::spare_capacity(&mut events), Some(&Timespec { tv_sec: 5, tv_nsec: 0 }))
            .unwrap();
        assert_eq!(events.len(), 1, "{round}");
        assert!(matches!(set.step().unwrap(), Poll::Ready(Some(_))));
    }
}

#[test]
fn children_that_had_ended_come_in_the_order_of_insertion() {
    let mut set = Children::new();
    for tag in 0..5 {
        set.insert(shell("exit 0").spawn().unwrap(), tag);
        std::thread::sleep(WHILE);
    }
    let tags: Vec<i32> = std::iter::from_fn(|| set.next().unwrap()).map(|finished| finished.tag).collect();
    assert_eq!(tags, [0, 1, 2, 3, 4]);
}
