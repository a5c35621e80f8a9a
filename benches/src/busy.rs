//! The race that ends in `ETXTBSY`: a thread writes a program and spawns it, while the child of another still has the
//! descriptor that it was written through.

use crate::cases::{Job, racers};
use crate::files::{Files, write_program};
use std::path::PathBuf;
use std::sync::Barrier;
use std::{fs, io};

/// Threads that race.
pub const THREADS: usize = 8;
/// Programs that each of them writes and spawns.
pub const TIMES: usize = 400;

/// How many programs a racer was refused as busy. Any other failure is an error.
pub fn race(racer: usize, threads: usize, times: usize, files: &Files) -> io::Result<usize> {
    let racers = racers();
    let (case, work) = racers.get(racer).ok_or(io::ErrorKind::NotFound)?;
    let start = Barrier::new(threads);
    let write_and_spawn = |path: PathBuf| {
        start.wait();
        let mut refused = 0;
        for _ in 0..times {
            write_program(&path)?;
            let job = Job { path: path.clone(), program: path.clone().into(), work: *work, mapped: 1 };
            match (case.make)(&job)?() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => refused += 1,
                Err(error) => return Err(error),
            }
            fs::remove_file(&path)?;
        }
        Ok(refused)
    };
    std::thread::scope(|scope| {
        let paths = (0..threads).map(|thread| files.root().join(format!("written-{thread}")));
        let threads: Vec<_> = paths.map(|path| scope.spawn(|| write_and_spawn(path))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?).sum()
    })
}
