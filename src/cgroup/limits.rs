//! Limits of a cgroup, and how much memory it has used.

use super::cgroup::Cgroup;
use super::directory::{read, write};
use crate::error::{Failure, Problem, Result};
use rustix::io::Errno;
use std::time::Duration;

/// Each limit holds for all processes of the cgroup together. The controller of a limit has to be enabled for the cgroup: the file
/// `cgroup.subtree_control` of the directory in which the cgroup was made names it. If not, the limit is the error
/// [`Failure::CgroupController`], and nothing has changed. The kernel lets a process other than root enable
/// a controller only in a cgroup that has no processes itself.
impl Cgroup {
    /// Limits the memory of all processes together, in bytes (`memory.max`). The kernel rounds it down to whole pages. If memory runs out,
    /// the kernel kills a process of the cgroup.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupController`] without the controller `memory`; [`Failure::CgroupFile`] if the kernel refuses the limit.
    ///
    /// ```
    /// # use fdspawn::{Cgroup, Failure};
    /// let Ok(cgroup) = Cgroup::create() else { return }; // no cgroup is delegated to this process
    /// match cgroup.memory_max(64 << 20) {
    ///     Ok(()) => {}
    ///     Err(error) => assert!(matches!(error.failure(), Failure::CgroupController { controller: "memory" })),
    /// }
    /// ```
    #[doc(alias = "memory.max")]
    pub fn memory_max(&self, bytes: u64) -> Result<()> {
        self.limit("memory", "memory.max", &bytes.to_string())
    }

    /// Limits the number of tasks, which are processes and threads (`pids.max`). A fork or a new thread beyond it fails with `EAGAIN`.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupController`] without the controller `pids`; [`Failure::CgroupFile`] with `EINVAL` for more than 2^22.
    #[doc(alias = "pids.max")]
    pub fn pids_max(&self, tasks: u64) -> Result<()> {
        self.limit("pids", "pids.max", &tasks.to_string())
    }

    /// Limits the processor time (`cpu.max`): in each `period` all processes together may run for `quota`, on one or more processors. Both are
    /// in whole microseconds. A quota of twice the period is two processors.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupController`] without the controller `cpu`; [`Failure::CgroupFile`] with `EINVAL` for a quota below 1 ms, or for a period
    /// that is not from 1 ms to 1 s.
    #[doc(alias = "cpu.max")]
    pub fn cpu_max(&self, quota: Duration, period: Duration) -> Result<()> {
        self.limit("cpu", "cpu.max", &format!("{} {}", microseconds(quota), microseconds(period)))
    }

    /// The most memory, in bytes, that all processes of the cgroup together have had at one time (`memory.peak`). `None` without the
    /// controller `memory`, and before Linux 5.19.
    ///
    /// Pages of files that the processes were the first to read count, too.
    ///
    /// # Errors
    ///
    /// [`Failure::CgroupFile`] if the file cannot be read.
    #[doc(alias = "memory.peak")]
    pub fn memory_peak(&self) -> Result<Option<u64>> {
        let peak = read(self.directory(), "memory.peak").and_then(|text| text.map(|text| number(&text)).transpose());
        peak.map_err(|errno| self.error("look at", Problem::system(Failure::CgroupFile { file: "memory.peak" }, errno)))
    }

    fn limit(&self, controller: &'static str, file: &'static str, text: &str) -> Result<()> {
        write(self.directory(), file, text).map_err(|errno| {
            let problem = match errno {
                // Each cgroup that exists has this file.
                Errno::NOENT
                    if matches!(read(self.directory(), "cgroup.procs"), Ok(Some(_)) | Err(Errno::OPNOTSUPP)) =>
                {
                    Failure::CgroupController { controller }.into()
                }
                errno => Problem::system(Failure::CgroupFile { file }, errno),
            };
            self.error("limit", problem)
        })
    }
}

/// Whole microseconds. A longer time is the longest that the kernel could read.
fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn number(text: &str) -> std::result::Result<u64, Errno> {
    text.trim_end().parse().map_err(|_| Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_microseconds() {
        assert_eq!(microseconds(Duration::from_nanos(1_999)), 1);
        assert_eq!(microseconds(Duration::from_secs(2)), 2_000_000);
        assert_eq!(microseconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn peak_is_a_number_of_bytes() {
        assert_eq!(number("4096\n"), Ok(4096));
        assert_eq!(number("max\n"), Err(Errno::IO));
    }
}
