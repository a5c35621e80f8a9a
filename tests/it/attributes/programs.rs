//! Lists of candidates for the program.

use crate::own_process;
use crate::support::sources::program;
use crate::support::state::own;
use crate::support::test_binary;
use crate::support::ways::{WAYS, WAYS_WITH_HOOKS, error, isolated, output, refused};
use crate::support::{helper, ways};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, Text};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A directory with candidates of each kind.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        program(&this.path("one"), b"#!/bin/sh\necho one $$\n", 0o755);
        program(&this.path("two"), b"#!/bin/sh\necho two $$\n", 0o755);
        program(&this.path("plain"), b"#!/bin/sh\necho plain\n", 0o644);
        program(&this.path("no-format"), b"echo text\n", 0o755);
        program(&this.path("orphan"), b"#!/no/such/sh\n", 0o755);
        symlink(this.path("loop"), this.path("loop")).unwrap();
        fs::create_dir(this.path("directory")).unwrap();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        match name {
            "nothing" => "/no/such/program".into(),
            "beneath-file" => self.0.path().join("one").join("file"),
            "too-long" => "x".repeat(300).into(),
            _ => self.0.path().join(name),
        }
    }

    /// A command whose candidates these are.
    fn command<'fd>(&self, names: &[&str]) -> Command<'fd> {
        let mut command = Command::new("name");
        command.programs(names.iter().map(|name| self.path(name)));
        command
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap()
}

own_process! {
    fn first_candidate_that_the_child_can_execute_is_the_program() {
        let files = Files::new();
        let cases: [(&[&str], &str); 8] = [
            (&["one", "two"], "one"),
            (&["two", "one"], "two"),
            (&["nothing", "two", "one"], "two"),
            (&["beneath-file", "one"], "one"),
            (&["plain", "directory", "two"], "two"),
            (&["loop", "too-long", "two"], "two"),
            (&["orphan", "one"], "one"),
            (&["nothing", "plain", "loop", "orphan", "beneath-file", "two"], "two"),
        ];
        for way in WAYS {
            for (names, expected) in cases {
                let found = output(way, files.command(names)).unwrap();
                assert_eq!(first_word(&found), expected, "{way:?}: {names:?}");
            }
            let mut last_call = files.command(&["one"]);
            last_call.programs([files.path("two")]);
            assert_eq!(first_word(&output(way, last_call).unwrap()), "two", "{way:?}");
        }
    }
}

