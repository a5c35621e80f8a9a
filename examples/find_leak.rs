//! Finds leaks: which descriptors a function has not closed, and which process keeps a pipe open.

use fdspawn::fd::with_close_on_exec;
use fdspawn::inspect::{DescriptorTable, pipe_holders};
use fdspawn::{Command, Stdio};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};

fn main() -> io::Result<()> {
    // A function that does not close two descriptors.
    let before = DescriptorTable::current()?;
    careless()?;
    let leaked = DescriptorTable::diff(&before, &DescriptorTable::current()?);
    println!("not closed by the function:");
    for entry in leaked.opened() {
        println!("  {}", entry.kind());
    }

    // A pipe without end-of-file, because another process has its write end. One part of the program has cleared
    // close-on-exec of the write end, and another part has started a program at that time.
    let (mut reader, writer) = io::pipe()?;
    let writer = with_close_on_exec(writer, false)?;
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn()?;
    let number = writer.as_raw_fd();
    drop(writer); // closes the write end of this process
    let ends = pipe_holders(&reader)?;
    for holder in ends.writers() {
        let is_sleeper = holder.pid() == sleeper.id();
        let at =
            if holder.number() == number { "with the same number as in the parent" } else { "with another number" };
        println!("the write end is held by `{}` (our child: {is_sleeper}), {at}", holder.name().display());
    }
    sleeper.kill()?;
    sleeper.wait()?;
    println!("after it has exited: {} writers", pipe_holders(&reader)?.writers().len());
    println!("end-of-file after {} bytes", reader.read_to_end(&mut Vec::new())?);

    // A child of this library has only the descriptors of its plan, so it cannot inherit the write end by accident.
    let (mut reader, writer) = io::pipe()?;
    let mut writer = with_close_on_exec(writer, false)?;
    let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn()?;
    writer.write_all(b"data")?;
    drop(writer);
    println!(
        "with a plan: {} writers, end-of-file after {} bytes",
        pipe_holders(&reader)?.writers().len(),
        reader.read_to_end(&mut Vec::new())?
    );
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Opens a pipe, and never closes its ends.
fn careless() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let _ = (reader.into_raw_fd(), writer.into_raw_fd());
    Ok(())
}
