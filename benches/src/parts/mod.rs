//! The parts of the benchmark: what each measures, and in which states of the parent.

mod children;
mod drop_in;
mod graphs;
mod parents;
mod spawns;
mod state;
mod timed;
mod transfers;
mod work;

pub use graphs::{GRAPH_PIECE, GRAPH_SIZE};
pub use state::{Layout, Point, Search, State};
pub use timed::{Timed, Unit};
pub use work::{CaseSet, SIZE, Subject, Work};

/// One part. The report has a section, a table and a plot for each part.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The name on the command line, and of the plot's file.
    pub name: &'static str,
    pub title: &'static str,
    /// The property in which the points differ. The plot's axis has this title.
    pub axis: &'static str,
    /// What one measured time is the time of.
    pub timed: Timed,
    /// How long a full run measures this part.
    pub seconds: u64,
    /// A note for the reader of the report.
    pub remark: Option<&'static str>,
    pub subject: Subject,
}

/// All parts, in the order in which the driver measures them.
pub const PARTS: &[Part] = &[
    spawns::STATUS,
    spawns::PIPES,
    parents::MEMORY,
    parents::DESCRIPTORS,
    parents::DESCRIPTORS_PIPES,
    spawns::MAPPED,
    spawns::ENVIRONMENT,
    spawns::ATTRIBUTES,
    spawns::PATH,
    parents::THREADS,
    parents::PROCESSORS,
    parents::PROCESSORS_PIPES,
    spawns::PIECES,
    spawns::WAIT,
    spawns::OUTPUT,
    drop_in::DROP_IN_STATUS,
    drop_in::DROP_IN_OUTPUT,
    drop_in::DROP_IN_SPAWN,
    transfers::COLLECT,
    transfers::KEEP,
    transfers::FEED,
    children::SET,
    children::MANY,
    graphs::LINE,
    graphs::STAGES,
    graphs::TEE,
    children::BUSY,
];

/// The part with this name, if there is one.
pub fn find(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_and_labels_of_points_are_unique() {
        let unique =
            |names: Vec<&str>| names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1);
        assert!(unique(PARTS.iter().map(|part| part.name).collect()));
        for part in PARTS {
            if let Subject::Times { points, .. } = part.subject {
                assert!(unique(points.iter().map(|point| point.label).collect()), "{}", part.name);
            }
        }
    }

    #[test]
    fn full_run_takes_at_most_eight_minutes() {
        assert!(PARTS.iter().map(|part| part.seconds).sum::<u64>() <= 480);
    }
}
