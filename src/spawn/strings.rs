//! The child's strings and lists: arguments, environment, paths, groups, CPUs.

use super::buffers::Buffers;
use super::{lent, search};
use crate::command::{CStrings, Command, Directory, EnvBlock, Environment, Settings};
use crate::error::{Failure, Problem, Text};
use crate::plan::{NumbersId, Refusal, StringId, check_groups};
use crate::sys;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::thread::CpuSet;
use std::ffi::OsStr;
use tracing::Level;
use tracing::level_filters::LevelFilter;

/// The results of the preparation of strings: where the steps find them in the buffers, and what the launch needs
/// besides them.
#[derive(Default)]
pub(super) struct PreparedStrings {
    /// Whether the program's paths come from a search of PATH.
    pub(super) searched: bool,
    pub(super) environment: ChildEnvironment,
    /// The working directory, if the command gives its path, or changes the root directory and gives none.
    pub(super) directory: Option<StringId>,
    pub(super) root: Option<StringId>,
    pub(super) groups: Option<NumbersId>,
    pub(super) affinity: Option<NumbersId>,
}

/// Where the child's environment is.
#[derive(Default)]
pub(super) enum ChildEnvironment {
    /// In the buffers.
    #[default]
    Built,
    /// In a prepared environment, which the command shares.
    Shared(Environment),
    /// It is that of this process, which has one thread: a copy would be made only for other threads that change it.
    InPlace,
}

impl ChildEnvironment {
    /// Copies this process's environment if it cannot be used in place any more: the program's allocator may have started a thread since.
    pub(super) fn settle(&mut self, command: &Command<'_>, block: &mut EnvBlock) -> Result<(), Problem> {
        if matches!(self, Self::InPlace) && !sys::has_one_thread() {
            *self = build_environment(command, block)?;
        }
        Ok(())
    }
}

/// Builds the child's environment in `block`, or shares the one that the command has.
fn build_environment(command: &Command<'_>, block: &mut EnvBlock) -> Result<ChildEnvironment, Problem> {
    Ok(command.environment.build(block)?.map_or(ChildEnvironment::Built, ChildEnvironment::Shared))
}

/// Whether the child can have this process's environment without a copy. Hooks could change it in the child. A subscriber of `tracing`, or
/// the caller's type that owns a shared descriptor, could change it after the search of PATH.
pub(crate) fn is_in_place(command: &Command<'_>) -> bool {
    command.environment.is_own()
        && command.hooks.is_empty()
        && sys::has_one_thread()
        && Level::DEBUG > LevelFilter::current()
        && !command.fd_map.has_callers_owner()
}

/// Puts the child's strings into the buffers.
pub(super) fn build(command: &Command<'_>, buffers: &mut Buffers) -> Result<PreparedStrings, Problem> {
    let refuse_nul = |strings: &CStrings, text: fn(usize) -> Text| match strings.nul_inside() {
        Some(index) => Err(Problem::from(Failure::NulByte(text(index)))),
        None => Ok(()),
    };
    refuse_nul(&command.program, |_| Text::Program)?;
    refuse_nul(&command.args, |index| Text::Argument(index + 1))?;
    if let Some(arg0) = &command.arg0 {
        refuse_nul(arg0, Text::Argument)?;
    }
    let Buffers { argv, programs, paths, environment, strings, numbers, .. } = buffers;
    let mut add = |string: &OsStr| {
        strings.push(string);
        StringId::new(strings.len() - 1)
    };
    let settings = command.settings.get();
    let mut root = None;
    if let Some(path) = settings.and_then(|settings| settings.root.as_ref()) {
        refuse_nul(path, |_| Text::Root)?;
        root = Some(add(path.first()));
    }
    let directory = match &command.directory {
        Directory::Path(path) => {
            refuse_nul(path, |_| Text::WorkingDirectory)?;
            Some(add(path.first()))
        }
        // From a working directory outside the new root, the program could leave the new root.
        Directory::Inherit => root.map(|_| add("/".as_ref())),
        Directory::Fd(_) => None,
    };
    let [groups, affinity] = match settings {
        Some(settings) => [groups(settings, numbers)?, affinity(settings, numbers)?],
        None => [None; 2],
    };
    if command.function.is_some() {
        if command.args.len() > 0 {
            return Err(Refusal::FunctionWithArguments.into());
        }
        return Ok(PreparedStrings { directory, root, groups, affinity, ..PreparedStrings::default() });
    }
    let in_child =
        if is_in_place(command) { ChildEnvironment::InPlace } else { build_environment(command, environment)? };
    let program = command.get_program();
    let candidates = settings.and_then(|settings| settings.programs.as_ref());
    let searched = candidates.is_some() || search::is_searched(program);
    if let Some(candidates) = candidates {
        refuse_nul(candidates, |_| Text::Program)?;
        if candidates.len() == 0 {
            return Err(Refusal::NoPrograms.into());
        }
        if lent::program(command).is_some() {
            return Err(Refusal::TwoPrograms.into());
        }
        programs.set([candidates]);
    } else if searched {
        let block = match &in_child {
            ChildEnvironment::Built => Some(&*environment),
            ChildEnvironment::Shared(environment) => Some(environment.block()),
            ChildEnvironment::InPlace => None,
        };
        match block {
            Some(block) => search::candidates(program, block.get("PATH".as_ref()), paths),
            None => search::candidates(program, std::env::var_os("PATH").as_deref(), paths),
        }
        programs.set([paths]);
    } else {
        programs.set([&command.program]);
    }
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    argv.set([arg0, &command.args]);
    Ok(PreparedStrings { searched, environment: in_child, directory, root, groups, affinity })
}

/// Adds a list to the numbers of the launch.
fn list(numbers: &mut Vec<u32>, list: impl IntoIterator<Item = u32>) -> NumbersId {
    let start = numbers.len();
    numbers.extend(list);
    NumbersId::from(start, numbers)
}

/// The command's supplementary groups.
fn groups(settings: &Settings<'_>, numbers: &mut Vec<u32>) -> Result<Option<NumbersId>, Problem> {
    let Some(groups) = &settings.groups else { return Ok(None) };
    check_groups(groups)?;
    Ok(Some(list(numbers, groups.iter().copied())))
}

/// The kernel's mask of the command's CPUs: bits in words of the machine.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn affinity(settings: &Settings<'_>, numbers: &mut Vec<u32>) -> Result<Option<NumbersId>, Problem> {
    let Some(cpus) = &settings.linux.affinity else { return Ok(None) };
    if cpus.count() == 0 {
        return Err(Refusal::NoCpus.into());
    }
    const BITS: usize = usize::BITS as usize;
    let words = (0..CpuSet::MAX_CPU / BITS)
        .map(|word| (0..BITS).filter(|bit| cpus.is_set(word * BITS + bit)).fold(0_usize, |mask, bit| mask | 1 << bit));
    let halves = words.flat_map(|word| {
        let bytes = word.to_ne_bytes();
        bytes.chunks_exact(4).map(|half| u32::from_ne_bytes(half.try_into().unwrap_or_default())).collect::<Vec<u32>>()
    });
    Ok(Some(list(numbers, halves)))
}

/// Other systems set no CPUs.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn affinity(_: &Settings<'_>, _: &mut Vec<u32>) -> Result<Option<NumbersId>, Problem> {
    Ok(None)
}
