//! The programs that the benchmark spawns, and the directories that have them.

use crate::cases::Job;
use crate::parts::{SIZE, Search, State, Work};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The static program that build.rs has compiled. It exits with 0.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tiny"));

/// The static program of the parts that move bytes or collect children: see program/stream.rs.
const STREAM_PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stream"));

/// The tiny program's name. No other program in PATH has this name.
const NAME: &str = "fdspawn-benches-tiny";

/// How many directories PATH has if the command names the program without a path.
const DIRECTORIES: usize = 10;

/// A directory with the program, and how many bytes the graphs of the benchmark move. The directory is beside the benchmark's executable, since the directory for temporary files may
/// be mounted with `noexec`.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    graph_size: usize,
}

impl Files {
    /// Makes the directory, and in it ten directories of which only the last has the program.
    pub fn create(graph_size: usize) -> io::Result<Self> {
        let parent = std::env::current_exe()?.parent().map(Path::to_owned).ok_or(io::ErrorKind::NotFound)?;
        let files = Self { graph_size, root: parent.join(format!("spawned-{}", std::process::id())) };
        for directory in files.directories() {
            fs::create_dir_all(directory)?;
        }
        write_program(&files.program())?;
        write_program(&files.directory(DIRECTORIES - 1).join(NAME))?;
        write_executable(&files.stream_program(), STREAM_PROGRAM)?;
        Ok(files)
    }

    /// The files that the driver has made at this path.
    pub fn at(root: PathBuf, graph_size: usize) -> Self {
        Self { root, graph_size }
    }

    pub fn graph_size(&self) -> usize {
        self.graph_size
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn remove(self) -> io::Result<()> {
        fs::remove_dir_all(self.root)
    }

    fn program(&self) -> PathBuf {
        self.root.join(NAME)
    }

    fn stream_program(&self) -> PathBuf {
        self.root.join("stream")
    }

    fn directory(&self, index: usize) -> PathBuf {
        self.root.join(format!("path-{index}"))
    }

    fn directories(&self) -> impl Iterator<Item = PathBuf> {
        (0..DIRECTORIES).map(|index| self.directory(index))
    }

    /// The job that the cases do in a state.
    pub fn job(&self, work: Work, state: &State) -> Job {
        let (piece, count) = (state.piece.to_string(), SIZE.checked_div(state.piece).unwrap_or(0).to_string());
        let (path, arguments) = match work {
            Work::Status | Work::Spawn | Work::Pipes | Work::Mapped | Work::Attributes | Work::Output => {
                (self.program(), vec![])
            }
            Work::Collect | Work::Keep => (self.stream_program(), vec!["write".to_owned(), piece, count]),
            Work::Feed => (self.stream_program(), vec!["read".to_owned(), piece, count]),
            Work::Stages => (self.program(), vec![]),
            // The arguments differ from stage to stage.
            Work::Line | Work::Tee => (self.stream_program(), vec![]),
            Work::Set | Work::Many => (self.stream_program(), vec!["once".to_owned(), piece, count]),
        };
        let program = match state.search {
            Search::Path => path.clone().into(),
            Search::LastOfTen => NAME.into(),
        };
        let State { mapped, children, capacity, .. } = *state;
        Job { path, program, arguments, work, mapped, children, size: self.graph_size, capacity }
    }

    /// The whole environment of a state: PATH, and variables about as long as those of a login shell.
    pub fn environment(&self, state: &State) -> io::Result<Vec<(String, std::ffi::OsString)>> {
        let path = match state.search {
            Search::Path => "/usr/local/bin:/usr/bin:/bin".into(),
            Search::LastOfTen => std::env::join_paths(self.directories()).map_err(io::Error::other)?,
        };
        let others = (1..state.variables).map(|index| {
            let value = format!("value-{index}-").repeat(1 + index % 5);
            (format!("BENCH_VARIABLE_{index}"), value.into())
        });
        Ok(std::iter::once(("PATH".to_owned(), path)).chain(others).collect())
    }
}

/// Writes the tiny program to a file, and closes the file.
pub fn write_program(path: &Path) -> io::Result<()> {
    write_executable(path, PROGRAM)
}

fn write_executable(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::{PARTS, Subject};
    use std::collections::HashSet;

    #[test]
    fn environment_has_as_many_variables_as_the_state_says() {
        let files = Files::at("/directory".into(), 0);
        for part in PARTS {
            let Subject::Times { points, .. } = part.subject else { continue };
            for point in points {
                let variables = files.environment(&point.state).unwrap();
                let names: HashSet<_> = variables.iter().map(|(name, _)| name).collect();
                assert_eq!(names.len(), point.state.variables, "{} at {}", part.name, point.label);
            }
        }
    }

    #[test]
    fn programs_are_small_static_executables() {
        for program in [PROGRAM, STREAM_PROGRAM] {
            let word = |at: usize| u16::from_le_bytes([program[at], program[at + 1]]);
            assert_eq!(&program[..5], b"\x7fELF\x02");
            assert_eq!(word(16), 2, "it is not an executable with a fixed address");
            let interpreter = b"/ld";
            assert!(!program.windows(interpreter.len()).any(|bytes| bytes == interpreter), "it needs a dynamic linker");
            // The buffer that begins at a page takes a page of the file.
            assert!(program.len() < 8192, "{} bytes", program.len());
        }
    }

    #[test]
    fn children_of_transfers_move_the_whole_size() {
        for part in PARTS {
            let Subject::Times { points, work: Work::Collect | Work::Keep | Work::Feed, .. } = part.subject else {
                continue;
            };
            for point in points {
                assert_eq!(SIZE % point.state.piece, 0, "{} at {}", part.name, point.label);
            }
        }
    }
}
