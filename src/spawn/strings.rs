//! The child's strings: arguments, environment and paths.

use super::buffers::Buffers;
use super::search;
use crate::command::{CStrings, Command, Directory, Environment};
use crate::error::{Failure, Problem, Text};
use crate::plan::StringId;

/// What the launch needs besides the strings in the buffers.
#[derive(Default)]
pub(super) struct Strings {
    /// Whether the program's paths come from a search of PATH.
    pub(super) searched: bool,
    /// The environment, if the command shares a prepared one.
    pub(super) shared_environment: Option<Environment>,
    /// The working directory, if the command gives its path.
    pub(super) directory: Option<StringId>,
}

/// Puts the child's strings into the buffers.
pub(super) fn build(command: &Command<'_>, buffers: &mut Buffers) -> Result<Strings, Problem> {
    let refuse_nul = |strings: &CStrings, text: fn(usize) -> Text| match strings.nul_inside() {
        Some(index) => Err(Problem::from(Failure::NulByte(text(index)))),
        None => Ok(()),
    };
    refuse_nul(&command.program, |_| Text::Program)?;
    refuse_nul(&command.args, |index| Text::Argument(index + 1))?;
    if let Some(arg0) = &command.arg0 {
        refuse_nul(arg0, Text::Argument)?;
    }
    let Buffers { argv, programs, paths, environment, strings, .. } = buffers;
    let mut directory = None;
    if let Directory::Path(path) = &command.directory {
        refuse_nul(path, |_| Text::WorkingDirectory)?;
        directory = Some(StringId::new(strings.len()));
        strings.push(path.first());
    }
    let shared_environment = command.environment.build(environment)?;
    let block = shared_environment.as_ref().map_or(&*environment, Environment::block);
    let program = command.get_program();
    let searched = search::is_searched(program);
    if searched {
        search::candidates(program, block.get("PATH".as_ref()), paths);
        programs.set([paths]);
    } else {
        programs.set([&command.program]);
    }
    let arg0 = command.arg0.as_ref().unwrap_or(&command.program);
    argv.set([arg0, &command.args]);
    Ok(Strings { searched, shared_environment, directory })
}
