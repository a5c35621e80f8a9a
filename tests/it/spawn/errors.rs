//! Errors that say which step failed, and failures that leave nothing behind.

use crate::own_process;
use crate::support;
use crate::support::sources::{hard_limit, memory, memory_at, program, set_limit};
use crate::support::table::Table;
use crate::support::threads::threads;
use crate::support::tools::skip;
use crate::support::{LAUNCHERS, Planned, children, helper};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Command, Error, Failure, Launcher, Stdio, Text};
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

fn spawn_error(command: &mut Command<'_>) -> Error {
    match command.spawn() {
        Ok(mut child) => panic!("{command:?} was spawned: {}", child.wait().unwrap()),
        Err(error) => error,
    }
}

#[test]
fn missing_program_and_missing_directory_are_different_errors() {
    for launcher in LAUNCHERS {
        let error = spawn_error(support::command("no-such-program").launcher(launcher));
        assert!(matches!(error.failure(), Failure::Exec));
        let text = "cannot spawn `no-such-program`: program not found in PATH: No such file or directory";
        assert_eq!(error.to_string(), text);
        let error = spawn_error(support::command("/no/such").launcher(launcher));
        assert_eq!(error.to_string(), "cannot spawn `/no/such`: No such file or directory");
        let error = spawn_error(support::command("gpg").launcher(launcher).current_dir("/nope"));
        assert_eq!(error.to_string(), "cannot spawn `gpg`: working directory `/nope`: No such file or directory");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(error.program(), Some(OsStr::new("gpg")));
        let error = error.into_wrapped();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotFound, None));
        assert!(error.to_string().ends_with("working directory `/nope`: No such file or directory"));
        assert!(error.get_ref().unwrap().downcast_ref::<Error>().is_some());
    }
}

