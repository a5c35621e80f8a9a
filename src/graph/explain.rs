//! `Graph::explain`: the stages and links of a graph without a start.

use super::explanation::GraphExplanation;
use super::graph::Graph;
use crate::command::Command;
use crate::escape::Escaped;
use std::fmt::Write;

impl Graph<'_> {
    /// Shows the stages, their links and the order of the launches. It opens and starts nothing.
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let graph = Graph::pipeline([Command::from(["du", "-a"]), Command::from(["sort", "-n"])]);
    /// let text = "\
    /// stage 0: `du` `-a`
    /// stage 1: `sort` `-n`
    /// pipe: stage 0 at 1 -> stage 1 at 0
    /// order of the launches: 1, 0
    /// ";
    /// assert_eq!(graph.explain().to_string(), text);
    /// ```
    pub fn explain(&self) -> GraphExplanation {
        let stages = self.stages.iter().map(|stage| line_of(&stage.command)).collect();
        GraphExplanation::new(stages, self.links.clone(), self.copiers.clone(), self.refusal().err())
    }
}

/// The program with its arguments, or the function's name.
fn line_of(command: &Command<'_>) -> String {
    let kind = if command.function.is_some() { "function " } else { "" };
    let mut line = format!("{kind}`{}`", Escaped::new(command.get_program()));
    for argument in command.get_args() {
        let _ = write!(line, " `{}`", Escaped::new(argument)); // A write to a string does not fail.
    }
    line
}
