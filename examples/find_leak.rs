//! Finding a leak: which descriptors a function has left open, and who keeps a pipe open.

use fdspawn::fd::with_close_on_exec;
use fdspawn::inspect::{DescriptorTable, pipe_holders};
use fdspawn::{Command, Stdio};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd};

fn main() -> io::Result<()> {
    // A function that forgets two descriptors.
    let before = DescriptorTable::current()?;
    careless()?;
    let leaked = DescriptorTable::diff(&before, &DescriptorTable::current()?);
    println!("left open:");
    for entry in leaked.opened() {
        println!("  {}", entry.kind());
    }

    // A pipe that does not end, because some other process has its write end. Somebody made it inheritable, and somebody
    // else started a program meanwhile.
    let (mut reader, writer) = io::pipe()?;
    let writer = with_close_on_exec(writer, false)?;
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn()?;
    let number = writer.as_raw_fd();
    drop(writer); // ours
    let ends = pipe_holders(&reader)?;
    for holder in ends.writers() {
        let is_stranger = holder.pid() == stranger.id();
        let at = if holder.number() == number { "the number that we had" } else { "another number" };
        println!("the write end is held by `{}` (our child: {is_stranger}), at {at}", holder.name().display());
    }
    stranger.kill()?;
    stranger.wait()?;
    println!("after its end: {} writers", pipe_holders(&reader)?.writers().len());
    println!("end-of-file after {} bytes", reader.read_to_end(&mut Vec::new())?);

    // A spawn of this library passes on what the plan names: no such thing can happen.
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

/// Leaves a pipe open.
fn careless() -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    let _ = (reader.into_raw_fd(), writer.into_raw_fd());
    Ok(())
}
