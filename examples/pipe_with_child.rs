//! A pipe between parent and forked child: each end is closed where it is not used, so that end-of-file arrives.
//!
//! The child is this program itself, forked and not replaced by another. It reads what the parent writes until end-of-file,
//! and answers. With bare `fork(2)` both processes have both ends, and the child waits for ever for the end of a pipe that it
//! holds open itself; here the child has the ends of its plan and nothing else.

use fdspawn::{FdMap, fork_run};
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};

const QUESTIONS: i32 = 3;
const ANSWERS: i32 = 4;

fn main() -> io::Result<()> {
    let mut map = FdMap::new();
    let questions = map.writer(QUESTIONS); // we write, the child reads at 3
    let answers = map.reader(ANSWERS); // the child writes at 4, we read
    // SAFETY: this program has one thread, and the child uses 0 to 4, which the plan gives it.
    let mut child = unsafe { fork_run(&mut map, || if answer().is_ok() { 0 } else { 1 })? };

    let mut questions = child.take(questions).expect("taken once");
    writeln!(questions, "how many bytes is this?")?;
    drop(questions); // the last writer: the child sees end-of-file

    let mut text = String::new();
    child.take(answers).expect("taken once").read_to_string(&mut text)?; // ends when the child does
    print!("the child says: {text}");
    println!("the child ended: {}", child.wait()?);
    Ok(())
}

/// The child's side.
fn answer() -> io::Result<()> {
    // SAFETY: the plan gives the child these two, and nobody else in it owns them.
    let (mut questions, mut answers) =
        unsafe { (PipeReader::from(OwnedFd::from_raw_fd(QUESTIONS)), File::from(OwnedFd::from_raw_fd(ANSWERS))) };
    let mut text = String::new();
    questions.read_to_string(&mut text)?;
    writeln!(answers, "{} bytes, then end-of-file", text.len())
}
