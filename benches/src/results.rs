//! What a run has measured. The driver writes it to results.json.

use crate::machine::Machine;
use crate::statistics::Summary;
use serde::{Deserialize, Serialize};

/// The results of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// Whether this was a quick run, whose numbers are less exact.
    pub quick: bool,
    /// How long the run took.
    pub seconds: u64,
    pub parts: Vec<PartResult>,
    pub goals: Vec<Verdict>,
}

/// The results of one part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartResult {
    /// The part's name.
    pub name: String,
    pub outcome: Outcome,
    /// Notes for the reader, such as which cases the part leaves out, and why.
    pub remarks: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Times(Times),
    Busy(Busy),
}

/// Times, in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Times {
    /// The labels of the states.
    pub points: Vec<String>,
    pub rows: Vec<Row>,
}

/// The times of a case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    pub case: String,
    /// One cell for each point; `None` if the machine does not support the state or the case failed, as a remark says.
    pub cells: Vec<Option<Summary>>,
    /// For each point, the processor times of the parent. Empty if the part does not measure them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processor_times: Vec<Option<Summary>>,
    /// For each point, how far the resident memory grows at most, divided by the bytes that the case collects. Empty if
    /// the part does not collect bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Option<f64>>,
}

/// How many spawns failed with `ETXTBSY`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Busy {
    /// How many programs the threads wrote and spawned with each case.
    pub programs: usize,
    pub rows: Vec<BusyRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BusyRow {
    pub case: String,
    pub refused: usize,
}

/// A goal, and the quantity that the run has measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub goal: String,
    /// The upper bound.
    pub most: f64,
    /// `None` if this run did not measure the quantity.
    pub measured: Option<f64>,
}

impl Verdict {
    /// Whether the quantity is within its bound; `None` if this run did not measure it.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.most)
    }
}

impl Results {
    /// The results of the part with this name.
    pub fn part(&self, name: &str) -> Option<&PartResult> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl Times {
    pub fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }

    /// The ratio of two cases, at each point that has both.
    pub fn ratios(&self, of: &str, to: &str) -> Option<Vec<f64>> {
        let pairs = self.row(of)?.cells.iter().zip(&self.row(to)?.cells);
        let ratios: Vec<f64> = pairs.filter_map(|(of, to)| Some(of.as_ref()?.ratio(to.as_ref()?))).collect();
        (!ratios.is_empty()).then_some(ratios)
    }

    /// The processor time of the parent for a case at a point.
    pub fn processor_time(&self, case: &str, point: &str) -> Option<&Summary> {
        let index = self.points.iter().position(|label| label == point)?;
        self.row(case)?.processor_times.get(index)?.as_ref()
    }

    /// The time of a case at a point.
    pub fn cell(&self, case: &str, point: &str) -> Option<&Summary> {
        let index = self.points.iter().position(|label| label == point)?;
        self.row(case)?.cells.get(index)?.as_ref()
    }
}
