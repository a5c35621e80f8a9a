//! The signal that a child gets when its parent ends.

use crate::own_process;
use crate::support::forked::{Forked, status_of};
use crate::support::parent_state::{ParentState, is_root, words};
use crate::support::tools::skip;
use crate::support::{LAUNCHERS, command, helper, supervised};
use fdspawn::{Command, Isolated, Launcher, Signal};
use std::io::{BufRead, BufReader, Read, pipe};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Makes this process, which is a test's own, the parent of all its descendants that lose theirs.
fn adopt_orphans() {
    // SAFETY: only numbers are passed.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }, 0);
}

/// Waits for the end of a process that this one has adopted.
fn wait_for(pid: u32) -> ExitStatus {
    let mut status = 0;
    // SAFETY: one number is written.
    let result = unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, 0) };
    assert_eq!(result, pid.cast_signed(), "{}", std::io::Error::last_os_error());
    ExitStatus::from_raw(status)
}

/// A program that prints its pid and lives on.
fn living<'fd>(launcher: Launcher) -> Command<'fd> {
    let mut command = command("sh");
    command.args(["-c", "echo $$; exec sleep 60"]).launcher(launcher).parent_death_signal(Signal::TERM);
    command
}

/// How the program of a command ends when the process that has spawned it is killed.
fn end_of_orphan(set: impl FnOnce(&mut Command<'_>), launcher: Launcher) -> ExitStatus {
    let (reader, writer) = pipe().unwrap();
    let parent = Forked::new(move || {
        let mut command = living(launcher);
        set(command.stdout(writer));
        std::mem::forget(command.spawn().unwrap());
    });
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    parent.kill();
    wait_for(line.trim().parse().unwrap())
}

own_process! {
    fn program_gets_the_signal_when_the_process_that_has_spawned_it_dies() {
        adopt_orphans();
        for launcher in LAUNCHERS {
            assert_eq!(end_of_orphan(|_| {}, launcher).signal(), Some(libc::SIGTERM));
        }
        if is_root() {
            // The change of the user would clear a signal that was set before.
            let user = |command: &mut Command<'_>| {
command.uid(4242).gid(4343);
};
            assert_eq!(end_of_orphan(user, Launcher::Auto).signal(), Some(libc::SIGTERM));
        }
    }
}

own_process! {
    fn program_has_the_signal_and_the_parent_keeps_its_own() {
        // SAFETY: only numbers are passed.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGWINCH) };
        let isolated = Isolated::new().unwrap();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for in_thread in [false, true] {
                let mut with = helper("parent-death-signal");
                let mut without = helper("parent-death-signal");
                if in_thread {
                    with.isolated(&isolated);
                    without.isolated(&isolated);
                }
                let status = with.launcher(launcher).parent_death_signal(Signal::USR1).status().unwrap();
                assert_eq!(status.code(), Some(libc::SIGUSR1));
                assert_eq!(without.launcher(launcher).status().unwrap().code(), Some(0));
                let steps = with.explain().to_string();
                assert!(steps.contains("set the signal at the parent's death to SIGUSR1\n"), "{steps}");
                let check = format!("check that the parent, process {}, lives\n", std::process::id());
                assert!(steps.contains(&check), "{steps}");
                assert_eq!(ParentState::now(), before);
            }
        }
    }
}

