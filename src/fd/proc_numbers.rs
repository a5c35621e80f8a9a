//! The numbers that a directory of `/proc` lists: the descriptors in `/proc/PID/fd`, the threads in `/proc/PID/task`,
//! the processes in `/proc` itself.
//!
//! [`ProcNumbers`] runs in the child too, between clone and exec: it does not allocate, take a lock, panic, or use
//! libc.

use crate::sys;
use rustix::io::Errno;
use std::os::fd::RawFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::{AsFd, AsRawFd};

/// Reads the numbers that an open directory lists, and skips its other entries, such as `.` and `..`.
///
/// The directory's offset moves: a second reader continues after the last entry of the first. After an error the
/// iterator may be called again, and continues.
pub(crate) struct ProcNumbers<'buffer> {
    directory: RawFd,
    buffer: &'buffer mut [u8],
    /// The bytes of `buffer` that are records and were not read yet.
    start: usize,
    end: usize,
}

impl<'buffer> ProcNumbers<'buffer> {
    /// A reader of `directory`. The kernel writes its records into `buffer`: the larger that is, the fewer calls.
    pub(crate) fn new(directory: RawFd, buffer: &'buffer mut [u8]) -> Self {
        Self { directory, buffer, start: 0, end: 0 }
    }

    /// The name of the next record in the buffer. `None` if all are read.
    fn next_name(&mut self) -> Option<&[u8]> {
        let (name, length) = first_record(self.buffer.get(self.start..self.end)?)?;
        self.start += length;
        Some(name)
    }

    /// Fills the buffer with the next records. Returns whether there are any.
    fn fill(&mut self) -> Result<bool, Errno> {
        (self.start, self.end) = (0, 0);
        self.end = rustix::io::retry_on_intr(|| sys::read_directory(self.directory, self.buffer))?;
        Ok(self.end > 0)
    }
}

impl Iterator for ProcNumbers<'_> {
    type Item = Result<RawFd, Errno>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(name) = self.next_name() {
                if let Some(number) = number(name) {
                    return Some(Ok(number));
                }
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(errno) => return Some(Err(errno)),
            }
        }
    }
}

/// The name of the first of the kernel's `linux_dirent64` records, and the length of that record.
fn first_record(records: &[u8]) -> Option<(&[u8], usize)> {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let length = usize::from(u16::from_ne_bytes([*records.get(LENGTH)?, *records.get(LENGTH + 1)?]));
    Some((records.get(NAME..length)?, length))
}

/// The number that a NUL-terminated name consists of. `None` if the name has anything but digits.
fn number(name: &[u8]) -> Option<RawFd> {
    let mut value: RawFd = 0;
    for (index, byte) in name.iter().enumerate() {
        match byte {
            0 => return (index > 0).then_some(value),
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_add(RawFd::from(byte - b'0'))?,
            _ => return None,
        }
    }
    None
}

/// Reads all numbers that an open directory lists. For the parent: the function allocates.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn proc_numbers(directory: impl AsFd) -> Result<Vec<RawFd>, Errno> {
    let mut buffer = vec![0; 32 * 1024];
    ProcNumbers::new(directory.as_fd().as_raw_fd(), &mut buffer).collect()
}

/// Whether an open file is in a proc file system. Something else may be mounted at the path that it was opened by.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn is_in_proc(file: impl AsFd) -> bool {
    sys::is_in_proc(file.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &[u8]) -> [u8; 24] {
        let mut record = [0_u8; 24];
        record[16..18].copy_from_slice(&24_u16.to_ne_bytes());
        record[19..19 + name.len()].copy_from_slice(name);
        record
    }

    #[test]
    fn only_whole_numbers_are_numbers() {
        assert_eq!(number(b"0\0"), Some(0));
        assert_eq!(number(b"2147483647\0junk"), Some(RawFd::MAX));
        for name in [&b"."[..], b".\0", b"..\0", b"\0", b"2147483648\0", b"12", b"1x\0"] {
            assert_eq!(number(name), None, "{name:?}");
        }
    }

    #[test]
    fn records_that_are_cut_short_end_the_list() {
        let two = [record(b"7\0"), record(b"8\0")].concat();
        let (name, length) = first_record(&two).unwrap();
        assert_eq!((number(name), length), (Some(7), 24));
        assert_eq!(first_record(&two[..23]), None);
        assert_eq!(first_record(&two[..17]), None);
        assert_eq!(first_record(&[]), None);
        assert_eq!(first_record(&[0; 24]), None, "a record has a length");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn numbers_are_those_that_the_directory_lists_however_small_the_buffer_is() {
        let files: Vec<_> = (0..100).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let list = |room: usize| {
            let directory = std::fs::File::open("/proc/self/fd").unwrap();
            assert!(is_in_proc(&directory));
            let mut buffer = vec![0; room];
            let numbers: Result<Vec<_>, _> = ProcNumbers::new(directory.as_raw_fd(), &mut buffer).collect();
            numbers
        };
        for room in [64, 2048, 32 * 1024] {
            let numbers = list(room).unwrap();
            assert!(files.iter().all(|file| numbers.contains(&file.as_raw_fd())), "{room} bytes");
        }
        assert_eq!(list(8), Err(Errno::INVAL), "no record fits");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn file_outside_of_proc_is_not_in_proc() {
        assert!(!is_in_proc(std::fs::File::open("/").unwrap()));
    }
}
