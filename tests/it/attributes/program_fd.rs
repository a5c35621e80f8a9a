//! Programs given as descriptors.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::mounts::unmount_proc;
use crate::support::seccomp::refuse;
use crate::support::sources::{memory, program};
use crate::support::state::own;
use crate::support::table::Table;
use crate::support::ways::{WAYS, WAYS_WITH_HOOKS, Way, error, isolated, output, without_program};
use crate::support::{Planned, helper, test_binary};
use fdspawn::{Command, Failure, Launcher, Rest, Stage, Stdio};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

fn open(path: &Path, flags: i32) -> OwnedFd {
    File::options().read(true).custom_flags(flags).open(path).unwrap().into()
}

/// The test binary as a helper that is executed by its descriptor.
fn teller<'fd>(program: BorrowedFd<'fd>, words: &[&str]) -> Command<'fd> {
    let mut command = Command::new("name");
    command.program_fd(program).arg(helper::MARK).args(words).env(helper::PLANNED, "0 1 2");
    command
}

/// A file of the given content and mode.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self, content: &str, mode: u32) -> OwnedFd {
        let path = self.0.path().join("program");
        let _ = std::fs::remove_file(&path);
        program(&path, content.as_bytes(), mode);
        open(&path, 0)
    }
}

own_process! {
    fn program_of_a_descriptor_runs_and_does_not_get_it() {
        for flags in [0, libc::O_PATH] {
            let file = open(&test_binary(), flags);
            for way in WAYS {
                for rest in [Rest::Close, Rest::Inherit] {
                    if rest == Rest::Inherit && matches!(way, Way::Isolated(_)) {
                        continue;
                    }
                    isolated();
                    let before = own();
                    let mut command = teller(file.as_fd(), &["print", "text"]);
                    command.rest(rest);
                    let explanation = command.explain().to_string();
                    assert!(explanation.contains("  exec the program of descriptor "), "{explanation}");
                    assert_eq!(output(way, command).as_deref(), Ok("text"), "{way:?}");
                    assert_eq!(own(), before, "{way:?}");
                }
            }
        }
    }
}

own_process! {
    fn argument_0_is_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("arguments");
        let file = open(&test_binary(), 0);
        for way in WAYS {
            for arg0 in [None, Some("other")] {
                let mut command = teller(file.as_fd(), &["arguments", out.to_str().unwrap()]);
                arg0.map(|arg0| command.arg0(arg0));
                output(way, command).unwrap();
                let text = std::fs::read_to_string(&out).unwrap();
                assert_eq!(text.lines().next(), Some(arg0.unwrap_or("name")), "{way:?}");
            }
        }
    }
}

own_process! {
    fn program_may_have_the_number_of_a_target() {
        let file = open(&test_binary(), 0);
        for target in [file.as_raw_fd(), 0] {
            // SAFETY: the number 0 is the test's own, and is replaced for good.
            let number = unsafe { libc::dup3(file.as_raw_fd(), 40, libc::O_CLOEXEC) };
            assert_eq!(number, 40);
            // SAFETY: the number is open until the end of the block.
            let forty = unsafe { OwnedFd::from_raw_fd(40) };
            for way in WAYS.into_iter().filter(|way| *way != Way::Exec) {
                for source in [file.as_fd(), forty.as_fd()] {
                    let mut command = teller(source, &["table-on", "1"]);
                    command.fd(40, Stdio::data("forty")).fd(target, Stdio::data("target")).planned();
                    let table: Table = output(way, command).unwrap().parse().unwrap();
                    assert_eq!((table.content(40), table.content(target)), (Some("forty"), Some("target")), "{way:?}");
                }
            }
        }
    }
}

own_process! {
    fn program_that_is_a_target_too_is_executed_and_stays_open() {
        let file = open(&test_binary(), 0);
        for way in WAYS {
            for target in [file.as_raw_fd(), 30, 0] {
                let mut command = teller(file.as_fd(), &["table-on", "1"]);
                command.fd(target, &file);
                let expected: Vec<i32> = command.explain().targets();
                command.planned();
                let table: Table = output(way, command).unwrap().parse().unwrap();
                assert_eq!(table.numbers(), expected, "{way:?}");
            }
        }
    }
}

own_process! {
    fn script_runs_only_if_its_interpreter_can_open_the_descriptor() {
        let scripts = Scripts::new();
        let script = scripts.open("#!/bin/sh\necho \"$0 $1\"\n", 0o755);
        for way in WAYS {
            isolated();
            let before = own();
            let mut command = Command::new("name");
            let error = error(way, command.program_fd(&script));
            assert!(matches!(error.failure(), Failure::ScriptByDescriptor), "{way:?}: {error:?}");
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
            let text = "the program given as a descriptor is a script, and its interpreter cannot open it; keep or \
                        connect the descriptor: No such file or directory";
            assert_eq!(without_program(&error.to_string()), text);
            assert_eq!(own(), before, "{way:?}");

            let mut command = Command::new("name");
            command.program_fd(&script).keep(&script).arg("argument");
            assert_eq!(output(way, command), Ok(format!("/dev/fd/{} argument\n", script.as_raw_fd())), "{way:?}");
            let mut command = Command::new("name");
            command.program_fd(&script).fd(29, &script);
            assert_eq!(output(way, command).as_deref(), Ok("/dev/fd/29 \n"), "{way:?}");
        }
    }
}

