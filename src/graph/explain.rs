//! `Graph::explain`: the stages and links of a graph without a start.

use super::explanation::GraphExplanation;
use super::graph::Graph;
use crate::command::Command;
use crate::escape::Escaped;
use std::fmt::Write;

impl Graph<'_> {
    /// Shows the stages, their links and the order of the launches, and for each stage the plan that [`Graph::spawn`] would make, with its links:
    /// the targets, the renumbering, the closes and all other steps. It starts nothing, and opens nothing but, with 64 stages or more, the list of
    /// this process's descriptors.
    ///
    /// The numbers of the links, and of all else that the library would open, are those that a start would get now: the kernel gives the lowest
    /// free ones. With 64 stages or more the numbers are mostly those of the duplicates that each stage gets for its launch. A start that comes
    /// later, or beside other threads that open descriptors, may get others, and so may one with a spool that meets a limit for the size of a file
    /// (`RLIMIT_FSIZE`). For a command with a cgroup, the explanation does not look whether the cgroup makes the launcher fork
    /// (`memory.oom.group`). For one with an [`Isolated`](crate::Isolated), the numbers are those of this process's table.
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
    ///
    /// let sort = graph.stages().last().expect("two stages");
    /// assert_eq!(graph.explain().stage(sort).expect("a stage of this graph").targets(), [0, 1, 2]);
    /// print!("{:#}", graph.explain()); // also the plan of each stage
    /// ```
    pub fn explain(&self) -> GraphExplanation {
        let stages = self.stages.iter().map(|stage| line_of(&stage.command)).collect();
        let refusal = self.refusal().err();
        let plans = if refusal.is_none() { self.stage_plans() } else { Vec::new() };
        GraphExplanation {
            graph: self.number,
            stages,
            links: self.links.clone(),
            copiers: self.copiers.clone(),
            plans: plans.into(),
            refusal,
        }
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
