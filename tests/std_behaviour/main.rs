//! What std does and what this library does under std's names: one program, compiled against both, whose records are compared.
//!
//! `walk` calls every method and records what the child sees and what the parent gets. The two sides run in processes of their own, which are
//! this test binary again, and so are the children. The records have to be equal, other than those in [`DIFFERENCES`], which the page
//! `docs/from-std.md` explains. A listed difference that does not show itself fails the test, too.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod differences;
mod ours;
mod records;
mod report;
mod stds;

use differences::DIFFERENCES;
use records::Records;
use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn(c_int, *const *const c_char) = enter;

/// Takes the role of a child before Rust's runtime starts, which would change descriptors and signals.
extern "C" fn enter(argc: c_int, argv: *const *const c_char) {
    // SAFETY: glibc passes main's arguments to these functions.
    let args: Vec<String> = (0..argc as usize)
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned())
        .collect();
    if args.get(1).is_some_and(|mark| mark == report::MARK) {
        report::run(&args);
        // SAFETY: the process ends here.
        unsafe { libc::_exit(0) };
    }
}

/// Set to the side and the role of a process that a test has started.
const ROLE: &str = "FDSPAWN_WALK_ROLE";

/// Set to the file for the records.
const RECORDS: &str = "FDSPAWN_WALK_RECORDS";

const SIDES: [&str; 2] = ["std", "ours"];

fn this_program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Starts this binary in a role of a side, in an empty environment and directory of its own.
fn role(side: &str, role: &str, directory: &Path) -> Command {
    let mut command = Command::new(this_program());
    command.args(["--exact", "the_role_that_the_environment_names", "--nocapture", "--test-threads=1"]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("ODD NAME", "odd value").env("NAME", "inherited");
    command.env(ROLE, format!("{side} {role}")).env(RECORDS, directory.join("records")).current_dir(directory);
    command.stdin(Stdio::null());
    command
}

fn records_of(directory: &Path, output: &Output) -> BTreeMap<String, String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(directory.join("records")).unwrap();
    let text = text.replace(directory.to_str().unwrap(), "DIRECTORY");
    let record = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a record has a name and a value");
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(record).collect()
}

/// Does nothing in a plain run. In a process that another test has started, plays its role.
#[test]
fn the_role_that_the_environment_names() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut records = Records::new(Path::new(&std::env::var_os(RECORDS).unwrap()));
    match role.split_once(' ').unwrap() {
        ("std", "walk") => stds::walk::walk(&mut records),
        ("ours", "walk") => ours::walk::walk(&mut records),
        ("std", "exec") => stds::walk::exec(&mut records),
        ("ours", "exec") => ours::walk::exec(&mut records),
        ("std", "make") => stds::walk::under_make(),
        ("ours", "make") => ours::walk::under_make(),
        other => panic!("no such role: {other:?}"),
    }
}

fn compare(role_name: &str) -> usize {
    let [std, ours] = SIDES.map(|side| {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        records_of(&directory, &role(side, role_name, &directory).output().unwrap())
    });
    let names: Vec<&String> = std.keys().collect();
    assert_eq!(names, ours.keys().collect::<Vec<_>>());
    let mut wrong = String::new();
    for (name, std) in &std {
        let ours = &ours[name];
        let listed = DIFFERENCES.iter().any(|difference| difference.records.contains(&name.as_str()));
        if (std != ours) != listed {
            wrong += &format!("{name}{}\n  std  {std}\n  ours {ours}\n", if listed { " is listed" } else { "" });
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    std.len()
}

#[test]
fn records_of_std_and_ours_are_equal_other_than_the_listed_differences() {
    let count = compare("walk");
    assert!(count > 100, "only {count} records");
}

#[test]
fn exec_in_this_process_does_what_stds_does() {
    let count = compare("exec");
    assert!(count > 4, "only {count} records");
}

#[test]
fn each_listed_difference_is_in_the_guide() {
    let page = include_str!("../../docs/from-std.md");
    let table = page.split("\n\n").find(|part| part.starts_with("| difference |")).expect("the page has a table");
    let rows = table.lines().skip(2).filter_map(|row| row.split(" | ").next());
    let rows: Vec<&str> = rows.map(|name| name.trim_matches(['|', ' ', '`'])).collect();
    assert_eq!(rows, DIFFERENCES.iter().map(|difference| difference.name).collect::<Vec<_>>());
}

#[test]
fn jobserver_of_make_reaches_the_children() {
    if Command::new("make").arg("--version").output().is_err() {
        assert!(std::env::var_os("FDSPAWN_TEST_DEMAND_TOOLS").is_none(), "make is not installed");
        return eprintln!("skipped: make is not installed");
    }
    let reports = SIDES.map(|side| {
        let directory = tempfile::tempdir().unwrap();
        let records = directory.path().join("records");
        let program = this_program();
        let test = "the_role_that_the_environment_names";
        let makefile = format!("all:\n\t+@{} --exact {test} --nocapture --test-threads=1\n", program.display());
        std::fs::write(directory.path().join("Makefile"), makefile).unwrap();
        let mut make = Command::new("make");
        make.arg("-j2").current_dir(directory.path()).env(ROLE, format!("{side} make")).env(RECORDS, &records);
        make.env_remove("MAKEFLAGS").env_remove("MFLAGS").process_group(0);
        let output = make.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(directory.path().join("jobserver")).unwrap()
    });
    assert_eq!(reports, ["the jobserver is open", "the jobserver is open"]);
}
