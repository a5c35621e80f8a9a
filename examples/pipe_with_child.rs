//! A pipe between a parent and its forked child. Each process closes the end that it does not use, so that the reader
//! gets end-of-file.
//!
//! The child runs a function of this program, without execve(2). It reads the parent's question until end-of-file, and
//! answers. After a plain fork(2) both processes would have both ends of each pipe, and the child would never get
//! end-of-file, because it has the write end open itself. Here the child has only the ends that its plan names.

use fdspawn::{FdMap, fork_run};
use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};

const QUESTIONS: i32 = 3;
const ANSWERS: i32 = 4;

fn main() -> io::Result<()> {
    let mut map = FdMap::new();
    let questions = map.writer(QUESTIONS); // the parent writes, the child reads from 3
    let answers = map.reader(ANSWERS); // the child writes to 4, the parent reads
    // SAFETY: this program has one thread, and the child uses only 0 to 4, which the plan opens.
    let mut child = unsafe { fork_run(&mut map, || if answer().is_ok() { 0 } else { 1 })? };

    let mut questions = child.take(questions).expect("taken once");
    writeln!(questions, "how many bytes is this?")?;
    drop(questions); // closes the last write end: the child gets end-of-file

    let mut text = String::new();
    child.take(answers).expect("taken once").read_to_string(&mut text)?; // until the child exits
    print!("the child says: {text}");
    println!("the child ended: {}", child.wait()?);
    Ok(())
}

/// What the child does.
fn answer() -> io::Result<()> {
    // SAFETY: the plan opens these two descriptors in the child, and no other value in the child owns them.
    let (mut questions, mut answers) =
        unsafe { (PipeReader::from(OwnedFd::from_raw_fd(QUESTIONS)), File::from(OwnedFd::from_raw_fd(ANSWERS))) };
    let mut text = String::new();
    questions.read_to_string(&mut text)?;
    writeln!(answers, "{} bytes, then end-of-file", text.len())
}
