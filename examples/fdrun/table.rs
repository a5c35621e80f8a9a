//! `--table`: the descriptor table that a program would start with.

use fdspawn::Command;
use fdspawn::inspect::DescriptorTable;
use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, RawFd};

/// If this variable is set, fdrun writes its own descriptor table to the descriptor whose number is the value.
const SHOW_AT: &str = "FDRUN_SHOW_TABLE_AT";

/// Starts fdrun again with the plan, and with a pipe at a number that the plan does not use. The child writes its
/// descriptor table to this pipe.
pub fn print(mut command: Command<'_>) -> Result<(), Box<dyn Error>> {
    let targets = command.explain().into_result()?.targets();
    let open = DescriptorTable::current()?;
    let unused = |number: &RawFd| !targets.contains(number) && open.get(*number).is_none();
    let number = (3..).find(unused).ok_or("no number is left for the table")?;
    let table = command.env_clear().env(SHOW_AT, number.to_string()).reader(number);
    let mut child = command.spawn()?;
    let mut text = Vec::new();
    child.take(table).expect("taken once").read_to_end(&mut text)?;
    match child.wait()? {
        status if status.success() => Ok(io::stdout().write_all(&text)?),
        status => Err(format!("the child that reads its descriptor table failed: {status}").into()),
    }
}

/// In a child of `print`: writes the descriptor table to the pipe, and exits.
pub fn show_own() {
    let number = std::env::var(SHOW_AT).ok().and_then(|number| number.parse().ok());
    let Some(number) = number.filter(|number: &RawFd| *number >= 0) else { return };
    let shown = DescriptorTable::current().and_then(|mut table| {
        table.retain(|entry| entry.number() != number);
        // The path of the pipe would not do: with --uid, the user may not open it.
        // SAFETY: `print` has connected the number to its pipe, and this process does not close it.
        let pipe = unsafe { BorrowedFd::borrow_raw(number) };
        File::from(pipe.try_clone_to_owned()?).write_all(table.to_string().as_bytes())
    });
    std::process::exit(if shown.is_ok() { 0 } else { 1 });
}

/// Calls `show_own` before Rust's runtime starts. The runtime opens 0, 1 and 2 if they are closed, so that the
/// table would differ from the table that the plan describes.
#[cfg(target_os = "linux")]
#[used]
#[allow(unsafe_code, reason = "std has no way to run code before its runtime")]
// SAFETY: the C library calls each function of this section once before `main`. `enter` needs nothing from `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn enter() {
        show_own();
    }
    enter
};
