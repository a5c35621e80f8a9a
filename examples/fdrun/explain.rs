//! `--explain` of a graph: its stages and pipes, and the plan of each stage.

use crate::readings::Reading;
use fdspawn::Graph;
use std::error::Error;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::process::ExitCode;

/// Prints the graph for Graphviz.
pub fn print_dot(graph: &Graph<'_>) -> Result<ExitCode, Box<dyn Error>> {
    io::stdout().write_all(graph.explain().into_result()?.dot().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the graph, and then what fdrun prints for one program, for each stage. `writers` has the stages of each reading.
pub fn print_text(
    mut graph: Graph<'_>,
    readings: &[Reading],
    writers: &[Vec<usize>],
) -> Result<ExitCode, Box<dyn Error>> {
    let mut text = graph.explain().into_result()?.to_string();
    let stages = graph.stages();
    let last = stages.len() - 1;
    for stage in stages {
        let index = stage.index();
        let command = graph.command(stage);
        // A command does not know the pipes of its graph. These stand for them.
        if index > 0 {
            command.fd(0, io::pipe()?.0);
        }
        let read = readings.iter().zip(writers).filter(|(_, stages)| stages.contains(&index));
        let linked = (index < last).then_some(1);
        let numbers: Vec<RawFd> = linked.into_iter().chain(read.map(|(reading, _)| reading.number)).collect();
        for number in numbers {
            command.fd(number, io::pipe()?.1);
        }
        let explanation = command.explain().into_result().map_err(|error| format!("stage {index}: {error}"))?;
        text += &format!("\nstage {index}: {explanation}");
    }
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