/// Which failure is expected.
#[derive(Debug)]
enum Expected {
    Candidates,
    Exec(&'static str),
    Interpreter(&'static str),
}

own_process! {
    fn error_is_that_of_the_first_candidate_that_exists() {
        use Expected::*;
        let files = Files::new();
        let cases: [(&[&str], i32, Expected); 9] = [
            (&["nothing"], libc::ENOENT, Candidates),
            (&["nothing", "beneath-file", "nothing"], libc::ENOENT, Candidates),
            (&["nothing", "plain"], libc::EACCES, Exec("plain")),
            (&["plain", "directory"], libc::EACCES, Exec("plain")),
            (&["directory", "plain", "nothing"], libc::EACCES, Exec("directory")),
            // These two errors say that a path cannot be followed; so the file that exists is the one at fault.
            (&["loop", "plain"], libc::EACCES, Exec("plain")),
            (&["nothing", "orphan", "plain"], libc::ENOENT, Interpreter("orphan")),
            // This error ends the search.
            (&["plain", "no-format", "one"], libc::ENOEXEC, Exec("no-format")),
            (&["nothing", "loop"], libc::ELOOP, Exec("loop")),
        ];
        for way in WAYS {
            isolated();
            for (names, errno, expected) in &cases {
                let before = own();
                let error = error(way, &mut files.command(names));
                assert_eq!(error.raw_os_error(), Some(*errno), "{way:?}: {names:?}: {error}");
                assert_eq!(error.program().unwrap(), "name");
                let path = match (expected, error.failure()) {
                    (Candidates, Failure::Candidates) => None,
                    (Exec(name), Failure::Exec) => Some(files.path(name)),
                    (Interpreter(name), Failure::Interpreter { script, .. }) => {
                        assert_eq!(*script, files.path(name));
                        Some(files.path(name))
                    }
                    _ => panic!("{way:?}: {names:?}: {error:?}"),
                };
                assert_eq!(error.path(), path.as_deref());
                assert_eq!(own(), before, "{way:?}: {names:?}");
            }
        }
        let none = error(WAYS[0], &mut files.command(&["nothing"])).to_string();
        let text =
            "cannot spawn `name`: none of the candidates for the program can be executed: No such file or directory";
        assert_eq!(none, text);
        let plain = error(WAYS[1], &mut files.command(&["nothing", "plain"])).to_string();
        assert_eq!(plain, format!("cannot spawn `name`: `{}`: Permission denied", files.path("plain").display()));
    }
}

own_process! {
    fn other_errors_end_the_search() {
        let files = Files::new();
        for way in WAYS {
            let mut command = files.command(&["nothing", "one", "two"]);
            let error = error(way, command.arg("x".repeat(1 << 20)));
            assert_eq!(error.raw_os_error(), Some(libc::E2BIG), "{way:?}");
            assert_eq!(error.path(), Some(files.path("one").as_path()));
        }
    }
}

own_process! {
    fn hooks_run_once_and_in_the_process_that_becomes_the_program() {
        let files = Files::new();
        for way in WAYS_WITH_HOOKS {
            let mut command = files.command(&["nothing", "plain", "two"]);
            // SAFETY: the hook formats a number on its stack, and makes system calls only.
            unsafe {
                command.pre_exec(|| {
                    let mut digits = [0_u8; 16];
                    let length = std::io::Write::write_fmt(&mut &mut digits[..], format_args!("{}\n", libc::getpid()))
                        .map(|()| digits.iter().position(|&byte| byte == 0).unwrap_or(16))?;
                    libc::write(1, digits.as_ptr().cast(), length);
                    Ok(())
                });
            }
            let text = output(way, command).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{way:?}: {text}");
            assert_eq!(lines[1], format!("two {}", lines[0]), "{way:?}");
        }
    }
}

own_process! {
    fn relative_candidates_start_at_the_childs_directory_and_path_is_not_searched() {
        let files = Files::new();
        for way in WAYS {
            for name in ["one", "./one", "directory/../one"] {
                let mut command = Command::new("name");
                command.programs([name]).current_dir(files.0.path());
                assert_eq!(first_word(&output(way, command).unwrap()), "one", "{way:?}");
                let mut elsewhere = Command::new("name");
                let error = error(way, elsewhere.programs([name, "sh"]).env("PATH", files.0.path()).current_dir("/"));
                assert!(matches!(error.failure(), Failure::Candidates), "{way:?}: {error:?}");
            }
        }
    }
}

own_process! {
    fn argument_0_stays_the_name_or_is_the_one_that_was_set() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("arguments");
        for way in WAYS {
            for arg0 in [None, Some("other")] {
                let mut command = Command::new("name");
                command.programs([Path::new("/no/such"), &test_binary()]).args([helper::MARK, "arguments"]).arg(&out);
                arg0.map(|arg0| command.arg0(arg0));
                output(way, command).unwrap();
                let text = fs::read_to_string(&out).unwrap();
                assert_eq!(text.lines().next(), Some(arg0.unwrap_or("name")), "{way:?}");
            }
        }
    }
}

own_process! {
    fn empty_lists_and_two_kinds_of_programs_are_refused() {
        let none: [&str; 0] = [];
        refused(
            |command| {
                command.programs(none);
            },
            Refusal::NoPrograms,
            "the list of programs is empty",
        );
        let file = std::mem::ManuallyDrop::new(fs::File::open("/bin/sh").unwrap());
        let lent = crate::support::sources::lent(std::os::fd::AsRawFd::as_raw_fd(&*file));
        let text = "a program given as a descriptor and a list of programs exclude each other";
        refused(
            |command| {
                command.programs(["/bin/sh"]).program_fd(lent);
            },
            Refusal::TwoPrograms,
            text,
        );
        for way in ways::WAYS {
            let error = error(way, Command::new("name").programs(["/bin/sh", "a\0b"]));
            assert!(matches!(error.failure(), Failure::NulByte(Text::Program)), "{way:?}: {error:?}");
        }
    }
}
