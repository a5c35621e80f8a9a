//! Random scripts of streams, stops and resumed runs, against a model that knows each byte.

use crate::support::exhaustive;
use crate::support::random::Random;
use fdspawn::{Driven, Exchange, Flow, Keep, Stop};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::retry_on_intr;
use std::io::{Read, Write, pipe};
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::task::Poll;
use std::thread;
use std::time::Duration;

/// The byte at each place of a stream.
fn byte(stream: usize, place: usize) -> u8 {
    // A newline now and then, so that the streams have lines.
    let value = (place.wrapping_mul(31) ^ (place >> 7) ^ stream.wrapping_mul(97)) as u8;
    if value.is_multiple_of(61) { b'\n' } else { value }
}

fn content(stream: usize, length: usize) -> Vec<u8> {
    (0..length).map(|place| byte(stream, place)).collect()
}

/// What the exchange does with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Feed,
    FeedRead,
    FeedFrom,
    Drain(Keep),
    Chunks,
    Lines,
    Copied,
}

/// The two ends of a stream: the exchange's, and that of the other side.
fn ends(random: &mut Random, to_exchange: bool) -> (OwnedFd, OwnedFd) {
    if random.below(3) == 0 {
        let (ours, theirs) = UnixStream::pair().unwrap();
        return (ours.into(), theirs.into());
    }
    let (reader, writer) = pipe().unwrap();
    if to_exchange { (reader.into(), writer.into()) } else { (writer.into(), reader.into()) }
}

/// Writes the bytes in pieces of random lengths, with pauses.
fn write_pieces(fd: OwnedFd, bytes: &[u8], mut random: Random) {
    let mut file = std::fs::File::from(fd);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(rest.len().min(1 + random.below(30_000)));
        file.write_all(piece).unwrap();
        rest = others;
        pause(&mut random);
    }
}

/// Reads all bytes in pieces of random lengths, with pauses.
fn read_pieces(fd: OwnedFd, mut random: Random) -> Vec<u8> {
    let mut file = std::fs::File::from(fd);
    let mut all = Vec::new();
    loop {
        let mut piece = vec![0; 1 + random.below(30_000)];
        match file.read(&mut piece).unwrap() {
            0 => return all,
            length => all.extend_from_slice(&piece[..length]),
        }
        pause(&mut random);
    }
}

fn pause(random: &mut Random) {
    if random.below(12) == 0 {
        thread::sleep(Duration::from_micros(random.below(800) as u64));
    }
}

