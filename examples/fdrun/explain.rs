//! `--explain` of a graph: its stages and pipes, and the plan of each stage.

use fdspawn::{Explanation, Graph};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// Prints the graph for Graphviz.
pub fn print_dot(graph: &Graph<'_>) -> Result<ExitCode, Box<dyn Error>> {
    io::stdout().write_all(graph.explain().into_result()?.dot().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the graph, and the plan of each stage.
pub fn print_text(graph: &Graph<'_>) -> Result<ExitCode, Box<dyn Error>> {
    let explanation = graph.explain().into_result()?;
    for stage in graph.stages() {
        if let Some(error) = explanation.stage(stage).and_then(Explanation::error) {
            return Err(format!("stage {}: {error}", stage.index()).into());
        }
    }
    write!(io::stdout(), "{explanation:#}")?;
    Ok(ExitCode::SUCCESS)
}
