//! The search for the program in PATH.

use crate::support;
use crate::support::LAUNCHERS;
use crate::support::sources::program;
use fdspawn::Command;
use std::fs;
use std::path::{Path, PathBuf};

/// A script that prints `text`, with the given mode.
fn script(directory: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(directory).unwrap();
    program(&path, format!("#!/bin/sh\necho {text}\n").as_bytes(), mode);
    path
}

fn printed(command: &mut Command<'_>) -> Result<String, i32> {
    command
        .output()
        .map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned())
        .map_err(|error| error.raw_os_error().unwrap())
}

#[test]
fn path_is_the_childs_and_the_first_match_wins() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    script(&one, "tool", "one", 0o755);
    script(&two, "tool", "two", 0o755);
    let path = format!("/no/such:{}:{}", one.display(), two.display());
    for launcher in LAUNCHERS {
        assert_eq!(printed(support::command("tool").launcher(launcher).env("PATH", &path)), Ok("one".into()));
        assert_eq!(
            printed(support::command("tool").launcher(launcher)),
            Err(libc::ENOENT),
            "the parent's PATH has none"
        );
        let mut command = support::command("tool");
        command.launcher(launcher).env_clear().env("PATH", &path);
        assert_eq!(printed(&mut command), Ok("one".into()));
    }
}

#[test]
fn without_a_path_the_default_is_searched() {
    for launcher in LAUNCHERS {
        let mut command = support::command("echo");
        assert_eq!(printed(command.arg("x").launcher(launcher).env_remove("PATH")), Ok("x".into()));
        assert_eq!(printed(support::command("echo").arg("x").launcher(launcher).env_clear()), Ok("x".into()));
    }
}

#[test]
fn empty_and_relative_elements_start_from_the_childs_directory() {
    let root = tempfile::tempdir().unwrap();
    script(root.path(), "tool", "here", 0o755);
    script(&root.path().join("sub"), "tool", "sub", 0o755);
    for launcher in LAUNCHERS {
        for path in ["", ":::", "/no/such:", ":/no/such"] {
            let mut command = support::command("tool");
            command.launcher(launcher).env("PATH", path).current_dir(root.path());
            assert_eq!(printed(&mut command), Ok("here".into()), "{path:?}");
        }
        let mut command = support::command("tool");
        command.launcher(launcher).env("PATH", "sub:.").current_dir(root.path());
        assert_eq!(printed(&mut command), Ok("sub".into()));
        let mut command = support::command("sub/tool");
        assert_eq!(printed(command.launcher(launcher).current_dir(root.path())), Ok("sub".into()));
        assert_eq!(printed(support::command("sub/tool").launcher(launcher)), Err(libc::ENOENT));
    }
}

#[test]
fn file_that_may_not_be_executed_is_passed_over_and_remembered() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    script(&one, "tool", "one", 0o644);
    script(&two, "tool", "two", 0o755);
    for launcher in LAUNCHERS {
        let run = |path: String| printed(support::command("tool").launcher(launcher).env("PATH", path));
        assert_eq!(run(format!("{}:{}", one.display(), two.display())), Ok("two".into()));
        assert_eq!(run(format!("{}:/no/such", one.display())), Err(libc::EACCES));
        assert_eq!(run("/no/such:/dev/null".into()), Err(libc::ENOENT));
    }
}

#[test]
fn directory_of_the_programs_name_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    fs::create_dir_all(one.join("tool")).unwrap();
    script(&two, "tool", "two", 0o755);
    for launcher in LAUNCHERS {
        let run = |path: String| printed(support::command("tool").launcher(launcher).env("PATH", path));
        assert_eq!(run(format!("{}:{}", one.display(), two.display())), Ok("two".into()));
        assert_eq!(run(one.display().to_string()), Err(libc::EACCES));
    }
}

#[test]
fn invalid_names_are_not_found() {
    for launcher in LAUNCHERS {
        assert_eq!(printed(support::command("").launcher(launcher)), Err(libc::ENOENT));
        assert_eq!(printed(support::command("x".repeat(5000)).launcher(launcher)), Err(libc::ENOENT));
        assert_eq!(printed(support::command("/".repeat(5000)).launcher(launcher)), Err(libc::ENAMETOOLONG));
    }
}
