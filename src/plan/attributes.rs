//! `Attributes`: the properties of a child other than its descriptors, as plain data, and which of them are refused.

use super::data::Start;
use super::refusal::Refusal;
use super::scheduler::Scheduler;
use super::signals::Signals;
use super::step::{NumbersId, StringId};
use rustix::process::{Resource, Rlimit, Signal};
use std::os::fd::RawFd;

/// What every child does besides making its descriptor table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Basics {
    /// Whether the child gives each signal that the parent handles its default disposition.
    pub(crate) default_handlers: bool,
    /// Whether SIGPIPE gets its default disposition, if the command does not name it.
    pub(crate) default_sigpipe: bool,
    pub(crate) directory: WorkingDirectory,
    pub(crate) signal_mask: ProgramMask,
    pub(crate) last: LastStep,
}

/// The attributes that a command sets. `compile` in `order.rs` makes the child's steps from these and from [`Basics`]. Most commands set
/// no attribute, and then there is no value of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes<'a> {
    /// The descriptor of a `cgroup.procs` file, to which the child writes if the kernel has not put it into the cgroup.
    pub(crate) cgroup: Option<RawFd>,
    pub(crate) default_signals: Signals,
    pub(crate) ignored_signals: Signals,
    pub(crate) setsid: bool,
    pub(crate) process_group: Option<i32>,
    /// The descriptor of the terminal that becomes the controlling terminal.
    pub(crate) controlling_terminal: Option<RawFd>,
    /// The descriptor of the terminal whose foreground process group the child's becomes.
    pub(crate) foreground: Option<RawFd>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) nice: Option<i32>,
    /// The CPUs, as the words of the kernel's mask.
    pub(crate) affinity: Option<NumbersId>,
    pub(crate) umask: Option<u32>,
    pub(crate) limits: &'a [(Resource, Rlimit)],
    pub(crate) groups: Option<NumbersId>,
    pub(crate) gid: Option<u32>,
    pub(crate) chroot: Option<StringId>,
    pub(crate) uid: Option<u32>,
    /// The signal, and the process id of the parent that spawns.
    pub(crate) parent_death: Option<(Signal, u32)>,
    pub(crate) no_new_privs: bool,
}

impl Attributes<'_> {
    /// No attribute.
    pub(crate) const NONE: Self = Self {
        cgroup: None,
        default_signals: Signals::NONE,
        ignored_signals: Signals::NONE,
        setsid: false,
        process_group: None,
        controlling_terminal: None,
        foreground: None,
        oom_score_adj: None,
        scheduler: None,
        nice: None,
        affinity: None,
        umask: None,
        limits: &[],
        groups: None,
        gid: None,
        chroot: None,
        uid: None,
        parent_death: None,
        no_new_privs: false,
    };
}

/// The child's working directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WorkingDirectory {
    /// The parent's.
    #[default]
    Inherit,
    Path(StringId),
    Fd(RawFd),
}

/// The program's signal mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProgramMask {
    /// The mask that the process has before the steps.
    #[default]
    Unchanged,
    /// The mask that the caller had at the spawn.
    Callers,
    Blocked(Signals),
}

/// The child's last step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LastStep {
    #[default]
    Exec,
    /// Execute the file that a descriptor refers to.
    ExecFd(RawFd),
    /// Run a function of the parent's program.
    Run,
}

/// The id that means "no change" to the kernel.
pub(crate) const NO_ID: u32 = u32::MAX;

/// How many supplementary groups Linux takes (`NGROUPS_MAX`). Other systems take fewer, and return an error for more.
const MOST_GROUPS: usize = 65_536;

/// Refuses attributes that no child could have. `start` says whether the calling process itself executes the program: that
/// process may be the leader of a session already.
pub(crate) fn check_attributes(attributes: &Attributes<'_>, start: Start) -> Result<(), Refusal> {
    let becomes_leader = attributes.setsid;
    if becomes_leader && attributes.process_group.is_some() {
        return Err(Refusal::SessionAndGroup);
    }
    if let Some(group) = attributes.process_group.filter(|&group| group < 0) {
        return Err(Refusal::NegativeGroup { group });
    }
    if attributes.controlling_terminal.is_some() && !becomes_leader && start != Start::InPlace {
        return Err(Refusal::TerminalWithoutSession);
    }
    if attributes.foreground.is_some() && becomes_leader && attributes.controlling_terminal.is_none() {
        return Err(Refusal::ForegroundWithoutTerminal);
    }
    if let Some(value) = attributes.oom_score_adj.filter(|value| !(-1000..=1000).contains(value)) {
        return Err(Refusal::OomScore { value });
    }
    if let Some(Scheduler::Fifo(priority) | Scheduler::RoundRobin(priority)) = attributes.scheduler {
        if !(1..=99).contains(&priority) {
            return Err(Refusal::Priority { priority });
        }
    }
    if let Some(mask) = attributes.umask.filter(|&mask| mask > 0o777) {
        return Err(Refusal::Umask { mask });
    }
    attributes.limits.iter().try_for_each(|&(resource, limit)| check_limit(resource, limit))?;
    [attributes.uid, attributes.gid].into_iter().flatten().try_for_each(check_id)?;
    [Signal::KILL, Signal::STOP].into_iter().try_for_each(|signal| {
        let is_named = attributes.ignored_signals.contains(signal);
        if is_named { Err(Refusal::CannotIgnore { signal: signal.as_raw() }) } else { Ok(()) }
    })
}

