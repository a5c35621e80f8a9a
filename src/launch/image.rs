//! `Image`: what the parent prepares for the child, as plain data.

use super::hooks::HookList;
use crate::command::CStrings;
use crate::plan::{NumbersId, Step, StringId};
use crate::platform::Features;
use crate::sys;
use std::ffi::{CStr, OsStr, c_char};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::NonNull;

/// Everything that the child needs, other than its error channel. The pointers refer to memory that the parent keeps until the
/// child has executed or ended.
pub(crate) struct Image<'a> {
    pub(crate) steps: &'a [Step],
    /// The strings that steps name.
    pub(crate) strings: &'a CStrings,
    /// The numbers of the lists that steps name.
    pub(crate) numbers: &'a [u32],
    /// The addresses of the program's paths, in the order in which the child tries them.
    pub(crate) programs: &'a [usize],
    /// Whether the paths come from a search of PATH.
    pub(crate) searched: bool,
    /// Ended by a null pointer.
    pub(crate) argv: *const *const c_char,
    /// Ended by a null pointer.
    pub(crate) envp: *const *const c_char,
    /// Whether the program gets the child's own environment in place of `envp`, if the hooks have changed that.
    pub(crate) hooks_change_environment: bool,
    /// The signal mask of the program; `None` for the mask of the thread that launches.
    pub(crate) mask: Option<sys::SignalSet>,
    pub(crate) hooks: Option<HookList>,
    /// Whether a child with hooks that ends before exec counts as started: its status is for the caller's wait.
    pub(crate) hooks_may_end: bool,
    /// The file of a program given as a descriptor, if there are hooks.
    pub(crate) program_file: Option<sys::FileIdentity>,
    /// The function to run, if the last step is not exec.
    pub(crate) function: Option<NonNull<dyn FnMut() -> i32 + 'a>>,
    /// The kernel features that the child must not use.
    pub(crate) missing: Features,
    /// The directory of the cgroup in which the kernel makes the child.
    pub(crate) cgroup: Option<RawFd>,
    /// The hard limit of descriptors before the steps, if a step changes it. A search for open descriptors goes up to
    /// this number.
    pub(crate) hard_limit: Option<u64>,
    /// Whether the steps run in the calling process, whose other threads have ids, too.
    pub(crate) in_place: bool,
}

impl Image<'_> {
    /// The address of a string that a step names; null if there is no such string.
    pub(super) fn string(&self, id: StringId) -> *const c_char {
        self.strings.pointer(id.index())
    }

    /// The list that a step names.
    pub(super) fn list(&self, id: NumbersId) -> &[u32] {
        id.list(self.numbers)
    }

    /// Whether the child runs a function of the caller: hooks, or that of a `fork_run`.
    pub(super) fn has_callers_code(&self) -> bool {
        self.hooks.is_some() || self.function.is_some()
    }

    /// Whose ids the steps set.
    pub(super) fn whose(&self) -> sys::Whose {
        if self.in_place { sys::Whose::Processes } else { sys::Whose::Threads }
    }

    /// The path of the program that has this index. The parent calls this.
    pub(super) fn program(&self, index: usize) -> Option<PathBuf> {
        let &path = self.programs.get(index)?;
        // SAFETY: the parent keeps the string, which ends in a NUL, until the launch is over.
        let path = unsafe { CStr::from_ptr(path as *const c_char) };
        Some(OsStr::from_bytes(path.to_bytes()).into())
    }
}
