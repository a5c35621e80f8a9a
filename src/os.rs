//! `std::os`, as far as it is about processes: the traits of [`fdspawn::process`](crate::process).

/// `std::os::unix`, as far as it is about processes.
pub mod unix {
    /// `std::os::unix::process`: the traits for [`Command`](crate::process::Command), [`Child`](crate::process::Child) and
    /// [`ExitStatus`](std::process::ExitStatus).
    ///
    /// ```
    /// use fdspawn::os::unix::process::{CommandExt, ExitStatusExt}; // was: std::os::unix::process
    /// use fdspawn::process::Command;
    ///
    /// let status = Command::new("sh").arg0("-sh").args(["-c", "kill -9 $$"]).process_group(0).status()?;
    /// assert_eq!(status.signal(), Some(9));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub mod process {
        pub use crate::process::unix::{ChildExt, CommandExt};
        pub use std::os::unix::process::{ExitStatusExt, parent_id};
    }
}

/// `std::os::linux`, as far as it is about processes.
#[cfg(target_os = "linux")]
pub mod linux {
    /// `std::os::linux::process`, which std has only in nightly Rust: pidfds.
    ///
    /// ```
    /// use fdspawn::os::linux::process::{ChildExt, CommandExt};
    /// use fdspawn::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("60").create_pidfd(true).spawn()?;
    /// child.pidfd()?.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub mod process {
        pub use crate::child::PidFd;
        pub use crate::process::linux::{ChildExt, CommandExt};
    }
}
