//! Summaries of many measured times.

use serde::{Deserialize, Serialize};

/// How many periods a part has at most.
const PERIODS: usize = 16;

/// The median and the quartiles of measured times, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The number of measured times.
    pub count: usize,
    /// The shortest time.
    pub least: u64,
    /// The lower quartile.
    pub lower: u64,
    /// The median.
    pub median: u64,
    /// The upper quartile.
    pub upper: u64,
    /// The medians of the periods in which the part was measured, in their order. All cases of a part have the same periods.
    pub periods: Vec<u64>,
}

impl Summary {
    /// Summarizes the times of blocks, which are in the order of their measurement. `None` if there are no times.
    pub fn of(blocks: &[Vec<u64>], periods: usize) -> Option<Self> {
        let times = sorted(blocks);
        let least = *times.first()?;
        let [lower, median, upper] = [1, 2, 3].map(|quarters| quantile(&times, quarters));
        let place = |period| period * blocks.len() / periods;
        let periods =
            (0..periods).map(|period| quantile(&sorted(&blocks[place(period)..place(period + 1)]), 2)).collect();
        Some(Self { count: times.len(), least, lower, median, upper, periods })
    }

    /// These times divided by those of `base`: the median of the ratios of all periods. A change of the machine's speed is in both times of
    /// a period, so that it does not change their ratio.
    pub fn ratio(&self, base: &Self) -> f64 {
        let ratios = self.periods.iter().zip(&base.periods).map(|(time, base)| *time as f64 / *base as f64);
        let mut ratios: Vec<f64> = ratios.collect();
        ratios.sort_by(f64::total_cmp);
        f64::midpoint(ratios[(ratios.len() - 1) / 2], ratios[ratios.len() / 2])
    }
}

/// How many periods a part has, if its cases have at least so many blocks: each period has a block of each case.
pub fn periods(fewest_blocks: usize) -> usize {
    fewest_blocks.clamp(1, PERIODS)
}

fn sorted(blocks: &[Vec<u64>]) -> Vec<u64> {
    let mut times = blocks.concat();
    times.sort_unstable();
    times
}

/// A quartile of sorted times, interpolated if it is between two of them.
fn quantile(sorted: &[u64], quarters: usize) -> u64 {
    let place = (sorted.len() - 1) * quarters;
    let (index, rest) = (place / 4, (place % 4) as u64);
    let next = sorted[(index + 1).min(sorted.len() - 1)];
    sorted[index] + ((next - sorted[index]) * rest + 2) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_an_odd_number_are_members() {
        let summary = Summary::of(&[vec![50, 10], vec![40, 20, 30]], 1).unwrap();
        assert_eq!(summary, Summary { count: 5, least: 10, lower: 20, median: 30, upper: 40, periods: vec![30] });
    }

    #[test]
    fn quartiles_between_two_members_are_interpolated() {
        let summary = Summary::of(&[vec![400, 100, 300, 200]], 1).unwrap();
        let expected = Summary { count: 4, least: 100, lower: 175, median: 250, upper: 325, periods: vec![250] };
        assert_eq!(summary, expected);
    }

    #[test]
    fn one_time_is_equal_to_all_its_quartiles_and_no_times_have_no_summary() {
        let expected = Summary { count: 1, least: 7, lower: 7, median: 7, upper: 7, periods: vec![7] };
        assert_eq!(Summary::of(&[vec![7]], 1), Some(expected));
        assert_eq!(Summary::of(&[], 1), None);
        assert_eq!(Summary::of(&[Vec::new(), Vec::new()], 2), None);
    }

    #[test]
    fn one_outlier_does_not_change_the_median() {
        let mut times = vec![100; 99];
        times.push(1_000_000);
        let summary = Summary::of(&[times], 1).unwrap();
        assert_eq!((summary.median, summary.upper), (100, 100));
    }

    #[test]
    fn ratio_of_one_period_is_that_of_the_medians() {
        let of = |times: [u64; 3]| Summary::of(&[times.to_vec()], 1).unwrap();
        assert_eq!(of([1, 30, 1000]).ratio(&of([1, 20, 25])), 1.5);
    }

    #[test]
    fn change_of_the_machines_speed_does_not_change_the_ratio() {
        // The machine is half as fast from the middle on. One case has more blocks before that, the other one after it.
        let (fast, slow) = (|time: u64| vec![time; 3], |time: u64| vec![2 * time; 3]);
        let of = [fast(120), fast(120), fast(120), slow(120)].concat();
        let base = [fast(100), slow(100), slow(100), slow(100)].concat();
        let whole = |times: &[u64]| Summary::of(&[times.to_vec()], 1).unwrap();
        assert_eq!(whole(&of).ratio(&whole(&base)), 0.6);
        let of = [fast(120), fast(120), fast(120), slow(120), slow(120)];
        let base = [fast(100), fast(100), slow(100), slow(100), slow(100)];
        let [of, base] = [of, base].map(|blocks| Summary::of(&blocks, 5).unwrap());
        assert_eq!(of.ratio(&base), 1.2);
    }

    #[test]
    fn each_period_has_blocks_of_each_case() {
        assert_eq!([0, 1, 3, 16, 400].map(periods), [1, 1, 3, PERIODS, PERIODS]);
        for count in 1..100_u64 {
            let blocks: Vec<Vec<u64>> = (1..=count).map(|time| vec![time]).collect();
            let summary = Summary::of(&blocks, periods(blocks.len())).unwrap();
            assert!(summary.periods.is_sorted() && summary.periods.iter().all(|&time| time > 0), "{summary:?}");
            assert_eq!(summary.periods.len(), periods(blocks.len()));
        }
    }
}
