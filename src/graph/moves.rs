//! Calls that move bytes between pipes: how much one moves at most, and calls that move nothing.

use rustix::io::Errno;

/// How much one call moves at most: as much as a pipe can contain.
pub(super) const MOST: usize = 1 << 20;

/// Counts the calls in a row that have moved nothing although `poll(2)` has said that they can.
#[derive(Debug, Default)]
pub(super) struct Fruitless(u32);

impl Fruitless {
    /// A call has moved bytes.
    pub(super) fn reset(&mut self) {
        self.0 = 0;
    }

    /// A call has moved nothing. After many of them it fails: a filter of system calls answers so for ever, and the kernel does not.
    pub(super) fn count(&mut self) -> Result<(), Errno> {
        self.0 += 1;
        if self.0 < 1000 { Ok(()) } else { Err(Errno::AGAIN) }
    }
}

/// The answer of a call that moves bytes out of an empty pipe that has a writer: the kernel makes such calls.
pub(super) fn nothing_yet(answer: Result<usize, Errno>) -> Result<(), Errno> {
    match answer {
        Ok(_) | Err(Errno::AGAIN) => Ok(()),
        Err(errno) => Err(errno),
    }
}
