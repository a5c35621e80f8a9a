//! Summaries of many measured times.

use serde::{Deserialize, Serialize};

/// The median and the quartiles of measured times, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Summary {
    /// Summarizes times in any order; `None` if there are none.
    pub fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let least = *times.first()?;
        let [lower, median, upper] = [1, 2, 3].map(|quarters| quantile(&times, quarters));
        Some(Self { count: times.len(), least, lower, median, upper })
    }

    /// This median divided by the median of `base`.
    pub fn ratio(&self, base: &Self) -> f64 {
        self.median as f64 / base.median as f64
    }
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
        let summary = Summary::of(vec![50, 10, 40, 20, 30]).unwrap();
        assert_eq!(summary, Summary { count: 5, least: 10, lower: 20, median: 30, upper: 40 });
    }

    #[test]
    fn quartiles_between_two_members_are_interpolated() {
        let summary = Summary::of(vec![400, 100, 300, 200]).unwrap();
        assert_eq!(summary, Summary { count: 4, least: 100, lower: 175, median: 250, upper: 325 });
    }

    #[test]
    fn one_time_is_equal_to_all_its_quartiles_and_no_times_have_no_summary() {
        assert_eq!(Summary::of(vec![7]), Some(Summary { count: 1, least: 7, lower: 7, median: 7, upper: 7 }));
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn one_outlier_does_not_change_the_median() {
        let mut times = vec![100; 99];
        times.push(1_000_000);
        let summary = Summary::of(times).unwrap();
        assert_eq!((summary.median, summary.upper), (100, 100));
    }

    #[test]
    fn ratio_is_the_ratio_of_the_medians() {
        let of = |times: [u64; 3]| Summary::of(times.to_vec()).unwrap();
        assert_eq!(of([1, 30, 1000]).ratio(&of([1, 20, 25])), 1.5);
    }
}
