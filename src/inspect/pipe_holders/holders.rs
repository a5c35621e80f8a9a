//! The result of a search for the holders of a pipe.

use crate::escape::Escaped;
use crate::inspect::access::Access;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

/// The processes that hold the ends of a pipe, at one moment.
///
/// [`pipe_holders`](super::pipe_holders()) returns it, and its page says which holders it cannot find. `Display` prints
/// one line, with the other end first: `writers: 4242 (sh) at 1; readers: 4200 (server) at 3; 7 processes could not be
/// inspected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeHolders {
    /// The access mode of the descriptor that the caller has passed.
    pub(super) access: Access,
    pub(super) readers: Vec<PipeHolder>,
    pub(super) writers: Vec<PipeHolder>,
    /// The readers and the writers, each descriptor once. Filled only if both are the other end.
    pub(super) all: Vec<PipeHolder>,
    pub(super) unreadable: Vec<Unreadable>,
}

impl PipeHolders {
    /// The descriptors that are open for reading, in the order of the pids. A descriptor that is open for reading and
    /// writing is also among the [`writers`](Self::writers).
    pub fn readers(&self) -> &[PipeHolder] {
        &self.readers
    }

    /// The descriptors that are open for writing, in the order of the pids. A descriptor that is open for reading and
    /// writing is also among the [`readers`](Self::readers).
    pub fn writers(&self) -> &[PipeHolder] {
        &self.writers
    }

    /// The writers, if the descriptor that the caller has passed is a reader; the readers, if it is a writer. If it is
    /// open for both, or for neither (`O_PATH`), all readers and writers.
    pub fn other_end(&self) -> &[PipeHolder] {
        match self.access {
            Access::Read => &self.writers,
            Access::Write => &self.readers,
            Access::ReadWrite | Access::Path | Access::Neither => &self.all,
        }
    }

    /// The processes whose descriptors the caller may not read. Each may hold an end.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }
}

/// A descriptor that is an end of a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeHolder {
    pub(super) pid: u32,
    pub(super) thread: Option<u32>,
    pub(super) number: RawFd,
    pub(super) name: OsString,
}

impl PipeHolder {
    /// The process that has the descriptor.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The thread that has the descriptor, if its table is not that of the main thread (`unshare(2)` with
    /// `CLONE_FILES`), or if the main thread has ended. If several threads share the table, the first of them.
    pub fn thread(&self) -> Option<u32> {
        self.thread
    }

    /// The number of the descriptor.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// The name of the process (`/proc/PID/comm`): up to 15 bytes of the name of its program, or of a name that it has
    /// chosen.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

/// A process whose descriptors the caller may not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub(super) pid: u32,
    pub(super) name: OsString,
}

impl Unreadable {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of the process, as [`PipeHolder::name`]. Empty if the caller may not read the name either.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

impl fmt::Display for PipeHolders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (readers, writers) = (("readers", &self.readers), ("writers", &self.writers));
        let [first, second] = if self.access == Access::Write { [readers, writers] } else { [writers, readers] };
        for (index, (end, holders)) in [first, second].into_iter().enumerate() {
            write!(f, "{}{end}: ", if index > 0 { "; " } else { "" })?;
            if holders.is_empty() {
                f.write_str("none")?;
            }
            for (index, holder) in holders.iter().enumerate() {
                write!(f, "{}{holder}", if index > 0 { ", " } else { "" })?;
            }
        }
        match self.unreadable.len() {
            0 => Ok(()),
            1 => f.write_str("; 1 process could not be inspected"),
            count => write!(f, "; {count} processes could not be inspected"),
        }
    }
}

impl fmt::Display for PipeHolder {
    /// `4242 (sh) at 1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, Escaped(self.name.as_bytes()))?;
        if let Some(thread) = self.thread {
            write!(f, " thread {thread}")?;
        }
        write!(f, " at {}", self.number)
    }
}

impl fmt::Display for Unreadable {
    /// `4242 (sh)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, Escaped(self.name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(pid: u32, name: &str, thread: Option<u32>, number: RawFd) -> PipeHolder {
        PipeHolder { pid, thread, number, name: name.into() }
    }

    #[test]
    fn ends_read_as_a_line_with_the_other_end_first() {
        let mut ends = PipeHolders {
            access: Access::Read,
            readers: vec![holder(4200, "server", None, 3)],
            writers: vec![holder(4242, "sh", None, 1), holder(4242, "sh", Some(4250), 9)],
            all: vec![],
            unreadable: vec![],
        };
        assert_eq!(
            ends.to_string(),
            "writers: 4242 (sh) at 1, 4242 (sh) thread 4250 at 9; readers: 4200 (server) at 3"
        );
        ends.access = Access::Write;
        ends.writers.clear();
        ends.readers[0].name = "a\n)".into();
        ends.unreadable = vec![Unreadable { pid: 1, name: "init".into() }];
        assert_eq!(ends.to_string(), "readers: 4200 (a\\n)) at 3; writers: none; 1 process could not be inspected");
        ends.unreadable.push(Unreadable { pid: 2, name: "".into() });
        assert!(ends.to_string().ends_with("; 2 processes could not be inspected"));
    }

    #[test]
    fn other_end_is_the_one_that_was_not_passed() {
        let (reader, writer) = (holder(1, "r", None, 3), holder(2, "w", None, 4));
        let mut ends = PipeHolders {
            access: Access::Read,
            readers: vec![reader.clone()],
            writers: vec![writer.clone()],
            all: vec![reader.clone(), writer.clone()],
            unreadable: vec![],
        };
        assert_eq!(ends.other_end(), ends.writers());
        ends.access = Access::Write;
        assert_eq!(ends.other_end(), ends.readers());
        for access in [Access::ReadWrite, Access::Path] {
            ends.access = access;
            assert_eq!(ends.other_end(), [reader.clone(), writer.clone()]);
        }
    }
}
