//! What is spawned, and how.

use crate::parts::Work;
use crate::state::at_or_above;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// One spawn and its wait, which is measured. It fails unless the program has run and exited with 0.
pub type Run = Box<dyn FnMut() -> io::Result<()>>;

/// What is spawned, and how.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program's path.
    pub path: PathBuf,
    /// The program as the command names it: its path, or a name to be found in PATH.
    pub program: OsString,
    pub work: Work,
    /// The number of mapped descriptors, where the work has them.
    pub mapped: usize,
}

/// The first number that a descriptor is mapped to.
pub const FIRST_TARGET: i32 = 3;

/// How many numbers stay free between the last target and the first source, for the pipes of a spawn.
const PIPES: i32 = 10;

impl Job {
    /// Opens the descriptors that are to be mapped. No target is among their numbers, which would be harder on some than on
    /// others; nor are they higher than that takes, since a table of more than 64 numbers costs the kernel more.
    pub fn sources(&self) -> io::Result<Vec<OwnedFd>> {
        let count = if self.work == Work::Status { 0 } else { self.mapped };
        let first = FIRST_TARGET + i32::try_from(count).map_err(io::Error::other)? + PIPES;
        let source = || at_or_above(File::open("/dev/null")?.as_fd(), first);
        (0..count).map(|_| source()).collect()
    }
}
