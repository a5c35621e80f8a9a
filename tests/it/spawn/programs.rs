//! The search for the program in PATH.

use crate::own_process;
use crate::support;
use crate::support::LAUNCHERS;
use crate::support::sources::program;
use fdspawn::{Command, Error, Failure};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
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
fn empty_name_is_not_found_and_one_that_no_directory_can_have_is_too_long() {
    for launcher in LAUNCHERS {
        assert_eq!(printed(support::command("").launcher(launcher)), Err(libc::ENOENT));
        for name in ["x".repeat(256), "x".repeat(300), "x".repeat(5000), "/".repeat(5000)] {
            let error = support::command(&name).launcher(launcher).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
            assert!(error.to_string().ends_with(": File name too long"), "{error}");
        }
        assert_eq!(printed(support::command("x".repeat(255)).launcher(launcher)), Err(libc::ENOENT));
        // A directory whose own path is too long does not end the search.
        let mut command = support::command("echo");
        command.arg("x").env("PATH", format!("/{}:/bin:/usr/bin", "y".repeat(300)));
        assert_eq!(printed(command.launcher(launcher)), Ok("x".into()));
    }
}

/// The error of a command, which names a script and its interpreter.
fn interpreter_error(command: &mut Command<'_>, script: &Path, interpreter: &str) -> Error {
    let error = command.spawn().unwrap_err();
    match error.failure() {
        Failure::Interpreter { script: found, interpreter: Some(named) } => {
            assert_eq!((found.as_path(), named.as_path()), (script, Path::new(interpreter)));
        }
        _ => panic!("{error}: {error:?}"),
    }
    error
}

#[test]
fn missing_interpreter_is_named_with_its_script() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let tool = root.join("tool");
    program(&tool, b"#! /no/such/sh -e\necho hello\n", 0o755);
    program(&root.join("dos"), b"#!/bin/sh\r\necho hello\r\n", 0o755);
    program(&root.join("relative"), b"#!bin/sh\n", 0o755);
    program(&root.join("nested"), format!("#!{}\n", tool.display()).as_bytes(), 0o755);
    program(&root.join("no-directory"), b"#!/dev/null/sh\n", 0o755);
    let path = format!("/no/such:{}", root.display());
    for launcher in LAUNCHERS {
        let command = |name: &str| {
            let mut command = support::command(name);
            command.launcher(launcher).env("PATH", &path);
            command
        };
        let text = format!(
            "cannot spawn `tool`: `{}` needs the interpreter `/no/such/sh`: No such file or directory",
            tool.display()
        );
        let error = interpreter_error(&mut command("tool"), &tool, "/no/such/sh");
        assert_eq!(error.to_string(), text);
        assert_eq!((error.raw_os_error(), error.path()), (Some(libc::ENOENT), Some(tool.as_path())));
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        interpreter_error(&mut support::command(&tool), &tool, "/no/such/sh");

        let error = interpreter_error(&mut command("dos"), &root.join("dos"), "/bin/sh\r");
        assert!(error.to_string().contains(r"`/bin/sh\r`"), "{error}");
        interpreter_error(&mut command("nested"), &tool, "/no/such/sh");
        let error = interpreter_error(&mut command("no-directory"), &root.join("no-directory"), "/dev/null/sh");
        assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));

        // Relative paths start at the child's directory, that of the interpreter too.
        let opened = fs::File::open(&root).unwrap();
        interpreter_error(command("./relative").current_dir(&root), Path::new("./relative"), "bin/sh");
        interpreter_error(command("./relative").current_dir_fd(&opened), Path::new("./relative"), "bin/sh");
        interpreter_error(command("tool").env("PATH", ".").current_dir(&root), Path::new("./tool"), "/no/such/sh");
        assert!(command("./relative").current_dir("/").spawn().unwrap_err().path().is_none());
    }
    let error = support::command(&tool).exec();
    assert!(matches!(error.failure(), Failure::Interpreter { script, .. } if *script == tool), "{error}");
}

#[test]
fn script_without_its_interpreter_does_not_end_the_search() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    fs::create_dir(&one).unwrap();
    program(&one.join("tool"), b"#!/no/such/sh\n", 0o755);
    script(&two, "tool", "two", 0o755);
    for launcher in LAUNCHERS {
        let mut command = support::command("tool");
        command.launcher(launcher).env("PATH", format!("{}:{}", one.display(), two.display()));
        assert_eq!(printed(&mut command), Ok("two".into()));
    }
}

#[test]
fn interpreter_that_cannot_be_executed_is_named() {
    let root = tempfile::tempdir().unwrap();
    let plain = root.path().join("plain");
    program(&plain, b"#!/bin/sh\n", 0o644);
    let circle = root.path().join("circle");
    symlink(&circle, &circle).unwrap();
    for (interpreter, errno) in
        [(Path::new("/"), libc::EACCES), (plain.as_path(), libc::EACCES), (circle.as_path(), libc::ELOOP)]
    {
        let script = root.path().join(format!("script-{errno}"));
        program(&script, format!("#!{}\n", interpreter.display()).as_bytes(), 0o755);
        for launcher in LAUNCHERS {
            let mut command = support::command(script.file_name().unwrap());
            command.launcher(launcher).env("PATH", root.path());
            let error = interpreter_error(&mut command, &script, interpreter.to_str().unwrap());
            assert_eq!(error.raw_os_error(), Some(errno));
            // If the script itself may not be executed, it is at fault.
            let error = support::command(&plain).launcher(launcher).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Exec), "{error}");
        }
    }
}

