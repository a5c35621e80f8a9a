//! What can be refused by looking at the wishes alone, before any descriptor is opened.

use super::Refusal;
use std::os::fd::RawFd;

/// What is wanted at one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The descriptor of the same number in the parent, named in the keep list.
    Keep,
    /// The descriptor of the same number in the parent.
    Inherit,
    /// Some source that the parent has or opens.
    Source,
    /// Whatever the other target is.
    SameAs(RawFd),
    /// Nothing: the number is not open.
    Closed,
    /// A source that an earlier spawn gave away.
    Spent,
    /// A pipe of no known direction.
    PipeOfNoDirection,
}

/// One wish of a command: a target, what is wanted there, and where the command keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) target: RawFd,
    pub(crate) want: Want,
    /// The caller's own index, carried along.
    pub(crate) place: usize,
}

/// Sorts `wishes` by target, drops repeated keeps, checks them, and replaces each `SameAs` by the target at the end
/// of its chain.
pub(crate) fn check(wishes: &mut Vec<Wish>) -> Result<(), Refusal> {
    if is_plain(wishes) {
        return Ok(());
    }
    wishes.sort_by_key(|wish| wish.target);
    wishes.dedup_by(|next, wish| next.target == wish.target && next.want == Want::Keep && wish.want == Want::Keep);
    for pair in wishes.windows(2) {
        let target = pair[0].target;
        if target == pair[1].target {
            let keep = pair.iter().any(|wish| wish.want == Want::Keep);
            return Err(if keep { Refusal::KeepCollides { target } } else { Refusal::TargetTwice { target } });
        }
    }
    for index in 0..wishes.len() {
        let Wish { target, want, .. } = wishes[index];
        if target < 0 {
            return Err(Refusal::NegativeTarget { target });
        }
        match want {
            Want::Spent => return Err(Refusal::SourceSpent { target }),
            Want::PipeOfNoDirection => return Err(Refusal::PipedWhere { target }),
            Want::SameAs(_) => wishes[index].want = Want::SameAs(end_of_chain(wishes, index)?),
            Want::Keep | Want::Inherit | Want::Source | Want::Closed => {}
        }
    }
    Ok(())
}

/// Whether there is nothing to sort, to replace or to refuse, as is the rule.
fn is_plain(wishes: &[Wish]) -> bool {
    let mut last = -1;
    for wish in wishes {
        if wish.target <= last || !matches!(wish.want, Want::Keep | Want::Inherit | Want::Source | Want::Closed) {
            return false;
        }
        last = wish.target;
    }
    true
}

/// The target that a chain of `SameAs` ends in.
fn end_of_chain(wishes: &[Wish], start: usize) -> Result<RawFd, Refusal> {
    let target = wishes[start].target;
    let mut index = start;
    for _ in wishes {
        let Want::SameAs(same_as) = wishes[index].want else {
            return Ok(wishes[index].target);
        };
        index = wishes
            .binary_search_by_key(&same_as, |wish| wish.target)
            .ok()
            .filter(|&found| wishes[found].want != Want::Closed)
            .ok_or(Refusal::SameAsNothing { target, same_as })?;
    }
    Err(Refusal::SameAsItself { target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(wishes: &[(RawFd, Want)]) -> Result<Vec<(RawFd, Want)>, Refusal> {
        let mut list = wishes.iter().map(|&(target, want)| Wish { target, want, place: 0 }).collect();
        check(&mut list)?;
        Ok(list.iter().map(|wish| (wish.target, wish.want)).collect())
    }

    #[test]
    fn keep_may_be_repeated_in_any_order() {
        assert_eq!(
            checked(&[(9, Want::Keep), (5, Want::Keep), (9, Want::Keep), (7, Want::Keep), (9, Want::Keep)]),
            Ok(vec![(5, Want::Keep), (7, Want::Keep), (9, Want::Keep)])
        );
    }

    #[test]
    fn chains_of_same_as_end_in_a_source() {
        assert_eq!(
            checked(&[(2, Want::SameAs(1)), (1, Want::SameAs(7)), (7, Want::Source), (0, Want::SameAs(2))]),
            Ok(vec![(0, Want::SameAs(7)), (1, Want::SameAs(7)), (2, Want::SameAs(7)), (7, Want::Source)])
        );
    }

    #[test]
    fn each_refusal_names_its_target() {
        let cases: &[(&[(RawFd, Want)], Refusal)] = &[
            (&[(-1, Want::Source)], Refusal::NegativeTarget { target: -1 }),
            (&[(4, Want::Source), (4, Want::Closed)], Refusal::TargetTwice { target: 4 }),
            (&[(4, Want::Source), (4, Want::Keep)], Refusal::KeepCollides { target: 4 }),
            (&[(4, Want::Keep), (4, Want::Keep), (4, Want::Closed)], Refusal::KeepCollides { target: 4 }),
            (&[(4, Want::Spent)], Refusal::SourceSpent { target: 4 }),
            (&[(4, Want::PipeOfNoDirection)], Refusal::PipedWhere { target: 4 }),
            (&[(4, Want::SameAs(4))], Refusal::SameAsItself { target: 4 }),
            (&[(3, Want::SameAs(4)), (4, Want::SameAs(3))], Refusal::SameAsItself { target: 3 }),
            (&[(2, Want::SameAs(3)), (3, Want::SameAs(4)), (4, Want::SameAs(3))], Refusal::SameAsItself { target: 2 }),
            (&[(4, Want::SameAs(5))], Refusal::SameAsNothing { target: 4, same_as: 5 }),
            (&[(4, Want::SameAs(5)), (5, Want::Closed)], Refusal::SameAsNothing { target: 4, same_as: 5 }),
        ];
        for (wishes, refusal) in cases {
            assert_eq!(checked(wishes), Err(*refusal), "{wishes:?}");
        }
    }
}
