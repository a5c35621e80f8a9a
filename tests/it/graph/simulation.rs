//! Random graphs of up to twelve stages, whose programs copy tagged records, against a simulation of what has to arrive at each end of this
//! process.

use super::mix::{RECORD, Record};
use super::{LONG, planned};
use crate::support::random::Random;
use crate::support::{LAUNCHERS, exhaustive};
use fdspawn::{Graph, Launcher, OnDrop, Slot, StageFd, StageId, Stdio, Teardown};
use std::collections::HashMap;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::unix::net::UnixStream;

/// The most records that come to one link.
const MOST: u64 = 40_000;

/// The number of the first maker that is this process.
const OUTSIDE: u32 = 1000;

/// Stages that share all their inputs and outputs.
struct Pool {
    stages: Vec<usize>,
    /// The records that each stage makes.
    count: u32,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
}

/// A link between pools, or to or from this process.
struct Link {
    writers: Vec<usize>,
    /// The pool that reads it; `None` for this process.
    reader: Option<usize>,
    is_written_outside: bool,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pipe,
    Socket,
    Spool,
    /// A tee, and the first of its readers.
    Tee,
    /// One more reader of the tee that is the link of this index. Its writer has no number for it.
    MoreOfTee(usize),
}

struct Plan {
    ways: Vec<(Launcher, bool)>,
    pools: Vec<Pool>,
    links: Vec<Link>,
}

/// What a link between two stages can be.
const DIRECT: [Kind; 5] = [Kind::Pipe, Kind::Pipe, Kind::Socket, Kind::Spool, Kind::Tee];

/// How often each record of a maker comes to a link.
type Copies = HashMap<u32, u64>;

impl Plan {
    fn new(random: &mut Random) -> Self {
        let mut plan = Self { ways: Vec::new(), pools: Vec::new(), links: Vec::new() };
        while plan.ways.len() < 12 && (plan.pools.is_empty() || random.below(7) > 0) {
            let size = [1, 1, 1, 2, 3][random.below(5)].min(12 - plan.ways.len());
            let stages = (plan.ways.len()..plan.ways.len() + size).collect();
            plan.ways.extend((0..size).map(|_| (LAUNCHERS[random.below(2)], random.below(2) == 0)));
            plan.pools.push(Pool { stages, count: 0, inputs: Vec::new(), outputs: Vec::new() });
        }
        let pools = plan.pools.len();
        for reader in 1..pools {
            for _ in 0..random.below(3) {
                let mut writers: Vec<usize> = (0..1 + random.below(2)).map(|_| random.below(reader)).collect();
                writers.dedup();
                writers.sort_unstable();
                writers.dedup();
                let single = |pool: usize| plan.pools[pool].stages.len() == 1;
                let is_between_two = writers.len() == 1 && single(writers[0]) && single(reader);
                let kind = if is_between_two { DIRECT[random.below(DIRECT.len())] } else { Kind::Pipe };
                plan.links.push(Link {
                    writers: writers.clone(),
                    reader: Some(reader),
                    is_written_outside: false,
                    kind,
                });
                let first = plan.links.len() - 1;
                for other in writers[0] + 1..pools {
                    if kind == Kind::Tee && plan.pools[other].stages.len() == 1 && random.below(2) == 0 {
                        let (writers, reader, kind) = (writers.clone(), Some(other), Kind::MoreOfTee(first));
                        plan.links.push(Link { writers, reader, is_written_outside: false, kind });
                    }
                }
            }
        }
        for pool in 0..pools {
            if random.below(4) == 0 {
                let is_alone = random.below(2) == 0;
                let writers = if is_alone || pool == 0 { Vec::new() } else { vec![random.below(pool)] };
                let kind = Kind::Pipe;
                plan.links.push(Link { writers, reader: Some(pool), is_written_outside: true, kind });
            }
            if random.below(3) == 0 || pool + 1 == pools {
                let mut writers = vec![pool];
                if random.below(3) == 0 && pool > 0 {
                    writers.insert(0, random.below(pool));
                }
                let may_be_socket = writers.len() == 1 && plan.pools[pool].stages.len() == 1;
                let kind = if may_be_socket && random.below(3) == 0 { Kind::Socket } else { Kind::Pipe };
                plan.links.push(Link { writers, reader: None, is_written_outside: false, kind });
            }
        }
        for (index, link) in plan.links.iter_mut().enumerate() {
            if link.is_written_outside {
                link.writers.clear();
            }
            if !matches!(link.kind, Kind::MoreOfTee(_)) {
                link.writers.iter().for_each(|&writer| plan.pools[writer].outputs.push(index));
            }
            if let Some(reader) = link.reader {
                plan.pools[reader].inputs.push(index);
            }
        }
        plan.choose_counts(random);
        plan
    }

