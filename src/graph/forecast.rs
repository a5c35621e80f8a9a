//! The plan of each stage before the start, with the numbers that its links would get. Nothing here opens a descriptor,
//! but for the list of those that are open (`GraphNumbers::lowering`).

use super::copier::Copier;
use super::graph::Graph;
use super::layout::launch_order;
use super::link::{GraphLink, LinkEnd, LinkKind, OutsideEnd};
use super::numbers::GraphNumbers;
use crate::spawn::{Explanation, FreeNumbers, Numbering, forecast_lower};
use std::os::fd::RawFd;

impl Graph<'_> {
    /// The explanation of each stage. The graph is not refused.
    pub(super) fn stage_plans(&self) -> Vec<Explanation> {
        let (mut free, numbers) = (FreeNumbers::default(), GraphNumbers::new(self));
        let links: Vec<[RawFd; 2]> =
            self.links.iter().map(|link| numbers_of(link, &mut free, numbers.numbering)).collect();
        let of_threads = take_for_threads(&self.copiers, &mut free, numbers.numbering);
        let lowering = numbers.lowering(2 * links.len() + of_threads);
        let mut plans: Vec<Option<Explanation>> = self.stages.iter().map(|_| None).collect();
        for index in launch_order(self.stages.len(), &self.links, &self.copiers) {
            let ends = self.links.iter().zip(&links).flat_map(|(link, [writer, reader])| {
                let own = link.ends().filter(|(end, _)| end.stage.index == index);
                own.map(move |(end, side)| (end.fd, if side == LinkEnd::Writer { *writer } else { *reader }))
            });
            let mut ends: Vec<(RawFd, RawFd)> = ends.collect();
            let mut lowered = Vec::new();
            let lowers = lowering.is_for(ends.len());
            for (_, number) in &mut ends {
                if let Some(low) = lowers.then(|| forecast_lower(*number, &mut free)).flatten() {
                    *number = low;
                    lowered.push(low);
                }
            }
            plans[index] = Some(self.stages[index].command.forecast(&ends, &mut free, numbers.numbering));
            lowered.into_iter().for_each(|number| free.close(number));
        }
        plans.into_iter().flatten().collect()
    }
}

/// The numbers of the two ends of a link: of its writers and of its readers; of the first and of the second socket. See `OpenLinks`, which
/// opens them.
fn numbers_of(link: &GraphLink, free: &mut FreeNumbers, numbering: Numbering) -> [RawFd; 2] {
    let (first, second) = free.take_pair();
    let (first, second) = (numbering.forecast_raise_link(first, free), numbering.forecast_raise_link(second, free));
    match (link.kind, link.slot) {
        (LinkKind::Socket, _) | (_, Some(OutsideEnd::Socket(_))) => [first, second],
        (LinkKind::Pipe, _) => [second, first],
    }
}

/// Takes what the threads of tees and spools have besides their pipes, and returns how many numbers that are. See `CopyThreads`, which opens it.
fn take_for_threads(copiers: &[Copier], free: &mut FreeNumbers, numbering: Numbering) -> usize {
    if copiers.is_empty() {
        return 0;
    }
    let (over, teller) = free.take_pair(); // The pipe that tells them that all stages have ended.
    [over, teller].into_iter().for_each(|number| _ = numbering.forecast_raise_link(number, free));
    for _ in copiers {
        // The memory of a spool, or `/dev/null` for a tee.
        let number = free.take_above_stdio();
        numbering.forecast_raise_link(number, free);
    }
    2 + copiers.len()
}
