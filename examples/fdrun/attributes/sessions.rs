//! Sessions, process groups and terminals.

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::request::Request;
use crate::sources;
use crate::stage::Stage;
use crate::values::{Parsed, parsed};
#[cfg(any(target_os = "linux", target_os = "android"))]
use fdspawn::Reach;
use std::ffi::OsString;

pub fn process_group(stage: &mut Stage, value: OsString) -> Parsed {
    let is_group = |text: &str| text.parse().ok().filter(|group| *group >= 0);
    let group = parsed("--pgrp takes the number of a process group, or 0 for a new one", &value, is_group)?;
    stage.process_group = Some(group);
    stage.change(move |command| command.process_group(group))
}

pub fn session(stage: &mut Stage) {
    stage.makes_session = true;
    stage.set(|command| command.setsid(true));
}

pub fn terminal(stage: &mut Stage, value: OsString) -> Parsed {
    let terminal = sources::lent("--ctty", &value, &stage.open)?;
    stage.change(move |command| command.controlling_terminal(terminal))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn tree(request: &mut Request, value: OsString) -> Parsed {
    let reach = |text: &str| match text {
        "process" => Some(Reach::Process),
        "group" => Some(Reach::Group),
        "session" => Some(Reach::Session),
        "descendants" => Some(Reach::Descendants),
        "cgroup" => Some(Reach::Cgroup),
        _ => None,
    };
    request.tree = Some(parsed("--tree takes process, group, session, descendants or cgroup", &value, reach)?);
    Ok(())
}
