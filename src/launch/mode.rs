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

/// What a command needs of its launcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Hooks need a copy of the parent's memory.
    pub(crate) hooks: bool,
    /// A function in place of a program needs that, too.
    pub(crate) function: bool,
    /// A change to another user or group needs a copy of the parent's memory, too. If such a child shares memory, the kernel makes
    /// the parent undumpable for good, and the new user can stop the child, and with it the parent's thread for as long as the user
    /// likes. (The parent of a forked child continues it within about 100 ms.)
    pub(crate) other_ids: bool,
    /// A cgroup that the kernel kills as a whole if memory runs out needs a copy, too: with a child in it that shares memory, the
    /// kernel would also kill the parent.
    pub(crate) oom_group: bool,
    pub(crate) cgroup: bool,
    /// What becomes of the rest. If the child inherits the rest, it needs a copy of the table.
    pub(crate) rest: Rest,
}

impl Needs {
    /// Whether the child needs a copy of the parent's memory.
    pub(crate) fn needs_copy(self) -> bool {
        self.hooks || self.function || self.other_ids || self.oom_group
    }
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
        /// The kernel makes the child in the command's cgroup, if it has one.
        into_cgroup: bool,
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
    pub(crate) fn choose(launcher: Launcher, needs: Needs, missing: Features) -> Result<Self, Failure> {
        let clone3 = !missing.contains(Features::CLONE3);
        let clone = Self::Clone {
            clone3,
            shared_table: !missing.contains(Features::SHARED_TABLE) && needs.rest == Rest::Close,
            into_cgroup: needs.cgroup && clone3 && !missing.contains(Features::INTO_CGROUP),
        };
        match launcher {
            Launcher::Clone if needs.hooks => Err(Failure::HookNeedsFork),
            Launcher::Clone if needs.function => Err(Failure::FunctionNeedsFork),
            Launcher::Clone if needs.other_ids => Err(Failure::CredentialsNeedFork),
            Launcher::Clone if needs.oom_group => Err(Failure::OomGroupNeedsFork),
            Launcher::Clone if missing.contains(Features::CLONE) => Err(Failure::CloneUnavailable),
            Launcher::Clone => Ok(clone),
            Launcher::Auto if needs.needs_copy() || missing.contains(Features::CLONE) => Ok(Self::Fork),
            Launcher::Auto => Ok(clone),
            Launcher::Fork => Ok(Self::Fork),
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
            Self::Clone { into_cgroup: true, .. } => Features::INTO_CGROUP,
            Self::Clone { clone3: true, .. } => Features::CLONE3,
            Self::Clone { clone3: false, .. } => Features::CLONE,
            Self::Fork | Self::InPlace => Features::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Method = Method::Clone { clone3: true, shared_table: true, into_cgroup: false };

    fn choose(launcher: Launcher, needs: Needs, missing: Features) -> Result<Method, Failure> {
        Method::choose(launcher, needs, missing)
    }

    #[test]
    fn methods_fall_back_one_feature_at_a_time() {
        let auto = |missing| choose(Launcher::Auto, Needs::default(), missing).unwrap();
        let clone = |clone3, shared_table| Method::Clone { clone3, shared_table, into_cgroup: false };
        assert_eq!(auto(Features::empty()), PLAIN);
        assert_eq!(auto(Features::SHARED_TABLE), clone(true, false));
        assert_eq!(auto(Features::CLONE3), clone(false, true));
        assert_eq!(auto(Features::CLONE3 | Features::SHARED_TABLE), clone(false, false));
        assert_eq!(auto(Features::CLONE), Method::Fork);
    }

    #[test]
    fn an_inherited_rest_needs_a_copy_of_the_table() {
        let needs = Needs { rest: Rest::Inherit, ..Needs::default() };
        let method = choose(Launcher::Clone, needs, Features::empty()).unwrap();
        assert_eq!(method, Method::Clone { clone3: true, shared_table: false, into_cgroup: false });
    }

    #[test]
    fn only_clone3_makes_a_child_in_a_cgroup() {
        let needs = Needs { cgroup: true, ..Needs::default() };
        let auto = |missing| choose(Launcher::Auto, needs, missing).unwrap();
        let into = Method::Clone { clone3: true, shared_table: true, into_cgroup: true };
        assert_eq!(auto(Features::empty()), into);
        assert_eq!(into.feature(), Features::INTO_CGROUP);
        assert_eq!(auto(Features::INTO_CGROUP), PLAIN);
        assert_eq!(PLAIN.feature(), Features::CLONE3);
        let clone = Method::Clone { clone3: false, shared_table: true, into_cgroup: false };
        assert_eq!(auto(Features::CLONE3), clone);
    }

    #[test]
    fn what_needs_a_copy_forks_and_an_explicit_clone_never_becomes_a_fork() {
        let hooks = Needs { hooks: true, ..Needs::default() };
        let function = Needs { function: true, ..Needs::default() };
        let other_ids = Needs { other_ids: true, ..Needs::default() };
        let oom_group = Needs { oom_group: true, cgroup: true, ..Needs::default() };
        for needs in [hooks, function, other_ids, oom_group] {
            assert_eq!(choose(Launcher::Auto, needs, Features::empty()).unwrap(), Method::Fork);
            assert_eq!(choose(Launcher::Fork, needs, Features::empty()).unwrap(), Method::Fork);
        }
        assert!(matches!(choose(Launcher::Clone, hooks, Features::empty()), Err(Failure::HookNeedsFork)));
        assert!(matches!(choose(Launcher::Clone, function, Features::empty()), Err(Failure::FunctionNeedsFork)));
        assert!(matches!(choose(Launcher::Clone, other_ids, Features::empty()), Err(Failure::CredentialsNeedFork)));
        assert!(matches!(choose(Launcher::Clone, oom_group, Features::empty()), Err(Failure::OomGroupNeedsFork)));
        let missing = choose(Launcher::Clone, Needs::default(), Features::CLONE);
        assert!(matches!(missing, Err(Failure::CloneUnavailable)));
    }
}
