//! A filter of this process as a stage: `COMMAND | number | COMMAND`, where `number` is a function of this file that numbers lines.
//!
//! Usage: `filter FIRST LAST`, each a command for the shell. Set EXPLAIN to see the stages, their links and their steps.

use fdspawn::{Command, Graph};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::fd::FromRawFd;

/// Writes each line of its standard input with its number. The child exits with what this returns.
fn number() -> i32 {
    // SAFETY: in the child, 0 and 1 are what the graph has linked, and no other value owns them.
    let (input, output) = unsafe { (File::from_raw_fd(0), File::from_raw_fd(1)) };
    let mut output = BufWriter::new(output);
    for (index, line) in BufReader::new(input).lines().enumerate() {
        let written = line.and_then(|line| writeln!(output, "{:>4}  {line}", index + 1));
        if written.is_err() {
            return 1;
        }
    }
    output.flush().map_or(1, |()| 0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(first), Some(last)) = (arguments.next(), arguments.next()) else {
        return Err("usage: filter FIRST LAST".into());
    };
    let shell = |line| Command::new("sh").arg("-c").arg(line).take();
    // SAFETY: this process has one thread, so the function may make any call. It uses 0 and 1 only, which a stage always has.
    let filter = unsafe { Command::function("number", number) };
    let mut graph = Graph::pipeline([shell(first), filter, shell(last)]);
    if std::env::var_os("EXPLAIN").is_some() {
        print!("{:#}", graph.explain());
    }
    graph.status()?.check()?;
    Ok(())
}
