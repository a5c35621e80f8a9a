//! The messages between the driver and its workers. Each request and each reply is one line of JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// How often a worker spawns for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Spawns before the measured ones. They refill the processor's caches after another case has run.
    pub warm: usize,
    /// Measured spawns.
    pub count: usize,
}

/// A message from the driver to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Measure a block of the case that has this index in the list of cases.
    Measure { case: usize, block: Block },
    /// Run this case once, and tell how far the resident memory grows.
    Memory { case: usize },
    /// Let each of these threads write a program and spawn it this many times, with the busy case at this index.
    Race { case: usize, threads: usize, times: usize },
}

/// A message from a worker to the driver.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The worker is in the state of its point.
    Ready,
    /// This machine does not support the state, or the case leaves it out.
    Skipped(String),
    /// The measured times, and the processor times that this worker has used meanwhile if the part measures them, in
    /// nanoseconds.
    Times { times: Vec<u64>, processor_times: Vec<u64> },
    /// How far the resident memory has grown, in bytes.
    Memory(u64),
    /// How many spawns failed with `ETXTBSY`.
    Busy(usize),
    /// A spawn failed.
    Failed(String),
}

pub fn send(mut to: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads the next message; `None` if the other side has closed the pipe.
pub fn receive<T: DeserializeOwned>(mut from: impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
