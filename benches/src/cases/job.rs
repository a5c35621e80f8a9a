//! What a case has to do: which program it spawns, and with which descriptors.

use crate::parts::Work;
use crate::state::at_or_above;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// One spawn and the wait for the child. The worker measures a call of it. It fails unless the program exits with 0.
pub type Spawn = Box<dyn FnMut() -> io::Result<()>>;

/// What a case has to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The program's path.
    pub path: PathBuf,
    /// The program as the command names it: by its path, or by a name that the library searches for in PATH.
    pub program: OsString,
    pub arguments: Vec<String>,
    pub work: Work,
    /// How many descriptors the spawn maps, if the work maps any.
    pub mapped: usize,
    /// Children of one sample, if the work has several.
    pub children: usize,
    /// How many bytes a line or a tee moves, a multiple of [`GRAPH_PIECE`](crate::parts::GRAPH_PIECE).
    pub size: usize,
    /// The capacity of pipes in bytes, if the work sets it; else 0.
    pub capacity: usize,
}

/// The lowest target of mapped descriptors.
pub const FIRST_TARGET: i32 = 3;

/// How many numbers stay free between the highest target and the lowest source, for the pipes of a spawn.
const PIPES: i32 = 10;

impl Job {
    /// Opens the sources of the mapped descriptors. No source has the number of a target, since some cases need more
    /// duplicates then and others do not. The numbers are not higher than necessary, since a table of more than 64
    /// descriptors costs the kernel more time.
    pub fn sources(&self) -> io::Result<Vec<OwnedFd>> {
        let count = match self.work {
            Work::Pipes | Work::Mapped => self.mapped,
            _ => 0,
        };
        let first = FIRST_TARGET + i32::try_from(count).map_err(io::Error::other)? + PIPES;
        let source = || at_or_above(File::open("/dev/null")?.as_fd(), first);
        (0..count).map(|_| source()).collect()
    }
}
