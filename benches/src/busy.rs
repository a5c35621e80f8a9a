//! The race that makes execve(2) fail with `ETXTBSY`: a thread writes a program and spawns it, while the child of
//! another thread still has a duplicate of the descriptor that is open for writing to the program.

use crate::cases::{Job, busy_cases};
use crate::files::{Files, write_program};
use std::path::PathBuf;
use std::sync::Barrier;
use std::{fs, io};

/// How many threads write and spawn programs at the same time.
pub const THREADS: usize = 8;
/// How many programs each thread writes and spawns.
pub const TIMES: usize = 400;

/// Counts the spawns of a case that fail with `ETXTBSY`. Any other failure is an error.
pub fn race(case: usize, threads: usize, times: usize, files: &Files) -> io::Result<usize> {
    let busy_cases = busy_cases();
    let (case, work) = busy_cases.get(case).ok_or(io::ErrorKind::NotFound)?;
    let start = Barrier::new(threads);
    let write_and_spawn = |path: PathBuf| {
        start.wait();
        let mut refused = 0;
        for _ in 0..times {
            write_program(&path)?;
            let program = path.clone().into();
            let (work, arguments) = (*work, Vec::new());
            let job =
                Job { path: path.clone(), program, arguments, work, mapped: 1, children: 0, size: 0, capacity: 0 };
            match (case.make)(&job)?() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => refused += 1,
                Err(error) => return Err(error),
            }
            fs::remove_file(&job.path)?;
        }
        Ok(refused)
    };
    std::thread::scope(|scope| {
        let paths = (0..threads).map(|thread| files.root().join(format!("written-{thread}")));
        let threads: Vec<_> = paths.map(|path| scope.spawn(|| write_and_spawn(path))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?).sum()
    })
}
