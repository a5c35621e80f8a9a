//! What a run has measured, as it is written to JSON.

use crate::machine::Machine;
use crate::statistics::Summary;
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    pub machine: Machine,
    /// Whether it was a short one, whose numbers are rough.
    pub quick: bool,
    /// How long it took.
    pub seconds: u64,
    pub parts: Vec<Measured>,
    pub goals: Vec<Verdict>,
}

/// What a part has measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The part's name.
    pub name: String,
    pub outcome: Outcome,
    /// Who is left out or does less, and why.
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub case: String,
    /// One for each point; `None` where the state could not be had or the case failed, as a remark says.
    pub cells: Vec<Option<Summary>>,
}

/// How often programs were refused as busy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Busy {
    /// How many programs were written and spawned by each case.
    pub programs: usize,
    pub rows: Vec<BusyRow>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BusyRow {
    pub case: String,
    pub refused: usize,
}

/// A goal and what was measured of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub goal: String,
    pub most: f64,
    /// `None` where no case measured it in this run.
    pub measured: Option<f64>,
}

impl Verdict {
    /// `None` where it is not known.
    pub fn is_met(&self) -> Option<bool> {
        self.measured.map(|measured| measured <= self.most)
    }
}

impl Results {
    /// What was measured of a part.
    pub fn part(&self, name: &str) -> Option<&Measured> {
        self.parts.iter().find(|part| part.name == name)
    }
}

impl Times {
    pub fn row(&self, case: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.case == case)
    }

    /// The time of a case at a point.
    pub fn cell(&self, case: &str, point: &str) -> Option<&Summary> {
        let index = self.points.iter().position(|label| label == point)?;
        self.row(case)?.cells.get(index)?.as_ref()
    }
}
