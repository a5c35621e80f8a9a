//! `Settings`: the attributes of a command.

use super::c_strings::CStrings;
use crate::plan::Attributes;
use rustix::process::{Resource, Rlimit};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::{process::Signal, thread::CpuSet};
use std::os::fd::BorrowedFd;

/// The attributes of a command. Those that are plain data are in the form in which the child's steps are made from them; the spawn
/// adds the others.
#[derive(Clone, Default)]
pub(crate) struct Settings<'fd> {
    pub(crate) plain: Attributes<'static>,
    /// Each resource once.
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) root: Option<CStrings>,
    pub(crate) controlling_terminal: Option<BorrowedFd<'fd>>,
    pub(crate) foreground: bool,
    pub(crate) signals_untouched: bool,
    /// The paths that the child tries in place of the program's name.
    pub(crate) programs: Option<CStrings>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) linux: LinuxSettings<'fd>,
}

/// The attributes that only Linux has.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Default)]
pub(crate) struct LinuxSettings<'fd> {
    pub(crate) affinity: Option<Box<CpuSet>>,
    pub(crate) cgroup: Option<BorrowedFd<'fd>>,
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) program: Option<BorrowedFd<'fd>>,
}
