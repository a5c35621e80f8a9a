//! What is refused of a graph before anything is opened or started. Nothing here makes a system call.

use super::copier::Copier;
use super::link::{GraphLink, LinkKind};
use crate::plan::GraphRefusal;
use std::collections::BTreeSet;
use std::os::fd::RawFd;

/// Checks the links of a graph. `has_own` says whether a stage's command connects a target itself.
pub(super) fn check(
    graph: u32,
    stages: usize,
    links: &[GraphLink],
    has_own: impl Fn(usize, RawFd) -> bool,
) -> Result<(), GraphRefusal> {
    if stages == 0 {
        return Err(GraphRefusal::NoStage);
    }
    let mut seen: BTreeSet<(usize, RawFd)> = BTreeSet::new();
    for link in links {
        for (end, _) in link.ends() {
            let (stage, target) = (end.stage.index, end.fd);
            if end.stage.graph != graph {
                return Err(GraphRefusal::OtherGraph { stage, target });
            }
            if target < 0 {
                return Err(GraphRefusal::NegativeTarget { stage, target });
            }
            if !seen.insert((stage, target)) || has_own(stage, target) {
                return Err(GraphRefusal::LinkedTwice { stage, target });
            }
        }
        if link.kind == LinkKind::Pipe {
            check_ends(link)?;
        }
    }
    Ok(())
}

/// A pipe needs at least one writer and one reader.
fn check_ends(link: &GraphLink) -> Result<(), GraphRefusal> {
    match (link.from.first(), link.to.first()) {
        (None, Some(&end)) if !link.has_outside_writer() && !link.has_copier() => {
            Err(GraphRefusal::NoWriter { stage: end.stage.index, target: end.fd })
        }
        (Some(&end), None) if !link.has_outside_reader() && !link.has_copier() => {
            Err(GraphRefusal::NoReader { stage: end.stage.index, target: end.fd })
        }
        (None, None) => Err(GraphRefusal::NoEnds),
        _ => Ok(()),
    }
}

/// A tee needs at least one reader.
pub(super) fn check_copiers(links: &[GraphLink], copiers: &[Copier]) -> Result<(), GraphRefusal> {
    let ends = copiers.iter().filter(|copier| copier.outputs.is_empty()).flat_map(|copier| &links[copier.input].from);
    ends.take(1).try_for_each(|end| Err(GraphRefusal::NoReader { stage: end.stage.index, target: end.fd }))
}
