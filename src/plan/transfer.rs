//! Plans for an isolated thread. The parent sends the sources to the thread's table, where they have other numbers.

use super::data::Plan;
use std::collections::BTreeMap;
use std::os::fd::RawFd;

impl Plan {
    /// A copy of the plan for another table, and a list of the sources to send: each once, in the order of their targets, so
    /// that most of them arrive at their targets' numbers. The sources of the copy are indexes of that list, until
    /// [`Plan::receive_sources`] replaces them by numbers.
    pub(crate) fn for_another_table(&self) -> (Self, Vec<RawFd>) {
        let mut plan = self.clone();
        let mut sources = Vec::with_capacity(plan.mappings.len());
        let mut indexes = BTreeMap::new();
        plan.mappings.sort_by_key(|each| each.target);
        for each in &mut plan.mappings {
            let index = *indexes.entry(each.source).or_insert_with(|| {
                sources.push(each.source);
                sources.len() - 1
            });
            each.source = index as RawFd;
        }
        (plan, sources)
    }

    /// Replaces each index by the source's number in the other table. Close-on-exec is not set for descriptors that were sent.
    pub(crate) fn receive_sources(&mut self, number: impl Fn(usize) -> RawFd) {
        for each in &mut self.mappings {
            each.source = number(each.source as usize);
            each.close_on_exec = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Mapping;
    use super::super::step::Step;
    use super::*;

    #[test]
    fn sources_that_arrive_in_their_order_need_no_renumbering() {
        let mappings = [(2, 12), (0, 10), (5, 12), (1, 11)];
        let plan = Plan::new(mappings.map(|(target, source)| Mapping { target, ..Mapping::kept(source, true) }));
        let (mut plan, sources) = plan.for_another_table();
        assert_eq!(sources, [10, 11, 12]);
        plan.receive_sources(|index| index as RawFd);
        assert_eq!(
            plan.compile().unwrap(),
            [
                Step::CloseFrom { first: 6 },
                Step::Dup2 { source: 2, target: 5, close_on_exec: false },
                Step::Close { first: 3, last: 4 },
            ],
        );
    }

    #[test]
    fn sources_that_arrive_in_the_order_of_their_targets_have_no_cycle() {
        let targets = [0, 1, 2, 4, 5];
        for map in 0..5_usize.pow(5) {
            let source = |index: u32| 10 + (map / 5_usize.pow(index) % 5) as RawFd;
            let plan = Plan::new((0..).zip(targets).map(|(index, target)| Mapping::new(target, source(index))));
            let (plan, _) = plan.for_another_table();
            // The thread's own socket has one of the numbers.
            for socket in 0..7 {
                let mut plan = plan.clone();
                plan.receive_sources(|index| index as RawFd + RawFd::from(index as RawFd >= socket));
                assert!(!plan.takes_scratch(), "{plan:?}");
            }
        }
    }

    #[test]
    fn sources_may_arrive_at_any_numbers() {
        let (mut plan, sources) = Plan::new([Mapping::new(7, 7), Mapping::new(3, 9)]).for_another_table();
        assert_eq!(sources, [9, 7]);
        plan.receive_sources(|index| [30, 3][index]);
        let pairs: Vec<_> = plan.mappings.iter().map(|each| (each.target, each.source)).collect();
        assert_eq!(pairs, [(3, 30), (7, 3)]);
    }
}
