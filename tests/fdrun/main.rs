//! `examples/fdrun.rs` as its users meet it: what the child gets, what is printed, and with which status it exits.

#[path = "../built/mod.rs"]
mod built;
#[cfg(target_os = "linux")]
#[path = "../it/support/tools.rs"]
mod tools;

#[cfg(target_os = "linux")]
mod attributes;
mod captures;
mod descriptors;
mod exec;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod lines;
mod pictures;
#[cfg(target_os = "linux")]
mod pipelines;
mod pipes;
mod secrets;
#[cfg(target_os = "linux")]
mod signals;
mod statuses;
mod strings;
#[cfg(target_os = "linux")]
mod timeout;
#[cfg(target_os = "linux")]
mod trees;
mod usage;
mod values;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// The launchers that a test runs with. Only Linux has clone.
const LAUNCHERS: &[&str] = if cfg!(target_os = "linux") { &["clone", "fork"] } else { &["fork"] };

/// A script that prints which of 0 to 9 are open in its shell. It opens none of them itself.
const TABLE: &str = "t=; for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /dev/fd/$n ] && t=\"$t $n\"; done; echo $t";

/// The tool.
fn fdrun() -> &'static Path {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    TOOL.get_or_init(|| built::example("fdrun"))
}

/// Whether this run is of the whole suite.
fn exhaustive() -> bool {
    std::env::var_os("FDSPAWN_TEST_EXHAUSTIVE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// How a run has ended, and what it has printed.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn outcome(code: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// Runs a shell script in which `fdrun` is the tool and `$TABLE` is the script [`TABLE`]. 3 to 9 are closed, even
/// if the tests were started with such descriptors.
fn script(directory: &Path, script: &str) -> Outcome {
    let closed = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; fdrun() { \"$FDRUN\" \"$@\"; }";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{closed}; {script}")).current_dir(directory);
    let output = shell.env("FDRUN", fdrun()).env("TABLE", TABLE).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a script that needs no file.
fn run(text: &str) -> Outcome {
    script(Path::new("/"), text)
}

/// Runs a script in a directory that has a file `old` with the line `old`.
fn run_with_file(text: &str) -> (TempDir, Outcome) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old"), "old\n").unwrap();
    let outcome = script(directory.path(), text);
    (directory, outcome)
}

fn content(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}
