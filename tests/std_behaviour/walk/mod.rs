//! Calls every method of std's API, and records what the child sees and what the parent gets.

mod builder;
mod children;
mod environment;
mod failures;
mod settings;
mod streams;

use super::library::os::unix::process::CommandExt;
use super::library::process::Command;
use crate::records::Records;
use crate::report::MARK;
use std::ffi::OsStr;

/// A child that plays a role of this binary.
fn child(words: &[&str]) -> Command {
    let mut command = Command::new(crate::this_program());
    command.arg(MARK).args(words);
    command
}

/// A child that reports what it has.
fn reporter() -> Command {
    child(&["to", "report"])
}

/// Runs a command that reports, and records the report.
fn record(records: &mut Records, name: &str, command: &mut Command) {
    assert!(command.status().unwrap().success());
    records.report(name, &std::fs::read_to_string("report").unwrap());
}

fn shell(script: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command
}

pub fn walk(records: &mut Records) {
    builder::walk(records);
    children::walk(records);
    environment::walk(records);
    failures::walk(records);
    settings::walk(records);
    streams::walk(records);
}

/// What `exec` does, in this process.
pub fn exec(records: &mut Records) {
    let error = Command::new("/nope").exec();
    records.error("exec of no program", Err::<(), _>(error));
    let error = Command::new("true").current_dir("nope").exec();
    records.error("exec in no directory", Err::<(), _>(error));
    let error = Command::new("tr\0ue").exec();
    records.error("exec of a name with a NUL", Err::<(), _>(error));
    std::fs::create_dir("inside").unwrap();
    let report = std::env::current_dir().unwrap().join("report");
    // The process itself becomes the child, so its report is added by a shell.
    let script = "\"$@\" && sed 's/^/exec, /' \"$FILE\" >>\"$FDSPAWN_WALK_RECORDS\"";
    let mut command = shell(script);
    command.arg("sh").arg(crate::this_program()).args([MARK, "to"]).arg(&report).arg("word");
    command.env("FILE", &report).current_dir("inside").stdin(std::fs::File::open("/dev/zero").unwrap());
    panic!("{}", command.exec());
}

/// Starts a child that looks for the jobserver of make.
pub fn under_make() {
    assert!(child(&["jobserver", "jobserver"]).status().unwrap().success());
}
