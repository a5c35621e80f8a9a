//! The order of the launches, and what a graph's form tells: cycles, and branches that come together again. Nothing here makes a system
//! call.

use super::copier::{Copier, CopierKind};
use super::link::{GraphLink, LinkKind};
use super::stage::StageFd;

/// The order in which the stages are launched: each reader before the writers of its pipes. In a cycle one of the stages comes before a reader
/// of its output.
///
/// No reader finds an end of file because the writer could not be started: when the writer's launch fails, the readers are killed before the
/// pipe is closed. A writer that runs before its reader could fill the pipe, or read its own input, for nothing.
pub(super) fn launch_order(stages: usize, links: &[GraphLink], copiers: &[Copier]) -> Vec<usize> {
    let readers = readers(stages, links, copiers);
    let mut order = Vec::with_capacity(stages);
    let mut state = vec![StageVisit::New; stages];
    // A search in depth, with a stack of its own: a line of stages can be long.
    for first in 0..stages {
        let mut stack = vec![(first, 0)];
        while let Some((stage, next)) = stack.pop() {
            if next == 0 {
                if state[stage] != StageVisit::New {
                    continue;
                }
                state[stage] = StageVisit::Open;
            }
            match readers[stage].get(next) {
                Some(&reader) => {
                    stack.push((stage, next + 1));
                    if state[reader] == StageVisit::New {
                        stack.push((reader, 0));
                    }
                }
                None => {
                    state[stage] = StageVisit::Done;
                    order.push(stage);
                }
            }
        }
    }
    order
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StageVisit {
    New,
    Open,
    Done,
}

/// The stages that read what each stage writes, by pipes, tees and spools.
pub(super) fn readers(stages: usize, links: &[GraphLink], copiers: &[Copier]) -> Vec<Vec<usize>> {
    let mut readers = readers_by_pipes(stages, links);
    copiers.iter().for_each(|copier| add_readers(&mut readers, links, copier));
    readers
}

fn add_readers(readers: &mut [Vec<usize>], links: &[GraphLink], copier: &Copier) {
    for from in &links[copier.input].from {
        for to in copier.outputs.iter().flat_map(|&output| &links[output].to) {
            readers[from.stage.index].push(to.stage.index);
        }
    }
}

fn readers_by_pipes(stages: usize, links: &[GraphLink]) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); stages];
    for link in links.iter().filter(|link| link.kind == LinkKind::Pipe) {
        for from in &link.from {
            for to in &link.to {
                readers[from.stage.index].push(to.stage.index);
            }
        }
    }
    readers
}

/// A stage that is in a cycle of pipes, if there is one.
pub(super) fn stage_in_cycle(stages: usize, links: &[GraphLink], copiers: &[Copier]) -> Option<usize> {
    let readers = readers(stages, links, copiers);
    if !has_cycle(&readers) {
        return None; // This is quick, and what follows is not if there are many stages.
    }
    let reached = reached(stages, &readers);
    (0..stages).find(|&stage| reached[stage][stage])
}

/// Whether some stages read what they write, by way of each other: takes away a stage whose writers have all been taken away, as long as there
/// is one.
fn has_cycle(readers: &[Vec<usize>]) -> bool {
    let mut writers = vec![0; readers.len()];
    readers.iter().flatten().for_each(|&reader| writers[reader] += 1);
    let mut free: Vec<usize> = (0..readers.len()).filter(|&stage| writers[stage] == 0).collect();
    let mut left = readers.len();
    while let Some(stage) = free.pop() {
        left -= 1;
        for &reader in &readers[stage] {
            writers[reader] -= 1;
            if writers[reader] == 0 {
                free.push(reader);
            }
        }
    }
    left > 0
}

/// A stage whose outputs go two ways, and a stage in which the two ways come together again. Such a graph can wait for ever: the second stage
/// waits for one of its inputs, and the other one is full. A way that has a spool is never full.
pub(super) fn fork_and_join(stages: usize, links: &[GraphLink], copiers: &[Copier]) -> Option<(usize, usize)> {
    let branches = branches(stages, links, copiers);
    if branches.iter().all(|branches| branches.len() < 2) {
        return None;
    }
    let readers: Vec<Vec<usize>> = branches.iter().map(|branches| branches.concat()).collect();
    let reached = reached(stages, &readers);
    for (fork, branches) in branches.iter().enumerate() {
        for (index, one) in branches.iter().enumerate() {
            for other in &branches[index + 1..] {
                let by = |branch: &[usize], stage: usize| branch.iter().any(|&own| own == stage || reached[own][stage]);
                let join = (0..stages).find(|&stage| stage != fork && by(one, stage) && by(other, stage));
                if let Some(join) = join {
                    return Some((fork, join));
                }
            }
        }
    }
    None
}

/// For each stage, the ways that its output goes: the readers of each of its pipes, and of each output of its tees. Several readers of one pipe
/// are one way, since each byte goes to one of them.
fn branches(stages: usize, links: &[GraphLink], copiers: &[Copier]) -> Vec<Vec<Vec<usize>>> {
    let mut branches = vec![Vec::new(); stages];
    let stages_of = |ends: &[StageFd]| ends.iter().map(|end| end.stage.index).collect::<Vec<usize>>();
    for link in links.iter().filter(|link| link.kind == LinkKind::Pipe && !link.to.is_empty()) {
        link.from.iter().for_each(|from| branches[from.stage.index].push(stages_of(&link.to)));
    }
    for tee in copiers.iter().filter(|copier| copier.kind != CopierKind::Spool) {
        for from in &links[tee.input].from {
            let outputs = tee.outputs.iter().map(|&output| stages_of(&links[output].to));
            branches[from.stage.index].extend(outputs);
        }
    }
    branches
}

