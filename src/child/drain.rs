//! Reading many pipes at once.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io::PipeReader;

/// Reads each pipe to its end, whichever has something, so that no child waits for a reader that waits for it.
///
/// A pipe that `poll` finds readable gives at least one byte without waiting, so the pipes need not be non-blocking.
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
            // One that is left needs no poll.
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

/// Reads once, into the room that the bytes have, which grows with them.
fn read_some(pipe: &PipeReader, bytes: &mut Vec<u8>) -> Result<usize, Errno> {
    const LEAST: usize = 8 * 1024;
    if bytes.capacity() - bytes.len() < LEAST {
        bytes.reserve(LEAST);
    }
    loop {
        match rustix::io::read(pipe, rustix::buffer::spare_capacity(bytes)) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
