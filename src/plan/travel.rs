//! A plan whose sources go to another descriptor table, where they have other numbers.

use super::Plan;
use std::collections::HashMap;
use std::os::fd::RawFd;

impl Plan {
    /// Takes the sources out of the plan: each once, in the order of their targets, so that those which arrive at the lowest
    /// numbers need the least renumbering. [`Plan::put_sources`] is the way back.
    pub(crate) fn take_sources(&mut self) -> Vec<RawFd> {
        let mut sources = Vec::with_capacity(self.mappings.len());
        let mut places = HashMap::with_capacity(self.mappings.len());
        self.mappings.sort_by_key(|each| each.target);
        for each in &mut self.mappings {
            let place = *places.entry(each.source).or_insert_with(|| {
                sources.push(each.source);
                sources.len() - 1
            });
            each.source = place as RawFd;
        }
        sources
    }

    /// Puts in the numbers that the sources have now, in the order of [`Plan::take_sources`]. None of them closes at
    /// exec.
    pub(crate) fn put_sources(&mut self, numbers: impl Fn(usize) -> RawFd) {
        for each in &mut self.mappings {
            each.source = numbers(each.source as usize);
            each.close_on_exec = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Mapping, Step};
    use super::*;

    #[test]
    fn sources_that_arrive_in_their_order_need_no_renumbering() {
        let mappings = [(2, 12), (0, 10), (5, 12), (1, 11)];
        let mut plan = Plan::new(mappings.map(|(target, source)| Mapping::kept(source, true).at(target)));
        assert_eq!(plan.take_sources(), [10, 11, 12]);
        plan.put_sources(|place| place as RawFd);
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
            let mut plan = Plan::new((0..).zip(targets).map(|(index, target)| Mapping::new(target, source(index))));
            plan.take_sources();
            // The thread's own socket has a number, which none of them gets.
            for socket in 0..7 {
                let mut plan = plan.clone();
                plan.put_sources(|place| place as RawFd + RawFd::from(place as RawFd >= socket));
                assert!(!plan.takes_scratch(), "{plan:?}");
            }
        }
    }

    #[test]
    fn sources_may_arrive_anywhere() {
        let mut plan = Plan::new([Mapping::new(7, 7), Mapping::new(3, 9)]);
        assert_eq!(plan.take_sources(), [9, 7]);
        plan.put_sources(|place| [30, 3][place]);
        let pairs: Vec<_> = plan.mappings.iter().map(|each| (each.target, each.source)).collect();
        assert_eq!(pairs, [(3, 30), (7, 3)]);
    }

    impl Mapping {
        fn at(self, target: RawFd) -> Self {
            Self { target, ..self }
        }
    }
}
