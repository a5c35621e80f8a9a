//! Close-on-exec: whether a program inherits a descriptor with and without this flag, if std or this library starts it.

use fdspawn::fd::{Flags, duplicate_from, with_close_on_exec};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// A shell script that prints whether the shell has inherited the descriptor whose number is its argument.
const SCRIPT: &str = "if [ -e /dev/fd/$0 ]; then echo open; else echo closed; fi";

fn main() -> io::Result<()> {
    let file = File::open("/dev/null")?;
    println!("opened by Rust:  {:?}", Flags::of(&file)?);

    for close_on_exec in [true, false] {
        let file = with_close_on_exec(&file, close_on_exec)?;
        let number = file.as_raw_fd().to_string();
        let mut by_std = std::process::Command::new("sh");
        let found = by_std.args(["-c", SCRIPT, &number]).output()?.stdout;
        print!("close-on-exec {close_on_exec:5}: std's child finds it {}", String::from_utf8_lossy(&found));

        // With this library the plan decides whether the child has the descriptor; the flag does not.
        let mut by_plan = fdspawn::Command::new("sh");
        let found = by_plan.args(["-c", SCRIPT, &number]).output()?.stdout;
        print!("                     not in the plan: {}", String::from_utf8_lossy(&found));
        let found = by_plan.keep(file).output()?.stdout;
        print!("                     kept by the plan: {}", String::from_utf8_lossy(&found));
        println!("                     the flag here is as before: {:?}", Flags::of(file)?);
    }

    // The flag belongs to the descriptor, not to the open file description: a duplicate has a flag of its own.
    let duplicate = duplicate_from(&file, 10, Flags::CLOSE_ON_EXEC)?;
    println!("original {:?}, duplicate {:?}", Flags::of(&file)?, Flags::of(&duplicate)?);
    Ok(())
}
