//! Measures a part: one worker for each state, all alive at once, and the cases of all states taking turns.
//!
//! A state is a process of its own, so that no state leaks into another, and yet what is compared was measured at the
//! same time. Only one worker runs at any moment; the others wait for a request. Where there is one state only, several
//! workers are in it: where a process happens to have its code and memory makes it quicker or slower by a percent.

use crate::busy::{THREADS, TIMES};
use crate::cases::{Case, cases, racers, remarks};
use crate::files::Files;
use crate::parts::{Part, Point, Subject};
use crate::progress::Progress;
use crate::protocol::{Reply, Request};
use crate::results::{Busy, BusyRow, Measured, Outcome, Row, Times};
use crate::schedule::{Pace, order};
use crate::statistics::Summary;
use crate::worker::Worker;
use std::io;
use std::time::{Duration, Instant};

/// A short run takes this part of a full one.
const QUICK: u32 = 10;

/// How many workers are in the only state of a part.
const COPIES: usize = 5;

/// How long to measure a part.
pub fn budget(part: &Part, quick: bool) -> Duration {
    Duration::from_secs(part.seconds) / if quick { QUICK } else { 1 }
}

pub fn measure(part: &Part, quick: bool, files: &Files, progress: &Progress) -> io::Result<Measured> {
    progress.part(part);
    let (outcome, remarks) = match part.subject {
        Subject::Times { work, points, cast } => {
            let mut sweep = Sweep::start(part, cases(work, cast), points, remarks(work, cast), files)?;
            sweep.run(budget(part, quick), progress)?;
            sweep.finish()?
        }
        Subject::Busy => race(part, quick, files)?,
    };
    let remarks = part.remark.map(str::to_owned).into_iter().chain(remarks).collect();
    progress.done(budget(part, quick));
    Ok(Measured { name: part.name.to_owned(), outcome, remarks })
}

/// A part that is being measured.
struct Sweep {
    cases: Vec<Case>,
    points: &'static [Point],
    /// Those of points whose state can be had.
    workers: Vec<Worker>,
    pairs: Vec<Pair>,
    remarks: Vec<String>,
}

/// A case in a state, in one of the workers.
struct Pair {
    point: usize,
    worker: usize,
    case: usize,
    pace: Pace,
    times: Vec<u64>,
    failed: bool,
}

impl Sweep {
    fn start(
        part: &Part,
        cases: Vec<Case>,
        points: &'static [Point],
        remarks: Vec<String>,
        files: &Files,
    ) -> io::Result<Self> {
        let mut sweep = Self { cases, points, workers: Vec::new(), pairs: Vec::new(), remarks };
        let copies = if points.len() == 1 { COPIES } else { 1 };
        for (index, point) in points.iter().enumerate() {
            for _ in 0..copies {
                let mut worker = Worker::start(part, index, files, files.environment(&point.state)?)?;
                match worker.reply()? {
                    Reply::Ready => sweep.add(index, worker),
                    Reply::Skipped(reason) => {
                        worker.end()?;
                        sweep.remarks.push(format!("\"{}\" is skipped: {reason}.", point.label));
                        break;
                    }
                    other => return Err(unexpected(&other)),
                }
            }
        }
        Ok(sweep)
    }

    /// Adds a worker that is ready, and what it has to do.
    fn add(&mut self, point: usize, worker: Worker) {
        let worker = {
            self.workers.push(worker);
            self.workers.len() - 1
        };
        let pair = |case| Pair { point, worker, case, pace: Pace::default(), times: Vec::new(), failed: false };
        self.pairs.extend((0..self.cases.len()).map(pair));
    }

    /// Lets the pairs take turns until the time is over, and each has had its fewest blocks.
    fn run(&mut self, budget: Duration, progress: &Progress) -> io::Result<()> {
        let start = Instant::now();
        for round in 0.. {
            let owed = self.pairs.iter().any(|pair| !pair.failed && pair.pace.is_owed());
            if start.elapsed() >= budget && !owed {
                break;
            }
            for index in order(self.pairs.len(), round) {
                self.turn(index, round)?;
                progress.at(start.elapsed().min(budget));
            }
        }
        Ok(())
    }

    /// One block of a pair, if it is its turn. A case that fails is out from then on.
    fn turn(&mut self, index: usize, round: usize) -> io::Result<()> {
        let pair = &mut self.pairs[index];
        if pair.failed || !pair.pace.is_due(round) {
            return Ok(());
        }
        let (block, start) = (pair.pace.block(), Instant::now());
        match self.workers[pair.worker].ask(&Request::Measure { case: pair.case, block })? {
            Reply::Times(times) => pair.times.extend(times),
            Reply::Failed(reason) => {
                pair.failed = true;
                pair.times.clear();
                let (case, point) = (self.cases[pair.case].name, self.points[pair.point].label);
                let remark = format!("{case} failed at \"{point}\": {reason}.");
                if !self.remarks.contains(&remark) {
                    self.remarks.push(remark);
                }
            }
            other => return Err(unexpected(&other)),
        }
        pair.pace.record(block, start.elapsed());
        Ok(())
    }

    fn finish(self) -> io::Result<(Outcome, Vec<String>)> {
        for worker in self.workers {
            worker.end()?;
        }
        let empty = |name: &str| Row { case: name.to_owned(), cells: vec![None; self.points.len()] };
        let mut rows: Vec<Row> = self.cases.iter().map(|case| empty(case.name)).collect();
        for (case, row) in rows.iter_mut().enumerate() {
            for (point, cell) in row.cells.iter_mut().enumerate() {
                let pairs = self.pairs.iter().filter(|pair| (pair.point, pair.case) == (point, case));
                *cell = Summary::of(pairs.flat_map(|pair| pair.times.iter().copied()).collect());
            }
        }
        let points = self.points.iter().map(|point| point.label.to_owned()).collect();
        Ok((Outcome::Times(Times { points, rows }), self.remarks))
    }
}

/// Counts what each racer is refused.
fn race(part: &Part, quick: bool, files: &Files) -> io::Result<(Outcome, Vec<String>)> {
    let times = if quick { TIMES / QUICK as usize } else { TIMES };
    let mut rows = Vec::new();
    let mut worker = Worker::start(part, 0, files, Vec::new())?;
    let mut remarks = vec!["command-fds maps one descriptor, since it is std without any.".to_owned()];
    match worker.reply()? {
        Reply::Ready => {}
        other => return Err(unexpected(&other)),
    }
    for (racer, (case, _)) in racers().iter().enumerate() {
        match worker.ask(&Request::Race { racer, threads: THREADS, times })? {
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
