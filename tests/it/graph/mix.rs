//! The program of a stage of a random graph: it copies tagged records from all its inputs to all its outputs.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{read, write};
use std::os::fd::BorrowedFd;

/// The bytes of a record.
pub const RECORD: usize = 16;

/// How much is read or written at once: what a pipe takes as a whole, so that records of several writers and readers stay whole.
const CHUNK: usize = 4096;

/// A record: who has made it, which one of that maker's it is, and a number for the way that it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub maker: u32,
    pub number: u32,
    pub way: u64,
}

impl Record {
    pub fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&self.maker.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..].copy_from_slice(&self.way.to_le_bytes());
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let word = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
        let way = u64::from_le_bytes(bytes[8..RECORD].try_into().unwrap());
        Self { maker: word(0), number: word(4), way }
    }

    /// The record after a stage has read it from a link.
    fn passed(self, stage: u32, link: u32) -> Self {
        let step = (u64::from(stage) << 32) | u64::from(link);
        Self { way: (self.way ^ step).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17) + 1, ..self }
    }
}

/// One of the inputs.
struct Input {
    number: i32,
    link: u32,
    /// The start of a record whose end has not come.
    part: Vec<u8>,
}

/// One of the outputs.
struct Output {
    number: i32,
    pending: Vec<u8>,
    written: usize,
}

/// Makes `count` records, and copies all others. `links` are words as `<5:2` (reads link 2 at 5) and `>1` (writes at 1).
pub fn mix(stage: &str, count: &str, links: &str) {
    let (stage, count): (u32, u32) = (stage.parse().unwrap(), count.parse().unwrap());
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for word in links.split_whitespace() {
        match word.split_at(1) {
            ("<", rest) => {
                let (number, link) = rest.split_once(':').unwrap();
                inputs.push(Input { number: number.parse().unwrap(), link: link.parse().unwrap(), part: Vec::new() });
            }
            (_, number) => outputs.push(Output { number: number.parse().unwrap(), pending: Vec::new(), written: 0 }),
        }
    }
    for number in 0..count {
        put(&mut outputs, Record { maker: stage, number, way: 0 });
    }
    while !inputs.is_empty() || outputs.iter().any(|output| output.written < output.pending.len()) {
        turn(stage, &mut inputs, &mut outputs);
    }
}

fn put(outputs: &mut [Output], record: Record) {
    outputs.iter_mut().for_each(|output| output.pending.extend(record.to_bytes()));
}

/// A descriptor of this process, which it does not close before its end, but for inputs at their ends.
fn borrowed(number: i32) -> BorrowedFd<'static> {
    // SAFETY: the test has connected the number.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Waits until an input or an output is ready, and moves what can be moved.
fn turn(stage: u32, inputs: &mut Vec<Input>, outputs: &mut [Output]) {
    let mut ready: Vec<PollFd<'_>> = Vec::new();
    for input in inputs.iter() {
        ready.push(PollFd::from_borrowed_fd(borrowed(input.number), PollFlags::IN));
    }
    for output in outputs.iter() {
        let flags = if output.written < output.pending.len() { PollFlags::OUT } else { PollFlags::empty() };
        ready.push(PollFd::from_borrowed_fd(borrowed(output.number), flags));
    }
    poll(&mut ready, None).unwrap();
    let ready: Vec<bool> = ready.iter().map(|fd| !fd.revents().is_empty()).collect();
    let (ready_inputs, ready_outputs) = ready.split_at(inputs.len());
    for (output, is_ready) in outputs.iter_mut().zip(ready_outputs) {
        if *is_ready && output.written < output.pending.len() {
            let end = output.pending.len().min(output.written + CHUNK);
            // Another writer may have been faster. Then this waits for the reader, which waits for nothing that this stage does.
            output.written += write(borrowed(output.number), &output.pending[output.written..end]).unwrap();
            if output.written > 64 * CHUNK {
                output.pending.drain(..output.written);
                output.written = 0;
            }
        }
    }
    let mut ended = Vec::new();
    for (index, (input, is_ready)) in inputs.iter_mut().zip(ready_inputs).enumerate() {
        if !is_ready {
            continue;
        }
        // Another reader may have been faster. Then this waits for the writer, or for the end: poll has told of one of them, and a shared
        // pipe that is empty and open has a writer that does not wait for this stage's outputs.
        let mut bytes = [0; CHUNK];
        let count = read(borrowed(input.number), &mut bytes).unwrap();
        if count == 0 {
            assert!(input.part.is_empty(), "a record is torn");
            ended.push(index);
        }
        input.part.extend_from_slice(&bytes[..count]);
        let whole = input.part.len() / RECORD * RECORD;
        for record in input.part.drain(..whole).collect::<Vec<u8>>().chunks(RECORD) {
            put(outputs, Record::from_bytes(record).passed(stage, input.link));
        }
    }
    for index in ended.into_iter().rev() {
        inputs.remove(index);
    }
}
