//! `Foreground`: the foreground process group of this process's terminal, which a failed launch gives back.

use super::internal::Internal;
use crate::command::Command;
use crate::launch::BlockedSignals;
use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, RawFd};

/// The terminal's foreground process group before a launch.
pub(super) struct Foreground {
    terminal: RawFd,
    group: i32,
}

impl Foreground {
    /// `None` if the command's child does not take the terminal of this process's session. Also `None` if the kernel names no
    /// foreground group, since that group is in another PID namespace. `internal` has the terminal, in the table of the calling
    /// thread.
    pub(super) fn save(command: &Command<'_>, internal: &Internal) -> Option<Self> {
        let settings = command.settings.get()?;
        if !settings.foreground || settings.plain.setsid {
            return None;
        }
        let terminal = internal.lent.terminal.as_ref()?.as_raw_fd();
        let group = sys::foreground_group(terminal).ok().filter(|&group| group > 0)?;
        Some(Self { terminal, group })
    }

    /// Gives the terminal back to the group, if another group has the terminal and this group still exists. The call blocks SIGTTOU
    /// meanwhile, which the terminal sends to a process of another group that makes this change.
    pub(super) fn restore(&self) -> Result<(), Errno> {
        if sys::foreground_group(self.terminal)? == self.group {
            return Ok(());
        }
        let _blocked = BlockedSignals::all()?;
        match sys::set_foreground_group(self.terminal, self.group) {
            Err(Errno::SRCH) => Ok(()), // The group has ended.
            result => result,
        }
    }
}
