//! `GraphForm`: what the statuses of a graph need to know of it.

use super::graph::{Graph, StageCommand};
use super::layout::readers;
use super::link::{GraphLink, LinkKind};
use super::stage::StageId;
use super::statuses::{StageStatus, Statuses};
use super::verdict::StageEnd;
use crate::child::{Child, ParentEnd};
use std::ffi::OsString;
use std::process::ExitStatus;

/// What the statuses of a graph need to know of it.
#[derive(Clone, Debug)]
pub(super) struct GraphForm {
    graph: u32,
    stages: Vec<StageForm>,
}

#[derive(Clone, Debug)]
struct StageForm {
    program: OsString,
    allowed: Vec<i32>,
    readers: Vec<usize>,
    has_outside_reader: bool,
}

impl GraphForm {
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let mut readers = readers(graph.stages.len(), &graph.links, &graph.copiers);
        for link in graph.links.iter().filter(|link| link.kind == LinkKind::Socket) {
            for (one, other) in link.from.iter().zip(&link.to) {
                readers[one.stage.index].push(other.stage.index);
                readers[other.stage.index].push(one.stage.index);
            }
        }
        let stage = |(index, (stage, readers)): (usize, (&StageCommand<'_>, Vec<usize>))| StageForm {
            program: stage.command.get_program().to_owned(),
            allowed: stage.allowed.clone(),
            readers,
            has_outside_reader: graph.links.iter().any(|link| is_read_outside(link, index)),
        };
        let stages = graph.stages.iter().zip(readers).enumerate().map(stage).collect();
        Self { graph: graph.number, stages }
    }

    /// The number of the graph.
    pub(super) fn graph(&self) -> u32 {
        self.graph
    }

    /// This process reads the output of this stage.
    pub(super) fn set_outside_reader(&mut self, stage: usize) {
        self.stages[stage].has_outside_reader = true;
    }

    /// This process has the ends of slots of this stage's command.
    pub(super) fn set_slots(&mut self, stage: usize, slots: &[(u64, ParentEnd)]) {
        if slots.iter().any(|(_, end)| !matches!(end, ParentEnd::Writer(_))) {
            self.set_outside_reader(stage);
        }
    }

    /// The end of a stage.
    pub(super) fn status(&self, stage: usize, status: ExitStatus, child: Option<&mut Child>) -> StageStatus {
        let usage = child.and_then(|child| child.wait_usage().ok()).and_then(|(_, usage)| usage);
        let program = self.stages[stage].program.clone();
        StageStatus { stage: StageId { graph: self.graph, index: stage }, program, status, usage }
    }

    /// All ends.
    pub(super) fn statuses(&self, stages: Vec<StageStatus>) -> Statuses {
        let end = |(form, stage): (&StageForm, &StageStatus)| StageEnd {
            status: stage.status,
            allowed: form.allowed.clone(),
            readers: form.readers.clone(),
            has_outside_reader: form.has_outside_reader,
        };
        let ends = self.stages.iter().zip(&stages).map(end).collect();
        Statuses { graph: self.graph, stages, ends }
    }
}

fn is_read_outside(link: &GraphLink, stage: usize) -> bool {
    link.has_outside_reader() && link.from.iter().any(|end| end.stage.index == stage)
}
