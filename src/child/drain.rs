//! Reads several pipes at the same time.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::PipeReader;

/// Reads all pipes to their ends, each as soon as it has bytes. If the parent read one after the other, a child that fills the
/// second pipe would wait for the parent, and the parent for the child.
///
/// If `poll(2)` reports a pipe readable, one read of it does not block. So the pipes need not be non-blocking.
pub(crate) fn drain<const N: usize>(mut pipes: [Option<PipeReader>; N]) -> Result<[Vec<u8>; N], Errno> {
    let mut bytes = [const { Vec::new() }; N];
    loop {
        let mut places = Vec::with_capacity(N);
        let mut polls = Vec::with_capacity(N);
        for (place, pipe) in pipes.iter().enumerate() {
            if let Some(pipe) = pipe {
                places.push(place);
                polls.push(PollFd::new(pipe, PollFlags::IN));
            }
        }
        match *places.as_slice() {
            [] => return Ok(bytes),
            // The last pipe needs no poll: its reads may block.
            [place] => {
                if let Some(pipe) = &pipes[place] {
                    while read_some(pipe, &mut bytes[place])? > 0 {}
                }
                return Ok(bytes);
            }
            _ => {}
        }
        match poll(&mut polls, None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let ready: Vec<usize> =
            places.iter().zip(&polls).filter(|(_, poll)| !poll.revents().is_empty()).map(|(&place, _)| place).collect();
        for place in ready {
            let left = pipes[place].as_ref().map(|pipe| read_some(pipe, &mut bytes[place])).transpose()?;
            if left == Some(0) {
                pipes[place] = None;
            }
        }
    }
}

/// Reads once, into the unused capacity of `bytes`.
fn read_some(pipe: &PipeReader, bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    const MIN_READ: usize = 8 * 1024;
    if bytes.capacity() - bytes.len() < MIN_READ {
        bytes.reserve(MIN_READ);
    }
    loop {
        match rustix::io::read(pipe, rustix::buffer::spare_capacity(bytes)) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
