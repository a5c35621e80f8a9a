//! How often each case gets its turn. Pure: it knows times, and measures none.

use crate::protocol::Block;
use std::time::Duration;

/// How long a block should take.
pub const SLICE: Duration = Duration::from_millis(12);

/// Blocks that even the slowest case gets.
const FEWEST_BLOCKS: usize = 3;

/// Spawns that are not counted, at the start of a block.
const WARM: usize = 3;

/// The most spawns of a block.
const MOST: usize = 1_000;

/// How one case has come along in one state.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    blocks: usize,
    used: Duration,
    per_spawn: Duration,
}

impl Pace {
    /// Whether it is this one's turn in a round. One whose blocks take longer than a slice sits out as many rounds as
    /// it takes, so that all cases have the same share of the time.
    pub fn is_due(&self, round: usize) -> bool {
        self.is_owed() || self.used <= SLICE * u32::try_from(round).unwrap_or(u32::MAX)
    }

    /// Whether the run may not end before this one has had another block.
    pub fn is_owed(&self) -> bool {
        self.blocks < FEWEST_BLOCKS
    }

    /// The next block. The first is small, since nothing is known yet. A spawn that takes a good part of a slice leaves
    /// no time for others that are not counted, and needs none.
    pub fn block(&self) -> Block {
        if self.blocks == 0 {
            return Block { warm: 1, count: 2 };
        }
        let fitting = (SLICE.as_nanos() / self.per_spawn.as_nanos().max(1)) as usize;
        let warm = WARM.min(fitting / 4);
        Block { warm, count: fitting.saturating_sub(warm).clamp(1, MOST) }
    }

    /// Takes note of a block that took so long.
    pub fn record(&mut self, block: Block, took: Duration) {
        self.blocks += 1;
        self.used += took;
        self.per_spawn = took / u32::try_from(block.warm + block.count).unwrap_or(u32::MAX);
    }
}

/// An order of the numbers below `count`, another one for each round: no case always comes after the same other.
pub fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut seed = round as u64;
    for last in (1..count).rev() {
        // SplitMix64.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(last, (mixed ^ (mixed >> 31)) as usize % (last + 1));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a case of a constant speed run for some rounds; returns how many spawns were counted, and the time used.
    fn run(per_spawn: Duration, rounds: usize) -> (usize, Duration) {
        let (mut pace, mut counted) = (Pace::default(), 0);
        for round in 0..rounds {
            if pace.is_due(round) {
                let block = pace.block();
                counted += block.count;
                pace.record(block, per_spawn * u32::try_from(block.warm + block.count).unwrap());
            }
        }
        (counted, pace.used)
    }

    #[test]
    fn quick_case_fills_its_slice_in_every_round() {
        let (counted, used) = run(Duration::from_micros(50), 100);
        assert!(used > SLICE * 95 && used < SLICE * 101, "{used:?}");
        assert!(counted > 22_000, "{counted}");
    }

    #[test]
    fn slow_case_has_the_same_share_of_the_time_with_fewer_blocks() {
        let (counted, used) = run(Duration::from_millis(30), 100);
        assert!(used > SLICE * 90 && used < SLICE * 110, "{used:?}");
        assert!((35..=45).contains(&counted), "{counted}");
    }

    #[test]
    fn slowest_case_still_gets_its_fewest_blocks() {
        let (counted, _) = run(Duration::from_secs(1), 10);
        assert_eq!(counted, 2 + (FEWEST_BLOCKS - 1));
    }

    #[test]
    fn each_round_has_all_cases_in_an_order_of_its_own() {
        let orders: Vec<_> = (0..50).map(|round| order(8, round)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..8).collect::<Vec<_>>());
        }
        for case in 0..8 {
            assert!(orders.iter().any(|order| order[0] == case), "{case} is never first");
        }
    }
}
