//! What can be found out about a spawn before it: refused input, and a program that is not there.

use super::attributes::check;
use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::interpreter::{AS_EXEC_DOES, diagnose};
use super::resolve::resolve;
use super::search::is_searched;
use super::start::join_failure;
use super::{lent, strings};
use crate::command::{Command, Directory};
use crate::error::{Failure, Problem, Result};
use crate::launch::{Method, Mode, known_missing};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// What looks at files have found, so that the checks of many commands look at each file once.
#[derive(Debug, Default)]
pub(crate) struct ProgramLooks {
    /// By the path from this process's working directory, and whether the file is executed or only looked for. A path is a string here: with
    /// and without a `/` at its end it is not the same.
    looks: BTreeMap<(OsString, bool), std::result::Result<(), Errno>>,
}

impl ProgramLooks {
    fn may_execute(&mut self, path: &Path) -> std::result::Result<(), Errno> {
        self.look(path, true, || may_execute(CWD, path))
    }

    fn exists(&mut self, path: &Path) -> bool {
        self.look(path, false, || exists(CWD, path)).is_ok()
    }

    fn look(
        &mut self,
        path: &Path,
        is_executed: bool,
        look: impl FnOnce() -> std::result::Result<(), Errno>,
    ) -> std::result::Result<(), Errno> {
        *self.looks.entry((path.as_os_str().to_owned(), is_executed)).or_insert_with(look)
    }
}

impl Command<'_> {
    /// Checks the command as a spawn would, and looks whether its program is there. It opens and starts nothing.
    ///
    /// A success is no promise: files come and go, and some errors are the child's alone.
    pub(crate) fn check_start(&self, looks: &mut ProgramLooks) -> Result<()> {
        self.try_check_start(looks).map_err(|problem| self.spawn_error(problem))
    }

    fn try_check_start(&self, looks: &mut ProgramLooks) -> std::result::Result<(), Problem> {
        let missing = self.fd_map.missing | known_missing();
        let method = Method::choose(self.launcher, super::attributes::needs(self)?, missing)?;
        if let Some(group) = self.settings.get().and_then(|settings| settings.group) {
            drop(group.join().map_err(|error| Problem::from(join_failure(error)))?);
        }
        with_buffers(|buffers| {
            check(self, Mode { method, handle: true, pidfd: self.pidfd })?;
            strings::build(self, buffers)?;
            let Buffers { plan, .. } = &mut *buffers;
            plan.rest = self.fd_map.rest;
            resolve(&self.fd_map, &Defaults::INHERIT, plan)?;
            self.look_up(buffers, looks)
        })
    }

    /// Looks whether one of the paths that the child tries is a file that this process may execute.
    fn look_up(&self, buffers: &Buffers, looks: &mut ProgramLooks) -> std::result::Result<(), Problem> {
        let settings = self.settings.get();
        let is_other_view = settings.is_some_and(|settings| {
            settings.root.is_some() || settings.plain.uid.is_some() || settings.plain.gid.is_some()
        });
        // The child sees other files or has other rights, or a hook may change what it sees.
        let has_path = self.function.is_none() && lent::program(self).is_none();
        if is_other_view || !self.hooks.is_empty() || !has_path {
            return Ok(());
        }
        if let Directory::Path(directory) = &self.directory {
            let directory = Path::new(directory.first());
            if let Err(errno) = may_execute(CWD, &directory.join(".")) {
                return Err(Problem::system(Failure::WorkingDirectory(Some(directory.to_owned())), errno));
            }
        }
        let program = self.get_program();
        let candidates = settings.and_then(|settings| settings.programs.as_ref());
        let looked = match candidates {
            Some(candidates) => self.look_at(&mut candidates.iter(), true, looks),
            None if is_searched(program) => self.look_at(&mut buffers.paths.iter(), true, looks),
            None => self.look_at(&mut [program].into_iter(), false, looks),
        };
        looked.map_err(|(errno, path)| {
            let mut problem = Problem::system(Failure::Exec, errno);
            problem.path = path;
            diagnose(self, problem)
        })
    }

    /// Looks at the paths as the child tries them. The error is that of the child, with the path whose error it is.
    fn look_at(
        &self,
        paths: &mut dyn Iterator<Item = &OsStr>,
        is_search: bool,
        looks: &mut ProgramLooks,
    ) -> std::result::Result<(), (Errno, Option<PathBuf>)> {
        let (mut kept, mut first_file) = ((Errno::NOENT, None), None);
        for path in paths.map(Path::new) {
            let Err(errno) = self.may_execute(path, looks) else { return Ok(()) };
            match errno {
                Errno::NOENT | Errno::NOTDIR if is_search => {}
                Errno::NOENT | Errno::NOTDIR => kept.0 = errno,
                Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG if kept.1.is_none() => {
                    kept = (errno, Some(path.to_owned()))
                }
                Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG => {}
                _ => return Ok(()), // Only the child finds out.
            }
            if first_file.is_none() && self.is_there(path, looks) {
                first_file = Some((errno, Some(path.to_owned())));
            }
        }
        Err(first_file.unwrap_or(kept))
    }

    fn is_there(&self, path: &Path, looks: &mut ProgramLooks) -> bool {
        match &self.directory {
            Directory::Inherit => looks.exists(path),
            Directory::Path(directory) => exists(CWD, &Path::new(directory.first()).join(path)).is_ok(),
            Directory::Fd(directory) => exists(directory.as_fd(), path).is_ok(),
        }
    }

    fn may_execute(&self, path: &Path, looks: &mut ProgramLooks) -> std::result::Result<(), Errno> {
        match &self.directory {
            Directory::Inherit => looks.may_execute(path),
            Directory::Path(directory) => may_execute(CWD, &Path::new(directory.first()).join(path)),
            Directory::Fd(directory) => may_execute(directory.as_fd(), path),
        }
    }
}

/// Whether this process may execute a file, or search a directory.
fn may_execute(directory: BorrowedFd<'_>, path: &Path) -> std::result::Result<(), Errno> {
    accessat(directory, path, Access::EXEC_OK, AS_EXEC_DOES)
}

fn exists(directory: BorrowedFd<'_>, path: &Path) -> std::result::Result<(), Errno> {
    accessat(directory, path, Access::EXISTS, AtFlags::empty())
}
