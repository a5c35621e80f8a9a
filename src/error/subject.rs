//! The call that failed.

use crate::escape::Escaped;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// The call that failed.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Spawn(OsString),
    /// The spawn of a stage of a graph: its place, and its program.
    SpawnStage(usize, OsString),
    /// The spawn of a graph.
    Graph,
    /// The tees and spools of a graph.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(dead_code, reason = "other systems have no tees and spools")
    )]
    Between,
    /// How a stage of a graph has ended.
    Stage(usize, OsString),
    Exec(OsString),
    Copy(OsString),
    Run,
    Isolate,
    Environment,
    GiveAway(u32),
    Wait(u32),
    Signal(u32),
    SignalGroup(u32),
    End(u32),
    Read(u32),
    Exchange,
    /// Something that is driven by steps.
    Driven,
    Captured(OsString),
    /// The directory in which the cgroup was to be made, if the caller has named one.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(dead_code, reason = "other systems have no cgroups")
    )]
    MakeCgroup(Option<PathBuf>),
    /// What the call does to a cgroup ("kill"), and the path of the cgroup.
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        allow(dead_code, reason = "other systems have no cgroups")
    )]
    Cgroup(&'static str, PathBuf),
}

impl Subject {
    /// The program, if the call is a spawn or an exec.
    pub(super) fn program(&self) -> Option<&OsStr> {
        match self {
            Self::Spawn(program) | Self::Exec(program) | Self::Copy(program) | Self::Captured(program) => Some(program),
            Self::SpawnStage(_, program) | Self::Stage(_, program) => Some(program),
            Self::Graph
            | Self::Between
            | Self::Run
            | Self::Isolate
            | Self::Environment
            | Self::Exchange
            | Self::Driven => None,
            Self::MakeCgroup(_) | Self::Cgroup(..) => None,
            Self::GiveAway(_)
            | Self::Wait(_)
            | Self::Signal(_)
            | Self::SignalGroup(_)
            | Self::End(_)
            | Self::Read(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    /// The start of an error's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn(program) => write!(f, "cannot spawn `{}`: ", Escaped::new(program)),
            Self::SpawnStage(stage, program) => write!(f, "cannot spawn stage {stage}, `{}`: ", Escaped::new(program)),
            Self::Graph => f.write_str("cannot spawn the graph: "),
            Self::Between => f.write_str("cannot move bytes between the stages of a graph: "),
            Self::Stage(stage, program) => write!(f, "stage {stage}, `{}`: ", Escaped::new(program)),
            Self::Exec(program) => write!(f, "cannot exec `{}`: ", Escaped::new(program)),
            Self::Copy(program) => write!(f, "cannot copy the command `{}`: ", Escaped::new(program)),
            Self::Run => f.write_str("cannot run a function in a child: "),
            Self::Isolate => f.write_str("cannot start an isolated spawner: "),
            Self::Environment => f.write_str("cannot make an environment: "),
            Self::GiveAway(pid) => write!(f, "cannot give process {pid} away: "),
            Self::Wait(pid) => write!(f, "cannot wait for process {pid}: "),
            Self::Signal(pid) => write!(f, "cannot signal process {pid}: "),
            Self::SignalGroup(pid) => write!(f, "cannot signal the group of process {pid}: "),
            Self::End(pid) => write!(f, "cannot end process {pid}: "),
            Self::Read(pid) => write!(f, "cannot read the output of process {pid}: "),
            Self::Driven => f.write_str("cannot wait for events: "),
            Self::Exchange => f.write_str("cannot move bytes of an exchange: "),
            Self::Captured(program) => write!(f, "`{}`: ", Escaped::new(program)),
            Self::MakeCgroup(None) => f.write_str("cannot make a cgroup: "),
            Self::MakeCgroup(Some(path)) => write!(f, "cannot make a cgroup in `{}`: ", Escaped::new(path)),
            Self::Cgroup(act, path) => write!(f, "cannot {act} the cgroup `{}`: ", Escaped::new(path)),
        }
    }
}
