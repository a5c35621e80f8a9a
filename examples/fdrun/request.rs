//! What the command line asks for.

use crate::readings::Readings;
use crate::timeout::Times;
use crate::values::{Parsed, wrong};
use fdspawn::inspect::DescriptorTable;
use fdspawn::{Command, Launcher, Reach, Rest, Signal, Stdio};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A change of the command that an option asks for.
pub type Change = Box<dyn FnOnce(&mut Command<'static>)>;

/// What the command line asks for. `options::parse` reads the whole command line before fdrun opens any file.
pub struct Request {
    pub program: OsString,
    pub args: Vec<OsString>,
    pub changes: Vec<Change>,
    pub clear_env: bool,
    pub connections: Vec<(RawFd, Source)>,
    pub readings: Readings,
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
    pub times: Times,
    pub tree: Option<Reach>,
    pub usage: bool,
    pub exec: bool,
    pub explain: bool,
    pub table: bool,
    pub help: bool,
    /// The descriptors that were open when fdrun started.
    pub open: DescriptorTable,
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

impl Request {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            program: OsString::new(),
            args: Vec::new(),
            changes: Vec::new(),
            clear_env: false,
            connections: Vec::new(),
            readings: Readings::default(),
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
            times: Times::default(),
            tree: None,
            usage: false,
            exec: false,
            explain: false,
            table: false,
            help: false,
            // fdrun reads this table before it opens a descriptor, which could get a number that the command line
            // names. Rust's runtime has already opened 0, 1 and 2 if they were closed.
            open: DescriptorTable::current()?,
        })
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

    /// The same as [`Request::set`]. This always succeeds, so that the function of an option can end
    /// with it.
    pub fn change<C>(&mut self, change: C) -> Parsed
    where
        C: for<'a> FnOnce(&'a mut Command<'static>) -> &'a mut Command<'static> + 'static,
    {
        self.set(change);
        Ok(())
    }

    /// Refuses options that do not go together.
    pub fn check(&self) -> Parsed {
        let pipes = self.readings.options().map(|option| (option, true, "fdrun would not be there to read the pipe"));
        let others = [
            ("--launcher", self.launcher.is_some(), "no process is launched"),
            ("--timeout", self.times.timeout.is_some(), "fdrun would not be there to end the program"),
            ("--kill-after", self.times.kill_after.is_some(), "fdrun would not be there to kill the program"),
            ("--tree", self.tree.is_some(), "fdrun would not be there to end the processes"),
            ("--usage", self.usage, "fdrun would not be there to print it"),
            ("--table", self.table, "fdrun would not be there to print the table"),
        ];
        let has_limit = self.readings.options().any(|option| option == "--limit");
        if self.times.signal.is_some() && self.times.timeout.is_none() && !has_limit {
            return Err("--signal does not go without --timeout or --limit".into());
        }
        self.check_tree()?;
        if self.table && self.has_program_fd {
            return Err("--program-fd does not go with --table: fdrun is the program that prints the table".into());
        }
        match pipes.chain(others).find(|(_, is_given, _)| self.exec && *is_given) {
            Some((option, _, reason)) => Err(format!("{option} does not go with --exec: {reason}").into()),
            None => Ok(()),
        }
    }
    /// Refuses a tree whose program would not lead the group or the session.
    fn check_tree(&self) -> Parsed {
        match (self.tree, self.process_group) {
            (Some(Reach::Group), Some(group)) if group != 0 => {
                Err(format!("--tree group does not go with --pgrp {group}: the program has to lead its group").into())
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (Some(Reach::Session), Some(_)) => {
                Err("--tree session does not go with --pgrp: the leader of a session leads a group of its own".into())
            }
            _ => Ok(()),
        }
    }
}
