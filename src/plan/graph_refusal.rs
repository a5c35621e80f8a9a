//! `GraphRefusal`: why the library refuses a graph.

use std::fmt;
use std::os::fd::RawFd;

/// Why the library refuses a [`Graph`](crate::Graph). It has opened and started nothing. Stages are counted from 0, in the order in which they
/// were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphRefusal {
    /// The graph has no stage.
    NoStage,
    /// A link names a stage of another graph.
    OtherGraph {
        /// The place of the stage in the other graph.
        stage: usize,
        /// The number in the stage's process.
        target: RawFd,
    },
    /// A link names a number below zero.
    NegativeTarget {
        /// The stage.
        stage: usize,
        /// The number in the stage's process.
        target: RawFd,
    },
    /// Two links name one descriptor, or a link names one that the stage's command connects itself.
    LinkedTwice {
        /// The stage.
        stage: usize,
        /// The number in the stage's process.
        target: RawFd,
    },
    /// A pipe has a reader and no writer: the reader would find the end at once.
    NoWriter {
        /// The stage of the reader.
        stage: usize,
        /// The number in the stage's process.
        target: RawFd,
    },
    /// A pipe has a writer and no reader: the first write would end the writer.
    NoReader {
        /// The stage of the writer.
        stage: usize,
        /// The number in the stage's process.
        target: RawFd,
    },
    /// A pipe has neither a writer nor a reader.
    NoEnds,
    /// A stage runs a function, and inherits the rest ([`Rest::Inherit`](crate::Rest::Inherit)). Without an exec, it would have the ends of all
    /// other stages.
    FunctionInheritsRest {
        /// The stage.
        stage: usize,
    },
}

impl fmt::Display for GraphRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoStage => f.write_str("the graph has no stage"),
            Self::OtherGraph { stage, target } => {
                write!(f, "a link goes to target {target} of stage {stage} of another graph")
            }
            Self::NegativeTarget { stage, target } => {
                write!(f, "a link goes to target {target} of stage {stage}, which is no number of a descriptor")
            }
            Self::LinkedTwice { stage, target } => write!(f, "target {target} of stage {stage} has two sources"),
            Self::NoWriter { stage, target } => {
                write!(f, "target {target} of stage {stage} reads a pipe that has no writer")
            }
            Self::NoReader { stage, target } => {
                write!(f, "target {target} of stage {stage} writes to a pipe that has no reader")
            }
            Self::NoEnds => f.write_str("a pipe has neither a writer nor a reader"),
            Self::FunctionInheritsRest { stage } => {
                write!(
                    f,
                    "stage {stage} runs a function and inherits the rest, so it would have the ends of all other stages"
                )
            }
        }
    }
}
