//! Closes one descriptor and several descriptors, and distinguishes the errors of close(2).
//!
//! ```text
//! close_errors [FILE]...
//! ```
//!
//! The program writes a line to each file, and closes all files. On most file systems close(2) succeeds. On a network
//! file system that is full or unreachable, the write succeeds, and only close(2) reports that the line is lost.

use fdspawn::fd::{CloseCause, CloseError, close, close_all, sync_and_close};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    // One descriptor. The first close succeeds. The third closes a descriptor that is already closed.
    close(tempfile::tempfile()?)?;
    println!("one: closed");
    let file = tempfile::tempfile()?;
    // SAFETY: this violates I/O safety on purpose, to show the error of the next close. No other code opens a
    // descriptor between the two closes, so the next close fails and closes nothing.
    close(unsafe { OwnedFd::from_raw_fd(file.as_raw_fd()) })?;
    match close(file) {
        Ok(()) => println!("one: closed twice"),
        Err(error) => println!("one: {}", advice(&error)),
    }

    // One descriptor of a file whose data must be on the disk before the program continues.
    let mut file = tempfile::tempfile()?;
    file.write_all(b"valuable")?;
    sync_and_close(file)?;
    println!("one: on the disk, and closed");

    // Several descriptors. `close_all` closes all of them, and returns each error with the number of its descriptor.
    let mut files = Vec::new();
    for path in std::env::args_os().skip(1) {
        let mut file = File::options().write(true).create(true).truncate(true).open(&path)?;
        file.write_all(b"a line\n")?;
        files.push((path, file));
    }
    let names: Vec<_> = files.iter().map(|(path, file)| (file.as_raw_fd(), path.clone())).collect();
    let count = files.len();
    let Err(errors) = close_all(files.into_iter().map(|(_, file)| file)) else {
        println!("many: {count} closed");
        return Ok(ExitCode::SUCCESS);
    };
    for error in &errors {
        let name =
            names.iter().find(|(number, _)| *number == error.number()).map(|(_, name)| name.display().to_string());
        println!("many: {}: {}", name.unwrap_or_default(), advice(error));
    }
    println!("many: {} of {count} closed without an error", count - errors.errors().len());
    Ok(ExitCode::FAILURE)
}

/// What a program can do after this error.
fn advice(error: &CloseError) -> &'static str {
    match error.cause() {
        CloseCause::BadDescriptor => "a bug: the descriptor was already closed",
        CloseCause::Interrupted => "closed, but the system does not tell whether it wrote all data",
        CloseCause::Io => "the written data is lost: try another disk",
        CloseCause::NoSpace | CloseCause::Quota => "the written data is lost: free some space, and write it again",
        _ => "closed, with an error that this program does not know",
    }
}