    fn choose_counts(&mut self, random: &mut Random) {
        for pool in &mut self.pools {
            pool.count = [0, 1, 100, 10_000][random.below(4)];
        }
        while self.simulate().iter().any(|copies| self.records(copies) > MOST) {
            self.pools.iter_mut().for_each(|pool| pool.count /= 2);
            if self.pools.iter().all(|pool| pool.count == 0) {
                return;
            }
        }
    }

    /// How many records this process writes to each of its links.
    const WRITTEN: u32 = 300;

    fn count_of(&self, maker: u32) -> u32 {
        let is_of = |pool: &&Pool| pool.stages.iter().any(|&stage| stage as u32 == maker);
        self.pools.iter().find(is_of).map_or(Self::WRITTEN, |pool| pool.count)
    }

    fn records(&self, copies: &Copies) -> u64 {
        copies.iter().map(|(&maker, &copies)| copies * u64::from(self.count_of(maker))).sum()
    }

    /// What comes to each link. Pools are in an order in which each reads only what earlier ones write.
    fn simulate(&self) -> Vec<Copies> {
        let mut links: Vec<Copies> = self.links.iter().map(|_| Copies::new()).collect();
        for (index, link) in self.links.iter().enumerate() {
            if link.is_written_outside {
                links[index].insert(OUTSIDE + index as u32, 1);
            }
        }
        for pool in &self.pools {
            let mut all: Copies = pool.stages.iter().map(|&stage| (stage as u32, 1)).collect();
            for &input in &pool.inputs {
                for (&maker, &copies) in &links[input].clone() {
                    *all.entry(maker).or_default() += copies;
                }
            }
            for &output in &pool.outputs {
                let more = (0..links.len()).filter(|&link| self.links[link].kind == Kind::MoreOfTee(output));
                for link in more.chain([output]) {
                    for (&maker, &copies) in &all {
                        *links[link].entry(maker).or_default() += copies;
                    }
                }
            }
        }
        links
    }
}

/// The ends of this process.
enum Outside {
    Reader(usize, Slot<PipeReader>),
    Socket(usize, Slot<UnixStream>),
    Writer(usize, Slot<PipeWriter>),
}

fn build(plan: &Plan, random: &mut Random) -> (Graph<'static>, Vec<Outside>, Vec<StageId>) {
    // The numbers of the ends of each stage, by link.
    let mut numbers: Vec<HashMap<usize, i32>> = Vec::new();
    for pool in &plan.pools {
        for _ in &pool.stages {
            let mut free: Vec<i32> = (0..40).filter(|number| *number != 2).collect();
            random.shuffle(&mut free);
            numbers.push(pool.inputs.iter().chain(&pool.outputs).copied().zip(free).collect());
        }
    }
    let mut graph = Graph::new();
    let mut stages = Vec::new();
    for pool in &plan.pools {
        for &stage in &pool.stages {
            let inputs = pool.inputs.iter().map(|link| format!("<{}:{link}", numbers[stage][link]));
            let outputs = pool.outputs.iter().map(|link| format!(">{}", numbers[stage][link]));
            let words = inputs.chain(outputs).collect::<Vec<_>>().join(" ");
            let all: Vec<i32> = numbers[stage].values().copied().collect();
            let mut command =
                planned(plan.ways[stage], &["mix", &stage.to_string(), &pool.count.to_string(), &words], &all);
            // What is no link is no input and no output.
            for stream in 0..2 {
                if !all.contains(&stream) {
                    command.fd(stream, Stdio::null());
                }
            }
            stages.push(graph.stage(command));
        }
    }
    let mut order: Vec<usize> = (0..plan.links.len()).collect();
    random.shuffle(&mut order);
    let mut outside = Vec::new();
    for index in order {
        let link = &plan.links[index];
        let ends = |pool: usize| {
            let stages = plan.pools[pool].stages.iter().map(|&stage| stages[stage].fd(numbers[stage][&index]));
            stages.collect::<Vec<StageFd>>()
        };
        if matches!(link.kind, Kind::MoreOfTee(_)) {
            continue;
        }
        let from: Vec<StageFd> = link.writers.iter().flat_map(|&pool| ends(pool)).collect();
        match (link.reader.map(ends), link.is_written_outside, link.kind) {
            (Some(to), true, _) => outside.push(Outside::Writer(index, graph.writer(to))),
            (Some(to), _, Kind::Socket) => _ = graph.socket(from[0], to[0]),
            (Some(to), _, Kind::Spool) => _ = graph.spool(from[0], to[0]),
            (Some(mut to), _, Kind::Tee) => {
                let is_more = |other: &usize| plan.links[*other].kind == Kind::MoreOfTee(index);
                for other in (0..plan.links.len()).filter(is_more) {
                    let stage = plan.pools[plan.links[other].reader.unwrap()].stages[0];
                    to.push(stages[stage].fd(numbers[stage][&other]));
                }
                graph.tee(from[0], to);
            }
            (Some(to), ..) => _ = graph.pipe(from, to),
            (None, _, Kind::Socket) => outside.push(Outside::Socket(index, graph.outside_socket(from[0]))),
            (None, ..) => outside.push(Outside::Reader(index, graph.reader(from))),
        }
    }
    (graph, outside, stages)
}

