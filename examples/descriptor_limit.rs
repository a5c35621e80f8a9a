//! A process at its limit of open descriptors (RLIMIT_NOFILE): which calls still work, and which errors the others
//! return.

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

    // `DescriptorTable::current` works without a free descriptor.
    println!("the table has {} of {LIMIT} entries", DescriptorTable::current()?.len());
    // A spawn without pipes does too.
    println!("status: {}", Command::new("true").status()?);
    // A spawn with pipes fails before it starts a process. The error names the step that failed.
    println!("output: {}", Command::new("true").output().expect_err("no descriptor is free"));
    println!("target: {}", Command::new("true").fd(40, Stdio::null()).status().expect_err("40 is above the limit"));

    // After the program has closed some descriptors, a spawn with pipes works again.
    close_all(open.drain(..8))?;
    let output = Command::new("echo").arg("the pipes have descriptors again").output()?;
    print!("output: {}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
