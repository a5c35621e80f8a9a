//! `Looks`: whether a run, or a thread of a graph, looks at its streams again before it waits.

/// A step that has moved so many bytes may soon find as many again, or room for as many.
pub(super) const MUCH: usize = 4096;

/// How often a run looks again: for about as long as an idle processor takes to wake up, 30 us. More looks make no transfer faster, and take
/// more processor time if the other process is slow.
const LOOKS: u32 = 25;

/// The most waits for which a run does not look after looks in vain.
const MOST_LEFT_OUT: u32 = 256;

/// Decides how often a run looks at its streams before it waits.
///
/// A wait lets the processor sleep. If the other process goes on a few microseconds later, the wakes of both processors take longer than the
/// bytes. So after many bytes the run first looks several times, and lets other threads have the processor between the looks. If nothing
/// comes meanwhile, it leaves the looks out for a while, twice as long each time.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    has_much: bool,
    /// How many waits come before the next looks.
    left_out: u32,
    /// How many waits were left out after the last looks in vain.
    last: u32,
}

impl Looks {
    /// Takes down how many bytes the last steps have moved.
    pub(crate) fn note(&mut self, moved: usize) {
        self.has_much = moved >= MUCH;
    }

    /// Whether the streams have just given or taken much.
    pub(crate) fn has_much(&self) -> bool {
        self.has_much
    }

    /// How often to look before the next wait.
    pub(crate) fn before_wait(&mut self) -> u32 {
        if !self.has_much {
            return 0;
        }
        if self.left_out > 0 {
            self.left_out -= 1;
            return 0;
        }
        LOOKS
    }

    /// Takes down whether the looks have found something.
    pub(crate) fn found(&mut self, something: bool) {
        self.last = if something { 0 } else { (2 * self.last).clamp(1, MOST_LEFT_OUT) };
        self.left_out = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_looks_only_after_many_bytes() {
        let mut looks = Looks::default();
        assert_eq!(looks.before_wait(), 0);
        looks.note(MUCH - 1);
        assert_eq!(looks.before_wait(), 0);
        looks.note(MUCH);
        assert_eq!(looks.before_wait(), LOOKS);
        looks.found(true);
        assert_eq!(looks.before_wait(), LOOKS);
        looks.note(0);
        assert_eq!(looks.before_wait(), 0);
    }

    #[test]
    fn looks_in_vain_are_left_out_for_longer_and_longer_until_one_finds_something() {
        let mut looks = Looks::default();
        looks.note(MUCH);
        for left_out in [1, 2, 4, 8, 16, 32, 64, 128, 256, 256] {
            assert_eq!(looks.before_wait(), LOOKS);
            looks.found(false);
            for _ in 0..left_out {
                assert_eq!(looks.before_wait(), 0);
            }
        }
        assert_eq!(looks.before_wait(), LOOKS);
        looks.found(true);
        assert_eq!(looks.before_wait(), LOOKS);
    }
}
