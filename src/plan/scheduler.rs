//! `Scheduler`: a scheduling policy as plain data.

use std::fmt;

/// How the kernel schedules a process (`sched(7)`), for [`Command::scheduler`](crate::Command::scheduler).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheduler {
    /// `SCHED_OTHER`: the default, which shares the processor by the nice values.
    Other,
    /// `SCHED_BATCH`: as `Other`, for a process that computes and does not wait for a user.
    Batch,
    /// `SCHED_IDLE`: only while no other process wants the processor.
    Idle,
    /// `SCHED_FIFO`: in real time, until it waits. The priority is from 1, the lowest, to 99.
    Fifo(u8),
    /// `SCHED_RR`: in real time, in turns with others of its priority. The priority is from 1, the lowest, to 99.
    RoundRobin(u8),
}

impl Scheduler {
    /// The priority in the sense of `sched_setscheduler(2)`: 0 for policies without one.
    pub(crate) fn priority(self) -> u8 {
        match self {
            Self::Other | Self::Batch | Self::Idle => 0,
            Self::Fifo(priority) | Self::RoundRobin(priority) => priority,
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => f.write_str("SCHED_OTHER"),
            Self::Batch => f.write_str("SCHED_BATCH"),
            Self::Idle => f.write_str("SCHED_IDLE"),
            Self::Fifo(priority) => write!(f, "SCHED_FIFO, priority {priority}"),
            Self::RoundRobin(priority) => write!(f, "SCHED_RR, priority {priority}"),
        }
    }
}
