//! The goals for the library's speed, and whether a run has met them.

use crate::cases::{
    BASH, CAPTURE, COPY, DISCARD, DRAIN_INTO, ISOLATED, KEEP_LAST, LARGE_PIPES, LIBRARY, PROCESS_GROUP, RAW, SAME_WORK,
    SHARED_ENVIRONMENT, STD, WAIT_TIMEOUT,
};
use crate::results::{Outcome, Results, Verdict};

/// A quantity, and its upper bound.
struct Goal {
    text: &'static str,
    part: &'static str,
    quantity: Quantity,
    most: f64,
}

enum Quantity {
    /// The times of one case at one point, divided by those of another case or point of the same run.
    Ratio { of: CaseAt, to: CaseAt },
    /// The largest of the ratios of two cases at the points of the part.
    LargestRatio { of: &'static str, to: &'static str },
    /// The geometric mean of the ratios of two cases at the points of the part.
    MeanRatio { of: &'static str, to: &'static str },
    /// As `Ratio`, for the processor time of the parent.
    ProcessorTime { of: CaseAt, to: CaseAt },
    /// How far the resident memory grows, divided by the collected bytes, at the point where it is largest.
    Memory { case: &'static str },
    /// How many spawns failed with `ETXTBSY`.
    Busy { case: &'static str },
}

/// A case at a point.
struct CaseAt(&'static str, &'static str);

const GOALS: &[Goal] = &[
    Goal {
        text: "status() of a tiny static program with 35 inherited variables, divided by the raw limit",
        part: "status",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "status()"), to: CaseAt(RAW, "status()") },
        most: 1.12,
    },
    Goal {
        text: "the same with a shared `Environment`, divided by the raw limit",
        part: "status",
        quantity: Quantity::Ratio { of: CaseAt(SHARED_ENVIRONMENT, "status()"), to: CaseAt(RAW, "status()") },
        most: 1.05,
    },
    Goal {
        text: "three pipes, two mapped descriptors, all others closed, divided by the raw limit",
        part: "pipes",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "spawn() and wait()"), to: CaseAt(RAW, "spawn() and wait()") },
        most: 1.35,
    },
    Goal {
        text: "status() with 8 GiB of memory in the parent, divided by the same at 0",
        part: "memory",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "8 GiB"), to: CaseAt(LIBRARY, "0") },
        most: 1.05,
    },
    Goal {
        text: "status() with 19,000 sparse descriptors, divided by the same at 0",
        part: "descriptors",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "19,000 sparse"), to: CaseAt(LIBRARY, "0") },
        most: 1.15,
    },
    Goal {
        text: "three pipes and two mapped descriptors with 19,000 sparse descriptors, divided by the same at 0",
        part: "descriptors-pipes",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "19,000 sparse"), to: CaseAt(LIBRARY, "0") },
        most: 1.15,
    },
    Goal {
        text: "the same through `Isolated` with 19,000 dense descriptors, divided by a spawn without `Isolated` at 0",
        part: "descriptors-pipes",
        quantity: Quantity::Ratio { of: CaseAt(ISOLATED, "19,000 dense"), to: CaseAt(LIBRARY, "0") },
        most: 1.4,
    },
    Goal {
        text: "two processors and a second thread: a spawn through `Isolated`, divided by one without",
        part: "processors-pipes",
        quantity: Quantity::Ratio { of: CaseAt(ISOLATED, "2"), to: CaseAt(LIBRARY, "2") },
        most: 1.4,
    },
    Goal {
        text: "two processors and a second thread: three pipes and two mapped descriptors, divided by the raw limit",
        part: "processors-pipes",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "2"), to: CaseAt(RAW, "2") },
        most: 1.35,
    },
    Goal {
        text: "two processors and a second thread: status(), divided by the raw limit",
        part: "processors",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "2"), to: CaseAt(RAW, "2") },
        most: 1.12,
    },
    Goal {
        text: "status() with six attributes, divided by a raw launch with the same calls",
        part: "attributes",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "0"), to: CaseAt(SAME_WORK, "0") },
        most: 1.15,
    },
    Goal {
        text: "spawn() and wait_timeout(), divided by spawn() and wait()",
        part: "wait",
        quantity: Quantity::Ratio {
            of: CaseAt(WAIT_TIMEOUT, "spawn() and wait()"),
            to: CaseAt(LIBRARY, "spawn() and wait()"),
        },
        most: 1.07,
    },
    Goal {
        text: "spawn() and wait() with a process group of the child, divided by the same without",
        part: "wait",
        quantity: Quantity::Ratio {
            of: CaseAt(PROCESS_GROUP, "spawn() and wait()"),
            to: CaseAt(LIBRARY, "spawn() and wait()"),
        },
        most: 1.07,
    },
    Goal {
        text: "output() of a tiny static program, divided by a raw launch that does the same work",
        part: "output",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "output()"), to: CaseAt(SAME_WORK, "output()") },
        most: 1.15,
    },
    Goal {
        text: "output() of 64 MiB, divided by std, at the size of the writes where the ratio is largest",
        part: "collect",
        quantity: Quantity::LargestRatio { of: LIBRARY, to: STD },
        most: 1.0,
    },
    Goal {
        text: "output() of 64 MiB, divided by std, geometric mean of the sizes of the writes",
        part: "collect",
        quantity: Quantity::MeanRatio { of: LIBRARY, to: STD },
        most: 0.91,
    },
    Goal {
        text: "drain_into() of 64 MiB into used memory, divided by output() of std, geometric mean",
        part: "collect",
        quantity: Quantity::MeanRatio { of: DRAIN_INTO, to: STD },
        most: 0.5,
    },
    Goal {
        text: "growth of the resident memory during output() of 64 MiB, divided by this size",
        part: "collect",
        quantity: Quantity::Memory { case: LIBRARY },
        most: 2.0,
    },
    Goal {
        text: "the same during capture()",
        part: "collect",
        quantity: Quantity::Memory { case: CAPTURE },
        most: 2.0,
    },
    Goal {
        text: "Keep::Last(1 MiB) of 64 MiB, divided by reads of 64 KiB into one buffer, geometric mean",
        part: "keep",
        quantity: Quantity::MeanRatio { of: KEEP_LAST, to: RAW },
        most: 1.18,
    },
    Goal {
        text: "discard() of 64 MiB, divided by reads of 64 KiB into one buffer, geometric mean",
        part: "keep",
        quantity: Quantity::MeanRatio { of: DISCARD, to: RAW },
        most: 1.18,
    },
    Goal {
        text: "feed() of 64 MiB, divided by blocking writes of 64 KiB",
        part: "feed",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "128 KiB"), to: CaseAt(RAW, "128 KiB") },
        most: 1.11,
    },
    Goal {
        text: "the end of 10,000 children through `Children`, divided by waitpid(-1) in a loop",
        part: "set",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "10,000"), to: CaseAt(RAW, "10,000") },
        most: 1.6,
    },
    Goal {
        text: "the end of 10,000 children through `Children`, divided by that of 5,000",
        part: "set",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "10,000"), to: CaseAt(LIBRARY, "5,000") },
        most: 2.2,
    },
    Goal {
        text: "four stages that copy bytes, divided by bash",
        part: "line",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "line"), to: CaseAt(BASH, "line") },
        most: 0.95,
    },
    Goal {
        text: "the same with pipes of 1 MiB, divided by bash",
        part: "line",
        quantity: Quantity::Ratio { of: CaseAt(LARGE_PIPES, "line"), to: CaseAt(BASH, "line") },
        most: 0.833,
    },
    Goal {
        text: "2, 10 and 100 stages of a tiny program, divided by raw launches, at the number where the ratio is largest",
        part: "stages",
        quantity: Quantity::LargestRatio { of: LIBRARY, to: SAME_WORK },
        most: 1.3,
    },
    Goal {
        text: "tee to two stages with pipes of 1 MiB, divided by a copy through the parent",
        part: "tee",
        quantity: Quantity::Ratio { of: CaseAt(LIBRARY, "1 MiB pipes"), to: CaseAt(COPY, "64 KiB pipes") },
        most: 0.5,
    },
    Goal {
        text: "processor time of the parent for the same, divided by that of the copy",
        part: "tee",
        quantity: Quantity::ProcessorTime { of: CaseAt(LIBRARY, "1 MiB pipes"), to: CaseAt(COPY, "64 KiB pipes") },
        most: 0.25,
    },
    Goal {
        text: "spawns that fail with ETXTBSY while 8 threads write programs and spawn them",
        part: "busy",
        quantity: Quantity::Busy { case: LIBRARY },
        most: 0.0,
    },
];

