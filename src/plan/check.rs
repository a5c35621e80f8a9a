//! Checks of the mappings alone, before the parent opens any descriptor.

use super::mapping::{Mapping, Origin};
use super::refusal::Refusal;
use std::os::fd::RawFd;

/// Refuses mappings that contradict each other, and makes each [`Origin::SameAs`] name the target at the end of its chain. The
/// mappings are sorted by target.
pub(crate) fn check(mappings: &mut [Mapping]) -> Result<(), Refusal> {
    let mut has_same_as = false;
    let mut last: Option<Mapping> = None;
    for &mapping in &*mappings {
        let Mapping { target, origin, .. } = mapping;
        if let Some(last) = last.filter(|last| last.target == target) {
            let is_kept = origin.is_kept() || last.origin.is_kept();
            return Err(if is_kept { Refusal::KeepCollides { target } } else { Refusal::TargetTwice { target } });
        }
        has_same_as |= matches!(origin, Origin::SameAs(_));
        last = Some(mapping);
    }
    // The smallest target is the first one.
    if let Some(&Mapping { target: target @ ..0, .. }) = mappings.first() {
        return Err(Refusal::NegativeTarget { target });
    }
    if has_same_as {
        for index in 0..mappings.len() {
            if let Origin::SameAs(_) = mappings[index].origin {
                mappings[index].origin = Origin::SameAs(end_of_chain(mappings, index)?);
            }
        }
    }
    Ok(())
}

/// The target at the end of a chain of `SameAs`.
fn end_of_chain(mappings: &[Mapping], start: usize) -> Result<RawFd, Refusal> {
    let target = mappings[start].target;
    let mut index = start;
    for _ in mappings {
        let Origin::SameAs(same_as) = mappings[index].origin else {
            return Ok(mappings[index].target);
        };
        index = index_of(mappings, same_as)
            .filter(|&found| mappings[found].origin != Origin::Closed)
            .ok_or(Refusal::SameAsNothing { target, same_as })?;
    }
    Err(Refusal::SameAsItself { target })
}

/// Gives each target that is the same as another one that target's source.
pub(crate) fn copy_same_as(mappings: &mut [Mapping]) {
    for index in 0..mappings.len() {
        if let Origin::SameAs(other) = mappings[index].origin {
            if let Some(found) = index_of(mappings, other) {
                let Mapping { source, close_on_exec, .. } = mappings[found];
                mappings[index] = Mapping { source, close_on_exec, ..mappings[index] };
            }
        }
    }
}

fn index_of(mappings: &[Mapping], target: RawFd) -> Option<usize> {
    mappings.binary_search_by_key(&target, |each| each.target).ok()
}

#[cfg(test)]
mod tests {
    use super::super::mapping::NO_SOURCE;
    use super::*;

    const GIVEN: Origin = Origin::Lent;

    fn checked(list: &[(RawFd, Origin)]) -> Result<Vec<(RawFd, Origin)>, Refusal> {
        let mapping = |&(target, origin)| Mapping { target, source: NO_SOURCE, close_on_exec: false, origin };
        let mut mappings: Vec<Mapping> = list.iter().map(mapping).collect();
        mappings.sort_by_key(|each| each.target);
        check(&mut mappings)?;
        Ok(mappings.iter().map(|mapping| (mapping.target, mapping.origin)).collect())
    }

    #[test]
    fn same_as_names_the_target_at_the_end_of_its_chain() {
        assert_eq!(
            checked(&[(2, Origin::SameAs(1)), (1, Origin::SameAs(7)), (7, GIVEN), (0, Origin::SameAs(2))]),
            Ok(vec![(0, Origin::SameAs(7)), (1, Origin::SameAs(7)), (2, Origin::SameAs(7)), (7, GIVEN)])
        );
    }

    #[test]
    fn same_as_copies_the_source_and_its_flag() {
        let source = Mapping { target: 5, source: 9, close_on_exec: true, origin: GIVEN };
        let same = Mapping { target: 2, source: NO_SOURCE, close_on_exec: false, origin: Origin::SameAs(5) };
        let mut mappings = [same, source];
        copy_same_as(&mut mappings);
        assert_eq!(mappings, [Mapping { source: 9, close_on_exec: true, ..same }, source]);
    }

    #[test]
    fn each_refusal_names_its_target() {
        let cases: &[(&[(RawFd, Origin)], Refusal)] = &[
            (&[(-1, GIVEN)], Refusal::NegativeTarget { target: -1 }),
            (&[(4, GIVEN), (4, Origin::Closed)], Refusal::TargetTwice { target: 4 }),
            (&[(4, GIVEN), (4, Origin::Kept)], Refusal::KeepCollides { target: 4 }),
            (&[(4, Origin::Kept), (4, Origin::Closed)], Refusal::KeepCollides { target: 4 }),
            (&[(4, Origin::KeptMoved), (4, GIVEN)], Refusal::KeepCollides { target: 4 }),
            (&[(4, GIVEN), (4, Origin::KeptShared)], Refusal::KeepCollides { target: 4 }),
            (&[(4, Origin::SameAs(4))], Refusal::SameAsItself { target: 4 }),
            (&[(3, Origin::SameAs(4)), (4, Origin::SameAs(3))], Refusal::SameAsItself { target: 3 }),
            (
                &[(2, Origin::SameAs(3)), (3, Origin::SameAs(4)), (4, Origin::SameAs(3))],
                Refusal::SameAsItself { target: 2 },
            ),
            (&[(4, Origin::SameAs(5))], Refusal::SameAsNothing { target: 4, same_as: 5 }),
            (&[(4, Origin::SameAs(5)), (5, Origin::Closed)], Refusal::SameAsNothing { target: 4, same_as: 5 }),
        ];
        for (mappings, refusal) in cases {
            assert_eq!(checked(mappings), Err(*refusal), "{mappings:?}");
        }
    }
}
