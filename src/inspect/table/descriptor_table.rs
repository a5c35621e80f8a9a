//! `DescriptorTable`.

use super::entry::Entry;
use super::read;
use rustix::io::Errno;
use std::io;
use std::os::fd::RawFd;

/// The descriptors of a process at one time, in the order of their numbers. `Display` prints them as a table.
///
/// Each [`Entry`] says what the descriptor refers to ([`Kind`](super::kind::Kind)), its access mode, its flags, its
/// offset and its locks. [`diff`](Self::diff) and [`assert_unchanged`](Self::assert_unchanged) find leaks.
///
/// ```
/// use fdspawn::inspect::DescriptorTable;
/// use fdspawn::inspect::{Access, Kind};
/// use std::os::fd::AsRawFd;
///
/// let (reader, writer) = std::io::pipe()?;
/// let table = DescriptorTable::current()?;
/// let entry = table.get(reader.as_raw_fd()).expect("it is open");
/// assert!(matches!(entry.kind(), Kind::Pipe { .. }));
/// assert_eq!(entry.access(), Some(Access::Read));
/// assert_eq!(entry.close_on_exec(), Some(true));
/// println!("{table}");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A printed table:
///
/// ```text
/// process 4242 has 3 descriptors
///   number  access      offset  flags                 locks            what it is
///        0  read-write       -  -                     -                terminal /dev/pts/0
///        3  write         1042  close-on-exec append  exclusive flock  file /var/log/messages
///        4  read             -  close-on-exec         -                pipe:[13021676]
/// ```
///
/// The call reads the table entry by entry. If the process closes a descriptor at the same time, the result has it as
/// it was, or does not have it; if the process replaces a descriptor, its entry may mix the old and the new one. The
/// result does not have the descriptors that the call itself opens, but it has those that calls in other threads open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "lsof")]
pub struct DescriptorTable {
    pub(super) pid: u32,
    pub(super) entries: Vec<Entry>,
}

impl DescriptorTable {
    /// Lists the descriptors of the calling thread. They are those of the process, unless the thread has a table of its
    /// own (`unshare(2)` with `CLONE_FILES`).
    ///
    /// The call closes all descriptors that it opens.
    ///
    /// # Platform notes
    ///
    /// On Linux the call reads `/proc/thread-self/fd` and `/proc/thread-self/fdinfo`. If there is no `/proc`, or if the
    /// process is at its limit of descriptors, the call tries all numbers and asks the system about each open one
    /// (`fcntl(2)`, `fstat(2)`, `lseek(2)`). On other Unix systems it always works so. Paths, locks and the details of
    /// anonymous kinds are unknown then.
    ///
    /// # Errors
    ///
    /// The error of opening `/proc`, such as `EMFILE`, if the hard limit of descriptors (`RLIMIT_NOFILE`) is also above
    /// 2^24, too high to try all numbers.
    pub fn current() -> io::Result<Self> {
        let pid = std::process::id();
        match read::current() {
            Ok(entries) => Ok(Self { pid, entries }),
            Err(errno) => Err(failure(errno, "cannot list the descriptors of this process")),
        }
    }

    /// Lists the descriptors of another process, from `/proc` on Linux.
    ///
    /// `pid` may also be the id of a thread; the result is then the table of that thread. A process that has ended and
    /// has not been reaped has no descriptors. If the caller may not read the details of a descriptor, its entry is
    /// [`Kind::Unreadable`](super::kind::Kind::Unreadable).
    ///
    /// ```
    /// use fdspawn::inspect::DescriptorTable;
    /// use fdspawn::Command;
    ///
    /// let mut child = Command::new("sleep").arg("10").spawn()?;
    /// let numbers: Vec<i32> = DescriptorTable::of(child.id())?.iter().map(|entry| entry.number()).collect();
    /// child.kill()?;
    /// child.wait()?;
    /// assert_eq!(numbers, [0, 1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::NotFound`]: there is no such process, or the caller may not see it.
    /// - [`io::ErrorKind::PermissionDenied`]: the process belongs to another user, or has more privileges than the
    ///   caller (`ptrace(2)`, `PTRACE_MODE_READ_FSCREDS`).
    /// - [`io::ErrorKind::Unsupported`]: the system is not Linux, or has no `/proc`.
    /// - The errors of opening a file, such as `EMFILE`: the call needs three descriptors.
    pub fn of(pid: u32) -> io::Result<Self> {
        match read::of(pid) {
            Ok(entries) => Ok(Self { pid, entries }),
            Err(Errno::NOENT | Errno::SRCH) => {
                Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}")))
            }
            Err(Errno::NOSYS) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("cannot list the descriptors of process {pid}: there is no /proc that tells of them"),
            )),
            Err(errno) => Err(failure(errno, &format!("cannot list the descriptors of process {pid}"))),
        }
    }

    /// The process, or the thread, that has this table.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// All entries, in the order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Iterates over the entries in the order of their numbers.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// The entry of a number. `None` if the number is not open.
    pub fn get(&self, number: RawFd) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&number, Entry::number).ok()?;
        self.entries.get(index)
    }

    /// Removes the entries for which `keep` returns false. It closes nothing.
    ///
    /// ```
    /// use fdspawn::inspect::DescriptorTable;
    ///
    /// let mut table = DescriptorTable::current()?;
    /// table.retain(|entry| entry.close_on_exec() == Some(false)); // the descriptors that a program would inherit
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> IntoIterator for &'a DescriptorTable {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for DescriptorTable {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// An error of the system, with the operation that failed.
fn failure(errno: Errno, what: &str) -> io::Error {
    io::Error::new(errno.kind(), format!("{what}: {}", io::Error::from(errno)))
}