/// Compares the results with all goals.
pub fn judge(results: &Results) -> Vec<Verdict> {
    let judge = |goal: &Goal| Verdict { goal: goal.text.to_owned(), most: goal.most, measured: goal.measured(results) };
    GOALS.iter().map(judge).collect()
}

impl Goal {
    fn measured(&self, results: &Results) -> Option<f64> {
        match (&self.quantity, &results.part(self.part)?.outcome) {
            (Quantity::Ratio { of, to }, Outcome::Times(times)) => {
                Some(times.cell(of.0, of.1)?.ratio(times.cell(to.0, to.1)?))
            }
            (Quantity::LargestRatio { of, to }, Outcome::Times(times)) => {
                times.ratios(of, to)?.into_iter().max_by(f64::total_cmp)
            }
            (Quantity::MeanRatio { of, to }, Outcome::Times(times)) => {
                let ratios = times.ratios(of, to)?;
                Some((ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp())
            }
            (Quantity::ProcessorTime { of, to }, Outcome::Times(times)) => {
                Some(times.processor_time(of.0, of.1)?.ratio(times.processor_time(to.0, to.1)?))
            }
            (Quantity::Memory { case }, Outcome::Times(times)) => {
                times.row(case)?.memory.iter().copied().flatten().max_by(f64::total_cmp)
            }
            (Quantity::Busy { case }, Outcome::Busy(busy)) => {
                Some(busy.rows.iter().find(|row| row.case == *case)?.refused as f64)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::cases;
    use crate::machine::Machine;
    use crate::parts::{Subject, find};
    use crate::results::{Busy, BusyRow, PartResult, Row, Times};
    use crate::statistics::Summary;

    fn results(outcomes: Vec<(&str, Outcome)>) -> Results {
        let measured =
            |(name, outcome): (&str, Outcome)| PartResult { name: name.to_owned(), outcome, remarks: Vec::new() };
        let parts = outcomes.into_iter().map(measured).collect();
        Results { machine: Machine::default(), quick: false, seconds: 1, parts, goals: Vec::new() }
    }

    fn times(points: &[&str], rows: &[(&str, &[Option<u64>])]) -> Outcome {
        let cell = |median: &Option<u64>| median.and_then(|median| Summary::of(&[vec![median]], 1));
        let row = |(case, medians): &(&str, &[Option<u64>])| Row {
            case: (*case).to_owned(),
            cells: medians.iter().map(cell).collect(),
            ..Row::default()
        };
        let points = points.iter().map(|&point| point.to_owned()).collect();
        Outcome::Times(Times { points, rows: rows.iter().map(row).collect() })
    }

    fn verdict(results: &Results, goal: &str) -> (Option<f64>, Option<bool>) {
        let verdicts = judge(results);
        let found = verdicts.iter().find(|verdict| verdict.goal.starts_with(goal)).unwrap();
        (found.measured, found.is_met())
    }

    #[test]
    fn ratio_to_the_raw_limit_is_met_at_the_bound_and_missed_above() {
        for (median, met) in [(49_000, true), (56_000, true), (56_001, false)] {
            let rows: [(&str, &[Option<u64>]); 2] = [(RAW, &[Some(50_000)]), (LIBRARY, &[Some(median)])];
            let results = results(vec![("status", times(&["status()"], &rows))]);
            let (measured, is_met) = verdict(&results, "status() of a tiny");
            assert_eq!(measured, Some(median as f64 / 50_000.0));
            assert_eq!(is_met, Some(met), "{median}");
        }
    }

    #[test]
    fn ratio_to_itself_compares_two_points_of_one_case() {
        let rows: [(&str, &[Option<u64>]); 2] = [(RAW, &[Some(1), Some(9)]), (LIBRARY, &[Some(100), Some(110)])];
        let results = results(vec![("memory", times(&["0", "8 GiB"], &rows))]);
        assert_eq!(verdict(&results, "status() with 8 GiB"), (Some(1.1), Some(false)));
    }

    #[test]
    fn goal_without_its_part_its_point_or_its_case_is_not_measured() {
        let rows: [(&str, &[Option<u64>]); 1] = [(LIBRARY, &[Some(100), None])];
        let results = results(vec![("memory", times(&["0", "8 GiB"], &rows))]);
        assert_eq!(verdict(&results, "status() with 8 GiB"), (None, None));
        assert_eq!(verdict(&results, "status() of a tiny"), (None, None));
        assert_eq!(verdict(&results, "the same with a shared"), (None, None));
    }

    #[test]
    fn ratios_at_several_points_have_a_largest_and_a_mean() {
        let rows: [(&str, &[Option<u64>]); 2] =
            [(STD, &[Some(100), Some(100), Some(100)]), (LIBRARY, &[Some(50), Some(200), None])];
        let results = results(vec![("collect", times(&["4 KiB", "8 KiB", "64 KiB"], &rows))]);
        let (largest, met) = verdict(&results, "output() of 64 MiB, divided by std, at");
        assert_eq!((largest, met), (Some(2.0), Some(false)));
        let (mean, _) = verdict(&results, "output() of 64 MiB, divided by std, geometric");
        assert!((mean.unwrap() - 1.0).abs() < 1e-9, "{mean:?}");
        assert_eq!(verdict(&results, "growth of the resident memory"), (None, None));
    }

    #[test]
    fn largest_growth_of_memory_counts() {
        let row = Row {
            case: LIBRARY.to_owned(),
            cells: vec![None; 3],
            memory: vec![Some(1.0), Some(2.1), None],
            ..Row::default()
        };
        let points = ["4 KiB", "8 KiB", "64 KiB"].map(str::to_owned).into();
        let results = results(vec![("collect", Outcome::Times(Times { points, rows: vec![row] }))]);
        assert_eq!(verdict(&results, "growth of the resident memory"), (Some(2.1), Some(false)));
    }

    #[test]
    fn one_busy_program_misses_the_goal() {
        for (refused, met) in [(0, true), (1, false)] {
            let others = BusyRow { case: "std".to_owned(), refused: 251 };
            let rows = vec![others, BusyRow { case: LIBRARY.to_owned(), refused }];
            let results = results(vec![("busy", Outcome::Busy(Busy { programs: 3_200, rows }))]);
            assert_eq!(verdict(&results, "spawns that fail"), (Some(refused as f64), Some(met)));
        }
    }

    #[test]
    fn verdicts_survive_json() {
        let rows: [(&str, &[Option<u64>]); 1] = [(LIBRARY, &[Some(100), Some(103)])];
        let mut results = results(vec![("memory", times(&["0", "8 GiB"], &rows))]);
        results.goals = judge(&results);
        let text = serde_json::to_string(&results).unwrap();
        let again: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(again.goals, results.goals);
        assert_eq!(judge(&again), results.goals);
    }

    #[test]
    fn goals_name_parts_points_and_cases_that_exist() {
        for goal in GOALS {
            let part = find(goal.part).unwrap_or_else(|| panic!("{}: no part {}", goal.text, goal.part));
            match (&goal.quantity, part.subject) {
                (
                    Quantity::Ratio { of, to } | Quantity::ProcessorTime { of, to },
                    Subject::Times { work, points, set },
                ) => {
                    let has_time = work.has_processor_time();
                    assert!(has_time || matches!(goal.quantity, Quantity::Ratio { .. }), "{}", goal.text);
                    for CaseAt(case, label) in [of, to] {
                        assert!(points.iter().any(|point| point.label == *label), "{}: no point {label}", goal.text);
                        let known = cases(work, set).iter().any(|known| known.name == *case);
                        assert!(known, "{}: no case {case}", goal.text);
                    }
                }
                (
                    Quantity::LargestRatio { of, to } | Quantity::MeanRatio { of, to },
                    Subject::Times { work, set, .. },
                ) => {
                    for case in [of, to] {
                        let known = cases(work, set).iter().any(|known| known.name == *case);
                        assert!(known, "{}: no case {case}", goal.text);
                    }
                }
                (Quantity::Memory { case }, Subject::Times { work, set, .. }) => {
                    assert!(work.has_memory(), "{}", goal.text);
                    assert!(cases(work, set).iter().any(|known| known.name == *case), "{}", goal.text);
                }
                (Quantity::Busy { .. }, Subject::Busy) => {}
                _ => panic!("{}: the part does not measure this quantity", goal.text),
            }
        }
    }
}
