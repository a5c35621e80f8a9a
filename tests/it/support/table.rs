//! A process's descriptors, as the process itself finds them: by trying numbers, and by reading.

use std::fmt;
use std::os::fd::RawFd;
use std::str::FromStr;

/// Whether the number closes at exec. `None` if it is not open.
pub fn close_on_exec(number: RawFd) -> Option<bool> {
    // SAFETY: the call only reads flags, and the number need not be open.
    match unsafe { libc::fcntl(number, libc::F_GETFD) } {
        -1 => None,
        flags => Some(flags & libc::FD_CLOEXEC != 0),
    }
}

pub fn is_open(number: RawFd) -> bool {
    close_on_exec(number).is_some()
}

/// The open numbers of this thread below 20,000, which is the range that tests use, found by trying each.
pub fn open_numbers() -> Vec<RawFd> {
    (0..20_000).filter(|&number| is_open(number)).collect()
}

/// One open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: RawFd,
    pub close_on_exec: bool,
    pub status_flags: i32,
    /// The file: device and inode.
    pub file: (u64, u64),
    /// The first word of the file, or `-`.
    pub content: String,
}

/// All open descriptors of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(pub Vec<Entry>);

impl Table {
    /// This process's descriptors, except those that the listing opens.
    pub fn current() -> Self {
        let mut numbers: Vec<RawFd> = match std::fs::read_dir("/proc/self/fd") {
            Ok(list) => list.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect(),
            // Without /proc this tries every number that the tests use.
            Err(_) => (0..5000).collect(),
        };
        numbers.sort_unstable();
        Self(numbers.into_iter().filter_map(entry).collect())
    }

    pub fn numbers(&self) -> Vec<RawFd> {
        self.0.iter().map(|entry| entry.number).collect()
    }

    /// Number and content of each entry, for a comparison with a plan.
    pub fn contents(&self) -> Vec<(RawFd, &str)> {
        self.0.iter().map(|entry| (entry.number, entry.content.as_str())).collect()
    }

    pub fn content(&self, number: RawFd) -> Option<&str> {
        self.0.iter().find(|entry| entry.number == number).map(|entry| entry.content.as_str())
    }

    /// Reads the file that a helper wrote.
    pub fn read(path: impl AsRef<std::path::Path>) -> Self {
        std::fs::read_to_string(path).unwrap().parse().unwrap()
    }
}

fn entry(number: RawFd) -> Option<Entry> {
    // SAFETY: the calls only ask about the number, which need not be open; all zeros is a valid stat.
    unsafe {
        let flags = libc::fcntl(number, libc::F_GETFD);
        if flags == -1 {
            return None;
        }
        let mut stat: libc::stat = std::mem::zeroed();
        libc::fstat(number, &raw mut stat);
        let mut buffer = [0_u8; 32];
        let length = libc::pread(number, buffer.as_mut_ptr().cast(), buffer.len(), 0);
        let text = String::from_utf8_lossy(&buffer[..length.max(0) as usize]).into_owned();
        Some(Entry {
            number,
            close_on_exec: flags & libc::FD_CLOEXEC != 0,
            status_flags: libc::fcntl(number, libc::F_GETFL),
            file: (stat.st_dev, stat.st_ino),
            content: text.split_whitespace().next().unwrap_or("-").to_owned(),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Entry { number, close_on_exec, status_flags, file: (device, inode), content } in &self.0 {
            writeln!(f, "{number} {close_on_exec} {status_flags} {device} {inode} {content}")?;
        }
        Ok(())
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entry = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [number, close_on_exec, status_flags, device, inode, content] = *words.as_slice() else { return None };
            Some(Entry {
                number: number.parse().ok()?,
                close_on_exec: close_on_exec.parse().ok()?,
                status_flags: status_flags.parse().ok()?,
                file: (device.parse().ok()?, inode.parse().ok()?),
                content: content.to_owned(),
            })
        };
        text.lines().map(|line| entry(line).ok_or_else(|| line.to_owned())).collect::<Result<_, _>>().map(Self)
    }
}