own_process! {
    fn program_of_a_parent_that_has_died_before_does_not_run() {
        adopt_orphans();
        for launcher in LAUNCHERS {
            let (mut reader, writer) = pipe().unwrap();
            let mut orphan = None;
            // The child waits before it sets the signal, and its parent dies meanwhile.
            let kill_parent = |child: u32| {
                let parent = parent_of(child);
                assert_ne!(parent, std::process::id());
                // SAFETY: the process is the child's parent, which this test has forked.
                assert_eq!(unsafe { libc::kill(parent.cast_signed(), libc::SIGKILL) }, 0);
                while parent_of(child) == parent {
                    std::thread::yield_now();
                }
                orphan = Some(child);
                None
            };
            let supervised = supervised::calls(libc::SYS_prctl, Some(libc::PR_SET_PDEATHSIG), kill_parent, move || {
                // SAFETY: the forked process spawns and ends.
                unsafe {
                    let parent = libc::fork();
                    if parent == 0 {
                        let mut command = command("echo");
                        command.arg("ran").stdout(&writer).launcher(launcher).parent_death_signal(Signal::TERM);
                        let _ = command.spawn();
                        libc::_exit(1);
                    }
                    drop(writer);
                    wait_for(parent.cast_unsigned())
                }
            });
            let Some(status) = supervised else { return };
            assert_eq!(status.signal(), Some(libc::SIGKILL));
            // The child reports ESRCH, which no process reads any more, and ends.
            assert_eq!(wait_for(orphan.unwrap()).code(), Some(127));
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "", "{launcher:?}");
        }
    }
}

fn parent_of(process: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    words(&status, "PPid")[0].parse().unwrap()
}

own_process! {
    fn missing_parent_is_an_error_that_names_it() {
        // The filter makes getppid(2) fail, as if the parent had ended.
        for launcher in LAUNCHERS {
            let before = ParentState::now();
            let body = || command("true").launcher(launcher).parent_death_signal(Signal::TERM).spawn().unwrap_err();
            let Some(error) = supervised::calls(libc::SYS_getppid, None, |_| Some(libc::ESRCH), body) else { return };
            let text = format!("cannot spawn `true`: cannot check that the parent, process {}, lives: No such process", std::process::id());
            assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::ESRCH)));
            assert_eq!(ParentState::now(), before);
        }
    }
}

own_process! {
    fn parent_outside_the_pid_namespace_is_unknown_and_not_dead() {
        if !is_root() {
            return;
        }
        // The probe finds out that clone works, which the first process of a namespace must not try.
        assert!(command("true").status().unwrap().success());
        for launcher in LAUNCHERS {
            let status = status_of(|| {
                // SAFETY: only children of this process get the namespace.
                if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
                    skip("a PID namespace cannot be made");
                    return;
                }
                let mut helper = helper("parent-death-signal");
                let status = helper.launcher(launcher).parent_death_signal(Signal::TERM).status().unwrap();
                assert_eq!(status.code(), Some(libc::SIGTERM));
            });
            assert_eq!(status, 0, "{launcher:?}");
        }
    }
}

own_process! {
    fn end_of_the_thread_that_has_spawned_counts_other_than_by_an_isolated() {
        let isolated = Isolated::new().unwrap();
        for launcher in LAUNCHERS {
            let spawn_in_thread = |isolated: Option<&Isolated>| {
                std::thread::scope(|scope| {
                    let spawn = || {
                        let mut command = Command::new("sleep");
                        command.arg("60").launcher(launcher).parent_death_signal(Signal::TERM);
                        if let Some(isolated) = isolated {
                            command.isolated(isolated);
                        }
                        command.spawn().unwrap()
                    };
                    scope.spawn(spawn).join().unwrap()
                })
            };
            let mut lives = spawn_in_thread(Some(&isolated));
            let mut dies = spawn_in_thread(None);
            assert_eq!(dies.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert_eq!(lives.try_wait().unwrap(), None);
            lives.kill().unwrap();
            assert_eq!(lives.wait().unwrap().signal(), Some(libc::SIGKILL));
        }
        // The end of the thread is that of the `Isolated`.
        let mut command = Command::new("sleep");
        let mut child = command.arg("60").parent_death_signal(Signal::TERM).isolated(&isolated).spawn().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        drop(command);
        drop(isolated);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}

own_process! {
    fn exec_sets_the_signal_at_the_end_of_this_processs_own_parent() {
        let status = status_of(|| {
            let error = helper("parent-death-signal").parent_death_signal(Signal::USR2).exec();
            panic!("{error}");
        });
        assert_eq!(status, libc::SIGUSR2);
    }
}
