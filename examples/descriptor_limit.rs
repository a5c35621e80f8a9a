//! A process at its limit of descriptors: what still works, and which errors tell what does not.

use fdspawn::fd::close_all;
use fdspawn::inspect::DescriptorTable;
use fdspawn::{Command, Stdio};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;

const LIMIT: u64 = 32;

fn main() -> io::Result<()> {
    setrlimit(Resource::Nofile, Rlimit { current: Some(LIMIT), ..getrlimit(Resource::Nofile) })?;
    let mut open = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => break error,
        }
    };
    println!("open: {error}");

    // The list needs no descriptor.
    println!("the table has {} of {LIMIT} entries", DescriptorTable::current()?.len());
    // A spawn without pipes needs none either.
    println!("status: {}", Command::new("true").status()?);
    // One with pipes fails before anything is started, and says at which step.
    println!("output: {}", Command::new("true").output().expect_err("no number is left"));
    println!("target: {}", Command::new("true").fd(40, Stdio::null()).status().expect_err("beyond the limit"));

    // Some room, and it works again.
    close_all(open.drain(..8))?;
    let output = Command::new("echo").arg("a pipe fits again").output()?;
    print!("output: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
