//! `GraphExplanation`: the stages and links of a graph as text, and for Graphviz.

use super::copier::{Copier, CopierKind};
use super::layout::{fork_and_join, launch_order, stage_in_cycle};
use super::link::{GraphLink, LinkKind, OutsideEnd};
use super::stage::{StageFd, StageId};
use crate::error::{Error, Failure, Result, Subject};
use crate::plan::GraphRefusal;
use crate::spawn::Explanation;
use std::fmt;
use std::sync::Arc;

/// The stages of a graph, its links and the order of the launches, from [`Graph::explain`](crate::Graph::explain). `Display` prints them; the
/// alternate form, `{:#}`, also prints the plan of each stage.
#[derive(Clone, Debug)]
pub struct GraphExplanation {
    /// The number of the graph.
    pub(super) graph: u32,
    /// Each program with its arguments.
    pub(super) stages: Vec<String>,
    pub(super) links: Vec<GraphLink>,
    pub(super) copiers: Vec<Copier>,
    /// The plan of each stage; none if the links are refused.
    pub(super) plans: Arc<[Explanation]>,
    pub(super) refusal: Option<GraphRefusal>,
}

impl GraphExplanation {
    /// The plan of a stage, with its links. `None` for a stage of another graph, and if the links are refused.
    pub fn stage(&self, stage: StageId) -> Option<&Explanation> {
        self.plans.get(stage.index).filter(|_| stage.graph == self.graph)
    }

    /// The explanation, if [`Graph::spawn`](crate::Graph::spawn) would not refuse the links.
    ///
    /// # Errors
    ///
    /// [`Failure::Graph`].
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let mut graph = Graph::new();
    /// let cat = graph.stage(Command::from(["cat"]));
    /// graph.pipe([cat.stdout()], []);
    /// let error = graph.explain().into_result().unwrap_err();
    /// assert_eq!(error.to_string(), graph.spawn().unwrap_err().to_string());
    /// ```
    pub fn into_result(self) -> Result<Self> {
        match self.refusal {
            Some(refusal) => Err(Error::new(Subject::Graph, Failure::Graph(refusal), None)),
            None => Ok(self),
        }
    }

    /// The graph in the language of Graphviz: `dot -Tsvg` draws it. Each stage is a box, and each link an arrow with the numbers of the
    /// descriptors at its ends.
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph {\n    node [shape=box]\n");
        for (index, stage) in self.stages.iter().enumerate() {
            let label: String = stage.chars().flat_map(quoted).collect();
            text.push_str(&format!("    stage{index} [label=\"{label}\"]\n"));
        }
        for (index, link) in self.links.iter().enumerate().filter(|(_, link)| !link.has_copier()) {
            self.dot_link(&mut text, index, link);
        }
        for (index, copier) in self.copiers.iter().enumerate() {
            text.push_str(&format!("    copier{index} [shape=ellipse, label=\"{}\"]\n", name_of(copier.kind)));
            for end in &self.links[copier.input].from {
                let (stage, number) = (end.stage.index, end.fd);
                text.push_str(&format!("    stage{stage} -> copier{index} [taillabel=\"{number}\"]\n"));
            }
            for end in copier.outputs.iter().flat_map(|&output| &self.links[output].to) {
                let (stage, number) = (end.stage.index, end.fd);
                text.push_str(&format!("    copier{index} -> stage{stage} [headlabel=\"{number}\"]\n"));
            }
        }
        text.push_str("}\n");
        text
    }

