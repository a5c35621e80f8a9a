//! Finds out in the child whether hooks have changed the environment. The law of `child.rs` holds for this code, too.
//!
//! The parent copies the environment before the fork, by std, which waits for other threads that change it. The child also has `environ`
//! itself, which the hooks change. But if another thread of the parent was in `set_var` at the fork, `environ` may point to freed
//! memory. So the program gets `environ` only if the hooks have changed it. This code lets the kernel read `environ`: the kernel returns
//! an error for a bad address, and sends no SIGSEGV.

use crate::sys;
use std::ffi::{CStr, c_char};

/// The result of a comparison of `environ` with the parent's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// `environ` has the same strings.
    Same,
    /// `environ` has other strings, or points to memory that is not mapped. The number is a hash of the addresses.
    Different(u64),
    /// The kernel does not let the child read its memory.
    Unknown,
}

/// Whether hooks have changed the environment, from the results before and after the hooks.
///
/// The environment counts as changed if the kernel does not let the child read it. If it differed from the copy before the hooks,
/// only the addresses show a change: then this function does not notice a hook that writes into a string.
pub(super) fn is_changed(before: Sight, after: Sight) -> bool {
    before == Sight::Unknown || after == Sight::Unknown || (after != Sight::Same && after != before)
}

/// How many addresses or strings one call reads.
const MANY: usize = 64;
/// How many bytes of strings one call reads.
const SPACE: usize = 2048;
const WORD: usize = size_of::<usize>();
/// Each architecture's page is as large or larger.
const PAGE: usize = 4096;
/// More addresses than `execve(2)` takes. Freed memory may have no null pointer that ends it.
const MOST: usize = 1 << 20;

/// Compares `environ` with the parent's copy.
///
/// # Safety
///
/// `copy` is an array of NUL-terminated strings, and a null pointer ends it.
pub(super) unsafe fn look(mut copy: *const *const c_char) -> Sight {
    let Some(mut array) = read_words::<1>(sys::environment_variable(), 1).map(|[array]| array) else {
        return Sight::Unknown;
    };
    let mut hash = hashed(FNV_OFFSET, array);
    let mut is_same = true;
    for _ in 0..MOST / MANY {
        let addresses = match array {
            0 => Some([0; MANY]), // What clearenv(3) leaves.
            _ => read_words::<MANY>(array, words_in_page(array)),
        };
        let Some(addresses) = addresses else {
            return Sight::Different(hash);
        };
        let read = words_in_page(array);
        let mut strings = Expected::new();
        for &address in addresses.iter().take(read) {
            hash = hashed(hash, address);
            // SAFETY: the copy has not ended, or `is_same` is false.
            let expected = if is_same { unsafe { *copy } } else { std::ptr::null() };
            match (address, expected.is_null()) {
                (0, true) if is_same && strings.are_same() => return Sight::Same,
                (0, _) => return Sight::Different(hash),
                (_, true) => is_same = false,
                (_, false) => {
                    // SAFETY: the string ends in a NUL.
                    is_same = strings.add(address, unsafe { CStr::from_ptr(expected) }.to_bytes_with_nul());
                    copy = copy.wrapping_add(1);
                }
            }
        }
        is_same = is_same && strings.are_same();
        array = array.wrapping_add(read * WORD);
    }
    Sight::Different(hash)
}

/// How many words to read from an address on: up to the end of the page, since the next one may not be mapped. Only a word that is in
/// both pages is read across it.
fn words_in_page(address: usize) -> usize {
    ((PAGE - address % PAGE) / WORD).clamp(1, MANY)
}

