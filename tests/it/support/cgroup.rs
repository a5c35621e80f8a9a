//! Cgroups, version 2.

use super::tools::skip;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A new cgroup below this process's own. The drop removes it.
pub struct Cgroup {
    directory: PathBuf,
    /// Its line in `/proc/PID/cgroup`.
    line: String,
}

impl Cgroup {
    /// `None`, with a message, if no cgroup can be made here.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let made = || {
            let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
            let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let line =
                format!("{}/fdspawn-{}-{number}", line_of_this_process()?, std::process::id()).replace("//", "/");
            let directory = PathBuf::from(format!("{mount}{}", line.strip_prefix("0::")?));
            fs::create_dir(&directory).ok()?;
            Some(Self { directory, line })
        };
        let made = made();
        if made.is_none() {
            skip("a cgroup of version 2 cannot be made");
        }
        made
    }

    /// A descriptor of its directory.
    pub fn open(&self) -> File {
        File::open(&self.directory).unwrap()
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    pub fn write(&self, file: &str, text: &str) -> std::io::Result<()> {
        fs::write(self.path(file), text)
    }

    /// Whether what `/proc/PID/cgroup` says of a process is that it is in this cgroup.
    pub fn has(&self, cgroups: &str) -> bool {
        cgroups.lines().any(|line| line == self.line)
    }
}

/// The line of version 2, which every process has if there is a mount.
fn line_of_this_process() -> Option<String> {
    let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
    cgroups.lines().find(|line| line.starts_with("0::")).map(str::to_owned)
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = self.write("cgroup.freeze", "0");
        // The cgroup has a process that has been reaped for a moment more.
        let _ = (0..1000).find(|_| {
            // A failed test may have left cgroups in it.
            let entries = fs::read_dir(&self.directory).into_iter().flatten().flatten();
            entries.filter(|entry| entry.path().is_dir()).for_each(|inner| drop(fs::remove_dir(inner.path())));
            let removed = fs::remove_dir(&self.directory).is_ok() || !self.directory.exists();
            if !removed {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            removed
        });
    }
}