/// Compares what has arrived with the simulation: each record so often, and by each way in the order of its maker.
fn check(plan: &Plan, expected: &Copies, bytes: &[u8]) {
    assert_eq!(bytes.len() % RECORD, 0, "a record is torn");
    let mut counts: HashMap<(u32, u32), u64> = HashMap::new();
    let mut last: HashMap<(u32, u64), u32> = HashMap::new();
    for record in bytes.chunks(RECORD).map(Record::from_bytes) {
        *counts.entry((record.maker, record.number)).or_default() += 1;
        if let Some(last) = last.insert((record.maker, record.way), record.number) {
            assert!(last < record.number, "{record:?} comes after {last}");
        }
    }
    let mut all = 0;
    for (&maker, &copies) in expected {
        for number in 0..plan.count_of(maker) {
            assert_eq!(counts.get(&(maker, number)).copied().unwrap_or(0), copies, "record {number} of {maker}");
            all += 1;
        }
    }
    assert_eq!(counts.len(), all, "records that no stage has made");
}

/// Starts the graph, feeds and reads all ends of this process by threads, and waits.
fn run(plan: &Plan, graph: &mut Graph<'_>, outside: &[Outside]) {
    graph.on_drop(OnDrop::End(Teardown::kill()));
    let expected = plan.simulate();
    let mut running = graph.spawn().unwrap();
    std::thread::scope(|scope| {
        for end in outside {
            match *end {
                Outside::Writer(link, slot) => {
                    let mut writer = running.take(slot).unwrap();
                    scope.spawn(move || {
                        let maker = OUTSIDE + link as u32;
                        let records = (0..Plan::WRITTEN).map(|number| Record { maker, number, way: 0 }.to_bytes());
                        let bytes: Vec<u8> = records.flatten().collect();
                        writer.write_all(&bytes[..2048]).and_then(|()| writer.write_all(&bytes[2048..])).unwrap();
                    });
                }
                Outside::Reader(link, slot) => {
                    let (mut reader, expected) = (running.take(slot).unwrap(), &expected[link]);
                    scope.spawn(move || {
                        let mut bytes = Vec::new();
                        reader.read_to_end(&mut bytes).unwrap();
                        check(plan, expected, &bytes);
                    });
                }
                Outside::Socket(link, slot) => {
                    let (mut socket, expected) = (running.take(slot).unwrap(), &expected[link]);
                    scope.spawn(move || {
                        let mut bytes = Vec::new();
                        socket.read_to_end(&mut bytes).unwrap();
                        check(plan, expected, &bytes);
                    });
                }
            }
        }
        let statuses = running.wait_timeout(LONG).unwrap();
        // The drop ends the stages, and so the threads.
        drop(running);
        statuses.expect("the graph ends").check().unwrap();
    });
}

/// Lets a capture read all ends.
fn capture(plan: &Plan, graph: &mut Graph<'_>, outside: &[Outside]) {
    let expected = plan.simulate();
    let output = graph.capture(&fdspawn::Capture::new().timeout(LONG)).unwrap();
    for end in outside {
        if let Outside::Reader(link, slot) = *end {
            check(plan, &expected[link], output.bytes(slot));
        }
    }
    output.check().unwrap();
}

#[test]
fn random_graphs_move_what_the_simulation_says() {
    let mut random = Random::new();
    let count = if exhaustive() { 1000 } else { 16 };
    let (mut stages_of_all, mut tees, mut spools) = (0, 0, 0);
    for _ in 0..count {
        let plan = Plan::new(&mut random);
        let (mut graph, outside, stages) = build(&plan, &mut random);
        stages_of_all += stages.len();
        let count_of = |is: fn(Kind) -> bool| plan.links.iter().filter(|link| is(link.kind)).count();
        tees += count_of(|kind| matches!(kind, Kind::MoreOfTee(_)));
        spools += count_of(|kind| kind == Kind::Spool);
        let is_pure = outside.iter().all(|end| matches!(end, Outside::Reader(..)));
        if is_pure && random.below(2) == 0 {
            capture(&plan, &mut graph, &outside);
        } else {
            run(&plan, &mut graph, &outside);
        }
    }
    assert!(stages_of_all > count, "most of them have several stages");
    assert!(!exhaustive() || tees > 100 && spools > 100, "{tees} readers of tees, {spools} spools");
}
