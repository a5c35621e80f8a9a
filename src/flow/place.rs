//! Which places in memory the kernel copies to slowly.
//!
//! Linux copies the bytes of a pipe to a process with `rep movsb` if the processor says that it is fast. On AMD's processors it takes three to
//! four times as long if the place of the target in its page is 1 to 31 bytes behind that of the source. A pipe's bytes begin at a
//! page, and each large block of glibc's `malloc` begins 16 bytes after one.

/// No page is smaller.
const PAGE: usize = 4096;

/// So many bytes behind a page's beginning are slow, and the beginning is not.
const SLOW: usize = 32;

/// Where a buffer begins in a page. It is far behind the beginning of a page, and far before it, so that the copy from the buffer to
/// other memory is rarely slow either.
const GOOD: usize = PAGE / 2;

/// Whether the kernel copies slowly to this address.
pub(super) fn is_slow(address: usize) -> bool {
    has_slow_places() && is_behind_page(address)
}

fn is_behind_page(address: usize) -> bool {
    (1..SLOW).contains(&(address % PAGE))
}

/// Whether the processor is one of AMD's: no other has SSE4a.
#[cfg(target_arch = "x86_64")]
fn has_slow_places() -> bool {
    std::arch::is_x86_feature_detected!("sse4a")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_slow_places() -> bool {
    false
}

/// Empties a buffer, makes room for so many bytes, and fills it up to a place that is not slow. Returns how many bytes that takes.
pub(super) fn start(buffer: &mut Vec<u8>, room: usize) -> usize {
    buffer.clear();
    buffer.reserve(room + PAGE);
    let unused = GOOD.wrapping_sub(buffer.as_ptr().addr()) % PAGE;
    buffer.resize(unused, 0);
    unused
}

/// A buffer of bytes at a place that is not slow.
#[derive(Default)]
pub(super) struct Piece {
    buffer: Vec<u8>,
    start: usize,
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Empties the piece, and returns a vector with room for so many bytes. What is put at its end is the piece's.
    pub(super) fn start(&mut self, room: usize) -> &mut Vec<u8> {
        self.start = start(&mut self.buffer, room);
        &mut self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_right_behind_the_beginning_of_a_page_are_slow() {
        let slow: Vec<usize> = (0..2 * PAGE).filter(|address| is_behind_page(*address)).collect();
        let expected: Vec<usize> = (1..32).chain(4097..4128).collect();
        assert_eq!(slow, expected);
    }

    #[test]
    fn buffer_starts_in_the_middle_of_a_page_and_has_the_room() {
        let mut buffers = vec![Vec::new(); 20];
        for (index, buffer) in buffers.iter_mut().enumerate() {
            for room in [1, 100 * index, 8192, 65536, 3] {
                let unused = start(buffer, room);
                assert_eq!((buffer.len(), buffer.as_ptr_range().end.addr() % PAGE), (unused, PAGE / 2));
                assert!(buffer.capacity() - unused >= room);
                buffer.push(1);
            }
        }
    }

    #[test]
    fn piece_has_what_was_put_at_its_end_since_it_was_emptied() {
        let mut piece = Piece::default();
        assert!(piece.bytes().is_empty());
        for room in [10, 100_000, 5] {
            piece.start(room).extend(b"abc");
            assert_eq!(piece.bytes(), b"abc");
            piece.start(room);
            assert!(piece.bytes().is_empty());
        }
    }
}