own_process! {
    fn missing_interpreter_is_told_from_a_descriptor_that_is_closed() {
        let scripts = Scripts::new();
        let script = scripts.open("#!/no/such/sh\n", 0o755);
        let number = script.as_raw_fd();
        for way in WAYS {
            for target in [number, 29] {
                let mut command = Command::new("name");
                let error = error(way, command.program_fd(&script).fd(target, &script));
                assert!(matches!(error.failure(), Failure::Interpreter { .. }), "{way:?}: {error:?}");
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
                let text = format!("`/dev/fd/{target}` needs the interpreter `/no/such/sh`: No such file or directory");
                assert_eq!(without_program(&error.to_string()), text, "{way:?}");
            }
        }
    }
}

own_process! {
    fn interpreter_that_is_at_fault_is_named_as_for_paths() {
        let scripts = Scripts::new();
        let data = scripts.0.path().join("data");
        std::fs::write(&data, "").unwrap();
        let chain = scripts.0.path().join("chain");
        program(&chain, b"#!/no/such/sh\n", 0o755);
        let (data, chain) = (data.to_str().unwrap(), chain.to_str().unwrap());
        let missing = "No such file or directory";
        let cases = [
            (format!("#!{data}\n"), "/dev/fd/29", data, "Permission denied"),
            (format!("#! {chain} -x\n"), chain, "/no/such/sh", missing),
        ];
        for (content, script, interpreter, reason) in cases {
            for flags in [0, libc::O_PATH] {
                scripts.open(&content, 0o755);
                let file = open(&scripts.0.path().join("program"), flags);
                for way in WAYS {
                    let error = error(way, Command::new("name").program_fd(&file).fd(29, &file));
                    let text = format!("`{script}` needs the interpreter `{interpreter}`: {reason}");
                    assert_eq!(without_program(&error.to_string()), text, "{way:?} {flags}");
                }
            }
        }
        // The parent cannot look into another root.
        if crate::support::parent_state::is_root() {
            let orphan = scripts.open("#!/no/such/sh\n", 0o755);
            let error = error(WAYS[0], Command::new("name").program_fd(&orphan).fd(29, &orphan).chroot("/"));
            assert_eq!(without_program(&error.to_string()), format!("`/dev/fd/29` needs an interpreter: {missing}"));
        }
    }
}

own_process! {
    fn descriptor_that_is_no_program_is_named_by_the_error() {
        let scripts = Scripts::new();
        let cases = [
            (scripts.open("#!/bin/sh\n", 0o644), libc::EACCES, "Permission denied"),
            (scripts.open("echo text\n", 0o755), libc::ENOEXEC, "Exec format error"),
            (open(Path::new("/"), 0), libc::EACCES, "Permission denied"),
            (open(Path::new("/dev/null"), 0), libc::EACCES, "Permission denied"),
        ];
        for (file, errno, text) in &cases {
            for way in WAYS {
                isolated();
                let before = own();
                let error = error(way, Command::new("name").program_fd(file));
                let fd = file.as_raw_fd();
                assert!(matches!(error.failure(), Failure::ExecDescriptor { fd: found } if *found == fd), "{error:?}");
                assert_eq!(error.raw_os_error(), Some(*errno), "{way:?}");
                assert_eq!(
                    without_program(&error.to_string()),
                    format!("cannot exec the program of descriptor {fd}: {text}")
                );
                assert_eq!(own(), before, "{way:?}");
            }
        }
        let file = open(&test_binary(), 0);
        let error = error(WAYS[0], Command::new("name").program_fd(&file).arg("x".repeat(1 << 20)));
        assert_eq!(error.to_string(), "cannot spawn `name`: arguments and environment: Argument list too long");
    }
}

own_process! {
    fn hooks_that_use_low_numbers_do_not_reach_the_program() {
        let file = open(&test_binary(), 0);
        let other = memory("other");
        for way in WAYS_WITH_HOOKS {
            let mut command = teller(file.as_fd(), &["table-on", "1"]);
            command.fd(6, &other).planned();
            // SAFETY: the hooks make system calls only.
            unsafe {
                command.pre_exec(|| {
                    for _ in 0..300 {
                        libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                    }
                    Ok(())
                });
            }
            if way != Way::Exec {
                // SAFETY: as above; the child has the numbers to itself.
                unsafe {
                    command.pre_exec(|| {
                        for number in (3..400).filter(|&number| number != 6) {
                            libc::dup2(0, number);
                        }
                        Ok(())
                    });
                }
            }
            let table: Table = output(way, command).unwrap().parse().unwrap();
            assert_eq!(table.contents()[3..], [(6, "other")], "{way:?}");
        }
    }
}