#[test]
fn file_that_is_no_directory_is_named_whether_given_by_path_or_by_descriptor() {
    for launcher in LAUNCHERS {
        let error = spawn_error(support::command("true").launcher(launcher).current_dir("/dev/null"));
        assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/dev/null`: Not a directory");
        let file = memory("file");
        let error = spawn_error(support::command("true").launcher(launcher).current_dir_fd(&file));
        assert_eq!(error.to_string(), "cannot spawn `true`: working directory given as a descriptor: Not a directory");
    }
}

#[test]
fn nul_inside_any_string_is_refused_before_anything_is_cloned() {
    let nul = OsStr::from_bytes(b"a\0b");
    for launcher in LAUNCHERS {
        let text = |command: &mut Command<'_>| {
            let error = spawn_error(command.launcher(launcher));
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("NUL"), "{error}");
            match error.failure() {
                Failure::NulByte(text) => *text,
                _ => panic!("{error}"),
            }
        };
        assert_eq!(text(&mut support::command(nul)), Text::Program);
        assert_eq!(text(support::command("true").arg("fine").arg(nul)), Text::Argument(2));
        assert_eq!(text(support::command("true").arg0(nul)), Text::Argument(0));
        assert_eq!(text(support::command("true").env("A", nul)), Text::Variable);
        assert_eq!(text(support::command("true").env(nul, "b")), Text::Variable);
        assert_eq!(text(support::command("true").current_dir(nul)), Text::WorkingDirectory);
    }
}

#[test]
fn variable_names_that_cannot_be_looked_up_are_refused() {
    for launcher in LAUNCHERS {
        for name in ["", "A=B"] {
            let error = spawn_error(support::command("true").launcher(launcher).env(name, "value"));
            assert!(matches!(error.failure(), Failure::VariableName(found) if found == name), "{error}");
        }
    }
}

#[test]
fn arguments_over_the_limit_of_the_kernel_are_too_big() {
    for launcher in LAUNCHERS {
        let error = spawn_error(support::command("true").launcher(launcher).arg("x".repeat(1 << 20)));
        assert_eq!(error.raw_os_error(), Some(libc::E2BIG));
        assert_eq!(error.to_string(), "cannot spawn `true`: arguments and environment: Argument list too long");
    }
}

#[test]
fn script_without_an_interpreter_is_enoexec_on_every_launcher() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    program(&script, b"echo hello\n", 0o755);
    for launcher in LAUNCHERS {
        let error = spawn_error(support::command(&script).launcher(launcher));
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        // The error is the same if the library finds the script in PATH.
        let error = spawn_error(support::command("script").launcher(launcher).env("PATH", directory.path()));
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        assert_eq!(error.to_string(), format!("cannot spawn `script`: `{}`: Exec format error", script.display()));
        assert_eq!(error.path(), Some(script.as_path()));
    }
}

own_process! {
    fn failures_leave_no_descriptor_no_zombie_and_no_changed_mask() {
        let file = memory("file");
        let mask = || {
            let mut mask = 0_u64;
            // SAFETY: the kernel writes one set.
            unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut mask, 8) };
            mask
        };
        let (table, blocked, running) = (Table::current(), mask(), threads());
        for launcher in LAUNCHERS {
            for _ in 0..3 {
                let mut command = support::command("/no/such");
                command.launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
                command.fd(5, &file).fd(6, Stdio::data("data"));
                let _ = (command.reader(7), command.writer(8), command.socket(9));
                spawn_error(&mut command);
                spawn_error(command.current_dir("/nope"));
                spawn_error(command.current_dir_fd(&file));
                spawn_error(command.current_dir("/").arg("\0"));
                // SAFETY: the hook allocates nothing.
                unsafe { command.pre_exec(|| Err(std::io::ErrorKind::Other.into())) };
                spawn_error(&mut command);
            }
        }
        assert_eq!(Table::current(), table);
        assert_eq!(children(), 0);
        assert_eq!(mask(), blocked);
        assert_eq!(threads(), running);
    }
}

own_process! {
    fn full_table_in_the_parent_is_a_clear_error_and_leaks_nothing() {
        for launcher in LAUNCHERS {
            let open = Table::current().0.len() as u64;
            // First the table has room for no descriptor, then for one, and so on, until there is enough.
            let mut failures = 0;
            for room in 0..16 {
                let before = Table::current();
                let most = before.numbers().iter().filter(|&&number| number < 1000).count() as u64;
                let mut command = helper("exit");
                command
                    .arg("0")
                    .launcher(launcher)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .fd(3, Stdio::data("x"));
                command.planned();
                set_limit(most + room, hard_limit());
                let result = command.status();
                set_limit(hard_limit(), hard_limit());
                match result {
                    Ok(status) => assert!(status.success()),
                    Err(error) => {
                        failures += 1;
                        assert!(
                            error.raw_os_error() == Some(libc::EMFILE) || error.kind() == ErrorKind::InvalidInput,
                            "{error}"
                        );
                    }
                }
                assert_eq!(Table::current(), before);
                assert_eq!(children(), 0);
            }
            assert!(failures > 2 && failures < 14, "{failures} of {open}");
        }
    }
}

own_process! {
    fn process_at_its_limit_of_descriptors_can_still_spawn() {
        let full: Vec<_> = (3..64).map(|number| memory_at(number, "full", false)).collect();
        set_limit(64, hard_limit());
        let mut child = helper("exit").arg("3").launcher(Launcher::Clone).spawn().unwrap();
        assert!(child.pidfd().is_none(), "there is no number for one");
        assert_eq!(child.wait().unwrap().code(), Some(3));
        drop(full);
    }
}

own_process! {
    fn writing_a_program_and_executing_it_at_once_from_many_threads_never_finds_it_busy() {
        // Executing a program fails with ETXTBSY if another child has a copy of a descriptor that writes it. A child
        // that starts with a shared table and leaves it has no such copy. A child that another test forks has one.
        let mut command = support::command("true");
        command.launcher(Launcher::Clone);
        assert!(command.status().unwrap().success());
        if !matches!(command.explain().steps()[0], Step::UnshareFiles { .. }) {
            skip("this kernel makes no right private table");
            return;
        }
        let image = crate::support::tiny::tiny_image();
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (image, directory) = (&image, directory.path());
                scope.spawn(move || {
                    for index in 0..100 {
                        let path = directory.join(format!("program-{thread}-{index}"));
                        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
                        std::io::Write::write_all(&mut file, image).unwrap();
                        file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
                        drop(file);
                        let status = support::command(&path).launcher(Launcher::Clone).status();
                        assert!(status.unwrap_or_else(|error| panic!("{error}")).success());
                        fs::remove_file(&path).unwrap();
                    }
                });
            }
        });
    }
}

own_process! {
    fn first_spawn_after_a_new_pid_namespace_is_its_first_process() {
        // SAFETY: only a number is passed.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            skip("a PID namespace cannot be made");
            return;
        }
        // A probe in the new namespace would end the namespace with itself.
        let mut command = support::command("/bin/sh");
        let output = command.args(["-c", "echo $$"]).output().unwrap();
        assert_eq!(output.stdout, b"1\n");
    }
}

own_process! {
    fn target_beyond_the_limit_is_refused_before_anything_is_opened() {
        set_limit(50, 20_000);
        // From here on the process can open no descriptor.
        let _full: Vec<fs::File> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        for launcher in LAUNCHERS {
            let mut command = support::command("true");
            command.launcher(launcher).fd(50, Stdio::null());
            let error = command.status().unwrap_err();
            let beyond = Refusal::TargetBeyondLimit { target: 50, limit: 50 };
            assert!(matches!(error.failure(), Failure::Refused(refusal) if *refusal == beyond), "{error}");
        }
    }
}

#[test]
fn io_error_of_every_failure_has_its_error_number() {
    let file = memory("file");
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    program(&script, b"echo hello\n", 0o755);
    let mut moved = support::command("true");
    moved.fd(7, memory("moved"));
    assert!(moved.status().unwrap().success());
    let number = |command: &mut Command<'_>| {
        let error = spawn_error(command);
        let number = error.raw_os_error();
        let text = error.to_string();
        let error = std::io::Error::from(error);
        assert_eq!(error.raw_os_error(), number, "{text}");
        // The number of a failure that is not one of a system call is not part of its text.
        let reason = error.to_string();
        (number.unwrap(), text.contains(reason.split(" (os").next().unwrap()))
    };
    assert_eq!(number(&mut moved), (libc::EBADF, false));
    for launcher in LAUNCHERS {
        let command = || {
            let mut command = support::command("true");
            command.launcher(launcher);
            command
        };
        assert_eq!(number(support::command("no-such-program").launcher(launcher)), (libc::ENOENT, true));
        assert_eq!(number(support::command(&script).launcher(launcher)), (libc::ENOEXEC, true));
        assert_eq!(number(support::command("/").launcher(launcher)), (libc::EACCES, true));
        assert_eq!(number(command().current_dir("/dev/null")), (libc::ENOTDIR, true));
        assert_eq!(number(command().fd(-1, Stdio::null())), (libc::EBADF, false));
        // SAFETY: no descriptor has this number.
        let closed = unsafe { Stdio::inherit_from(19_000) };
        assert_eq!(number(command().fd(7, closed)), (libc::EBADF, false));
        assert_eq!(number(command().fd(7, Stdio::same_as(8))), (libc::EBADF, false));
        assert_eq!(number(command().fd(7, Stdio::same_as(7))), (libc::EINVAL, false));
        assert_eq!(number(command().fd(7, Stdio::piped())), (libc::EINVAL, false));
        assert_eq!(number(command().keep(&file).fd(file.as_raw_fd(), Stdio::null())), (libc::EINVAL, false));
        assert_eq!(number(command().arg("\0")), (libc::EINVAL, false));
        assert_eq!(number(command().env("A=", "")), (libc::EINVAL, false));
    }
    let hook = |hook: fn() -> std::io::Result<()>| {
        let mut command = support::command("true");
        // SAFETY: the hooks make only system calls.
        unsafe { command.pre_exec(hook) };
        number(&mut command)
    };
    assert_eq!(hook(|| Err(ErrorKind::TimedOut.into())), (libc::EINVAL, false));
    assert_eq!(hook(|| Err(std::io::Error::from_raw_os_error(libc::EXDEV))), (libc::EXDEV, true));
    // SAFETY: the child ends.
    assert_eq!(hook(|| unsafe { libc::_exit(3) }), (libc::ECANCELED, false));
    let mut command = support::command("true");
    // SAFETY: the hook is never run.
    unsafe { command.launcher(Launcher::Clone).pre_exec(|| Ok(())) };
    assert_eq!(number(&mut command), (libc::EINVAL, false));
}

own_process! {
    fn program_that_is_written_is_etxtbsy_in_an_io_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("busy");
        program(&path, &crate::support::tiny::tiny_image(), 0o755);
        let writer = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for launcher in LAUNCHERS {
            let spawn = || -> std::io::Result<()> {
                support::command(&path).launcher(launcher).spawn()?;
                Ok(())
            };
            let error = spawn().unwrap_err();
            assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::ETXTBSY), ErrorKind::ExecutableFileBusy));
        }
        drop(writer);
    }
}

#[test]
fn names_reach_a_terminal_without_their_control_characters() {
    const NAME: &str = "no\x1b[2J\nsuch";
    for launcher in LAUNCHERS {
        let text = |command: &mut Command<'_>| {
            let text = spawn_error(command.launcher(launcher)).to_string();
            assert!(!text.contains(char::is_control), "{text:?}");
            text
        };
        let found = text(&mut support::command(NAME));
        let expected = r"cannot spawn `no\u{1b}[2J\nsuch`: program not found in PATH: No such file or directory";
        assert_eq!(found, expected);
        assert!(
            text(support::command("true").current_dir(format!("/{NAME}"))).contains(r"directory `/no\u{1b}[2J\nsuch`")
        );
        text(support::command("true").arg0(format!("{NAME}\0")));
        text(support::command("true").env(format!("{NAME}="), ""));
        text(support::command(format!("/{NAME}")).fd(-1, Stdio::null()));
    }
    let mut command = support::command(NAME);
    assert!(!command.exec().to_string().contains(char::is_control));
    let explained = command.explain().to_string();
    assert!(!explained.contains(|each: char| each != '\n' && each.is_control()), "{explained:?}");
    // SAFETY: no lock is held at the fork that the allocation of the error needs: glibc sees to it.
    unsafe { command.pre_exec(|| Err(std::io::Error::other(TerminalText))) };
    let text = spawn_error(&mut command).to_string();
    assert!(text.ends_with(r"pre_exec hook 0: \u{1b}]0;owned\u{7}"), "{text:?}");
}

/// An error whose text has control characters.
#[derive(Debug)]
struct TerminalText;

impl std::fmt::Display for TerminalText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("\x1b]0;owned\x07")
    }
}

impl std::error::Error for TerminalText {}
