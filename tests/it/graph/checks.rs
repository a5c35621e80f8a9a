//! What a graph finds out before its start is what a spawn of the command finds out.

use super::{Files, ways};
use crate::support;
use crate::support::{LAUNCHERS, ways::isolated};
use fdspawn::{Command, Graph, Launcher, Stdio};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A file that commands may borrow for as long as the tests run.
fn leaked(path: impl AsRef<Path>) -> &'static File {
    Box::leak(Box::new(File::open(path).unwrap()))
}

/// The text after the program's name, or nothing for a success.
fn text(result: fdspawn::Result<()>) -> String {
    result.err().map_or_else(String::new, |error| {
        let text = error.to_string();
        let (_, text) = text.split_once("`: ").unwrap_or_else(|| panic!("an error names its program: {text}"));
        format!("{text} ({:?}, {:?})", error.raw_os_error(), error.path())
    })
}

/// A command as a spawn starts it, and as a graph of one stage does.
fn both(make: &dyn Fn() -> Command<'static>) -> [String; 2] {
    let spawned = make().spawn().and_then(|mut child| child.wait());
    let mut graph = Graph::pipeline([make()]);
    [text(spawned.map(drop)), text(graph.status().map(drop))]
}

#[test]
fn graph_refuses_what_a_spawn_refuses_with_the_same_text() {
    for launcher in LAUNCHERS {
        let files = Files::new();
        for directory in ["one", "two", "locked"] {
            std::fs::create_dir(files.path(directory)).unwrap();
        }
        support::sources::program(&files.path("one/tool"), b"#!/bin/sh\nexit 0\n", 0o755);
        support::sources::program(&files.path("two/tool"), b"#!/bin/sh\nexit 0\n", 0o644);
        support::sources::program(&files.path("two/own"), b"#!/bin/sh\nexit 0\n", 0o755);
        std::fs::write(files.path("file"), "").unwrap();
        std::os::unix::fs::symlink("loop", files.path("loop")).unwrap();
        std::os::unix::fs::symlink("one/tool", files.path("link")).unwrap();
        let root = files.path("");
        let root = root.to_str().unwrap().trim_end_matches('/').to_owned();
        let long = "x".repeat(300);
        let (program, device) = (leaked("/bin/true"), leaked("/dev/null"));
        type Set<'a> = Box<dyn Fn(&mut Command<'static>) + 'a>;
        let nothing = || -> Set<'_> { Box::new(|_| {}) };
        let path = |path: &str| -> Set<'_> {
            let path = path.replace('@', &root);
            Box::new(move |command| _ = command.env("PATH", &path))
        };
        let inside = |directory: &str| -> Set<'_> {
            let directory = directory.replace('@', &root);
            Box::new(move |command| _ = command.current_dir(&directory))
        };
        let cases: Vec<(&str, Set<'_>)> = vec![
            ("tool", nothing()),
            ("", nothing()),
            ("/no/such", nothing()),
            ("@/one/tool", nothing()),
            ("@/two/tool", nothing()),
            ("@/one", nothing()),
            ("@/file/tool", nothing()),
            ("@/loop", nothing()),
            ("@/link", nothing()),
            ("@/link/", nothing()),
            (&long, nothing()),
            (&long, path("@/one")),
            ("tool", path("@/one:@/two")),
            ("tool", path("@/two:@/one")),
            ("tool", path("@/two")),
            ("tool", path("@/two:/no/such")),
            ("tool", path("/no/such:@/two")),
            ("tool", path("@/file:/no/such")),
            ("tool", path("/no/such:@/file")),
            ("tool", path("@/loop:@/one")),
            ("tool", path("@/loop")),
            ("tool", path("")),
            ("one", path("@")),
            ("loop", path("@")),
            ("tool", Box::new(|command| _ = command.env_clear())),
            ("true", Box::new(|command| _ = command.env_clear())),
            ("true", Box::new(|command| _ = command.env_remove("PATH"))),
            ("./tool", inside("@/one")),
            ("./tool", inside("@/two")),
            ("one/tool", inside("@")),
            ("one/tool", inside("@/one")),
            ("tool", Box::new(|command| _ = command.current_dir(files.path("")).env("PATH", "one"))),
            ("tool", Box::new(|command| _ = command.current_dir(files.path("one")).env("PATH", ""))),
            ("tool", Box::new(|command| _ = command.current_dir(files.path("two")).env("PATH", ":/no/such"))),
            ("true", inside("/no/such")),
            ("./tool", inside("/no/such")),
            ("true", inside("@/file")),
            ("tool", Box::new(|command| _ = command.current_dir_fd(leaked(files.path("one"))).env("PATH", "."))),
            ("no\0pe", nothing()),
            ("true", Box::new(|command| _ = command.env("A=B", "c"))),
            ("true", Box::new(|command| _ = command.fd(7, Stdio::same_as(9)))),
            ("true", Box::new(|command| _ = command.fd(-3, Stdio::null()))),
            ("true", Box::new(|command| _ = command.fd(7, Stdio::null()).fd(7, Stdio::null()))),
            ("true", Box::new(|command| _ = command.fd(2_000_000, Stdio::null()))),
            ("true", Box::new(|command| _ = command.setsid(true).process_group(0))),
            ("none", Box::new(|command| _ = command.programs(["/no/such/one", "/no/such/two"]))),
            ("none", Box::new(|command| _ = command.programs([files.path("two/tool"), files.path("nope")]))),
            ("none", Box::new(|command| _ = command.programs([files.path("two/tool"), files.path("one/tool")]))),
            ("none", Box::new(|command| _ = command.programs(["/no/such", "/bin/true"]))),
            ("none", Box::new(|command| _ = command.program_fd(program))),
            ("none", Box::new(|command| _ = command.program_fd(device))),
            ("/no/such", Box::new(|command| _ = command.arg0("true"))),
            ("true", Box::new(|command| _ = command.arg0("/no/such"))),
            ("true", Box::new(|command| _ = command.isolated(isolated()))),
            ("/no/such", Box::new(|command| _ = command.isolated(isolated()))),
        ];
        for (index, (program, set)) in cases.iter().enumerate() {
            let make = || {
                let mut command = support::command(program.replace('@', &root));
                command.launcher(launcher);
                set(&mut command);
                command
            };
            let [spawned, started] = both(&make);
            assert_eq!(started, spawned, "case {index}, `{}`", program.escape_debug());
        }
    }
}

