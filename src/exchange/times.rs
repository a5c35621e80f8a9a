//! `Times`: when the members of a set have something to do, the earliest first. Nothing here makes a system call.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Times of members, by the index of the member. Each change costs a logarithm of their number.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Times that were set, also those that were changed since.
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The time of each member.
    current: Vec<Option<Instant>>,
}

impl Times {
    /// Sets the time of a member.
    pub(super) fn set(&mut self, index: usize, at: Option<Instant>) {
        if self.current.len() <= index {
            self.current.resize(index + 1, None);
        }
        if self.current[index] == at {
            return;
        }
        self.current[index] = at;
        if let Some(at) = at {
            self.heap.push(Reverse((at, index)));
        }
        // Times that were changed again and again must not fill the memory.
        if self.heap.len() > 2 * self.current.len() + 64 {
            let current = self.current.iter().enumerate();
            self.heap = current.filter_map(|(index, at)| at.map(|at| Reverse((at, index)))).collect();
        }
    }

    /// The earliest time.
    pub(super) fn first(&mut self) -> Option<Instant> {
        while let Some(&Reverse((at, index))) = self.heap.peek() {
            if self.current[index] == Some(at) {
                return Some(at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes a member out whose time is over.
    pub(super) fn pop(&mut self, now: Instant) -> Option<usize> {
        if self.first()? > now {
            return None;
        }
        let Reverse((_, index)) = self.heap.pop()?;
        self.current[index] = None;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The same by a search through a list.
    fn first_of(list: &[Option<Instant>]) -> Option<(Instant, usize)> {
        list.iter().enumerate().filter_map(|(index, at)| at.map(|at| (at, index))).min()
    }

    #[test]
    fn times_come_in_order_whatever_was_changed_before() {
        let start = Instant::now();
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut times, mut list) = (Times::default(), vec![None; 50]);
        for _ in 0..20_000 {
            if random(3) > 0 {
                let index = usize::try_from(random(50)).expect("below 50");
                let at = (random(4) > 0).then(|| start + Duration::from_nanos(random(1000)));
                times.set(index, at);
                list[index] = at;
            } else {
                let now = start + Duration::from_nanos(random(1000));
                let expected = first_of(&list).filter(|(at, _)| *at <= now).map(|(_, index)| index);
                let popped = times.pop(now);
                assert_eq!(popped, expected);
                if let Some(index) = popped {
                    list[index] = None;
                }
            }
            assert_eq!(times.first(), first_of(&list).map(|(at, _)| at));
            assert!(times.heap.len() <= 2 * 50 + 64);
        }
    }
}
