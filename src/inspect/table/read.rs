//! Reads a table, entry by entry.

use super::classify::{Facts, FileSystem, Lookup, classify};
use super::entry::Entry;
use super::own_descriptor;
use super::proc::{self, Proc};
use super::sockets::Socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::sockets::Sockets;
use super::status::FileStatus;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::terminal::Terminals;
use crate::fd::by_number;
use crate::fd::standard::lock_stdio_numbers_if_closed;
use crate::platform::Features;
use rustix::io::Errno;
use std::os::fd::RawFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::path::Path;

/// Reads the calling thread's table: from `/proc`, and by asking the system about each number.
pub(super) fn current() -> Result<Vec<Entry>, Errno> {
    let _guard = lock_stdio_numbers_if_closed();
    let (proc, numbers) = match Proc::of_thread() {
        Ok((proc, numbers)) => (Some(proc), numbers),
        // The process is at its limit of descriptors, or there is no /proc.
        Err(errno) => {
            let numbers = by_number::open_numbers(Features::PROC).map_err(|_| errno)?;
            (Proc::of_thread_by_name(), numbers)
        }
    };
    Ok(Reader::new(proc, true).entries(numbers))
}

/// Reads another process's table.
pub(super) fn of(pid: u32) -> Result<Vec<Entry>, Errno> {
    let _guard = lock_stdio_numbers_if_closed();
    let (proc, numbers) = Proc::of(pid)?;
    Ok(Reader::new(Some(proc), false).entries(numbers))
}

/// If a number is closed and opened again while its entry is read, the entry is read again, at most this often.
const TRIES: usize = 32;

/// A reader of one table.
struct Reader {
    proc: Option<Proc>,
    /// Whether the table is the calling thread's, so that the reader can ask the system by number.
    own: bool,
    cache: Cache,
    /// The buffers for the texts of links and of fdinfo.
    link: Vec<u8>,
    info: Vec<u8>,
}

/// Facts that are read once, when the first entry needs them.
#[derive(Default)]
struct Cache {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    sockets: Option<Sockets>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    terminals: Option<Terminals>,
    /// The device of the root directory's file system.
    root: Option<Option<u64>>,
}

impl Cache {
    /// A socket from the system's lists. They have more facts than the socket itself returns, but do not have every
    /// socket.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn socket(&mut self, proc: Option<&Proc>, inode: u64) -> Option<Socket> {
        let process = proc.map_or(Path::new("/proc/thread-self"), Proc::path);
        self.sockets.get_or_insert_with(|| Sockets::read(process)).get(inode)
    }

    /// Returns `None`: the system has no such lists.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn socket(&mut self, _: Option<&Proc>, _: u64) -> Option<Socket> {
        None
    }
}

impl Reader {
    /// A reader of the table of `proc`, or of the calling thread's if `own` is true.
    fn new(proc: Option<Proc>, own: bool) -> Self {
        Self { proc, own, cache: Cache::default(), link: Vec::with_capacity(4096), info: Vec::new() }
    }

    /// Reads the entries of these numbers, in their order.
    fn entries(mut self, mut numbers: Vec<RawFd>) -> Vec<Entry> {
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|number| self.entry(number)).collect()
    }

    /// Reads the entry of `number`. `None` if the number has been closed since it was listed.
    fn entry(&mut self, number: RawFd) -> Option<Entry> {
        for tries_left in (0..TRIES).rev() {
            let flags = if self.own { Some(own_descriptor::flags(number)) } else { None };
            let link = match &self.proc {
                Some(proc) => proc.link(number, &mut self.link),
                None => Err(Errno::NOSYS),
            };
            // Whether the number is open: in the thread's own table its flags say so, in another table its link.
            let first = flags.map_or(link.map(drop), |flags| flags.map(drop));
            if first.is_err_and(is_closed) {
                return None;
            }
            let info = match &mut self.proc {
                Some(proc) => proc.info(number, &mut self.info),
                None => Err(Errno::NOSYS),
            };
            let status = match &self.proc {
                _ if self.own => own_descriptor::status(number),
                Some(proc) => proc.status(number),
                None => Err(Errno::NOSYS),
            };
            let changed = [link.err(), info.as_ref().err().copied(), status.err()].into_iter().flatten().any(is_closed);
            if changed && tries_left > 0 {
                continue;
            }
            let mut info = info.unwrap_or_default();
            if let Some(Ok(flags)) = flags {
                own_descriptor::complete(&mut info, number, flags);
            }
            let facts = Facts { link, status: status.as_ref().map_err(|&errno| errno), info: &info };
            let mut lookup = EntryLookup { cache: &mut self.cache, proc: self.proc.as_ref(), own: self.own, number };
            let kind = classify(&facts, &mut lookup);
            return Some(Entry::new(number, kind, status.ok().as_ref(), info));
        }
        None
    }
}

/// Whether an error says that the number is closed, or that its process has ended.
fn is_closed(errno: Errno) -> bool {
    matches!(errno, Errno::BADF | Errno::NOENT | Errno::SRCH)
}

/// The questions of `classify` about one number.
struct EntryLookup<'a> {
    cache: &'a mut Cache,
    proc: Option<&'a Proc>,
    own: bool,
    number: RawFd,
}

impl Lookup for EntryLookup<'_> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_terminal(&mut self, major: u32, minor: u32) -> bool {
        let proc = self.proc;
        let terminals = self.cache.terminals.get_or_insert_with(|| {
            let drivers = proc.and_then(|_| std::fs::read_to_string("/proc/tty/drivers").ok());
            drivers.and_then(|drivers| Terminals::parse(&drivers)).unwrap_or_else(Terminals::assigned)
        });
        terminals.contain(major, minor)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_terminal(&mut self, _: u32, _: u32) -> bool {
        own_descriptor::is_terminal(self.number)
    }

    fn socket(&mut self, inode: u64) -> Option<Socket> {
        self.cache.socket(self.proc, inode).or_else(|| match self.proc {
            _ if self.own => own_descriptor::socket(self.number),
            proc => proc?.socket(self.number),
        })
    }

    fn is_at(&mut self, path: &[u8], status: &FileStatus) -> bool {
        self.proc.is_some_and(|proc| proc.is_at(path, status))
    }

    fn is_in_root(&mut self, status: &FileStatus) -> bool {
        *self.cache.root.get_or_insert_with(proc::root_device) == Some(status.id.device)
    }

    fn file_system(&mut self) -> Option<FileSystem> {
        if self.own { own_descriptor::file_system(self.number) } else { self.proc?.file_system(self.number) }
    }
}
