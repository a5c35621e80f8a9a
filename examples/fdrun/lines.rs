//! `--pipe-from`: the lines that the child writes to its pipes.

use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::os::fd::RawFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Starts a thread for each pipe, which shows the lines from it. The result receives an error when all have come to their ends.
pub fn start_readers(pipes: impl Iterator<Item = (RawFd, PipeReader)>) -> io::Result<Receiver<()>> {
    let (reading, ends) = channel();
    for (number, pipe) in pipes {
        let reading = reading.clone();
        thread::Builder::new().spawn(move || {
            show_lines(number, pipe);
            drop(reading);
        })?;
    }
    Ok(ends)
}

/// Writes each line of `pipe` to standard error, after the descriptor's number. One write per line keeps lines whole.
fn show_lines(number: RawFd, pipe: PipeReader) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = format!("{number}: ").into_bytes();
        match pipe.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => line.push(b'\n'),
        }
        // If this write fails, fdrun still reads the pipe to its end, so that the child's writes succeed.
        let _ = io::stderr().write_all(&line);
    }
}
