//! Renumbering is a parallel move: every target gets what its source was before the first step.
//!
//! A target can be overwritten if no pending move reads it. These moves come first, as the leaves of a graph. Disjoint cycles
//! are left. In a cycle, the member that is overwritten first has to be saved: one more duplicate does that, unless a target
//! outside the cycle is a copy of a member. So the count of duplicates is minimal: one for each target, and one for each cycle
//! of which no member has a copy.

use std::os::fd::RawFd;

/// A target, and its source, which has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) target: RawFd,
    pub(super) source: RawFd,
}

/// A duplicate to make. If `to_scratch` is set, it saves a member of a cycle, and is not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    pub(super) source: RawFd,
    pub(super) target: RawFd,
    pub(super) to_scratch: bool,
}

/// What the scheduler knows of one move.
#[derive(Clone, Copy)]
struct MoveState {
    /// How many pending moves read this target.
    readers: usize,
    /// A finished target that is a copy of what this target was.
    copy: Option<RawFd>,
    done: bool,
}

/// The memory of [`Schedule::order`]. It can be used again.
#[derive(Default)]
pub(super) struct Schedule {
    pending: Vec<MoveState>,
    leaves: Vec<usize>,
}

impl Schedule {
    /// Puts `moves` in an order, and calls `emit` for each duplicate. Targets are sorted and distinct, and differ from their
    /// sources. `scratch` gives the scratch number. It is called at most once, since all cycles can use one number.
    pub(super) fn order<E>(
        &mut self,
        moves: &[Move],
        mut scratch: impl FnMut() -> Result<RawFd, E>,
        mut emit: impl FnMut(Duplicate),
    ) -> Result<(), E> {
        let index_of = |number| moves.binary_search_by_key(&number, |each| each.target).ok();
        let Self { pending, leaves } = self;
        pending.clear();
        pending.resize(moves.len(), MoveState { readers: 0, copy: None, done: false });
        for each in moves {
            if let Some(read) = index_of(each.source) {
                pending[read].readers += 1;
            }
        }

        leaves.clear();
        leaves.extend((0..moves.len()).rev().filter(|&index| pending[index].readers == 0));
        while let Some(leaf) = leaves.pop() {
            let Move { target, source } = moves[leaf];
            emit(Duplicate { source, target, to_scratch: false });
            pending[leaf].done = true;
            if let Some(read) = index_of(source) {
                pending[read].copy = Some(target);
                pending[read].readers -= 1;
                if pending[read].readers == 0 {
                    leaves.push(read);
                }
            }
        }

        // Exactly one pending move now reads each pending target, so the pending moves form disjoint cycles.
        let mut reserved = None;
        for start in 0..moves.len() {
            if pending[start].done {
                continue;
            }
            let (first, copy) = match copied_member(moves, pending, start, index_of) {
                Some(found) => found,
                None => {
                    let number = match reserved {
                        Some(number) => number,
                        None => *reserved.insert(scratch()?),
                    };
                    emit(Duplicate { source: moves[start].target, target: number, to_scratch: true });
                    (start, number)
                }
            };
            let mut member = first;
            loop {
                let Move { target, source } = moves[member];
                pending[member].done = true;
                let Some(next) = index_of(source).filter(|&next| next != first) else {
                    emit(Duplicate { source: copy, target, to_scratch: false });
                    break;
                };
                emit(Duplicate { source, target, to_scratch: false });
                member = next;
            }
        }
        Ok(())
    }
}

/// The first member of `start`'s cycle of which a finished target is a copy, and that target.
fn copied_member(
    moves: &[Move],
    pending: &[MoveState],
    start: usize,
    index_of: impl Fn(RawFd) -> Option<usize>,
) -> Option<(usize, RawFd)> {
    let mut member = start;
    loop {
        if let Some(copy) = pending[member].copy {
            return Some((member, copy));
        }
        member = index_of(moves[member].source)?;
        if member == start {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet, VecDeque};

    const SCRATCH: RawFd = 99;

    fn duplicates(pairs: &[(RawFd, RawFd)]) -> Vec<(RawFd, RawFd)> {
        let mut moves: Vec<Move> = pairs.iter().map(|&(target, source)| Move { target, source }).collect();
        moves.sort_by_key(|each| each.target);
        let mut list = Vec::new();
        Schedule::default()
            .order(&moves, || Ok::<_, ()>(SCRATCH), |each| list.push((each.source, each.target)))
            .unwrap();
        list
    }

    #[test]
    fn swap_takes_three() {
        assert_eq!(duplicates(&[(1, 2), (2, 1)]), [(1, SCRATCH), (2, 1), (SCRATCH, 2)]);
    }

    #[test]
    fn chain_starts_with_the_target_that_no_move_reads() {
        assert_eq!(duplicates(&[(1, 2), (2, 3), (3, 4)]), [(2, 1), (3, 2), (4, 3)]);
    }

    #[test]
    fn source_that_is_also_a_target_is_duplicated_before_it_is_overwritten() {
        assert_eq!(duplicates(&[(1, 7), (5, 1), (6, 1)]), [(1, 5), (1, 6), (7, 1)]);
    }

    #[test]
    fn cycle_that_another_target_copies_needs_no_scratch() {
        assert_eq!(duplicates(&[(1, 2), (2, 1), (5, 1)]), [(1, 5), (2, 1), (5, 2)]);
    }

    #[test]
    fn two_cycles_share_one_scratch_number() {
        assert_eq!(
            duplicates(&[(1, 2), (2, 1), (3, 4), (4, 3)]),
            [(1, SCRATCH), (2, 1), (SCRATCH, 2), (3, SCRATCH), (4, 3), (SCRATCH, 4)]
        );
    }

    /// The length of the shortest sequence of duplicates, found by trying all of them.
    fn shortest(pairs: &[(RawFd, RawFd)], numbers: RawFd) -> usize {
        let size = numbers as usize + 1;
        let wanted: BTreeMap<usize, u8> =
            pairs.iter().map(|&(target, source)| (target as usize, source as u8)).collect();
        let untouched = |index: usize| pairs.iter().any(|&(_, source)| source as usize == index);
        let begin: Vec<u8> = (0..size).map(|index| if untouched(index) { index as u8 } else { u8::MAX }).collect();
        let mut seen = HashSet::from([begin.clone()]);
        let mut queue = VecDeque::from([(begin, 0)]);
        while let Some((table, depth)) = queue.pop_front() {
            if wanted.iter().all(|(&target, &value)| table[target] == value) {
                return depth;
            }
            for source in 0..size {
                for target in (0..size).filter(|&target| target != source) {
                    let mut next = table.clone();
                    next[target] = next[source];
                    if seen.insert(next.clone()) {
                        queue.push_back((next, depth + 1));
                    }
                }
            }
        }
        unreachable!("every map can be reached with a scratch number")
    }

    #[test]
    fn count_is_minimal_for_every_map_of_three_targets_over_four_sources() {
        for code in 0..4_i32.pow(3) {
            let pairs: Vec<(RawFd, RawFd)> = (0..3)
                .map(|target| (target, code / 4_i32.pow(target as u32) % 4))
                .filter(|(target, source)| target != source)
                .collect();
            assert_eq!(duplicates(&pairs).len(), shortest(&pairs, 4), "{pairs:?}");
        }
    }
}
