//! Who holds the ends of a pipe.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pipe;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod process;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod text;

use crate::inspect::escape::Escaped;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::{fmt, io};

/// Which processes hold the ends of a pipe, at one moment.
///
/// [`pipe_holders`] makes it, and says what it cannot see. `Display` gives one line, the other end first:
/// `writers: 4242 (sh) at 1; readers: 4200 (server) at 3; 7 processes could not be looked into`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeHolders {
    access: Access,
    readers: Vec<PipeHolder>,
    writers: Vec<PipeHolder>,
    /// Both, each once; filled only where both are the other end.
    all: Vec<PipeHolder>,
    unreadable: Vec<Unreadable>,
}

impl PipeHolders {
    /// The descriptors that are open for reading, by pid. One that is open for both counts here too.
    pub fn readers(&self) -> &[PipeHolder] {
        &self.readers
    }

    /// The descriptors that are open for writing, by pid. One that is open for both counts here too.
    pub fn writers(&self) -> &[PipeHolder] {
        &self.writers
    }

    /// The writers, if the descriptor that was asked for is a reader, and the readers if it is a writer. Where it is
    /// open for both, or for neither (`O_PATH`), all of them.
    pub fn other_end(&self) -> &[PipeHolder] {
        match self.access {
            Access::Read => &self.writers,
            Access::Write => &self.readers,
            Access::Both | Access::Neither => &self.all,
        }
    }

    /// The processes that may hold an end, but may not be looked into.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }
}

/// A descriptor that is an end of a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeHolder {
    pid: u32,
    thread: Option<u32>,
    number: RawFd,
    name: OsString,
}

impl PipeHolder {
    /// The process that has the descriptor.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The thread that has the descriptor, where that is in a table other than the main thread's (`unshare(2)` with
    /// `CLONE_FILES`), or where the main thread has ended. Of several threads with one table it is the first.
    pub fn thread(&self) -> Option<u32> {
        self.thread
    }

    /// The number of the descriptor.
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// The name of the process: up to 15 bytes of its program's, or what it has chosen (`/proc/PID/comm`).
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

/// A process that may not be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pid: u32,
    name: OsString,
}

impl Unreadable {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The name of the process, as [`PipeHolder::name`]. Empty where that may not be read either.
    pub fn name(&self) -> &OsStr {
        &self.name
    }
}

/// What a descriptor is open for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), allow(dead_code, reason = "nobody can be asked here"))]
enum Access {
    Read,
    Write,
    Both,
    Neither,
}

/// Tells which processes hold the ends of a pipe, so that "who keeps this pipe open?" has an answer.
///
/// It works for pipes and for FIFOs (named pipes), and takes either end. The caller's own descriptors are among those
/// that it lists, the one passed included. Nothing is opened but files in `/proc`, and the pipe is left alone. It takes
/// as long as it takes to look at every descriptor of every process, most of which is one `readlink(2)` each.
///
/// Threads may have tables of their own (`unshare(2)` with `CLONE_FILES`), and those are looked at too. Which threads
/// share one is asked of `kcmp(2)`; where that is refused, each thread is looked at, and what a thread has at the same
/// number as one before it is taken for the same descriptor.
///
/// ```
/// use fdspawn::inspect::pipe_holders;
/// use fdspawn::Command;
///
/// let (reader, writer) = std::io::pipe()?;
/// let mut child = Command::new("sleep").arg("1000").stdout(writer).spawn()?;
///
/// // The reader gets no end-of-file. Who keeps this pipe open?
/// let ends = pipe_holders(&reader)?;
/// let [holder] = ends.other_end() else { panic!("{ends}") };
/// assert_eq!((holder.pid(), holder.number()), (child.id(), 1));
/// assert!(ends.to_string().starts_with(&format!("writers: {} (sleep) at 1; readers: ", child.id())));
///
/// child.kill()?;
/// child.wait()?;
/// assert!(pipe_holders(&reader)?.writers().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What it cannot see
///
/// - Processes of other users, unless the caller is privileged, and processes that are not dumpable: what
///   `ptrace(2)` calls `PTRACE_MODE_READ`. They are in [`PipeHolders::unreadable`], and never left out in silence. Kernel
///   threads and zombies hold nothing, and are not in it.
/// - Processes that `/proc` does not show at all: those in PID namespaces other than that of `/proc` and its
///   descendants, and those hidden by its mount option `hidepid`. The pids are those that `/proc` shows.
/// - What keeps a pipe open and is in no table: a descriptor in flight over a Unix socket (`SCM_RIGHTS`), one that is
///   registered with `io_uring(7)`, and what the kernel itself holds (`autofs(5)`).
/// - What happens meanwhile. Processes start, end and pass descriptors on while one after the other is looked at: one
///   that ends is passed over, and a descriptor that moves may be seen twice or not at all.
///
/// # Errors
///
/// - `InvalidInput`: the descriptor is neither a pipe nor a FIFO.
/// - `NotFound`: there is no `/proc`, or it is that of a PID namespace in which the caller is not.
/// - What the system says when no descriptor is left to read `/proc` with (`EMFILE`, `ENFILE`), or no memory.
/// - `Unsupported`: the system is not Linux.
#[doc(alias = "fuser")]
#[doc(alias = "lsof")]
#[doc(alias = "kcmp")]
pub fn pipe_holders(pipe: impl AsFd) -> io::Result<PipeHolders> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return process::pipe_holders(pipe.as_fd());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = pipe.as_fd();
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell who holds a pipe"))
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
            1 => f.write_str("; 1 process could not be looked into"),
            count => write!(f, "; {count} processes could not be looked into"),
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
        assert_eq!(ends.to_string(), "readers: 4200 (a\\n)) at 3; writers: none; 1 process could not be looked into");
        ends.unreadable.push(Unreadable { pid: 2, name: "".into() });
        assert!(ends.to_string().ends_with("; 2 processes could not be looked into"));
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
        for access in [Access::Both, Access::Neither] {
            ends.access = access;
            assert_eq!(ends.other_end(), [reader.clone(), writer.clone()]);
        }
    }
}
