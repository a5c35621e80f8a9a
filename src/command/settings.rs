//! `Settings`: the attributes of a command, and `LazySettings`, which has memory for them only if the command sets one.

use super::c_strings::CStrings;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::child_cgroup::ChildCgroup;
use crate::group::Group;
use crate::plan::{Attributes, OnDrop, Signals};
use rustix::process::{Resource, Rlimit};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::{process::Signal, thread::CpuSet};
use std::ops::{Deref, DerefMut};
use std::os::fd::BorrowedFd;

/// The settings of a command. They are in a box of their own, which the first change makes: most commands set no attribute, and the
/// value of such a command stays small.
#[derive(Clone, Default)]
pub(crate) struct LazySettings<'fd>(Option<Box<Settings<'fd>>>);

impl<'fd> LazySettings<'fd> {
    /// The settings; `None` if the command has set no attribute.
    pub(crate) fn get(&self) -> Option<&Settings<'fd>> {
        self.0.as_deref()
    }
}

impl<'fd> Deref for LazySettings<'fd> {
    type Target = Settings<'fd>;

    fn deref(&self) -> &Settings<'fd> {
        static NONE: Settings<'static> = Settings::NONE;
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for LazySettings<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0.get_or_insert_with(|| Box::new(Settings::NONE))
    }
}

/// The attributes of a command. `plain` has those that are plain data, in the form from which `compile` makes the child's steps;
/// the spawn adds the others.
#[derive(Clone)]
pub(crate) struct Settings<'fd> {
    pub(crate) plain: Attributes<'static>,
    /// Each resource once.
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) root: Option<CStrings>,
    pub(crate) controlling_terminal: Option<BorrowedFd<'fd>>,
    pub(crate) foreground: bool,
    /// The group that the child joins or leads. `plain` has 0 for its number until the spawn knows it.
    pub(crate) group: Option<&'fd Group>,
    pub(crate) on_drop: OnDrop,
    pub(crate) signals_untouched: bool,
    /// The signals that the program blocks.
    pub(crate) signal_mask: Option<Signals>,
    /// The paths that the child tries in place of the program's name.
    pub(crate) programs: Option<CStrings>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) linux: LinuxSettings<'fd>,
}

/// The attributes that only Linux has.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone)]
pub(crate) struct LinuxSettings<'fd> {
    pub(crate) affinity: Option<Box<CpuSet>>,
    pub(crate) cgroup: Option<ChildCgroup<'fd>>,
    pub(crate) parent_death_signal: Option<Signal>,
    pub(crate) program: Option<BorrowedFd<'fd>>,
}

impl Settings<'_> {
    /// The settings of a command that sets no attribute.
    const NONE: Self = Self {
        plain: Attributes::NONE,
        limits: Vec::new(),
        groups: None,
        root: None,
        controlling_terminal: None,
        foreground: false,
        group: None,
        on_drop: OnDrop::Detach,
        signals_untouched: false,
        signal_mask: None,
        programs: None,
        #[cfg(any(target_os = "linux", target_os = "android"))]
        linux: LinuxSettings { affinity: None, cgroup: None, parent_death_signal: None, program: None },
    };
}
