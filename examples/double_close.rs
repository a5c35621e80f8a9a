//! Double close: what a second close of the same number does, and why types that own their descriptor prevent it.

use fdspawn::fd::{CloseCause, close};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

fn main() -> io::Result<()> {
    // With plain numbers. The first close is correct.
    let number = tempfile::tempfile()?.into_raw_fd();
    // SAFETY: only this function uses the descriptor.
    close(unsafe { OwnedFd::from_raw_fd(number) })?;
    // Other code opens a file, and the kernel gives it the free number.
    let mut other = tempfile::tempfile()?;
    other.write_all(b"the other file's data")?;
    println!("the number is used again: {}", other.as_raw_fd() == number);
    // The second close succeeds, but it closes the other file. SAFETY: this violates I/O safety on purpose, to show
    // what happens. No code opens a descriptor with this number before `into_raw_fd` below ends the ownership of
    // `other`.
    let second = close(unsafe { OwnedFd::from_raw_fd(number) });
    println!("the second close: {second:?}");
    println!("the other file:   {}", other.rewind().expect_err("its descriptor is closed"));
    // A third close fails, because the number is not open.
    // SAFETY: as for the second close.
    let third = close(unsafe { OwnedFd::from_raw_fd(number) }).expect_err("the number is not open");
    println!("the third close:  {:?}", third.cause());
    assert_eq!(third.cause(), CloseCause::BadDescriptor);
    let _ = other.into_raw_fd(); // its descriptor is already closed

    // With types that own their descriptor. `close` takes the file by value, so the program cannot close it again: a
    // second `close(file)` does not compile ("use of moved value").
    let file = tempfile::tempfile()?;
    let mut other = tempfile::tempfile()?;
    other.write_all(b"the other file's data")?;
    close(file)?;
    let mut text = String::new();
    other.rewind()?;
    other.read_to_string(&mut text)?;
    println!("with owners:      {text}");
    // A duplicate is a descriptor of its own. Closing the original does not close the duplicate.
    let again: File = other.try_clone()?;
    close(other)?;
    println!("the duplicate:    still open: {}", again.metadata().is_ok());
    close(again)?;
    Ok(())
}
