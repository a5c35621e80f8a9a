//! Strings and arrays of addresses in the form that `execve(2)` takes.

use std::ffi::{OsStr, c_char};
use std::fmt;
use std::os::unix::ffi::OsStrExt;

/// A list of NUL-terminated strings in one allocation.
#[derive(Clone, Default)]
pub(crate) struct CStrings {
    /// The strings, and after them bytes of any value, which later strings overwrite.
    bytes: Vec<u8>,
    /// The index after each string's NUL.
    ends: Vec<usize>,
    /// The first string that has a NUL inside: the kernel would read only the part before it.
    nul_inside: Option<usize>,
}

impl CStrings {
    /// Removes all strings, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.nul_inside = None;
    }

    /// How many bytes of memory the list has.
    pub(crate) fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// A list of one string.
    pub(crate) fn one(string: &OsStr) -> Self {
        let mut strings = Self::default();
        strings.push(string);
        strings
    }

    pub(crate) fn push(&mut self, string: &OsStr) {
        self.push_parts([string.as_bytes()]);
    }

    /// Adds one string, the concatenation of `parts`.
    pub(crate) fn push_parts<const N: usize>(&mut self, parts: [&[u8]; N]) {
        if self.nul_inside.is_none() && parts.iter().any(|part| part.contains(&0)) {
            self.nul_inside = Some(self.ends.len());
        }
        let mut space = self.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            let (place, rest) = space.split_at_mut(part.len());
            place.copy_from_slice(part);
            space = rest;
        }
    }

    /// Adds `name=value`, a variable of this process. It has no NUL inside, since std reads it from a C string.
    pub(super) fn push_variable(&mut self, name: &[u8], value: &[u8]) {
        debug_assert!(!name.contains(&0) && !value.contains(&0));
        let space = self.reserve(name.len() + 1 + value.len());
        space[..name.len()].copy_from_slice(name);
        space[name.len()] = b'=';
        space[name.len() + 1..].copy_from_slice(value);
    }

    /// Adds a string of this length, with its NUL. The caller writes the bytes before the NUL.
    fn reserve(&mut self, length: usize) -> &mut [u8] {
        let start = self.used();
        let nul = start + length;
        if nul >= self.bytes.len() {
            self.grow(nul + 1);
        }
        self.bytes[nul] = 0;
        self.ends.push(nul + 1);
        &mut self.bytes[start..nul]
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.bytes.resize(length, 0);
        // The allocation may be larger than `length`. Later strings use the other bytes.
        self.bytes.resize(self.bytes.capacity(), 0);
    }

    /// How many bytes the strings use.
    fn used(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&OsStr> {
        let end = *self.ends.get(index)?;
        Some(OsStr::from_bytes(&self.bytes[self.start(index)..end - 1]))
    }

    /// The first string, or an empty one if there is none.
    pub(crate) fn first(&self) -> &OsStr {
        self.get(0).unwrap_or_default()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &OsStr> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// The index of the first string that has a NUL inside.
    pub(crate) fn nul_inside(&self) -> Option<usize> {
        self.nul_inside
    }

    /// The address of each string, which is valid until the list changes.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = *const c_char> {
        let base = self.bytes.as_ptr().cast::<c_char>();
        let mut start = 0;
        self.ends.iter().map(move |&end| base.wrapping_add(std::mem::replace(&mut start, end)))
    }

    /// The address of the string of this index; null if there is none. The child calls this, so it must not panic.
    pub(crate) fn pointer(&self, index: usize) -> *const c_char {
        let start = if index == 0 { Some(&0) } else { self.ends.get(index - 1) };
        match (start, self.ends.get(index)) {
            (Some(&start), Some(_)) => self.bytes.as_ptr().cast::<c_char>().wrapping_add(start),
            _ => std::ptr::null(),
        }
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

impl fmt::Debug for CStrings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The addresses of strings, with a null pointer at the end, as `execve(2)` takes them. They are stored as integers, since an
/// [`Environment`](crate::Environment) with raw pointers could not be shared between threads.
#[derive(Debug, Default)]
pub(crate) struct PtrArray(Vec<usize>);

impl PtrArray {
    /// Replaces the array by the addresses of the strings of these lists, in order.
    pub(crate) fn set<const N: usize>(&mut self, lists: [&CStrings; N]) {
        self.0.clear();
        for list in lists {
            for pointer in list.pointers() {
                self.0.push(pointer as usize);
            }
        }
        self.0.push(0);
    }

    /// How many bytes of memory the array has.
    pub(crate) fn size(&self) -> usize {
        self.0.capacity() * size_of::<usize>()
    }

    /// The addresses, without the null pointer at the end.
    pub(crate) fn as_slice(&self) -> &[usize] {
        self.0.split_last().map_or(&[], |(_, addresses)| addresses)
    }

    /// The address of the array. Call [`PtrArray::set`] first, so that it has at least the null pointer at the end.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.0.as_ptr().cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_stored_unchanged_each_with_a_nul() {
        let mut strings = CStrings::default();
        for each in ["", "one", "", "two words"] {
            strings.push(each.as_ref());
        }
        strings.push_parts([b"NAME", b"=", b"value"]);
        let back: Vec<&OsStr> = strings.iter().collect();
        assert_eq!(back, ["", "one", "", "two words", "NAME=value"]);
        assert_eq!(strings.bytes[..strings.used()], *b"\0one\0\0two words\0NAME=value\0");
        assert_eq!(strings.nul_inside(), None);
    }

    #[test]
    fn old_bytes_after_a_clear_are_not_part_of_any_string() {
        let mut strings = CStrings::one("SECRET=of an earlier launch".as_ref());
        strings.push("and\0more".as_ref());
        strings.clear();
        assert_eq!((strings.len(), strings.get(0), strings.nul_inside()), (0, None, None));
        assert_eq!(strings.pointers().next(), None);
        strings.push("A=1".as_ref());
        strings.push("".as_ref());
        strings.push_variable(b"B", b"2");
        for strings in [&strings, &strings.clone()] {
            assert_eq!(strings.iter().collect::<Vec<_>>(), ["A=1", "", "B=2"]);
            assert_eq!(format!("{strings:?}"), r#"["A=1", "", "B=2"]"#);
            let base = strings.bytes.as_ptr() as usize;
            let seen = strings.pointers().map(|pointer| {
                let rest = &strings.bytes[pointer as usize - base..];
                std::ffi::CStr::from_bytes_until_nul(rest).unwrap().to_bytes()
            });
            assert_eq!(seen.collect::<Vec<_>>(), [&b"A=1"[..], b"", b"B=2"]);
        }
        strings.push("a string that does not fit into the allocated bytes, so that they grow".as_ref());
        assert_eq!(strings.get(0), Some("A=1".as_ref()));
        assert_eq!(strings.get(4), None);
        assert_eq!(strings.bytes[strings.used() - 1], 0);
    }

    #[test]
    fn the_first_nul_inside_is_remembered() {
        let mut strings = CStrings::one("fine".as_ref());
        strings.push("a\0b".as_ref());
        strings.push("\0".as_ref());
        assert_eq!(strings.nul_inside(), Some(1));
    }
}
