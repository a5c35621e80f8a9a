//! Measures a part: starts the workers of all states, and measures the cases of all states in turn.
//!
//! Each state has a worker process of its own, so that no state influences another. If some cases of a part start threads,
//! these cases have a second worker, since a thread changes what the other cases do. The driver measures all states during
//! the same period, so that a change of the machine's speed affects all of them alike. Only one worker measures at a time;
//! the other workers wait for a request. If a part has one state only, the driver starts several workers in this state,
//! because the random memory layout of a process changes the speed of a spawn by about one percent.

use crate::busy::{THREADS, TIMES};
use crate::cases::{Case, busy_cases, cases, remarks};
use crate::files::Files;
use crate::parts::{Part, Point, SIZE, Subject, Timed, Work};
use crate::progress::Progress;
use crate::protocol::{Reply, Request};
use crate::results::{Busy, BusyRow, Outcome, PartResult, Row, Times};
use crate::schedule::{TimeShare, order};
use crate::statistics::{Summary, periods};
use crate::worker::Worker;
use std::io;
use std::time::{Duration, Instant};

/// A quick run measures for a full run's time divided by this number.
const QUICK: u32 = 10;

/// How many workers the driver starts if a part about single spawns has only one state.
const COPIES: usize = 5;

/// How long the driver measures a part.
pub fn budget(part: &Part, quick: bool) -> Duration {
    Duration::from_secs(part.seconds) / if quick { QUICK } else { 1 }
}

pub fn measure(part: &Part, quick: bool, files: &Files, progress: &Progress) -> io::Result<PartResult> {
    progress.part(part);
    let (outcome, remarks) = match part.subject {
        Subject::Times { work, points, set } => {
            let share = TimeShare::new(work.is_prepared_each_time());
            let cases = cases(work, set);
            let has_threads: Vec<bool> = cases.iter().map(|case| case.starts_threads(work)).collect();
            let mut run =
                PartRun { cases, points, workers: Vec::new(), pairs: Vec::new(), remarks: remarks(work, set) };
            run.start(part, &has_threads, &share, files)?;
            if matches!(work, Work::Line | Work::Tee) {
                run.remarks.push(format!("Each run moves {} MiB.", files.graph_size() >> 20));
            }
            if work.has_memory() {
                run.measure_memory()?;
            }
            run.run(budget(part, quick), progress)?;
            run.finish()?
        }
        Subject::Busy => race(part, quick, files)?,
    };
    let remarks = part.remark.map(str::to_owned).into_iter().chain(remarks).collect();
    progress.done(budget(part, quick));
    Ok(PartResult { name: part.name.to_owned(), outcome, remarks })
}

/// A part that is being measured.
struct PartRun {
    cases: Vec<Case>,
    points: &'static [Point],
    /// The workers of all points whose state this machine supports.
    workers: Vec<Worker>,
    pairs: Vec<Pair>,
    remarks: Vec<String>,
}

/// A case in one worker, and what the driver has measured of it.
#[derive(Clone)]
struct Pair {
    point: usize,
    worker: usize,
    case: usize,
    share: TimeShare,
    blocks: Vec<MeasuredBlock>,
    /// How far the resident memory of the worker grows, in bytes, if the part measures it.
    memory: Option<u64>,
    failed: bool,
}

/// What the driver has measured in one block.
#[derive(Clone)]
struct MeasuredBlock {
    round: usize,
    times: Vec<u64>,
    /// The processor times of the worker, in nanoseconds, if the part measures them.
    processor_times: Vec<u64>,
}

impl PartRun {
    /// Starts the workers. `has_threads` says for each case whether it may start a thread.
    fn start(&mut self, part: &Part, has_threads: &[bool], share: &TimeShare, files: &Files) -> io::Result<()> {
        let copies = if self.points.len() == 1 && part.timed == Timed::Spawn { COPIES } else { 1 };
        let groups =
            [false, true].map(|threads| (0..has_threads.len()).filter(|&case| has_threads[case] == threads).collect());
        let groups: Vec<Vec<usize>> = groups.into_iter().filter(|group: &Vec<usize>| !group.is_empty()).collect();
        for (index, point) in self.points.iter().enumerate() {
            for group in groups.iter().cycle().take(copies * groups.len()) {
                let mut worker = Worker::start(part, index, files, files.environment(&point.state)?)?;
                match worker.reply()? {
                    Reply::Ready => self.add(index, worker, group, share),
                    Reply::Skipped(reason) => {
                        worker.end()?;
                        self.remarks.push(format!("\"{}\" is left out: {reason}.", point.label));
                        break;
                    }
                    other => return Err(unexpected(&other)),
                }
            }
        }
        Ok(())
    }

    /// Adds a worker that is ready, with a pair for each of these cases.
    fn add(&mut self, point: usize, worker: Worker, cases: &[usize], share: &TimeShare) {
        let worker = {
            self.workers.push(worker);
            self.workers.len() - 1
        };
        let (share, blocks) = (share.clone(), Vec::new());
        let empty = Pair { point, worker, case: 0, share, blocks, memory: None, failed: false };
        self.pairs.extend(cases.iter().map(|&case| Pair { case, ..empty.clone() }));
    }

    /// Measures the memory of each pair, before the worker has measured any time.
    fn measure_memory(&mut self) -> io::Result<()> {
        for index in 0..self.pairs.len() {
            let pair = &self.pairs[index];
            match self.workers[pair.worker].ask(&Request::Memory { case: pair.case })? {
                Reply::Memory(bytes) => self.pairs[index].memory = Some(bytes),
                Reply::Failed(reason) => self.add_remark(index, "the measurement of the memory failed", &reason),
                other => return Err(unexpected(&other)),
            }
        }
        Ok(())
    }