    fn dot_link(&self, text: &mut String, index: usize, link: &GraphLink) {
        let name = |end: &StageFd| format!("stage{}", end.stage.index);
        let style = if link.kind == LinkKind::Socket { ", dir=both" } else { "" };
        let mut arrow = |from: String, to: String, labels: String| {
            text.push_str(&format!("    {from} -> {to} [{labels}{style}]\n"));
        };
        let [from_label, to_label] = ["taillabel", "headlabel"];
        let outside = |slot: &Option<OutsideEnd>| slot.map(|_| format!("outside{index}"));
        match (&link.from[..], &link.to[..], outside(&link.slot)) {
            ([from], [to], None) => {
                arrow(name(from), name(to), format!("{from_label}=\"{}\", {to_label}=\"{}\"", from.fd, to.fd));
            }
            (from, to, outside) => {
                // Several writers or readers, or this process, meet at a point.
                let middle = outside.unwrap_or_else(|| format!("pipe{index}"));
                for end in from {
                    arrow(name(end), middle.clone(), format!("{from_label}=\"{}\"", end.fd));
                }
                for end in to {
                    arrow(middle.clone(), name(end), format!("{to_label}=\"{}\"", end.fd));
                }
                let shape = if link.slot.is_some() { "plaintext, label=\"this process\"" } else { "point" };
                text.push_str(&format!("    {middle} [shape={shape}]\n"));
            }
        }
    }
}

fn name_of(kind: CopierKind) -> &'static str {
    match kind {
        CopierKind::Tee { stops_early: false } => "tee",
        CopierKind::Tee { stops_early: true } => "tee until the first reader ends",
        CopierKind::Spool => "spool",
    }
}

/// A character inside of quotes.
fn quoted(character: char) -> impl Iterator<Item = char> {
    let escape = matches!(character, '"' | '\\').then_some('\\');
    escape.into_iter().chain([character])
}

impl fmt::Display for GraphExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stage) in self.stages.iter().enumerate() {
            writeln!(f, "stage {index}: {stage}")?;
        }
        for link in self.links.iter().filter(|link| !link.has_copier()) {
            let ends = |ends: &[StageFd], has_outside: bool| {
                let outside = has_outside.then(|| "this process".to_owned());
                let ends = ends.iter().map(|end| format!("stage {} at {}", end.stage.index, end.fd)).chain(outside);
                ends.collect::<Vec<_>>().join(", ")
            };
            let from = ends(&link.from, link.has_outside_writer());
            let to = ends(&link.to, link.has_outside_reader());
            match link.kind {
                LinkKind::Pipe => writeln!(f, "pipe: {from} -> {to}")?,
                LinkKind::Socket => writeln!(f, "socket: {from} <-> {to}")?,
            }
        }
        for copier in &self.copiers {
            let ends = |links: &[usize], ends: fn(&GraphLink) -> &[StageFd]| {
                let ends = links.iter().flat_map(|&link| ends(&self.links[link]));
                let ends = ends.map(|end| format!("stage {} at {}", end.stage.index, end.fd));
                ends.collect::<Vec<_>>().join(", ")
            };
            let (from, to) = (ends(&[copier.input], |link| &link.from), ends(&copier.outputs, |link| &link.to));
            writeln!(f, "{}: {from} -> {to}", name_of(copier.kind))?;
        }
        if let Some(refusal) = &self.refusal {
            return writeln!(f, "refused: {refusal}");
        }
        let count = self.stages.len();
        let order: Vec<String> = launch_order(count, &self.links, &self.copiers).iter().map(usize::to_string).collect();
        writeln!(f, "order of the launches: {}", order.join(", "))?;
        if let Some(stage) = stage_in_cycle(count, &self.links, &self.copiers) {
            writeln!(f, "stage {stage} is in a cycle: it can wait for itself")?;
        } else if let Some((fork, join)) = fork_and_join(count, &self.links, &self.copiers) {
            writeln!(
                f,
                "the outputs of stage {fork} come together in stage {join}: if that reads one before the other, the other pipe can \
                 become full, and all wait for ever"
            )?;
        }
        if f.alternate() {
            for (index, plan) in self.plans.iter().enumerate() {
                write!(f, "\nstage {index}: {plan}")?;
            }
        }
        Ok(())
    }
}
