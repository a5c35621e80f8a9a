//! What the driver and its workers say to each other: one line of JSON for each request and each reply.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// How often to spawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// First, without counting: what the case before has left behind must not fall on this one.
    pub warm: usize,
    /// And then measured.
    pub count: usize,
}

/// From the driver.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Measure a block of the case with this number.
    Measure { case: usize, block: Block },
    /// Let threads write a program and spawn it, so many times each, by the racer with this number.
    Race { racer: usize, threads: usize, times: usize },
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The state is as the point asks for.
    Ready,
    /// The state cannot be had on this machine.
    Skipped(String),
    /// The measured times, in nanoseconds.
    Times(Vec<u64>),
    /// How many programs were refused as busy.
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

/// The next message; `None` where the other side has gone.
pub fn receive<T: DeserializeOwned>(mut from: impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
