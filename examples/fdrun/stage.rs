//! One program of the command line, with the options that stand before it.

use crate::sources;
use crate::values::{Parsed, wrong};
use fdspawn::inspect::DescriptorTable;
use fdspawn::{Command, Launcher, Rest, Signal, Stdio};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

/// A change of the command that an option asks for.
pub type Change = Box<dyn FnOnce(&mut Command<'static>)>;

/// A program, and what the command line says about it alone.
pub struct Stage {
    pub program: OsString,
    pub args: Vec<OsString>,
    changes: Vec<Change>,
    pub clear_env: bool,
    pub connections: Vec<(RawFd, Source)>,
    pub rest: Rest,
    pub launcher: Option<Launcher>,
    /// The variables whose values go to descriptors.
    pub moved_variables: Vec<OsString>,
    /// The signals that the program is to have blocked. `None` leaves fdrun's own mask.
    pub blocked: Option<Vec<Signal>>,
    /// The signal at the death of the program's parent. `Some(None)` is no signal, `None` leaves what the launcher leaves.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub parent_death: Option<Option<Signal>>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub cgroup: Option<PathBuf>,
    /// Whether a descriptor replaces the path of the program.
    pub has_program_fd: bool,
    pub foreground: bool,
    /// The process group that the program is to join. 0 makes a new one.
    pub process_group: Option<i32>,
    pub makes_session: bool,
    /// The descriptors that were open when fdrun started.
    pub open: Rc<DescriptorTable>,
}

/// What a descriptor of the child is connected to.
pub enum Source {
    File(OpenOptions, PathBuf),
    /// The content of the file; of standard input for `-`.
    DataFrom(PathBuf),
    /// The value of the variable.
    Variable(OsString),
    Ready(Stdio<'static>),
}

impl Stage {
    pub fn new(open: Rc<DescriptorTable>) -> Self {
        Self {
            program: OsString::new(),
            args: Vec::new(),
            changes: Vec::new(),
            clear_env: false,
            connections: Vec::new(),
            rest: Rest::default(),
            launcher: None,
            moved_variables: Vec::new(),
            blocked: None,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            parent_death: None,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            cgroup: None,
            has_program_fd: false,
            foreground: false,
            process_group: None,
            makes_session: false,
            open,
        }
    }

    pub fn choose_launcher(&mut self, value: OsString) -> Parsed {
        self.launcher = Some(match value.as_bytes() {
            b"auto" => Launcher::Auto,
            b"clone" => Launcher::Clone,
            b"fork" => Launcher::Fork,
            _ => return Err(wrong("--launcher takes auto, clone or fork", &value)),
        });
        Ok(())
    }

    /// Changes the command later, when fdrun builds it.
    pub fn set<C>(&mut self, change: C)
    where
        C: for<'a> FnOnce(&'a mut Command<'static>) -> &'a mut Command<'static> + 'static,
    {
        self.changes.push(Box::new(|command| {
            change(command);
        }));
    }

    /// The same as [`Stage::set`]. This always succeeds, so that the function of an option can end
    /// with it.
    pub fn change<C>(&mut self, change: C) -> Parsed
    where
        C: for<'a> FnOnce(&'a mut Command<'static>) -> &'a mut Command<'static> + 'static,
    {
        self.set(change);
        Ok(())
    }

    /// Whether an option connects the descriptor of this number.
    pub fn connects(&self, number: RawFd) -> bool {
        self.connections.iter().any(|(target, _)| *target == number)
    }

    /// Builds the command that executes the file at `path`. The program does not get the variables of `removed`. `explain` opens no file.
    pub fn build(self, path: &OsStr, removed: &[OsString], explain: bool) -> Result<Command<'static>, Box<dyn Error>> {
        let mut command = Command::new(path);
        command.args(self.args).arg0(self.program).rest(self.rest);
        command.launcher(self.launcher.unwrap_or(Launcher::Auto));
        // --clear-env may come after --env, and does not remove its variables.
        if self.clear_env {
            command.env_clear();
        }
        for name in removed {
            command.env_remove(name);
        }
        for change in self.changes {
            change(&mut command);
        }
        command.foreground(self.foreground);
        if let Some(blocked) = &self.blocked {
            command.signal_mask(blocked);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            if let Some(Some(signal)) = self.parent_death {
                command.parent_death_signal(signal);
            }
            if let Some(path) = self.cgroup {
                command.cgroup(sources::cgroup(path)?);
            }
        }
        for (target, source) in self.connections {
            command.fd(target, sources::open(source, target, explain)?);
        }
        Ok(command)
    }
}
