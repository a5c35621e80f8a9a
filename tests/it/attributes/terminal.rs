//! The controlling terminal of a child, and its foreground process group.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::parent_state::{ParentState, field};
use crate::support::sources::memory;
use crate::support::terminal::Terminal;
use crate::support::{LAUNCHERS, command, helper};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, Isolated, Launcher, Stdio};
use std::os::fd::AsRawFd;

/// The numbers of the fields of `/proc/PID/stat`.
const GROUP: usize = 5;
const SESSION: usize = 6;
const TERMINAL: usize = 7;
const FOREGROUND: usize = 8;

/// The pid of a command's child, and its own `/proc/self/stat`.
fn stat<'fd>(launcher: Launcher, set: impl FnOnce(&mut Command<'fd>)) -> (i64, String) {
    let mut command = command("cat");
    command.arg("/proc/self/stat").launcher(launcher).stdout(Stdio::piped());
    set(&mut command);
    let child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
    let id = i64::from(child.id());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (id, String::from_utf8(output.stdout).unwrap())
}

own_process! {
    fn new_session_gets_the_terminal_and_the_program_not_its_descriptor() {
        let isolated = Isolated::new().unwrap();
        let terminal = Terminal::new();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for (in_thread, foreground) in [(false, false), (true, false), (false, true), (true, true)] {
                let set = |command: &mut Command<'_>| {
                    command.setsid(true).foreground(foreground);
                };
                let (id, stat) = stat(launcher, |command| {
                    if in_thread {
                        command.isolated(&isolated);
                    }
                    set(command.controlling_terminal(&terminal.slave));
                });
                assert_eq!([GROUP, SESSION, FOREGROUND].map(|number| field(&stat, number)), [id; 3], "{stat}");
                assert_eq!(field(&stat, TERMINAL), terminal.device(), "{stat}");
                // The helper fails if it finds another number than 0 to 2.
                let mut helper = helper("exit");
                helper.arg("0").launcher(launcher).controlling_terminal(&terminal.slave);
                set(&mut helper);
                assert!(helper.status().unwrap().success());
                assert_eq!(ParentState::now(), before);
            }
            // Without a terminal, the session has none.
            let (id, stat) = stat(launcher, |command| {
command.setsid(true);
});
            assert_eq!([SESSION, TERMINAL].map(|number| field(&stat, number)), [id, 0], "{stat}");
        }
    }
}

own_process! {
    fn program_may_have_the_terminal_as_its_standard_streams_too() {
        let terminal = Terminal::new();
        for launcher in LAUNCHERS {
            let mut command = command("sh");
            command.args(["-c", "exec 3</dev/tty && test -t 0 && test -t 1 && test -t 2 && test -t 3"]);
            command.launcher(launcher).setsid(true).controlling_terminal(&terminal.slave);
            command.stdin(&terminal.slave).stdout(&terminal.slave).stderr(&terminal.slave);
            assert!(command.status().unwrap().success());
        }
    }
}

own_process! {
    fn group_of_the_child_becomes_the_foreground_even_if_the_parents_is_in_the_background() {
        let isolated = Isolated::new().unwrap();
        let terminal = Terminal::new().take();
        let before = ParentState::now();
        for action in [libc::SIG_DFL, libc::SIG_IGN] {
            // SAFETY: the disposition is this process's own.
            unsafe { libc::signal(libc::SIGTTOU, action) };
            let before = ParentState::now();
            for launcher in LAUNCHERS {
                // At first this process's group is the foreground. Later it is one of the background, and the kernel would stop a
                // process of it that does the same.
                for in_thread in [false, true] {
                    let (id, stat) = stat(launcher, |command| {
                        if in_thread {
                            command.isolated(&isolated);
                        }
                        command.process_group(0).foreground(true);
                    });
                    assert_eq!([GROUP, FOREGROUND].map(|number| field(&stat, number)), [id; 2], "{stat}");
                    assert_eq!(field(&stat, TERMINAL), terminal.device(), "{stat}");
                    assert_eq!(i64::from(terminal.foreground()), id);
                    assert_eq!(ParentState::now(), before);
                    let mut helper = helper("exit");
                    helper.arg("0").launcher(launcher).process_group(0).foreground(true);
                    assert!(helper.status().unwrap().success());
                }
            }
        }
        // SAFETY: the disposition is this process's own.
        unsafe { libc::signal(libc::SIGTTOU, libc::SIG_DFL) };
        assert_eq!(ParentState::now(), before);
        // The child's own group may be the parent's, which takes the terminal back.
        for launcher in LAUNCHERS {
            let (_, stat) = stat(launcher, |command| {
command.foreground(true);
});
            assert_eq!(field(&stat, FOREGROUND), i64::from(std::process::id()), "{stat}");
            stat_in_foreground(launcher);
        }
    }
}

/// Gives the terminal to the group of a child that has ended.
fn stat_in_foreground(launcher: Launcher) {
    stat(launcher, |command| {
        command.process_group(0).foreground(true);
    });
}

