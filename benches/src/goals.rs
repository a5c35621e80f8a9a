//! What the library sets itself, and whether it was met.

use crate::cases::{ISOLATED, LIBRARY, RAW, SHARED_ENVIRONMENT};
use crate::results::{Outcome, Results, Verdict};

/// A measure, and what it may be at most.
struct Goal {
    text: &'static str,
    part: &'static str,
    measure: Measure,
    most: f64,
}

enum Measure {
    /// The medians' ratio of one case at one point to another, in one run.
    Ratio { of: At, to: At },
    /// How many programs were refused.
    Refused { case: &'static str },
}

/// A case at a point.
struct At(&'static str, &'static str);

const GOALS: &[Goal] = &[
    Goal {
        text: "status() of a tiny static program with 35 inherited variables, to the raw limit",
        part: "status",
        measure: Measure::Ratio { of: At(LIBRARY, "status()"), to: At(RAW, "status()") },
        most: 1.12,
    },
    Goal {
        text: "the same with a shared `Environment`, to the raw limit",
        part: "status",
        measure: Measure::Ratio { of: At(SHARED_ENVIRONMENT, "status()"), to: At(RAW, "status()") },
        most: 1.05,
    },
    Goal {
        text: "three pipes, two mapped descriptors, the rest closed, to the raw limit",
        part: "pipes",
        measure: Measure::Ratio { of: At(LIBRARY, "spawn() and wait()"), to: At(RAW, "spawn() and wait()") },
        most: 1.35,
    },
    Goal {
        text: "8 GiB of parent memory, to itself at 0",
        part: "memory",
        measure: Measure::Ratio { of: At(LIBRARY, "8 GiB"), to: At(LIBRARY, "0") },
        most: 1.05,
    },
    Goal {
        text: "19,000 sparse descriptors, to itself at 0",
        part: "descriptors",
        measure: Measure::Ratio { of: At(LIBRARY, "19,000 sparse"), to: At(LIBRARY, "0") },
        most: 1.15,
    },
    Goal {
        text: "19,000 sparse descriptors with three pipes and two mapped ones, to itself at 0",
        part: "descriptors-pipes",
        measure: Measure::Ratio { of: At(LIBRARY, "19,000 sparse"), to: At(LIBRARY, "0") },
        most: 1.15,
    },
    Goal {
        text: "19,000 dense descriptors through `Isolated`, to a plain spawn at 0",
        part: "descriptors-pipes",
        measure: Measure::Ratio { of: At(ISOLATED, "19,000 dense"), to: At(LIBRARY, "0") },
        most: 1.4,
    },
    Goal {
        text: "two processors and a second thread: `Isolated`, to a plain spawn",
        part: "processors-pipes",
        measure: Measure::Ratio { of: At(ISOLATED, "2"), to: At(LIBRARY, "2") },
        most: 1.4,
    },
    Goal {
        text: "two processors and a second thread: three pipes, two mapped descriptors, the rest closed, to the raw limit",
        part: "processors-pipes",
        measure: Measure::Ratio { of: At(LIBRARY, "2"), to: At(RAW, "2") },
        most: 1.35,
    },
    Goal {
        text: "two processors and a second thread: status(), to the raw limit",
        part: "processors",
        measure: Measure::Ratio { of: At(LIBRARY, "2"), to: At(RAW, "2") },
        most: 1.12,
    },
    Goal {
        text: "programs refused as busy (ETXTBSY) in racing write-then-exec pairs from 8 threads",
        part: "busy",
        measure: Measure::Refused { case: LIBRARY },
        most: 0.0,
    },
];

/// Judges all goals.
pub fn judge(results: &Results) -> Vec<Verdict> {
    let judge = |goal: &Goal| Verdict { goal: goal.text.to_owned(), most: goal.most, measured: goal.measured(results) };
    GOALS.iter().map(judge).collect()
}

impl Goal {
    fn measured(&self, results: &Results) -> Option<f64> {
        match (&self.measure, &results.part(self.part)?.outcome) {
            (Measure::Ratio { of, to }, Outcome::Times(times)) => {
                Some(times.cell(of.0, of.1)?.ratio(times.cell(to.0, to.1)?))
            }
            (Measure::Refused { case }, Outcome::Busy(busy)) => {
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
    use crate::results::{Busy, BusyRow, Measured, Row, Times};
    use crate::statistics::Summary;

    fn results(outcomes: Vec<(&str, Outcome)>) -> Results {
        let measured =
            |(name, outcome): (&str, Outcome)| Measured { name: name.to_owned(), outcome, remarks: Vec::new() };
        let parts = outcomes.into_iter().map(measured).collect();
        Results { machine: Machine::default(), quick: false, seconds: 1, parts, goals: Vec::new() }
    }

    fn times(points: &[&str], rows: &[(&str, &[Option<u64>])]) -> Outcome {
        let cell = |median: &Option<u64>| median.and_then(|median| Summary::of(vec![median]));
        let row = |(case, medians): &(&str, &[Option<u64>])| Row {
            case: (*case).to_owned(),
            cells: medians.iter().map(cell).collect(),
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
            let (measured, is_met) = verdict(&results, "status()");
            assert_eq!(measured, Some(median as f64 / 50_000.0));
            assert_eq!(is_met, Some(met), "{median}");
        }
    }

    #[test]
    fn ratio_to_itself_compares_two_points_of_one_case() {
        let rows: [(&str, &[Option<u64>]); 2] = [(RAW, &[Some(1), Some(9)]), (LIBRARY, &[Some(100), Some(110)])];
        let results = results(vec![("memory", times(&["0", "8 GiB"], &rows))]);
        assert_eq!(verdict(&results, "8 GiB"), (Some(1.1), Some(false)));
    }

    #[test]
    fn goal_without_its_part_its_point_or_its_case_is_not_known() {
        let rows: [(&str, &[Option<u64>]); 1] = [(LIBRARY, &[Some(100), None])];
        let results = results(vec![("memory", times(&["0", "8 GiB"], &rows))]);
        assert_eq!(verdict(&results, "8 GiB"), (None, None));
        assert_eq!(verdict(&results, "status()"), (None, None));
        assert_eq!(verdict(&results, "the same with a shared"), (None, None));
    }

    #[test]
    fn one_refused_program_misses_the_goal() {
        for (refused, met) in [(0, true), (1, false)] {
            let others = BusyRow { case: "std".to_owned(), refused: 251 };
            let rows = vec![others, BusyRow { case: LIBRARY.to_owned(), refused }];
            let results = results(vec![("busy", Outcome::Busy(Busy { programs: 3_200, rows }))]);
            assert_eq!(verdict(&results, "programs refused"), (Some(refused as f64), Some(met)));
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
    fn goals_name_parts_and_points_that_there_are() {
        for goal in GOALS {
            let part = find(goal.part).unwrap_or_else(|| panic!("{}: no part {}", goal.text, goal.part));
            match (&goal.measure, part.subject) {
                (Measure::Ratio { of, to }, Subject::Times { work, points, cast }) => {
                    for At(case, label) in [of, to] {
                        assert!(points.iter().any(|point| point.label == *label), "{}: no point {label}", goal.text);
                        let known = cases(work, cast).iter().any(|known| known.name == *case);
                        assert!(known, "{}: no case {case}", goal.text);
                    }
                }
                (Measure::Refused { .. }, Subject::Busy) => {}
                _ => panic!("{}: the part measures something else", goal.text),
            }
        }
    }
}
