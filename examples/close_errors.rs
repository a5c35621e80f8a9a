//! Closing one descriptor and many, with the errors told apart.
//!
//! ```text
//! close_errors [FILE]...
//! ```
//!
//! It writes a line to each file, and closes them all. On most file systems closing succeeds; on a network file system
//! that is full or gone, it is the close that tells that the line is lost.

use fdspawn::fd::{CloseCause, CloseError, close, close_all, sync_and_close};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

fn main() -> io::Result<ExitCode> {
    // One. What it says when all is well, and when somebody has closed the number behind its owner's back.
    close(tempfile::tempfile()?)?;
    println!("one: closed");
    let file = tempfile::tempfile()?;
    // SAFETY: it is not safe! A bug, to see its error: nothing opens a descriptor between this close and the next.
    close(unsafe { OwnedFd::from_raw_fd(file.as_raw_fd()) })?;
    match close(file) {
        Ok(()) => println!("one: closed twice"),
        Err(error) => println!("one: {}", advice(&error)),
    }

    // One that has to be on the disk before we go on.
    let mut file = tempfile::tempfile()?;
    file.write_all(b"valuable")?;
    sync_and_close(file)?;
    println!("one: on the disk, and closed");

    // Many. All are closed, and all errors come back, each with its descriptor.
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

/// What a program can do about it.
fn advice(error: &CloseError) -> &'static str {
    match error.cause() {
        CloseCause::BadDescriptor => "a bug: it was closed before",
        CloseCause::Interrupted => "closed, but whether all was written is not known",
        CloseCause::Io => "what was written is lost: try another disk",
        CloseCause::NoSpace | CloseCause::Quota => "what was written is lost: make room, and write it again",
        _ => "closed, with an error that is not known here",
    }
}
