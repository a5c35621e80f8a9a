//! An flock lock lives as long as the last holder of its description: a child that has a duplicate keeps it after the
//! parent has closed its own.

use fdspawn::Command;
use fdspawn::fd::{Lock, lock, try_lock};
use std::fs::File;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let path = tempfile::NamedTempFile::new()?.into_temp_path();

    // The parent locks, and hands the locked description to a child.
    let guard = lock(File::options().write(true).open(&path)?, Lock::exclusive())?;
    println!("locked by the parent:             {}", state(&path)?);
    let mut command = Command::new("cat"); // runs until its input ends
    command.fd(9, &guard);
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(command);
    drop(guard.into_inner()); // closed here, not unlocked
    println!("closed by the parent:             {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;
    println!("the last holder has ended:        {}", state(&path)?);

    // A child that is not given the descriptor does not hold the lock, whatever flags the descriptor has.
    let guard =
        lock(fdspawn::fd::with_close_on_exec(File::options().write(true).open(&path)?, false)?, Lock::exclusive())?;
    let mut command = Command::new("cat");
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(guard.into_inner());
    println!("a child runs that has no part:    {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;

    // To unlock is another thing than to close: it is for all holders at once.
    let guard = lock(File::options().write(true).open(&path)?, Lock::exclusive())?;
    let mut command = Command::new("cat");
    command.fd(9, &guard);
    let input = command.writer(0);
    let mut child = command.spawn()?;
    drop(command);
    guard.unlock()?;
    println!("unlocked while a child holds it:  {}", state(&path)?);
    drop(child.take(input));
    child.wait()?;
    Ok(())
}

/// Whether somebody who opens the file anew can lock it.
fn state(path: &Path) -> io::Result<&'static str> {
    match try_lock(File::options().write(true).open(path)?, Lock::exclusive()) {
        Ok(_) => Ok("free"),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok("held"),
        Err(error) => Err(error.into()),
    }
}
