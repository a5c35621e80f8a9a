//! A lock of flock(2) lasts until the last descriptor of its open file description is closed: a child that has a
//! duplicate keeps the lock after the parent has closed its own descriptor.

use fdspawn::Command;
use fdspawn::fd::{Lock, lock, try_lock};
use std::fs::File;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let path = tempfile::NamedTempFile::new()?.into_temp_path();

    // The parent locks the file, and gives the child a duplicate of the locked descriptor.
    let guard = lock(File::options().write(true).open(&path)?, Lock::exclusive())?;
    println!("locked by the parent:             {}", state(&path)?);
    let mut command = Command::new("cat"); // runs until its standard input ends
    command.fd(9, &guard);
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(command);
    drop(guard.into_inner()); // closes the parent's descriptor, and does not unlock the file
    println!("closed by the parent:             {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;
    println!("the last holder has exited:       {}", state(&path)?);

    // A child whose plan does not name the descriptor does not hold the lock, even if close-on-exec is not set.
    let guard =
        lock(fdspawn::fd::with_close_on_exec(File::options().write(true).open(&path)?, false)?, Lock::exclusive())?;
    let mut command = Command::new("cat");
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(guard.into_inner());
    println!("a child runs without descriptor:  {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;

    // Unlocking differs from closing: it releases the lock for all processes that have the open file description.
    let guard = lock(File::options().write(true).open(&path)?, Lock::exclusive())?;
    let mut command = Command::new("cat");
    command.fd(9, &guard);
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(command);
    guard.unlock()?;
    println!("unlocked while the child has it:  {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;
    Ok(())
}

/// Whether a new open file description of the same file can get the lock.
fn state(path: &Path) -> io::Result<&'static str> {
    match try_lock(File::options().write(true).open(path)?, Lock::exclusive()) {
        Ok(_) => Ok("free"),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok("held"),
        Err(error) => Err(error.into()),
    }
}