own_process! {
    fn exec_gives_the_terminal_to_the_session_that_this_process_leads() {
        let terminal = Terminal::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        for is_leader in [false, true] {
            let status = status_of(|| {
                let mut cat = Command::new("cat");
                if is_leader {
                    // SAFETY: the call has no arguments.
                    assert!(unsafe { libc::setsid() } > 0);
                } else {
                    cat.setsid(true);
                }
                cat.arg("/proc/self/stat").controlling_terminal(&terminal.slave).foreground(true);
                panic!("{}", cat.stdout(file.as_file()).exec());
            });
            assert_eq!(status, 0);
            let stat = std::fs::read_to_string(file.path()).unwrap();
            let stat = stat.lines().last().unwrap();
            assert_eq!([SESSION, FOREGROUND].map(|number| field(stat, number)), [field(stat, GROUP); 2], "{stat}");
            assert_eq!(field(stat, TERMINAL), terminal.device(), "{stat}");
        }
    }
}

own_process! {
    fn failed_launch_gives_the_terminal_back_to_the_group_that_had_it() {
        let isolated = Isolated::new().unwrap();
        let terminal = Terminal::new().take();
        let own = std::process::id().cast_signed();
        // At first this process's group is the foreground, then it is in the background, and another one is the foreground.
        let mut other = command("sleep");
        other.arg("60").process_group(0);
        let other = crate::support::running::Running::spawn(&mut other);
        let other_group = other.id().cast_signed();
        for group in [own, other_group] {
            // SAFETY: the disposition and the terminal are this process's own.
            unsafe {
                libc::signal(libc::SIGTTOU, libc::SIG_IGN);
                assert_eq!(libc::tcsetpgrp(terminal.slave.as_raw_fd(), group), 0);
                libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            }
            let before = ParentState::now();
            for launcher in LAUNCHERS {
                for in_thread in [false, true] {
                    let mut missing = Command::new("/nonexistent");
                    if in_thread {
                        missing.isolated(&isolated);
                    }
                    missing.launcher(launcher).process_group(0).foreground(true);
                    for error in [missing.spawn().map(drop), missing.status().map(drop), missing.output().map(drop)] {
                        assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::ENOENT));
                        assert_eq!(terminal.foreground(), group);
                    }
                    assert_eq!(ParentState::now(), before);
                }
            }
            let error = Command::new("/nonexistent").foreground(true).exec();
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
            assert_eq!(terminal.foreground(), group);
            assert_eq!(ParentState::now(), before);
        }
        other.end();
    }
}

own_process! {
    fn foreground_without_a_terminal_is_an_error() {
        // SAFETY: the call has no arguments.
        assert!(unsafe { libc::setsid() } > 0);
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            let error = command("true").launcher(launcher).process_group(0).foreground(true).spawn().unwrap_err();
            let text = "cannot spawn `true`: cannot open the controlling terminal, /dev/tty: No such device or address";
            assert_eq!((error.to_string(), error.raw_os_error()), (text.to_owned(), Some(libc::ENXIO)));
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn terminals_without_a_session_are_refused() {
        let terminal = Terminal::new();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            let refusal = |set: &dyn Fn(&mut Command<'_>)| {
                let mut command = command("true");
                set(command.launcher(launcher).controlling_terminal(&terminal.slave));
                let error = command.spawn().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
                assert_eq!(command.explain().into_result().unwrap_err().to_string(), error.to_string());
                match error.failure() {
                    Failure::Refused(refusal) => *refusal,
                    failure => panic!("{failure}"),
                }
            };
            assert_eq!(refusal(&|_| {}), Refusal::TerminalWithoutSession);
            assert_eq!(refusal(&|command| {
command.process_group(0);
}), Refusal::TerminalWithoutSession);
            assert_eq!(refusal(&|command| {
command.process_group(0).setsid(true);
}), Refusal::SessionAndGroup);
            let error = command("true").launcher(launcher).setsid(true).foreground(true).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Refused(Refusal::ForegroundWithoutTerminal)), "{error}");
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn descriptor_that_can_be_no_controlling_terminal_is_named() {
        let taken = Terminal::new();
        let file = memory("file");
        // A terminal that another session has cannot be taken from it.
        let mut holder = command("sleep");
        holder.arg("60").setsid(true).controlling_terminal(&taken.slave);
        let holder = crate::support::running::Running::spawn(&mut holder);
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for (fd, reason) in [
                (taken.slave.as_raw_fd(), "Operation not permitted"),
                (file.as_raw_fd(), "Inappropriate ioctl for device"),
            ] {
                let mut command = command("true");
                command.launcher(launcher).setsid(true);
                if fd == file.as_raw_fd() {
                    command.controlling_terminal(&file);
                } else {
                    command.controlling_terminal(&taken.slave);
                }
                let error = command.spawn().unwrap_err();
                let text = format!("cannot spawn `true`: cannot make descriptor {fd} the controlling terminal: {reason}");
                assert_eq!(error.to_string(), text);
                assert_eq!(ParentState::now(), before);
            }
        }
        holder.end();
    }
}

own_process! {
    fn terminal_is_explained_as_a_descriptor_of_the_library_and_as_steps() {
        let terminal = Terminal::new();
        for launcher in LAUNCHERS {
            let mut command = command("true");
            command.launcher(launcher).setsid(true).controlling_terminal(&terminal.slave).foreground(true);
            let explanation = command.explain();
            assert_eq!(explanation.targets(), [0, 1, 2]);
            let text = explanation.to_string();
            let [session, terminal, foreground] =
                ["make a new session", "the controlling terminal\n", "become the foreground of the terminal of descriptor"]
                    .map(|step| text.find(step).unwrap_or_else(|| panic!("no `{step}` in {text}")));
            assert!(session < terminal && terminal < foreground, "{text}");
        }
    }
}
