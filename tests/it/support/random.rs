//! Random numbers, with a seed that a failed test prints.

/// Set to the seed of an earlier run, to run the same again.
const SEED: &str = "FDSPAWN_TEST_SEED";

/// A generator of numbers (splitmix64).
pub struct Random(u64);

impl Random {
    /// A generator with the seed from the environment, or else with a new one. Prints the seed.
    pub fn new() -> Self {
        let seed = match std::env::var(SEED) {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        };
        println!("to run this again: {SEED}={seed}");
        Self(seed)
    }

    /// Another generator, for another thread.
    pub fn fork(&mut self) -> Self {
        Self(self.below(usize::MAX) as u64)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