/// Refuses supplementary groups that the kernel would refuse.
pub(crate) fn check_groups(groups: &[u32]) -> Result<(), Refusal> {
    if groups.len() > MOST_GROUPS {
        return Err(Refusal::TooManyGroups { count: groups.len(), limit: MOST_GROUPS });
    }
    groups.iter().copied().try_for_each(check_id)
}

fn check_id(id: u32) -> Result<(), Refusal> {
    if id == NO_ID { Err(Refusal::NotAnId { id }) } else { Ok(()) }
}

/// Refuses a soft limit above the hard one. `None` is no limit.
fn check_limit(resource: Resource, limit: Rlimit) -> Result<(), Refusal> {
    let [soft, hard] = [limit.current, limit.maximum].map(|value| value.unwrap_or(u64::MAX));
    if soft > hard { Err(Refusal::SoftAboveHard { resource, soft, hard }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(attributes: Attributes<'_>) -> Refusal {
        check_attributes(&attributes, Start::Copied).unwrap_err()
    }

    #[test]
    fn attributes_that_cannot_be_right_are_refused() {
        let both = Attributes { setsid: true, process_group: Some(0), ..Attributes::NONE };
        assert_eq!(refused(both), Refusal::SessionAndGroup);
        assert_eq!(
            refused(Attributes { process_group: Some(-5), ..Attributes::NONE }),
            Refusal::NegativeGroup { group: -5 }
        );
        let terminal = Attributes { controlling_terminal: Some(5), ..Attributes::NONE };
        assert_eq!(refused(terminal), Refusal::TerminalWithoutSession);
        assert_eq!(check_attributes(&terminal, Start::InPlace), Ok(()));
        let foreground = Attributes { foreground: Some(5), setsid: true, ..Attributes::NONE };
        assert_eq!(refused(foreground), Refusal::ForegroundWithoutTerminal);
        let ok = Attributes { controlling_terminal: Some(5), ..foreground };
        assert_eq!(check_attributes(&ok, Start::Shared), Ok(()));
        for value in [-1001, 1001] {
            assert_eq!(
                refused(Attributes { oom_score_adj: Some(value), ..Attributes::NONE }),
                Refusal::OomScore { value }
            );
        }
        for priority in [0, 100] {
            let scheduler = Some(Scheduler::Fifo(priority));
            assert_eq!(refused(Attributes { scheduler, ..Attributes::NONE }), Refusal::Priority { priority });
        }
        assert_eq!(refused(Attributes { umask: Some(0o1000), ..Attributes::NONE }), Refusal::Umask { mask: 0o1000 });
        assert_eq!(refused(Attributes { uid: Some(NO_ID), ..Attributes::NONE }), Refusal::NotAnId { id: NO_ID });
        assert_eq!(refused(Attributes { gid: Some(NO_ID), ..Attributes::NONE }), Refusal::NotAnId { id: NO_ID });
        for signal in [Signal::KILL, Signal::STOP] {
            let ignored_signals = Signals::of(&[Signal::HUP, signal]);
            let refusal = Refusal::CannotIgnore { signal: signal.as_raw() };
            assert_eq!(refused(Attributes { ignored_signals, ..Attributes::NONE }), refusal);
        }
    }

    #[test]
    fn soft_limit_must_not_be_above_the_hard_one() {
        let check = |current, maximum| check_limit(Resource::Nofile, Rlimit { current, maximum });
        assert_eq!(check(Some(64), Some(64)), Ok(()));
        assert_eq!(check(Some(64), None), Ok(()));
        assert_eq!(check(None, None), Ok(()));
        let refusal = |soft, hard| Err(Refusal::SoftAboveHard { resource: Resource::Nofile, soft, hard });
        assert_eq!(check(Some(65), Some(64)), refusal(65, 64));
        assert_eq!(check(None, Some(64)), refusal(u64::MAX, 64));
    }

    #[test]
    fn groups_are_at_most_65536_and_have_ids() {
        assert_eq!(check_groups(&[]), Ok(()));
        assert_eq!(check_groups(&vec![5; MOST_GROUPS]), Ok(()));
        let refusal = Refusal::TooManyGroups { count: MOST_GROUPS + 1, limit: MOST_GROUPS };
        assert_eq!(check_groups(&vec![5; MOST_GROUPS + 1]), Err(refusal));
        assert_eq!(check_groups(&[5, NO_ID]), Err(Refusal::NotAnId { id: NO_ID }));
    }
}
