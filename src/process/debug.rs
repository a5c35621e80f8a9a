//! `Debug` of a command in the two forms of std.

use super::command::Command;
use crate::command::{Given, Opened, Source};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

impl fmt::Debug for Command {
    /// Prints the command as std does: a line that resembles one of a shell, or with `{:#?}` a structure of all settings. With `{:#?}`
    /// the descriptors follow, if they are more than std can say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.write_structure(f) } else { self.write_line(f) }
    }
}

impl Command {
    fn arg0(&self) -> &OsStr {
        self.inner.arg0.as_ref().map_or(self.get_program(), |arg0| arg0.first())
    }

    fn write_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(directory) = self.get_current_dir() {
            write!(f, "cd {:?} && ", c_string(directory.as_os_str()))?;
        }
        if self.get_env_clear() {
            f.write_str("env -i ")?;
        } else {
            let mut removed = self.get_envs().filter(|(_, value)| value.is_none()).peekable();
            if removed.peek().is_some() {
                f.write_str("env ")?;
            }
            for (name, _) in removed {
                write!(f, "-u {} ", name.to_string_lossy())?;
            }
        }
        for (name, value) in self.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={value:?} ", name.to_string_lossy())?;
            }
        }
        if self.get_program() != self.arg0() {
            write!(f, "[{:?}] ", c_string(self.get_program()))?;
        }
        write!(f, "{:?}", c_string(self.arg0()))?;
        for arg in self.get_args() {
            write!(f, " {arg:?}")?;
        }
        Ok(())
    }

    fn write_structure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<CString> = std::iter::once(self.arg0()).chain(self.get_args()).map(c_string).collect();
        let mut fields = f.debug_struct("Command");
        fields.field("program", &c_string(self.get_program())).field("args", &args);
        let vars = self.inner.environment.variables();
        if self.get_env_clear() || !vars.is_empty() {
            fields.field("env", &CommandEnv { clear: self.get_env_clear(), vars });
        }
        if let Some(directory) = self.get_current_dir() {
            fields.field("cwd", &Some(c_string(directory.as_os_str())));
        }
        let settings = &*self.inner.settings;
        if settings.plain.uid.is_some() {
            fields.field("uid", &settings.plain.uid);
        }
        if settings.plain.gid.is_some() {
            fields.field("gid", &settings.plain.gid);
        }
        if settings.groups.is_some() {
            fields.field("groups", &settings.groups);
        }
        for (target, name) in [(0, "stdin"), (1, "stdout"), (2, "stderr")] {
            if let Some(source) = self.inner.fd_map.source(target) {
                fields.field(name, &Some(Stream(source)));
            }
        }
        if settings.plain.process_group.is_some() {
            fields.field("pgroup", &settings.plain.process_group);
        }
        if cfg!(target_os = "linux") {
            fields.field("create_pidfd", &self.inner.pidfd);
        }
        if self.inner.fd_map.is_more_than_std() {
            fields.field("fd_map", &self.inner.fd_map);
        }
        fields.finish()
    }
}

/// A string as std keeps it for the child.
fn c_string(string: &OsStr) -> CString {
    CString::new(string.as_bytes()).unwrap_or_else(|_| c"<string-with-nul>".into())
}

/// The changes of the environment, under std's name for them.
#[derive(Debug)]
struct CommandEnv<'a> {
    #[allow(dead_code, reason = "`Debug` reads it")]
    clear: bool,
    #[allow(dead_code, reason = "`Debug` reads it")]
    vars: &'a BTreeMap<OsString, Option<OsString>>,
}

/// The source of a standard stream, in std's words.
struct Stream<'a>(&'a Source<'static>);

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::Given(Given::Inherit) => f.write_str("Inherit"),
            Source::Opened(Opened::Null) => f.write_str("Null"),
            Source::Opened(Opened::Piped) => f.write_str("MakePipe"),
            Source::Given(Given::Shared(fd)) => {
                f.debug_tuple("Fd").field(&FileDesc(OwnedFd { fd: fd.number() })).finish()
            }
            Source::Given(Given::InheritFrom(number)) => {
                f.debug_tuple("StaticFd").field(&BorrowedFd { fd: *number }).finish()
            }
            other => other.fmt(f),
        }
    }
}

/// Three types of std with the fields that their `Debug` shows.
#[derive(Debug)]
struct FileDesc(#[allow(dead_code, reason = "`Debug` reads it")] OwnedFd);

#[derive(Debug)]
struct OwnedFd {
    #[allow(dead_code, reason = "`Debug` reads it")]
    fd: RawFd,
}

#[derive(Debug)]
struct BorrowedFd {
    #[allow(dead_code, reason = "`Debug` reads it")]
    fd: RawFd,
}
