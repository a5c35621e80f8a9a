//! Double close: what it does with bare numbers, and why it cannot happen with values that own their descriptor.

use fdspawn::fd::{CloseCause, close};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

fn main() -> io::Result<()> {
    // With numbers. The first close is right.
    let number = tempfile::tempfile()?.into_raw_fd();
    // SAFETY: the number is this function's own.
    close(unsafe { OwnedFd::from_raw_fd(number) })?;
    // Somebody else opens a file, and gets the number that has become free.
    let mut other = tempfile::tempfile()?;
    other.write_all(b"somebody else's data")?;
    println!("the number is used again: {}", other.as_raw_fd() == number);
    // The second close succeeds; it closes what is not ours.
    // SAFETY: it is not safe! This is what goes wrong; nothing else uses the number before it is given back below.
    let second = close(unsafe { OwnedFd::from_raw_fd(number) });
    println!("the second close: {second:?}");
    println!("the other file:   {}", other.rewind().expect_err("its descriptor is gone"));
    // A third finds nothing at the number.
    // SAFETY: as above.
    let third = close(unsafe { OwnedFd::from_raw_fd(number) }).expect_err("nothing is open there");
    println!("the third close:  {:?}", third.cause());
    assert_eq!(third.cause(), CloseCause::BadDescriptor);
    let _ = other.into_raw_fd(); // it owns a number that is closed

    // With owners. `close` takes the file, so there is none to be closed again: `close(file)` a second time does not
    // compile, "use of moved value".
    let file = tempfile::tempfile()?;
    let mut other = tempfile::tempfile()?;
    other.write_all(b"somebody else's data")?;
    close(file)?;
    let mut text = String::new();
    other.rewind()?;
    other.read_to_string(&mut text)?;
    println!("with owners:      {text}");
    // Two owners are two descriptors: a duplicate, which is closed on its own.
    let again: File = other.try_clone()?;
    close(other)?;
    println!("the duplicate:    still open: {}", again.metadata().is_ok());
    close(again)?;
    Ok(())
}