/// One script. Panics if a byte is lost, doubled or wrong.
fn script(random: &mut Random) {
    let count = 1 + random.below(5);
    let kinds: Vec<Kind> = (0..count)
        .map(|_| match random.below(10) {
            0 | 1 => Kind::Feed,
            2 => Kind::FeedRead,
            3 => Kind::FeedFrom,
            4 => Kind::Chunks,
            5 => Kind::Lines,
            6 => Kind::Copied,
            7 => Kind::Drain(Keep::AtMost(random.below(5_000))),
            8 => Kind::Drain(Keep::Ends { first: random.below(900), last: random.below(90_000) }),
            _ => Kind::Drain(
                [Keep::All, Keep::First(random.below(70_000)), Keep::Last(random.below(70_000))][random.below(3)],
            ),
        })
        .collect();
    let lengths: Vec<usize> = kinds
        .iter()
        .map(|_| match random.below(4) {
            0 => random.below(3),
            1 => random.below(5_000),
            _ => random.below(300_000),
        })
        .collect();
    let contents: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(stream, &length)| content(stream, length)).collect();
    let got: Vec<Mutex<Vec<u8>>> = kinds.iter().map(|_| Mutex::default()).collect();
    // A callback stops the exchange now and then.
    let stops: Vec<Mutex<Random>> = kinds.iter().map(|_| Mutex::new(random.fork())).collect();
    thread::scope(|scope| {
        let mut exchange = Exchange::new();
        let mut flows: Vec<Flow> = Vec::new();
        let mut readers = Vec::new();
        for (stream, kind) in kinds.iter().enumerate() {
            let bytes = &contents[stream];
            let is_feed = matches!(kind, Kind::Feed | Kind::FeedRead | Kind::FeedFrom);
            let (ours, theirs) = ends(random, !is_feed);
            let (seed, other_seed) = (random.fork(), random.fork());
            let (got, stops) = (&got[stream], &stops[stream]);
            let each = move |piece: &[u8]| {
                got.lock().unwrap().extend_from_slice(piece);
                if stops.lock().unwrap().below(5) == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            flows.push(match kind {
                Kind::Feed => exchange.feed(ours, bytes),
                Kind::FeedRead => exchange.feed_read(ours, &bytes[..]),
                Kind::FeedFrom => {
                    let (reader, writer) = pipe().unwrap();
                    scope.spawn(move || write_pieces(writer.into(), bytes, other_seed));
                    exchange.feed_from(ours, reader)
                }
                Kind::Drain(keep) => exchange.drain(ours, *keep),
                Kind::Chunks => exchange.chunks(ours, each),
                Kind::Lines => exchange.lines(ours, 40, move |line| {
                    assert!(
                        line.len() <= 40 && !line[..line.len() - 1].contains(&b'\n'),
                        "one line, or a piece of one"
                    );
                    each(line)
                }),
                Kind::Copied => {
                    let (reader, writer) = pipe().unwrap();
                    readers.push((stream, scope.spawn(move || read_pieces(reader.into(), other_seed))));
                    let flow = exchange.drain(ours, Keep::All);
                    exchange.also_to(flow, writer);
                    flow
                }
            });
            if is_feed {
                readers.push((stream, scope.spawn(move || read_pieces(theirs, seed))));
            } else {
                scope.spawn(move || write_pieces(theirs, bytes, seed));
            }
        }
        let (mut limit, mut edges) = (0, None);
        loop {
            if random.below(2) == 0 {
                exchange.timeout(Duration::from_micros(random.below(1_000) as u64));
            } else {
                exchange.no_deadline();
            }
            let stop =
                if random.below(2) == 0 { exchange.run().unwrap() } else { steps(&mut exchange, random, &mut edges) };
            match stop {
                Stop::Done => break,
                Stop::Limit(flow) => {
                    let stream = flows.iter().position(|other| *other == flow).unwrap();
                    let Kind::Drain(Keep::AtMost(first)) = kinds[stream] else { panic!("only that kind has a limit") };
                    limit = limit.max(first) + 1 + random.below(100_000);
                    exchange.keep(flow, Keep::AtMost(limit));
                }
                Stop::Deadline | Stop::Asked(_) => {}
                other => panic!("{other:?}"),
            }
        }
        for (stream, kind) in kinds.iter().enumerate() {
            let bytes = &contents[stream];
            let kept = |exchange: &mut Exchange<'_>| exchange.bytes(flows[stream]);
            match kind {
                Kind::Feed | Kind::FeedRead | Kind::FeedFrom => assert_eq!(exchange.unsent(flows[stream]), 0),
                Kind::Chunks | Kind::Lines => assert!(*got[stream].lock().unwrap() == *bytes, "{kinds:?}, {stream}"),
                Kind::Copied | Kind::Drain(Keep::All | Keep::AtMost(_)) => assert!(kept(&mut exchange) == *bytes),
                Kind::Drain(Keep::First(first)) => assert!(kept(&mut exchange) == bytes[..bytes.len().min(*first)]),
                Kind::Drain(Keep::Last(last)) => {
                    assert!(kept(&mut exchange) == bytes[bytes.len().saturating_sub(*last)..]);
                }
                Kind::Drain(Keep::Ends { first, last }) => {
                    let whole = bytes.len() <= first + last;
                    let expected =
                        if whole { bytes.clone() } else { [&bytes[..*first], &bytes[bytes.len() - last..]].concat() };
                    assert_eq!(exchange.dropped(flows[stream]), (bytes.len() - expected.len()) as u64);
                    assert!(kept(&mut exchange) == expected);
                }
                Kind::Drain(other) => panic!("{other:?}"),
            }
        }
        drop(exchange); // Closes the duplicates' descriptors.
        for (stream, reader) in readers {
            assert!(reader.join().unwrap() == contents[stream], "{kinds:?}, {stream}");
        }
    });
}

/// A run by steps. Before each step but the first, it waits for the descriptor, or for a change of the descriptor, or not at all.
fn steps(exchange: &mut Exchange<'_>, random: &mut Random, edges: &mut Option<OwnedFd>) -> Stop {
    let minute = Timespec { tv_sec: 60, tv_nsec: 0 };
    let waits_for_edges = random.below(2) == 0;
    loop {
        if let Poll::Ready(stop) = exchange.step().unwrap() {
            return stop;
        }
        let descriptor = exchange.descriptor().unwrap();
        let count = if waits_for_edges {
            let edges = edges.get_or_insert_with(|| {
                let edges = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
                let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
                epoll::add(&edges, descriptor, epoll::EventData::new_u64(0), flags).unwrap();
                edges
            });
            // Other tests of this process send signals.
            retry_on_intr(|| epoll::wait(&*edges, spare_capacity(&mut Vec::with_capacity(1)), Some(&minute))).unwrap()
        } else if random.below(4) > 0 {
            retry_on_intr(|| poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&minute))).unwrap()
        } else {
            1
        };
        assert_eq!(count, 1, "the descriptor was not ready for a minute");
    }
}

#[test]
fn random_scripts_lose_no_byte_and_move_none_twice() {
    let mut random = Random::new();
    for _ in 0..if exhaustive() { 1000 } else { 60 } {
        script(&mut random);
    }
}