    /// Says in the report that something of a pair failed, once.
    fn add_remark(&mut self, index: usize, what: &str, reason: &str) {
        let pair = &self.pairs[index];
        let remark =
            format!("{} at \"{}\": {what}: {reason}.", self.cases[pair.case].name, self.points[pair.point].label);
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Measures the pairs in turn, until the time is over and each pair has its minimum of blocks.
    fn run(&mut self, budget: Duration, progress: &Progress) -> io::Result<()> {
        let start = Instant::now();
        for round in 0.. {
            let unfinished = self.pairs.iter().any(|pair| !pair.failed && pair.share.needs_more());
            if start.elapsed() >= budget && !unfinished {
                break;
            }
            for index in order(self.pairs.len(), round) {
                self.measure_if_due(index, round)?;
                progress.at(start.elapsed().min(budget));
            }
        }
        Ok(())
    }

    /// Measures one block of a pair, if the pair is due. After a failure the driver does not measure the pair again.
    fn measure_if_due(&mut self, index: usize, round: usize) -> io::Result<()> {
        let pair = &mut self.pairs[index];
        if pair.failed || !pair.share.is_due(round) {
            return Ok(());
        }
        let (block, start) = (pair.share.block(), Instant::now());
        match self.workers[pair.worker].ask(&Request::Measure { case: pair.case, block })? {
            Reply::Times { times, processor_times } => {
                pair.blocks.push(MeasuredBlock { round, times, processor_times });
            }
            Reply::Failed(reason) => {
                pair.failed = true;
                pair.blocks.clear();
                self.add_remark(index, "failed", &reason);
            }
            Reply::Skipped(reason) => {
                pair.failed = true;
                self.add_remark(index, "left out", &reason);
            }
            other => return Err(unexpected(&other)),
        }
        self.pairs[index].share.record(block, start.elapsed());
        Ok(())
    }

    /// The blocks of a case at a point, in the order of their measurement.
    fn blocks(&self, point: usize, case: usize) -> Vec<&MeasuredBlock> {
        let pairs = self.pairs.iter().filter(|pair| (pair.point, pair.case) == (point, case));
        let mut blocks: Vec<_> = pairs.flat_map(|pair| &pair.blocks).collect();
        blocks.sort_by_key(|block| block.round);
        blocks
    }

    fn finish(mut self) -> io::Result<(Outcome, Vec<String>)> {
        for worker in std::mem::take(&mut self.workers) {
            worker.end()?;
        }
        let count = self.points.len();
        let all = (0..count).flat_map(|point| (0..self.cases.len()).map(move |case| (point, case)));
        let counts = all.map(|(point, case)| self.blocks(point, case).len()).filter(|&count| count > 0);
        let periods = periods(counts.min().unwrap_or(0));
        let empty = |name: &str| Row { case: name.to_owned(), cells: vec![None; count], ..Row::default() };
        let mut rows: Vec<Row> = self.cases.iter().map(|case| empty(case.name)).collect();
        for (case, row) in rows.iter_mut().enumerate() {
            for (point, cell) in row.cells.iter_mut().enumerate() {
                let blocks = self.blocks(point, case);
                let of = |part: fn(&MeasuredBlock) -> &Vec<u64>| -> Option<Summary> {
                    Summary::of(&blocks.iter().map(|&block| part(block).clone()).collect::<Vec<_>>(), periods)
                };
                *cell = of(|block| &block.times);
                row.processor_times.push(of(|block| &block.processor_times));
            }
            if row.processor_times.iter().all(Option::is_none) {
                row.processor_times.clear();
            }
        }
        for pair in &self.pairs {
            let Some(bytes) = pair.memory else { continue };
            let memory = &mut rows[pair.case].memory;
            memory.resize(count, None);
            memory[pair.point] = Some(bytes as f64 / SIZE as f64);
        }
        let points = self.points.iter().map(|point| point.label.to_owned()).collect();
        Ok((Outcome::Times(Times { points, rows }), self.remarks))
    }
}

/// Counts the spawns of each case that fail with `ETXTBSY`.
fn race(part: &Part, quick: bool, files: &Files) -> io::Result<(Outcome, Vec<String>)> {
    let times = if quick { TIMES / QUICK as usize } else { TIMES };
    let mut rows = Vec::new();
    let mut worker = Worker::start(part, 0, files, Vec::new())?;
    let mut remarks = vec![
        "command-fds maps one descriptor here, because without mapped descriptors it is the same as std.".to_owned(),
    ];
    match worker.reply()? {
        Reply::Ready => {}
        other => return Err(unexpected(&other)),
    }
    for (index, (case, _)) in busy_cases().iter().enumerate() {
        match worker.ask(&Request::Race { case: index, threads: THREADS, times })? {
            Reply::Busy(refused) => rows.push(BusyRow { case: case.name.to_owned(), refused }),
            Reply::Failed(reason) => remarks.push(format!("{} failed: {reason}.", case.name)),
            other => return Err(unexpected(&other)),
        }
    }
    worker.end()?;
    Ok((Outcome::Busy(Busy { programs: THREADS * times, rows }), remarks))
}

fn unexpected(reply: &Reply) -> io::Error {
    io::Error::other(format!("a worker answered {reply:?}"))
}
