//! `DescriptorTable`.

use super::entry::Entry;
use super::read;
use rustix::io::Errno;
use std::io;
use std::os::fd::RawFd;

/// All descriptors of a process at one time, in the order of their numbers. `Display` prints them as a table.
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
/// A table that changes meanwhile is read entry by entry. A descriptor that is closed is in it as it was, or is not in
/// it; one that is replaced while it is looked at may show something of both. The descriptors that the call itself opens
/// are not in it, but those of calls in other threads are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "lsof")]
pub struct DescriptorTable {
    pub(super) pid: u32,
    pub(super) entries: Vec<Entry>,
}

impl DescriptorTable {
    /// Lists the descriptors of the calling thread, which are those of the process unless the thread has a table of
    /// its own (`unshare(2)` with `CLONE_FILES`).
    ///
    /// On Linux it reads `/proc/thread-self/fd` and `fdinfo`. It works without them too, and where the process is at
    /// its limit of descriptors and cannot open another: it then tries all numbers, and asks the system for what it
    /// knows of each (`fcntl(2)`, `fstat(2)`, `lseek(2)`). That is also how it works on other Unix systems. Paths,
    /// locks and what is inside of anonymous kinds are not known then.
    ///
    /// # Errors
    ///
    /// Where `/proc` cannot be read and the hard limit of descriptors (`RLIMIT_NOFILE`) is above 2^24, too many numbers to
    /// try: the error of the first, such as `EMFILE`.
    pub fn current() -> io::Result<Self> {
        let pid = std::process::id();
        match read::current() {
            Ok(entries) => Ok(Self { pid, entries }),
            Err(errno) => Err(failure(errno, "cannot list the descriptors of this process")),
        }
    }

    /// Lists the descriptors of another process, from `/proc` on Linux.
    ///
    /// The number may also be a thread's; it is then that thread's table. A process that has ended and is not yet
    /// reaped has no descriptors. Entries whose details the system keeps from the caller are [`Kind::Unreadable`].
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
    /// - [`io::ErrorKind::NotFound`]: there is no such process, or none that the caller may see.
    /// - [`io::ErrorKind::PermissionDenied`]: the process is another user's, or has more privileges than the caller
    ///   (`ptrace(2)`, the access mode `PTRACE_MODE_READ_FSCREDS`).
    /// - [`io::ErrorKind::Unsupported`]: the system is not Linux, or has no `/proc`.
    /// - Any other of opening a file, such as `EMFILE`: three descriptors are needed.
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

    /// The process, or the thread, whose table this was.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// All entries, in the order of their numbers.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Goes through the entries in the order of their numbers.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// The entry of a number, if it is open.
    pub fn get(&self, number: RawFd) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&number, Entry::number).ok()?;
        self.entries.get(index)
    }

    /// Leaves out the entries of which `keep` is false.
    ///
    /// ```
    /// use fdspawn::inspect::DescriptorTable;
    ///
    /// let mut table = DescriptorTable::current()?;
    /// table.retain(|entry| entry.close_on_exec() == Some(false)); // what a careless exec would pass on
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// How many descriptors are open.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is open.
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

/// The system's error with what was being done.
fn failure(errno: Errno, what: &str) -> io::Error {
    io::Error::new(errno.kind(), format!("{what}: {}", io::Error::from(errno)))
}