/// Which stages each stage reaches by one pipe or more.
fn reached(stages: usize, readers: &[Vec<usize>]) -> Vec<Vec<bool>> {
    let mut reached = vec![vec![false; stages]; stages];
    for (stage, reached) in reached.iter_mut().enumerate() {
        let mut stack = readers[stage].clone();
        while let Some(next) = stack.pop() {
            if !std::mem::replace(&mut reached[next], true) {
                stack.extend(&readers[next]);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::link::OutsideEnd;
    use super::super::stage::StageId;
    use super::*;

    fn pipe(from: usize, to: usize) -> GraphLink {
        let end = |index, fd| StageId { graph: 0, index }.fd(fd);
        GraphLink::pipe(&[end(from, 1)], &[end(to, 0)], None)
    }

    #[test]
    fn readers_are_launched_before_their_writers() {
        let line: Vec<GraphLink> = (0..4).map(|stage| pipe(stage, stage + 1)).collect();
        assert_eq!(launch_order(5, &line, &[]), [4, 3, 2, 1, 0]);
        let backwards: Vec<GraphLink> = (0..4).map(|stage| pipe(stage + 1, stage)).collect();
        assert_eq!(launch_order(5, &backwards, &[]), [0, 1, 2, 3, 4]);
        let long: Vec<GraphLink> = (0..100_000).map(|stage| pipe(stage, stage + 1)).collect();
        assert_eq!(launch_order(100_001, &long, &[])[0], 100_000);
    }

    #[test]
    fn each_order_has_every_stage_once_and_no_writer_before_its_reader() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..2000 {
            let stages = 1 + random(12);
            let mut links = Vec::new();
            for _ in 0..random(20) {
                let (from, to) = (random(stages), random(stages));
                if from < to {
                    links.push(pipe(from, to));
                }
            }
            let order = launch_order(stages, &links, &[]);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..stages).collect::<Vec<_>>());
            let place = |stage| order.iter().position(|&other| other == stage);
            for link in &links {
                assert!(place(link.to[0].stage.index) < place(link.from[0].stage.index), "{links:?}: {order:?}");
            }
            assert_eq!(stage_in_cycle(stages, &links, &[]), None);
        }
    }

    #[test]
    fn cycle_is_found_if_and_only_if_a_stage_reaches_itself() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut found = [0, 0];
        for _ in 0..2000 {
            let stages = 1 + random(8);
            let links: Vec<GraphLink> = (0..random(10)).map(|_| pipe(random(stages), random(stages))).collect();
            let readers = readers(stages, &links, &[]);
            let reached = reached(stages, &readers);
            let is_cyclic = (0..stages).any(|stage| reached[stage][stage]);
            assert_eq!(has_cycle(&readers), is_cyclic, "{links:?}");
            found[usize::from(is_cyclic)] += 1;
        }
        assert!(found.iter().all(|&count| count > 100), "{found:?}");
    }

    #[test]
    fn cycles_are_found_and_are_launched_all_the_same() {
        let cycle = [pipe(0, 1), pipe(1, 2), pipe(2, 1)];
        assert_eq!(stage_in_cycle(3, &cycle, &[]), Some(1));
        assert_eq!(launch_order(3, &cycle, &[]).len(), 3);
        assert_eq!(stage_in_cycle(1, &[pipe(0, 0)], &[]), Some(0));
    }

    #[test]
    fn branches_that_come_together_again_are_found() {
        assert_eq!(fork_and_join(4, &[pipe(0, 1), pipe(0, 2), pipe(1, 3), pipe(2, 3)], &[]), Some((0, 3)));
        assert_eq!(fork_and_join(3, &[pipe(0, 1), pipe(0, 2), pipe(1, 2)], &[]), Some((0, 2)));
        assert_eq!(fork_and_join(2, &[pipe(0, 1), pipe(0, 1)], &[]), Some((0, 1)));
        assert_eq!(fork_and_join(4, &[pipe(0, 1), pipe(0, 2), pipe(1, 3)], &[]), None);
        // Workers that share one pipe for their tasks and one for their results.
        let end = |index, fd| StageId { graph: 0, index }.fd(fd);
        let tasks = GraphLink::pipe(&[end(0, 1)], &[end(1, 0), end(2, 0)], None);
        let results = GraphLink::pipe(&[end(1, 1), end(2, 1)], &[end(3, 0)], None);
        assert_eq!(fork_and_join(4, &[tasks, results], &[]), None);
    }

    #[test]
    fn spool_between_the_branches_keeps_them_from_waiting() {
        let end = |index, fd| StageId { graph: 0, index }.fd(fd);
        let copied = |from: usize, to: usize| {
            let input = GraphLink::pipe(&[end(from, 1)], &[], Some(OutsideEnd::CopyReader));
            [input, GraphLink::pipe(&[], &[end(to, 0)], Some(OutsideEnd::CopyWriter))]
        };
        let mut links = vec![pipe(0, 1), pipe(0, 2), pipe(1, 3)];
        links.extend(copied(2, 3));
        let tee = |kind| Copier { kind, input: 3, outputs: vec![4] };
        assert_eq!(fork_and_join(4, &links, &[tee(CopierKind::Tee { stops_early: false })]), Some((0, 3)));
        assert_eq!(fork_and_join(4, &links, &[tee(CopierKind::Spool)]), None);
        assert_eq!(launch_order(4, &links, &[tee(CopierKind::Spool)]), [3, 1, 2, 0]);
    }
}
