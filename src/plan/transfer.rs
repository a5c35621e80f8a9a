//! A plan whose sources are sent to another descriptor table, in which they have other numbers.

use super::data::Plan;
use std::collections::HashMap;
use std::os::fd::RawFd;

impl Plan {
    /// A copy of the plan for another table, and the sources to send there: each once, in the order of their targets, so
    /// that those which arrive at the lowest numbers need the least renumbering. The copy's sources are places in that
    /// list, until [`Plan::receive_sources`] replaces them by numbers.
    pub(crate) fn for_another_table(&self) -> (Self, Vec<RawFd>) {
        let mut plan = self.clone();
        let mut sources = Vec::with_capacity(plan.mappings.len());
        let mut places = HashMap::with_capacity(plan.mappings.len());
        plan.mappings.sort_by_key(|each| each.target);
        for each in &mut plan.mappings {
            let place = *places.entry(each.source).or_insert_with(|| {
                sources.push(each.source);
                sources.len() - 1
            });
            each.source = place as RawFd;
        }
        (plan, sources)
    }

    /// Replaces each place by the number that the source has in the other table. None of these closes at exec.
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
        plan.receive_sources(|place| place as RawFd);
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
            // No source gets the number of the thread's own socket.
            for socket in 0..7 {
                let mut plan = plan.clone();
                plan.receive_sources(|place| place as RawFd + RawFd::from(place as RawFd >= socket));
                assert!(!plan.takes_scratch(), "{plan:?}");
            }
        }
    }

    #[test]
    fn sources_may_arrive_anywhere() {
        let (mut plan, sources) = Plan::new([Mapping::new(7, 7), Mapping::new(3, 9)]).for_another_table();
        assert_eq!(sources, [9, 7]);
        plan.receive_sources(|place| [30, 3][place]);
        let pairs: Vec<_> = plan.mappings.iter().map(|each| (each.target, each.source)).collect();
        assert_eq!(pairs, [(3, 30), (7, 3)]);
    }
}
