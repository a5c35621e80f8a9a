//! `Mode`: how a child is made.

use crate::error::Failure;
use crate::plan::{Rest, Start};
use crate::platform::{Features, Launcher};

/// How one child is made. The spawn chooses it once for each attempt, and all stages use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) method: Method,
    /// Whether the caller gets the child's handle. If not, the library waits for the child itself.
    pub(crate) handle: bool,
    /// Whether the child's handle has a pidfd, if the system has pidfds.
    pub(crate) pidfd: bool,
}

/// How the process that executes the program is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// A child that shares the parent's memory until exec.
    Clone {
        /// By `clone3(2)`, which also gives handled signals their default dispositions; else by libc's `clone`.
        clone3: bool,
        /// The child starts with the parent's own table.
        shared_table: bool,
    },
    /// A child with a copy of the parent's memory.
    Fork,
    /// No child: the calling process executes the program.
    InPlace,
}

impl Mode {
    pub(crate) const IN_PLACE: Self = Self { method: Method::InPlace, handle: false, pidfd: false };

    /// The table on which the steps work.
    pub(crate) fn start(self) -> Start {
        match self.method {
            Method::Clone { shared_table: true, .. } => Start::Shared,
            Method::Clone { shared_table: false, .. } | Method::Fork => Start::Copied,
            Method::InPlace => Start::InPlace,
        }
    }

    /// Whether the child reports its error on a pipe. A child that shares the parent's memory needs none.
    pub(crate) fn has_errpipe(self) -> bool {
        self.method == Method::Fork && !cfg!(any(target_os = "linux", target_os = "android"))
    }

    /// Whether the child needs a step that gives handled signals their default dispositions.
    pub(crate) fn resets_handlers(self) -> bool {
        match self.method {
            Method::Clone { clone3, .. } => !clone3,
            Method::Fork => true,
            Method::InPlace => false,
        }
    }
}

impl Method {
    /// The best method for a command's launcher, if these features are missing.
    pub(crate) fn choose(launcher: Launcher, hooks: bool, rest: Rest, missing: Features) -> Result<Self, Failure> {
        let clone = Self::Clone {
            clone3: !missing.contains(Features::CLONE3),
            shared_table: !missing.contains(Features::SHARED_TABLE) && rest == Rest::Close,
        };
        match launcher {
            Launcher::Clone if hooks => Err(Failure::HookNeedsFork),
            Launcher::Clone if missing.contains(Features::CLONE) => Err(Failure::CloneUnavailable),
            Launcher::Clone => Ok(clone),
            Launcher::Auto if !hooks && !missing.contains(Features::CLONE) => Ok(clone),
            Launcher::Auto | Launcher::Fork => Ok(Self::Fork),
        }
    }

    /// The launcher, as [`Child::launched_by`](crate::Child::launched_by) shows it.
    pub(crate) fn launcher(self) -> Launcher {
        match self {
            Self::Clone { .. } => Launcher::Clone,
            Self::Fork | Self::InPlace => Launcher::Fork,
        }
    }

    /// The feature that is missing if the kernel refuses this method.
    pub(crate) fn feature(self) -> Features {
        match self {
            Self::Clone { clone3: true, .. } => Features::CLONE3,
            Self::Clone { clone3: false, .. } => Features::CLONE,
            Self::Fork | Self::InPlace => Features::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_fall_back_one_feature_at_a_time() {
        let auto = |missing| Method::choose(Launcher::Auto, false, Rest::Close, missing).unwrap();
        assert_eq!(auto(Features::empty()), Method::Clone { clone3: true, shared_table: true });
        assert_eq!(auto(Features::SHARED_TABLE), Method::Clone { clone3: true, shared_table: false });
        assert_eq!(auto(Features::CLONE3), Method::Clone { clone3: false, shared_table: true });
        let both = Features::CLONE3 | Features::SHARED_TABLE;
        assert_eq!(auto(both), Method::Clone { clone3: false, shared_table: false });
        assert_eq!(auto(Features::CLONE), Method::Fork);
    }

    #[test]
    fn an_inherited_rest_needs_a_copy_of_the_table() {
        let method = Method::choose(Launcher::Clone, false, Rest::Inherit, Features::empty()).unwrap();
        assert_eq!(method, Method::Clone { clone3: true, shared_table: false });
    }

    #[test]
    fn hooks_need_fork_and_an_explicit_clone_never_becomes_a_fork() {
        let choose = |launcher, hooks, missing| Method::choose(launcher, hooks, Rest::Close, missing);
        assert_eq!(choose(Launcher::Auto, true, Features::empty()).unwrap(), Method::Fork);
        assert_eq!(choose(Launcher::Fork, true, Features::empty()).unwrap(), Method::Fork);
        assert!(matches!(choose(Launcher::Clone, true, Features::empty()), Err(Failure::HookNeedsFork)));
        assert!(matches!(choose(Launcher::Clone, false, Features::CLONE), Err(Failure::CloneUnavailable)));
    }
}
