//! What can be found out about a spawn before it: refused input, and a program that is not there.

use super::attributes::check;
use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::resolve::resolve;
use super::search::is_searched;
use super::start::join_failure;
use super::{lent, strings};
use crate::command::{Command, Directory};
use crate::error::{Failure, Problem, Result};
use crate::launch::{Method, Mode, known_missing};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::path::Path;

impl Command<'_> {
    /// Checks the command as a spawn would, and looks whether its program is there. It opens and starts nothing.
    ///
    /// A success is no promise: files come and go, and some errors are the child's alone.
    pub(crate) fn check_start(&self) -> Result<()> {
        self.try_check_start().map_err(|problem| self.spawn_error(problem))
    }

    fn try_check_start(&self) -> std::result::Result<(), Problem> {
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
            self.look_up(buffers)
        })
    }

    /// Looks whether one of the paths that the child tries is a file that this process may execute.
    fn look_up(&self, buffers: &Buffers) -> std::result::Result<(), Problem> {
        let settings = self.settings.get();
        let is_other_view = settings.is_some_and(|settings| {
            settings.root.is_some() || settings.plain.uid.is_some() || settings.plain.gid.is_some()
        });
        // The child sees other files or has other rights, or a hook may change what it sees.
        if is_other_view || !self.hooks.is_empty() || lent::program(self).is_some() {
            return Ok(());
        }
        let program = self.get_program();
        let candidates = settings.and_then(|settings| settings.programs.as_ref());
        let found = match candidates {
            Some(candidates) => self.look_at(candidates.iter()),
            None if is_searched(program) => self.look_at(buffers.paths.iter()),
            None => self.look_at([program].into_iter()),
        };
        found.map_err(|errno| Problem::system(Failure::Exec, errno))
    }

    /// Looks at the paths as the child does. The error is that of the child.
    fn look_at<'p>(&self, paths: impl Iterator<Item = &'p OsStr>) -> std::result::Result<(), Errno> {
        let mut last = Errno::NOENT;
        for path in paths {
            match self.may_execute(Path::new(path)) {
                Err(Errno::ACCESS) => last = Errno::ACCESS,
                Err(errno @ (Errno::NOENT | Errno::NOTDIR)) if last != Errno::ACCESS => last = errno,
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                _ => return Ok(()), // It is there, or only the child finds out.
            }
        }
        Err(last)
    }

    fn may_execute(&self, path: &Path) -> std::result::Result<(), Errno> {
        let access = |directory, path: &Path| accessat(directory, path, Access::EXEC_OK, AtFlags::EACCESS);
        match &self.directory {
            Directory::Inherit => access(CWD, path),
            Directory::Path(directory) => access(CWD, &Path::new(directory.first()).join(path)),
            Directory::Fd(directory) => access(directory.as_fd(), path),
        }
    }
}
