//! `Keep`: which bytes of a stream are kept, and `KeptBytes`, those bytes. Nothing here makes a system call.

use std::collections::VecDeque;

/// Which bytes of a stream to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keep {
    /// All of them.
    #[default]
    All,
    /// The first ones, at most so many. The rest is read and dropped.
    First(usize),
    /// The last ones, at most so many.
    Last(usize),
    /// The first and the last ones, and what is between them is dropped. A stream that is not longer than both together is kept whole.
    Ends {
        /// How many of the first bytes to keep.
        first: usize,
        /// How many of the last bytes to keep.
        last: usize,
    },
    /// All of them, and the exchange stops if there are more than so many. It does not read the next byte.
    AtMost(usize),
}

/// The bytes that are kept of a stream.
#[derive(Debug, Default)]
pub(crate) struct KeptBytes {
    keep: Keep,
    /// The first bytes, or all.
    pub(super) head: Vec<u8>,
    /// The last ones.
    tail: VecDeque<u8>,
    dropped: u64,
}

impl KeptBytes {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// How many more bytes may be read. `None` if there is no limit.
    pub(crate) fn room(&self) -> Option<usize> {
        match self.keep {
            Keep::AtMost(limit) => Some(limit.saturating_sub(self.head.len())),
            _ => None,
        }
    }

    /// Whether all bytes that are read next go to the end of `head`, so that a read can put them there.
    pub(super) fn appends(&self) -> bool {
        matches!(self.keep, Keep::All | Keep::AtMost(_))
    }

    /// Adds the next bytes of the stream.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        let (first, last) = match self.keep {
            Keep::All | Keep::AtMost(_) => (usize::MAX, 0),
            Keep::First(first) => (first, 0),
            Keep::Last(last) => (0, last),
            Keep::Ends { first, last } => (first, last),
        };
        let to_head = bytes.len().min(first.saturating_sub(self.head.len()));
        self.head.extend_from_slice(&bytes[..to_head]);
        bytes = &bytes[to_head..];
        let skipped = bytes.len().saturating_sub(last);
        bytes = &bytes[skipped..];
        let old = (self.tail.len() + bytes.len()).saturating_sub(last);
        self.tail.drain(..old);
        self.tail.extend(bytes);
        self.dropped += (skipped + old) as u64;
    }

    /// How many bytes of the stream have been dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes the bytes that are kept. What is read later is kept apart from them.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.head);
        if bytes.is_empty() {
            bytes = std::mem::take(&mut self.tail).into();
        } else {
            bytes.extend(self.tail.drain(..));
        }
        bytes
    }

    /// Changes which bytes are kept, also of those that are kept already.
    pub(crate) fn set_keep(&mut self, keep: Keep) {
        if self.appends() && matches!(keep, Keep::All | Keep::AtMost(_)) {
            self.keep = keep; // The same bytes stay, in the same memory.
            return;
        }
        let mut other = Self::new(keep);
        other.push(&self.take());
        other.dropped += self.dropped;
        *self = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a model keeps of a whole stream.
    fn model(keep: Keep, stream: &[u8]) -> Vec<u8> {
        let end = stream.len();
        match keep {
            Keep::All | Keep::AtMost(_) => stream.to_vec(),
            Keep::First(first) => stream[..first.min(end)].to_vec(),
            Keep::Last(last) => stream[end - last.min(end)..].to_vec(),
            Keep::Ends { first, last } if end <= first + last => stream.to_vec(),
            Keep::Ends { first, last } => [&stream[..first], &stream[end - last..]].concat(),
        }
    }

    #[test]
    fn bytes_in_pieces_of_any_size_are_those_of_the_whole_stream() {
        let stream: Vec<u8> = (0..200).collect();
        for length in [0, 1, 5, 6, 7, 10, 11, 50, 200] {
            for piece in [1, 2, 3, 7, 64, 200] {
                for keep in [0, 1, 5, 10, 300].into_iter().flat_map(|n| {
                    [Keep::First(n), Keep::Last(n), Keep::Ends { first: n, last: 6 }, Keep::Ends { first: 3, last: n }]
                }) {
                    let mut kept = KeptBytes::new(keep);
                    stream[..length].chunks(piece).for_each(|piece| kept.push(piece));
                    let dropped = kept.dropped();
                    let bytes = kept.take();
                    assert_eq!(bytes, model(keep, &stream[..length]), "{keep:?}, {length} in pieces of {piece}");
                    assert_eq!(dropped as usize, length - bytes.len());
                }
            }
        }
    }

    #[test]
    fn only_a_limit_bounds_what_may_be_read() {
        let mut kept = KeptBytes::new(Keep::AtMost(3));
        assert_eq!(kept.room(), Some(3));
        kept.push(b"ab");
        assert_eq!(kept.room(), Some(1));
        kept.set_keep(Keep::AtMost(1));
        assert_eq!((kept.room(), kept.take()), (Some(0), b"ab".to_vec()));
        for keep in [Keep::All, Keep::First(1), Keep::Last(1), Keep::Ends { first: 1, last: 1 }] {
            assert_eq!(KeptBytes::new(keep).room(), None);
        }
    }

    #[test]
    fn change_keeps_what_the_new_one_keeps_and_counts_the_rest() {
        let mut kept = KeptBytes::new(Keep::All);
        kept.push(b"abcdef");
        kept.set_keep(Keep::Last(2));
        kept.push(b"g");
        assert_eq!(kept.dropped(), 5);
        assert_eq!(kept.take(), b"fg");
    }
}