#[test]
fn relative_program_of_a_later_directory_is_found() {
    for way in ways() {
        let files = Files::new();
        files.program("tool", "#!/bin/sh\necho found\n");
        let mut command = super::tool(way, &["./tool"]);
        command.current_dir(files.path(""));
        assert_eq!(Graph::pipeline([command]).output().unwrap().stdout, b"found\n");
    }
}

#[test]
fn same_as_a_link_is_no_contradiction() {
    for way in ways() {
        // What a spawn with the links accepts, the look before the start accepts, too.
        let mut graph = Graph::new();
        let mut writer = super::shell(way, "echo five >&5; echo seven >&7; echo two >&2");
        writer.fd(7, Stdio::same_as(5)).stderr(Stdio::same_as(5));
        let writer = graph.stage(writer);
        let reader = graph.stage(super::tool(way, &["cat"]));
        graph.pipe([writer.fd(5)], [reader.stdin()]);
        let output = graph.output().unwrap();
        assert_eq!(output.stdout, b"five\nseven\ntwo\n");
        output.statuses.check().unwrap();
    }
}

#[test]
fn hook_may_change_what_the_child_sees() {
    let files = Files::new();
    files.program("tool", "#!/bin/sh\nexit 0\n");
    let directory = std::ffi::CString::new(files.path("").to_str().unwrap()).unwrap();
    let mut command = support::command("./tool");
    // SAFETY: the hook makes one system call.
    unsafe {
        command.launcher(Launcher::Fork).pre_exec(move || match libc::chdir(directory.as_ptr()) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    Graph::pipeline([command]).status().unwrap().check().unwrap();
}

#[test]
fn other_root_and_other_user_are_looked_at_by_the_child_alone() {
    if !support::parent_state::is_root() {
        return;
    }
    let files = Files::new();
    let inside = files.path("inside");
    support::sources::program(&inside, &support::tiny::tiny_image(), 0o755);
    let mut command = support::command("/inside");
    command.chroot(files.path("")).launcher(Launcher::Fork);
    Graph::pipeline([command]).status().unwrap().check().unwrap();
    // The user may not search the directory, which is this user's alone.
    std::fs::set_permissions(files.path(""), std::fs::Permissions::from_mode(0o700)).unwrap();
    let make = || {
        let mut command = support::command(&inside);
        command.uid(65_534).launcher(Launcher::Fork);
        command
    };
    let [spawned, started] = both(&make);
    assert!(spawned.contains("Permission denied"), "{spawned}");
    assert_eq!(started, spawned);
    std::fs::set_permissions(files.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = support::command(Path::new("/inside"));
    command.uid(65_534).chroot(files.path("")).launcher(Launcher::Fork);
    Graph::pipeline([command]).status().unwrap().check().unwrap();
}
