//! Decides when the driver measures which case, and how long. Pure: it computes with times, and reads no clock.

use crate::protocol::Block;
use std::time::Duration;

/// The intended duration of a block.
pub const SLICE: Duration = Duration::from_millis(12);

/// The minimum of blocks for each case.
const MIN_BLOCKS: usize = 3;

/// Spawns at the start of a block that are not measured.
const WARM: usize = 3;

/// The maximum of measured spawns in a block.
const MOST_SPAWNS: usize = 1_000;

/// The measuring time that one case has used in one state.
#[derive(Clone, Debug, Default)]
pub struct TimeShare {
    blocks: usize,
    used: Duration,
    per_spawn: Duration,
    is_prepared_each_time: bool,
}

impl TimeShare {
    /// The share of a case that needs a preparation for each measured call, or of one that does not. Such a preparation
    /// takes long, so each block has one call.
    pub fn new(is_prepared_each_time: bool) -> Self {
        Self { is_prepared_each_time, ..Self::default() }
    }

    /// Whether the driver measures the case in this round. If the blocks of a case take longer than a slice, it is not
    /// due in the following rounds, so that all cases use the same time in total.
    pub fn is_due(&self, round: usize) -> bool {
        self.needs_more() || self.used <= SLICE * u32::try_from(round).unwrap_or(u32::MAX)
    }

    /// Whether the case has fewer blocks than the minimum.
    pub fn needs_more(&self) -> bool {
        self.blocks < MIN_BLOCKS
    }

    /// The next block. The first block is small, because the duration of a spawn is not known yet. If a spawn takes
    /// more than a quarter of a slice, the block has no unmeasured spawns: there is no time for them, and the state of
    /// the caches does not matter for such a spawn.
    pub fn block(&self) -> Block {
        if self.is_prepared_each_time {
            return Block { warm: 0, count: 1 };
        }
        if self.blocks == 0 {
            return Block { warm: 1, count: 2 };
        }
        let fitting = (SLICE.as_nanos() / self.per_spawn.as_nanos().max(1)) as usize;
        let warm = WARM.min(fitting / 4);
        Block { warm, count: fitting.saturating_sub(warm).clamp(1, MOST_SPAWNS) }
    }

    /// Records that the worker has measured a block in this time.
    pub fn record(&mut self, block: Block, took: Duration) {
        self.blocks += 1;
        self.used += took;
        self.per_spawn = took / u32::try_from(block.warm + block.count).unwrap_or(u32::MAX);
    }
}

/// A permutation of the numbers below `count`. It differs from round to round, so that no case always follows the same
/// case.
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

    /// Simulates a case of constant speed for some rounds; returns the number of measured spawns, and the used time.
    fn run(per_spawn: Duration, rounds: usize) -> (usize, Duration) {
        let (mut share, mut counted) = (TimeShare::default(), 0);
        for round in 0..rounds {
            if share.is_due(round) {
                let block = share.block();
                counted += block.count;
                share.record(block, per_spawn * u32::try_from(block.warm + block.count).unwrap());
            }
        }
        (counted, share.used)
    }

    #[test]
    fn fast_case_uses_one_slice_in_every_round() {
        let (counted, used) = run(Duration::from_micros(50), 100);
        assert!(used > SLICE * 95 && used < SLICE * 101, "{used:?}");
        assert!(counted > 22_000, "{counted}");
    }

    #[test]
    fn slow_case_uses_the_same_time_in_fewer_blocks() {
        let (counted, used) = run(Duration::from_millis(30), 100);
        assert!(used > SLICE * 90 && used < SLICE * 110, "{used:?}");
        assert!((35..=45).contains(&counted), "{counted}");
    }

    #[test]
    fn slowest_case_gets_the_minimum_of_blocks() {
        let (counted, _) = run(Duration::from_secs(1), 10);
        assert_eq!(counted, 2 + (MIN_BLOCKS - 1));
    }

    #[test]
    fn call_with_a_preparation_of_its_own_is_a_block() {
        let mut share = TimeShare::new(true);
        for _ in 0..5 {
            assert_eq!(share.block(), Block { warm: 0, count: 1 });
            share.record(share.block(), Duration::from_micros(50));
        }
    }

    #[test]
    fn each_round_is_a_permutation_and_each_case_is_first_in_some_round() {
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
