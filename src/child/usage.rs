//! `Usage`: what a child has used.

use crate::sys::RawUsage;
use std::time::Duration;

/// What a child, and those of its own children that it has waited for, have used (`getrusage(2)`), from [`Child::wait_usage`].
///
/// # What the peak memory says
///
/// `max_rss` counts from the clone or fork, and exec does not reset it. So the value is at least what the *parent* had in memory at the
/// spawn: a program of 1 MiB that a parent of 512 MiB starts has a `max_rss` of 512 MiB, under both launchers. The value says something of
/// the program only if it is above the parent's. It is the largest value of the child and of those of its children that it has waited for,
/// and not the sum. To measure the memory of a whole program, start it in a cgroup of its own (`Command::own_cgroup`) and read
/// `Cgroup::memory_peak`.
///
/// [`Child::wait_usage`]: crate::Child::wait_usage
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time in user mode.
    pub user_time: Duration,
    /// Processor time in the kernel.
    pub system_time: Duration,
    /// The peak of resident memory, in bytes. See above: the parent's memory counts, too.
    pub max_rss: u64,
    /// How often the process gave up the processor to wait.
    pub voluntary_switches: u64,
    /// How often the kernel took the processor away.
    pub involuntary_switches: u64,
    /// Page faults without a read from a disk.
    pub minor_faults: u64,
    /// Page faults with a read from a disk.
    pub major_faults: u64,
}

impl From<RawUsage> for Usage {
    fn from(raw: RawUsage) -> Self {
        let time = |seconds: i64, microseconds: i64| {
            Duration::from_secs(seconds.unsigned_abs()) + Duration::from_micros(microseconds.unsigned_abs())
        };
        Self {
            user_time: time(raw.user.0, raw.user.1),
            system_time: time(raw.system.0, raw.system.1),
            max_rss: raw.max_rss,
            voluntary_switches: raw.voluntary_switches,
            involuntary_switches: raw.involuntary_switches,
            minor_faults: raw.minor_faults,
            major_faults: raw.major_faults,
        }
    }
}
