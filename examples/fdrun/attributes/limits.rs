//! The umask and the limits.

use super::parsers;
use crate::stage::Stage;
use crate::values::{Parsed, parsed};
use fdspawn::Rlimit;
use rustix::process::getrlimit;
use std::ffi::OsString;

pub fn umask(stage: &mut Stage, value: OsString) -> Parsed {
    let mask = parsed("--umask takes an octal number up to 777", &value, parsers::mask)?;
    stage.change(move |command| command.umask(mask))
}

/// A bound that the value leaves out stays as it is for fdrun.
pub fn limit(stage: &mut Stage, value: OsString) -> Parsed {
    let rule = "--rlimit takes RESOURCE=LIMIT, such as nofile=64:128, core=unlimited or stack=:8388608";
    let (resource, soft, hard) = parsed(rule, &value, parsers::limit)?;
    let own = getrlimit(resource);
    let limit = Rlimit { current: soft.unwrap_or(own.current), maximum: hard.unwrap_or(own.maximum) };
    stage.change(move |command| command.rlimit(resource, limit))
}