own_process! {
    fn hook_that_closes_or_replaces_the_programs_descriptor_fails_the_spawn() {
        let file = open(&test_binary(), 0);
        let other = open(Path::new("/bin/true"), 0);
        // The targets whose source is the program. Else the child has it under a number of the library.
        let targets = [None, Some(30)];
        for way in WAYS_WITH_HOOKS {
            for target in targets {
                // A process that goes on after the exec must not lose descriptors that it owns.
                for closes in [false, true].into_iter().filter(|closes| !closes || way != Way::Exec) {
                    let status = status_of(|| {
                        isolated();
                        let mut command = teller(file.as_fd(), &["print", "text"]);
                        target.map(|target| command.fd(target, &file));
                        // SAFETY: the hook makes system calls only. For `exec`, no other thread of this copy uses the descriptors.
                        unsafe {
                            command.pre_exec(move || {
                                let is_open = |number| libc::fcntl(number, libc::F_GETFD) != -1;
                                for number in (3..2000).filter(|&number| is_open(number)) {
                                    if closes { libc::close(number) } else { libc::dup2(0, number) };
                                }
                                Ok(())
                            });
                        }
                        let error = error(way, &mut command);
                        assert!(matches!(error.failure(), Failure::ProgramReplaced), "{way:?}: {error:?}");
                        assert_eq!((error.stage(), error.raw_os_error()), (Stage::Hook, Some(libc::EBADF)));
                        let text = "a pre_exec hook has closed or replaced the descriptor of the program: Bad file descriptor";
                        assert_eq!(without_program(&error.to_string()), text);
                    });
                    assert_eq!(status, 0, "{way:?} {target:?} {closes}");
                }
            }
        }
        let mut command = teller(file.as_fd(), &["print", "text"]);
        let number = other.as_raw_fd();
        // SAFETY: the hook makes one system call.
        unsafe {
            command.pre_exec(move || {
                libc::dup2(number, 512);
                Ok(())
            });
        }
        assert!(matches!(command.spawn().unwrap_err().failure(), Failure::ProgramReplaced));
        // Another descriptor of the same file passes the check, too.
        let number = file.as_raw_fd();
        let mut command = teller(file.as_fd(), &["print", "text"]);
        // SAFETY: the hook makes one system call.
        unsafe {
            command.pre_exec(move || {
                libc::dup3(number, 512, libc::O_CLOEXEC);
                Ok(())
            });
        }
        let explanation = command.explain().to_string();
        assert!(explanation.contains("  check that descriptor 512 still is the program\n"), "{explanation}");
        assert_eq!(output(Way::Spawn(Launcher::Fork), command).as_deref(), Ok("text"));
    }
}

own_process! {
    fn without_execveat_the_program_is_executed_by_its_path_in_proc() {
        let scripts = Scripts::new();
        let script = scripts.open("#!/bin/sh\necho \"$0\"\n", 0o755);
        let path_only = open(&scripts.0.path().join("program"), libc::O_PATH);
        let orphan = Scripts::new();
        let orphan = orphan.open("#!/no/such/sh\n", 0o755);
        let programs = [open(&test_binary(), 0), open(&test_binary(), libc::O_PATH)];
        if !refuse(&[libc::SYS_execveat], libc::ENOSYS) {
            return;
        }
        for way in WAYS {
            isolated();
            let before = own();
            for file in &programs {
                let command = teller(file.as_fd(), &["print", "text"]);
                assert_eq!(output(way, command).as_deref(), Ok("text"), "{way:?}");
            }
            for script in [&script, &path_only] {
                // The interpreter must not run: it could only report an error.
                let error = error(way, Command::new("name").program_fd(script));
                assert!(matches!(error.failure(), Failure::ScriptByDescriptor), "{way:?}: {error:?}");
                let mut command = Command::new("name");
                command.program_fd(script).fd(29, script);
                assert_eq!(output(way, command).as_deref(), Ok("/proc/self/fd/29\n"), "{way:?}");
            }
            let error = error(way, Command::new("name").program_fd(&orphan).keep(&orphan));
            assert!(matches!(error.failure(), Failure::Interpreter { .. }), "{way:?}: {error:?}");
            assert_eq!(own(), before, "{way:?}");
        }
    }
}

own_process! {
    fn without_execveat_and_without_proc_the_spawn_fails() {
        let file = open(&test_binary(), 0);
        if unmount_proc() && refuse(&[libc::SYS_execveat], libc::ENOSYS) {
            for way in WAYS {
                isolated();
                let error = error(way, Command::new("name").program_fd(&file));
                assert_eq!(error.raw_os_error(), Some(libc::ENOSYS), "{way:?}: {error:?}");
                let text =
                    format!("cannot exec the program of descriptor {}: Function not implemented", file.as_raw_fd());
                assert_eq!(without_program(&error.to_string()), text);
            }
        }
    }
}

own_process! {
    fn refused_execveat_is_an_error() {
        let file = open(&test_binary(), 0);
        let status = status_of(|| {
            if refuse(&[libc::SYS_execveat], libc::EPERM) {
                let error = error(Way::Spawn(Launcher::Clone), Command::new("name").program_fd(&file));
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error:?}");
            }
        });
        assert_eq!(status, 0);
    }
}