#[test]
fn missing_loader_of_an_executable_file_is_named() {
    let mut elf = fs::read(fs::canonicalize("/bin/true").unwrap()).unwrap();
    let place = elf.windows(8).position(|part| part == b"ld-linux").expect("/bin/true has a loader");
    let start = elf[..place].iter().rposition(|&byte| byte == 0).unwrap() + 1;
    elf[start..start + 4].copy_from_slice(b"/nil");
    let end = start + elf[start..].iter().position(|&byte| byte == 0).unwrap();
    let loader = String::from_utf8(elf[start..end].to_vec()).unwrap();
    let root = tempfile::tempdir().unwrap();
    let tool = root.path().join("tool");
    // The bytes do not fit into a pipe, which `program` uses if there are no files in memory.
    fs::write(root.path().join("copy"), elf).unwrap();
    program(&tool, b"", 0o755);
    let mut copy = support::command("cp");
    assert!(copy.arg(root.path().join("copy")).arg(&tool).status().unwrap().success());
    for launcher in LAUNCHERS {
        let error = interpreter_error(support::command(&tool).launcher(launcher), &tool, &loader);
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}

#[test]
fn symbolic_link_to_itself_in_path_does_not_end_the_search() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (root.path().join("one"), root.path().join("two"));
    fs::create_dir(&one).unwrap();
    symlink("tool", one.join("tool")).unwrap();
    script(&two, "tool", "two", 0o755);
    for launcher in LAUNCHERS {
        let command = |path: String| {
            let mut command = support::command("tool");
            command.launcher(launcher).env("PATH", path);
            command
        };
        assert_eq!(printed(&mut command(format!("{}:{}", one.display(), two.display()))), Ok("two".into()));
        let error = command(format!("/no/such:{}:/dev/null", one.display())).spawn().unwrap_err();
        let place = one.join("tool");
        let text = format!("cannot spawn `tool`: `{}`: Too many levels of symbolic links", place.display());
        assert_eq!((error.to_string(), error.path()), (text, Some(place.as_path())));
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
    }
}

own_process! {
    fn interpreter_of_a_file_that_the_parent_may_not_read_has_no_name() {
        let root = tempfile::tempdir().unwrap();
        let tool = root.path().join("tool");
        program(&tool, b"#!/no/such/sh\n", 0o711);
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let other_user = OtherUser::new();
        for launcher in LAUNCHERS {
            let error = support::command(&tool).launcher(launcher).spawn().unwrap_err();
            let Failure::Interpreter { script, interpreter } = error.failure() else { panic!("{error}") };
            assert_eq!((script.as_path(), interpreter), (tool.as_path(), &None));
            let name = tool.display();
            let text = format!("cannot spawn `{name}`: `{name}` needs an interpreter: No such file or directory");
            assert_eq!(error.to_string(), text);
        }
        drop(other_user);
    }
}

/// The process as a user without rights: root may read and search everything. A drop makes it root's again.
struct OtherUser {
    was_root: bool,
}

impl OtherUser {
    fn new() -> Self {
        // SAFETY: only a number is passed.
        Self { was_root: unsafe { libc::geteuid() == 0 && libc::seteuid(65_534) == 0 } }
    }
}

impl Drop for OtherUser {
    fn drop(&mut self) {
        if self.was_root {
            // SAFETY: only a number is passed.
            assert_eq!(unsafe { libc::seteuid(0) }, 0);
        }
    }
}

own_process! {
    fn directory_that_may_not_be_searched_does_not_end_the_search_and_is_named() {
        let root = tempfile::tempdir().unwrap();
        let (closed, plain, open) = (root.path().join("closed"), root.path().join("plain"), root.path().join("open"));
        script(&closed, "tool", "closed", 0o755);
        script(&plain, "tool", "plain", 0o644);
        script(&open, "tool", "open", 0o755);
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
        let other_user = OtherUser::new();
        for launcher in LAUNCHERS {
            let command = |name: &str, directories: &[&Path]| {
                let mut command = support::command(name);
                command.launcher(launcher).env("PATH", std::env::join_paths(directories).unwrap());
                command
            };
            assert_eq!(printed(&mut command("tool", &[&closed, &open])), Ok("open".into()));
            let error = command("missing", &[Path::new("/no/such"), &closed, &open]).spawn().unwrap_err();
            let text = format!("cannot spawn `missing`: `{}/missing`: Permission denied", closed.display());
            assert_eq!(error.to_string(), text);
            // A file that the search has seen counts more than one that may be in the directory.
            let error = command("tool", &[&closed, &plain]).spawn().unwrap_err();
            assert_eq!(error.to_string(), format!("cannot spawn `tool`: `{}/tool`: Permission denied", plain.display()));
            assert!(matches!(error.failure(), Failure::Exec), "{error:?}");
        }
        drop(other_user);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
