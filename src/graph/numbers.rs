//! Which numbers the descriptors of a graph get in this process, and which of them the launches use.

use super::graph::Graph;
use crate::fd::by_number::open_numbers;
use crate::fd::standard::lock_stdio_numbers_if_closed;
use crate::platform::Features;
use crate::spawn::{Numbering, soft_limit};

/// A stage with more ends gets no duplicates of them: not all of them could have low numbers.
const MOST_LOWERED: usize = 32;

/// How the numbers of a graph's descriptors are chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct GraphNumbers {
    pub(super) numbering: Numbering,
    /// How many numbers the launches take besides the links, at most.
    launches: usize,
}

/// Which stages get low duplicates of their ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lowering {
    has_room: bool,
}

impl GraphNumbers {
    pub(super) fn new(graph: &Graph<'_>) -> Self {
        let sources = || graph.stages.iter().map(|stage| stage.command.fd_map.len());
        // Each stage leaves a pidfd open, a duplicate of it for a group, two streams of a capture, and its own ends. During a launch there are the
        // child's ends, and what the library needs itself.
        let kept: usize = sources().map(|count| count + 4).sum();
        let during = 2 * sources().max().unwrap_or(0) + MOST_LOWERED + 16;
        Self { numbering: Numbering::of_graph(graph.stages.len()), launches: kept + during }
    }

    /// Stages get duplicates if there is room for them below the limit of descriptors: no launch fails, and none goes without a pidfd, for the
    /// sake of duplicates. `more` is how many descriptors will be opened before the launches.
    pub(super) fn lowering(&self, more: usize) -> Lowering {
        if self.numbering == Numbering::Lowest {
            return Lowering { has_room: false };
        }
        // If 0, 1 or 2 is closed, the list has its number for a moment.
        let _guard = lock_stdio_numbers_if_closed();
        // A look at each number would take too long. Without a list, stages get no duplicates.
        let open = open_numbers(Features::SEARCH).map_or(usize::MAX, |numbers| numbers.len());
        let limit = usize::try_from(soft_limit()).unwrap_or(usize::MAX);
        let has_room = open.saturating_add(more).saturating_add(self.launches) <= limit;
        Lowering { has_room }
    }
}

impl Lowering {
    /// Whether a stage with this many ends gets duplicates of them.
    pub(super) fn is_for(self, ends: usize) -> bool {
        self.has_room && ends <= MOST_LOWERED
    }
}
