//! `Lines`: splits a stream into lines. Nothing here makes a system call.

use std::io::BufRead;
use std::ops::Range;

/// The bytes of a stream that have not been given out as lines.
#[derive(Debug)]
pub(super) struct Lines {
    /// A line that is longer is given out in pieces of this length.
    longest: usize,
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// No newline is before this place, from the start on.
    searched: usize,
}

impl Lines {
    pub(super) fn new(longest: usize) -> Self {
        Self { longest: longest.max(1), buffer: Vec::new(), start: 0, searched: 0 }
    }

    /// Adds bytes of the stream. The lines that were given out before are dropped.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, with its newline; or a piece of a line that is too long, without one. `None` if the line is not complete. At the end
    /// of the stream the rest is a line, too.
    pub(super) fn next(&mut self, is_end: bool) -> Option<&[u8]> {
        let line = self.next_range(is_end)?;
        self.start = line.end;
        self.searched = line.end;
        Some(&self.buffer[line])
    }

    /// Whether bytes are left that have not been given out.
    pub(super) fn has_bytes(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn next_range(&mut self, is_end: bool) -> Option<Range<usize>> {
        let limit = self.buffer.len().min(self.start.saturating_add(self.longest));
        let mut rest = &self.buffer[self.searched.min(limit)..limit];
        let found = rest.skip_until(b'\n').unwrap_or_default(); // A slice has no errors.
        let end = self.searched.min(limit) + found;
        self.searched = end;
        let has_newline = found > 0 && self.buffer[end - 1] == b'\n';
        let is_cut = end - self.start == self.longest;
        let is_last = is_end && end > self.start && end == self.buffer.len();
        (has_newline || is_cut || is_last).then_some(self.start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stream that comes in pieces of this size.
    fn lines(stream: &[u8], longest: usize, piece: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(longest);
        let mut found = Vec::new();
        for piece in stream.chunks(piece) {
            lines.push(piece);
            while let Some(line) = lines.next(false) {
                found.push(line.to_vec());
            }
        }
        while let Some(line) = lines.next(true) {
            found.push(line.to_vec());
        }
        assert_eq!(lines.next(true), None);
        found
    }

    #[test]
    fn lines_are_the_same_in_pieces_of_any_size() {
        for (stream, expected) in [
            (&b""[..], &[][..]),
            (b"a\nbc\n", &[&b"a\n"[..], b"bc\n"]),
            (b"\n\na", &[b"\n", b"\n", b"a"]),
            (b"abcd\nabcde\nabcdefghi", &[b"abcd\n", b"abcde", b"\n", b"abcde", b"fghi"]),
        ] {
            for piece in 1..=stream.len().max(1) {
                assert_eq!(lines(stream, 5, piece), expected, "{stream:?} in pieces of {piece}");
            }
        }
        assert_eq!(lines(b"ab\n", 0, 2), [b"a", b"b", b"\n"], "a piece has at least one byte");
        assert_eq!(lines(b"ab\ncd", usize::MAX, 1), [&b"ab\n"[..], b"cd"]);
    }
}