/// Reads `count` words. `None` if they are not mapped or the kernel refuses the call.
fn read_words<const N: usize>(address: usize, count: usize) -> Option<[usize; N]> {
    let mut bytes = [[0_u8; WORD]; N];
    let length = count * WORD;
    let read = sys::read_own_memory(&[sys::MemoryPart { address, length }], bytes.as_flattened_mut());
    (read == Ok(length)).then(|| bytes.map(usize::from_ne_bytes))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Adds a word to a hash (FNV-1a).
fn hashed(hash: u64, word: usize) -> u64 {
    word.to_ne_bytes().iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

/// Strings to compare with `environ`: one system call reads many of them.
struct Expected {
    parts: [sys::MemoryPart; MANY],
    count: usize,
    /// The bytes that the parts have if they are the same.
    expected: [u8; SPACE],
    length: usize,
}

impl Expected {
    fn new() -> Self {
        Self { parts: [sys::MemoryPart::default(); MANY], count: 0, expected: [0; SPACE], length: 0 }
    }

    /// Adds a string that is expected at an address. Returns false if a string that was added before differs.
    fn add(&mut self, mut address: usize, mut expected: &[u8]) -> bool {
        while !expected.is_empty() {
            if (self.count == MANY || self.length == SPACE) && !self.are_same() {
                return false;
            }
            let added = self.add_part(address, expected);
            address = address.wrapping_add(added);
            expected = expected.get(added..).unwrap_or_default();
        }
        true
    }

    /// Adds the beginning of a string, as much as there is space for. Returns the length of that part.
    fn add_part(&mut self, address: usize, expected: &[u8]) -> usize {
        let space = self.expected.get_mut(self.length..).unwrap_or_default();
        let length = space.len().min(expected.len());
        space.iter_mut().zip(expected).for_each(|(place, byte)| *place = *byte);
        if let Some(part) = self.parts.get_mut(self.count) {
            *part = sys::MemoryPart { address, length };
        }
        self.length += length;
        self.count += 1;
        length
    }

    /// Whether the strings that were added are those that the caller expected. Removes them.
    fn are_same(&mut self) -> bool {
        let mut found = [0; SPACE];
        let parts = self.parts.get(..self.count).unwrap_or_default();
        let is_read = parts.is_empty() || sys::read_own_memory(parts, &mut found) == Ok(self.length);
        let is_same = is_read && found.get(..self.length) == self.expected.get(..self.length);
        (self.count, self.length) = (0, 0);
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_is_changed_if_it_is_neither_the_copy_nor_what_it_was_before_the_hooks() {
        use Sight::{Different, Same, Unknown};
        for (before, after, changed) in [
            (Same, Same, false),
            (Same, Different(1), true),
            (Different(1), Different(1), false),
            (Different(1), Different(2), true),
            (Different(1), Same, false),
            (Unknown, Same, true),
            (Same, Unknown, true),
            (Unknown, Unknown, true),
        ] {
            assert_eq!(is_changed(before, after), changed, "{before:?} {after:?}");
        }
    }

    #[test]
    fn strings_of_any_length_and_number_are_compared_to_the_last_byte() {
        for length in [0, 1, SPACE - 1, SPACE, SPACE + 1, 3 * SPACE] {
            let string = [vec![b'x'; length], vec![0]].concat();
            let mut other = string.clone();
            *other.last_mut().unwrap() = b'y';
            let same = |expected: &[u8], count: usize| {
                let mut strings = Expected::new();
                let added = (0..count).all(|_| strings.add(string.as_ptr() as usize, &string));
                added && strings.add(string.as_ptr() as usize, expected) && strings.are_same()
            };
            for count in [0, 1, MANY - 1, MANY, 2 * MANY] {
                assert!(same(&string, count) && !same(&other, count), "{length} {count}");
            }
        }
    }

    #[test]
    fn words_are_read_up_to_the_end_of_their_page() {
        let most = PAGE - WORD;
        let cases = [(0, MANY), (most, 1), (most - WORD, 2), (most + 1, 1), (PAGE - 1, 1), (most - 1, 1)];
        for (address, expected) in cases {
            assert_eq!(words_in_page(address), expected, "{address}");
        }
    }

    #[test]
    fn environment_of_this_process_is_seen_against_its_copy() {
        let mut copy = Vec::new();
        let mut entry = sys::environment();
        // SAFETY: no test of this binary changes the environment.
        unsafe {
            while !(*entry).is_null() {
                copy.push(CStr::from_ptr(*entry).to_owned());
                entry = entry.add(1);
            }
        }
        let sight = |copy: &[std::ffi::CString]| {
            let array: Vec<_> = copy.iter().map(|each| each.as_ptr()).chain([std::ptr::null()]).collect();
            // SAFETY: the array and its strings live long enough.
            unsafe { look(array.as_ptr()) }
        };
        assert_eq!(sight(&copy), Sight::Same);
        assert!(copy.len() > 1);
        let different = sight(&copy[1..]);
        assert!(matches!(different, Sight::Different(_)));
        for end in 0..copy.len() {
            assert_eq!(sight(&copy[..end]), different);
        }
        copy.push(c"ONE=more".to_owned());
        assert_eq!(sight(&copy), different, "the hash is that of the environment");
    }
}
