//! What a worker process does: it brings itself into one state, and measures what the driver requests.

use crate::busy;
use crate::cases::{Case, Job, cases};
use crate::files::Files;
use crate::memory;
use crate::parts::{Part, State, Subject};
use crate::protocol::{Block, Reply, Request, receive, send};
use crate::state::{StateError, enter};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Serves requests until the driver closes its end of the pipe.
pub fn serve(part: &Part, point: usize, files: &Files) -> io::Result<()> {
    let (requests, replies) = (io::stdin().lock(), io::stdout().lock());
    match part.subject {
        Subject::Busy => answer(requests, replies, |request| match request {
            Request::Race { case, threads, times } => busy::race(case, threads, times, files).map(Reply::Busy),
            Request::Measure { .. } | Request::Memory { .. } => Err(io::ErrorKind::Unsupported.into()),
        }),
        Subject::Times { work, points, set } => {
            let state = points.get(point).ok_or(io::ErrorKind::NotFound)?.state;
            let _held = match enter(&state) {
                Ok(held) => held,
                Err(StateError::Unsupported(reason)) => return send(replies, &Reply::Skipped(reason)),
                Err(StateError::Failed(error)) => return Err(error),
            };
            let (cases, job) = (cases(work, set), files.job(work, &state));
            answer(requests, replies, |request| match request {
                Request::Measure { case, block } => {
                    let case = cases.get(case).ok_or(io::ErrorKind::NotFound)?;
                    measure(case, &job, &state, block).map(Measured::into_reply)
                }
                Request::Memory { case } => {
                    let case = cases.get(case).ok_or(io::ErrorKind::NotFound)?;
                    let mut run = (case.make)(&job)?;
                    memory::growth(&mut run).map(Reply::Memory)
                }
                Request::Race { .. } => Err(io::ErrorKind::Unsupported.into()),
            })
        }
    }
}

fn answer(
    mut requests: impl io::BufRead,
    mut replies: impl io::Write,
    mut serve: impl FnMut(Request) -> io::Result<Reply>,
) -> io::Result<()> {
    send(&mut replies, &Reply::Ready)?;
    while let Some(request) = receive(&mut requests)? {
        let reply = serve(request).unwrap_or_else(|error| match error.kind() {
            io::ErrorKind::Unsupported => Reply::Skipped(error.to_string()),
            _ => Reply::Failed(error.to_string()),
        });
        send(&mut replies, &reply)?;
    }
    Ok(())
}

/// What a block has measured, in nanoseconds.
#[derive(Default)]
struct Measured {
    times: Vec<u64>,
    /// Empty if the work does not measure them.
    processor_times: Vec<u64>,
}

impl Measured {
    fn into_reply(self) -> Reply {
        Reply::Times { times: self.times, processor_times: self.processor_times }
    }
}

/// Measures one block. The case prepares its descriptors anew for each block, so that no other case has them open.
fn measure(case: &Case, job: &Job, state: &State, block: Block) -> io::Result<Measured> {
    let mut measured = Measured::default();
    if state.threads > 1 {
        measured.times = measure_at_once(case, job, state.threads, block)?;
        return Ok(measured);
    }
    if job.work.is_prepared_each_time() {
        let times: io::Result<_> = (0..block.count).map(|_| time(&mut (case.make)(job)?)).collect();
        return Ok(Measured { times: times?, ..measured });
    }
    let between = Duration::from_micros(state.work_between);
    let mut run = (case.make)(job)?;
    for _ in 0..block.warm {
        keep_busy(between);
        run()?;
    }
    for _ in 0..block.count {
        keep_busy(between);
        if job.work.has_processor_time() {
            let before = processor_time();
            measured.times.push(time(&mut run)?);
            measured.processor_times.push(processor_time() - before);
        } else {
            measured.times.push(time(&mut run)?);
        }
    }
    Ok(measured)
}

/// The processor time of this process, with all of its threads, in nanoseconds.
fn processor_time() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Computes for this time.
fn keep_busy(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        std::hint::spin_loop();
    }
}

/// Measures threads that spawn at the same time. They share one count of spawns, so that all of them spawn until the
/// end.
fn measure_at_once(case: &Case, job: &Job, threads: usize, block: Block) -> io::Result<Vec<u64>> {
    let (start, left) = (Barrier::new(threads), AtomicUsize::new(block.count));
    let spawn_some = || {
        let mut ready = (case.make)(job).and_then(|mut run| {
            (0..block.warm).try_for_each(|_| run())?;
            Ok(run)
        });
        // A thread that has failed waits here too: otherwise the other threads would wait for ever.
        start.wait();
        let mut times = Vec::new();
        while let Ok(run) = &mut ready
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            times.push(time(run)?);
        }
        ready.map(|_| times)
    };
    std::thread::scope(|scope| {
        let spawners: Vec<_> = (0..threads).map(|_| scope.spawn(spawn_some)).collect();
        let mut all = Vec::new();
        for spawner in spawners {
            all.append(&mut spawner.join().map_err(|_| io::Error::other("a thread panicked"))??);
        }
        Ok(all)
    })
}

fn time(run: &mut impl FnMut() -> io::Result<()>) -> io::Result<u64> {
    let start = Instant::now();
    run()?;
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}
