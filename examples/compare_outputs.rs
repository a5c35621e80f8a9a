//! Compares what two commands print: a shell's `diff <(first) <(second)`, and a time for both.
//!
//! Usage: `compare_outputs FIRST SECOND`, each a command for the shell. Ends with the status of `diff`.

use fdspawn::{Capture, Command, Graph, Stop};
use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    match compare() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("compare_outputs: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether the two outputs are the same.
fn compare() -> Result<bool, Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(first), Some(second)) = (arguments.next(), arguments.next()) else {
        return Err("usage: compare_outputs FIRST SECOND".into());
    };
    let mut graph = Graph::new();
    let [first, second] = [first, second].map(|line| graph.stage(Command::new("sh").arg("-c").arg(line).take()));
    let diff = graph.stage(Command::from(["diff"]));
    graph.argument_from(diff, first.stdout()).argument_from(diff, second.stdout()).allow(diff, &[1]);
    let captured = graph.capture(&Capture::new().timeout(Duration::from_secs(60)))?;
    if captured.stop == Stop::Deadline {
        println!("until the time was over:");
    }
    stdout().write_all(&captured.stdout)?;
    Ok(captured.check()?.statuses.last().success())
}
