//! Reads the environment from this process's memory, through the kernel.

use crate::fd::standard::open_above_stdio;
use crate::sys;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, pread, retry_on_intr};
use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

/// How the kernel reads the memory.
enum ReadMethod {
    /// By `process_vm_readv(2)`.
    Call,
    /// From `/proc/thread-self/mem`, if a filter refuses the call or the kernel does not have it.
    File(OwnedFd),
}

/// An address that is not mapped. Another thread has changed the environment meanwhile.
#[derive(Debug)]
pub(super) struct Unmapped;

/// Reads the memory of this process. It keeps the page that it has read last, since most strings are neighbours.
pub(super) struct OwnMemory {
    method: ReadMethod,
    page: Box<[u8; PAGE]>,
    /// The address of the page; `None` if none was read.
    address: Option<usize>,
    /// How many more pages may be read. If another thread changes the memory during the read, a string or the array may
    /// have no end.
    left: usize,
}

/// Each architecture's page is as large or larger, so that a part of this size is mapped as a whole or not at all.
const PAGE: usize = 4096;
const WORD: usize = size_of::<usize>();

/// 64 MiB. Linux starts no program with an environment as large as that.
const MOST_PAGES: usize = 16 * 1024;

impl OwnMemory {
    /// Finds a method that the kernel allows. Fails if it allows none.
    pub(super) fn open() -> Result<Self, Errno> {
        let address = sys::environment_variable();
        let mut word = [0; WORD];
        let method = match sys::read_own_memory(&[sys::MemoryPart { address, length: WORD }], &mut word) {
            Ok(WORD) => ReadMethod::Call,
            _ => {
                let file = open_memory()?;
                read_file(&file, address, &mut word)?;
                ReadMethod::File(file)
            }
        };
        Ok(Self { method, page: Box::new([0; PAGE]), address: None, left: 0 })
    }

    /// The strings of `environ`, in their order.
    pub(super) fn environment(&mut self) -> Result<Vec<OsString>, Unmapped> {
        (self.address, self.left) = (None, MOST_PAGES);
        let mut address = self.word(sys::environment_variable())?;
        let mut strings = Vec::new();
        // First all addresses, then the strings, since the array and the strings are in different pages.
        while address != 0 {
            match self.word(address)? {
                0 => break,
                string => strings.push(string),
            }
            address = address.wrapping_add(WORD);
        }
        strings.into_iter().map(|address| self.string(address)).collect()
    }

    fn word(&mut self, address: usize) -> Result<usize, Unmapped> {
        let mut word = [0; WORD];
        for (index, byte) in word.iter_mut().enumerate() {
            *byte = self.rest_of_page(address.wrapping_add(index))?[0];
        }
        Ok(usize::from_ne_bytes(word))
    }

    fn string(&mut self, mut address: usize) -> Result<OsString, Unmapped> {
        let mut string = Vec::new();
        loop {
            let bytes = self.rest_of_page(address)?;
            if let Some(length) = bytes.iter().position(|&byte| byte == 0) {
                string.extend_from_slice(&bytes[..length]);
                return Ok(OsString::from_vec(string));
            }
            string.extend_from_slice(bytes);
            address = address.wrapping_add(bytes.len());
        }
    }

    /// The bytes from an address to the end of its page, at least one.
    fn rest_of_page(&mut self, address: usize) -> Result<&[u8], Unmapped> {
        let offset = address % PAGE;
        let start = address - offset;
        if self.address != Some(start) {
            self.address = None;
            self.left = self.left.checked_sub(1).ok_or(Unmapped)?;
            self.read_page(start).map_err(|_| Unmapped)?;
            self.address = Some(start);
        }
        Ok(&self.page[offset..])
    }

    fn read_page(&mut self, address: usize) -> Result<(), Errno> {
        let page = &mut self.page[..];
        let read = match &self.method {
            ReadMethod::Call => sys::read_own_memory(&[sys::MemoryPart { address, length: PAGE }], page)?,
            ReadMethod::File(file) => read_file(file, address, page)?,
        };
        if read == PAGE { Ok(()) } else { Err(Errno::FAULT) }
    }
}

/// Opens the file of this process's memory. The number is above those of the standard streams.
fn open_memory() -> Result<OwnedFd, Errno> {
    open_above_stdio(|| {
        let file = open("/proc/thread-self/mem", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        // Else another file system is mounted there.
        if sys::is_in_proc(file.as_raw_fd()) { Ok(file) } else { Err(Errno::NOENT) }
    })
}

fn read_file(file: &OwnedFd, address: usize, buffer: &mut [u8]) -> Result<usize, Errno> {
    match retry_on_intr(|| pread(file, &mut *buffer, address as u64))? {
        0 => Err(Errno::FAULT),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader for each method.
    fn readers() -> [OwnMemory; 2] {
        let with = |method| OwnMemory { method, page: Box::new([0; PAGE]), address: None, left: MOST_PAGES };
        [with(ReadMethod::Call), with(ReadMethod::File(open_memory().unwrap()))]
    }

    #[test]
    fn strings_of_any_length_are_read_across_pages() {
        for length in [0, 1, PAGE - 1, PAGE, 3 * PAGE + 5] {
            let mut bytes = vec![b'x'; length];
            bytes.push(0);
            for mut memory in readers() {
                let string = memory.string(bytes.as_ptr() as usize).unwrap();
                assert_eq!(string.as_encoded_bytes(), &bytes[..length]);
            }
        }
    }

    #[test]
    fn words_are_read_at_any_address() {
        let bytes: Vec<u8> = (0..2 * PAGE).map(|index| (index % 251) as u8).collect();
        for mut memory in readers() {
            for offset in 0..bytes.len() - WORD {
                let expected = usize::from_ne_bytes(bytes[offset..offset + WORD].try_into().unwrap());
                assert_eq!(memory.word(bytes.as_ptr() as usize + offset).unwrap(), expected);
            }
        }
    }

    #[test]
    fn addresses_that_are_not_mapped_are_errors() {
        for mut memory in readers() {
            for address in [0, 1, PAGE, usize::MAX - PAGE, usize::MAX] {
                assert!(memory.word(address).is_err() && memory.string(address).is_err());
            }
        }
    }

    #[test]
    fn environment_is_that_of_std_if_all_entries_are_variables() {
        let variables: Vec<OsString> = std::env::vars_os()
            .map(|(mut name, value)| {
                name.push("=");
                name.push(value);
                name
            })
            .collect();
        for mut memory in readers() {
            let mut strings = memory.environment().unwrap();
            strings.retain(|string| crate::environ::name_of(string).is_some());
            assert_eq!(strings, variables);
        }
    }
}
