//! What the kernel tells of a child's use of resources.

/// `struct rusage`, in numbers of one type on all systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawUsage {
    /// Seconds and microseconds.
    pub(crate) user: (i64, i64),
    /// Seconds and microseconds.
    pub(crate) system: (i64, i64),
    /// In bytes.
    pub(crate) max_rss: u64,
    pub(crate) minor_faults: u64,
    pub(crate) major_faults: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

/// The unit of `ru_maxrss`: bytes on Apple's systems, KiB elsewhere.
const RSS_UNIT: u64 = if cfg!(target_vendor = "apple") { 1 } else { 1024 };

impl From<libc::rusage> for RawUsage {
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "the types differ between systems")]
    fn from(usage: libc::rusage) -> Self {
        let time = |time: libc::timeval| (time.tv_sec as i64, time.tv_usec as i64);
        let count = |number: libc::c_long| (number as i64).unsigned_abs();
        Self {
            user: time(usage.ru_utime),
            system: time(usage.ru_stime),
            max_rss: count(usage.ru_maxrss) * RSS_UNIT,
            minor_faults: count(usage.ru_minflt),
            major_faults: count(usage.ru_majflt),
            voluntary_switches: count(usage.ru_nvcsw),
            involuntary_switches: count(usage.ru_nivcsw),
        }
    }
}
