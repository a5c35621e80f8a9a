//! `Reach::Cgroup`: a teardown, and a drop, that end all processes of a child's cgroup.

use super::{LONG, adopt_orphans, made, reap_all, shells};
use crate::own_process;
use crate::support::{LAUNCHERS, exhaustive, helper};
use fdspawn::plan::Refusal;
use fdspawn::{CgroupKill, Command, Failure, Launcher, OnDrop, Reach, Reached, Signal, Stdio, Teardown};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn kill() -> Teardown {
    Teardown::kill().reach(Reach::Cgroup)
}

own_process! {
    fn fork_bomb_in_sessions_of_its_own_is_ended_without_a_survivor() {
        let Some((_outer, cgroup)) = made() else { return };
        adopt_orphans();
        for launcher in LAUNCHERS {
            for pidfd in [true, false] {
                if !exhaustive() && pidfd != (launcher == Launcher::Clone) {
                    continue;
                }
                let mut command = helper("bomb");
                command.arg("200").launcher(launcher).pidfd(pidfd).own_cgroup(&cgroup).stdout(Stdio::piped());
                let mut child = command.spawn().unwrap();
                let mut output = BufReader::new(child.stdout.take().unwrap());
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                assert_eq!(line, "ready\n");
                // Its processes ignore SIGTERM.
                let ended = child.end(&Teardown::term(Duration::from_millis(50)).reach(Reach::Cgroup)).unwrap();
                assert_eq!((ended.by, ended.status.signal()), (Some(Signal::KILL), Some(libc::SIGKILL)));
                assert_eq!(ended.reached, Reached::Cgroup(CgroupKill::Kill));
                output.read_to_string(&mut line).expect("every member held this pipe");
                assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
                reap_all();
            }
        }
    }
}

#[test]
fn graces_go_to_all_members_and_end_when_the_cgroup_is_empty() {
    let Some((_outer, cgroup)) = made() else { return };
    let script =
        "setsid sh -c 'trap \"sleep 0.1; echo finished; exit\" TERM; echo ready; while :; do sleep 0.01; done' & wait";
    for (_, mut command) in shells(script) {
        let mut child = command.own_cgroup(&cgroup).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        output.read_line(&mut text).unwrap();
        let ended = child.end(&Teardown::term(LONG).reach(Reach::Cgroup).graces_for_all(true)).unwrap();
        assert_eq!(ended.by, Some(Signal::TERM));
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ready\nfinished\n");
        assert!(cgroup.is_empty().unwrap());
    }
}

#[test]
fn members_are_ended_after_the_child_has_ended_by_itself() {
    let Some((_outer, cgroup)) = made() else { return };
    for (_, mut command) in shells("setsid sleep 60 & echo $!") {
        let mut child = command.own_cgroup(&cgroup).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        assert!(child.wait().unwrap().success());
        assert!(!cgroup.is_empty().unwrap());
        let ended = child.end(&kill()).unwrap();
        assert_eq!((ended.by, ended.status.success()), (None, true));
        output.read_to_string(&mut String::new()).expect("no process holds the pipe");
        assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
    }
}

own_process! {
    fn drop_ends_the_cgroup_and_removes_it_also_in_a_panic() {
        let Some((_outer, cgroup)) = made() else { return };
        adopt_orphans();
        let path = cgroup.path().to_owned();
        for (_, mut command) in shells("setsid sleep 60 & echo ready; sleep 60") {
            command.own_cgroup(&cgroup).stdout(Stdio::piped()).on_drop(OnDrop::End(kill()));
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                let mut child = command.spawn().unwrap();
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
                assert!(cgroup.is_empty().unwrap(), "the panic of the test");
            }));
            assert!(unwound.is_err());
            assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
            reap_all();
        }
        drop(cgroup);
        assert!(!path.exists());
    }
}

#[test]
fn reach_without_a_cgroup_of_the_library_is_refused() {
    for launcher in LAUNCHERS {
        let mut child = helper("wait").launcher(launcher).spawn().unwrap();
        let error = child.end(&kill()).unwrap_err();
        assert!(matches!(error.failure(), Failure::NotInCgroup), "{error}");
        assert!(child.set_on_drop(OnDrop::End(kill())).is_err());
        assert_eq!(child.try_wait().unwrap(), None, "it got no signal");
        child.kill().unwrap();
        child.wait().unwrap();
        let error = Command::new("true").launcher(launcher).on_drop(OnDrop::End(kill())).spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(Refusal::DropReachesNoCgroup)), "{error}");
    }
}

own_process! {
    fn cgroup_that_holds_this_process_is_not_ended() {
        let Some((outer, cgroup)) = made() else { return };
        let child = helper("wait").own_cgroup(&cgroup).spawn().unwrap();
        std::fs::write(cgroup.path().join("cgroup.procs"), "0").unwrap();
        let error = child.end(&kill()).unwrap_err();
        assert!(matches!(error.failure(), Failure::OwnCgroup), "{error}");
        assert_eq!(child.try_wait().unwrap(), None, "it got no signal");
        // Back to where this process was, so that the cgroups can be removed.
        std::fs::write(outer.path("../cgroup.procs"), "0").unwrap();
        child.end(&kill()).unwrap();
    }
}

/// Makes this process a user, as root or back. False, with a message, if it cannot.
fn become_user(user: u32) -> bool {
    // SAFETY: only numbers are passed. All threads change.
    let done = unsafe { libc::setresuid(user, user, 0) == 0 };
    done || crate::support::tools::skip("the user cannot be changed")
}

own_process! {
    fn child_of_another_user_in_a_cgroup_is_killed_by_the_kernel() {
        let Some((_outer, cgroup)) = made() else { return };
        if !become_user(65_534) || !become_user(0) {
            return;
        }
        std::os::unix::fs::chown(cgroup.path().join("cgroup.kill"), Some(65_534), None).unwrap();
        for launcher in LAUNCHERS {
            let child = helper("wait").launcher(launcher).own_cgroup(&cgroup).spawn().unwrap();
            assert!(become_user(65_534));
            let ended = child.end(&kill()).unwrap();
            assert!(become_user(0));
            assert_eq!((ended.by, ended.status.signal()), (Some(Signal::KILL), Some(libc::SIGKILL)), "{launcher:?}");
        }
    }
}

own_process! {
    fn cgroup_that_may_not_be_killed_is_an_error_if_members_are_left() {
        let Some((_outer, cgroup)) = made() else { return };
        if !become_user(65_534) || !become_user(0) {
            return;
        }
        adopt_orphans();
        // A child that changes its user is always forked.
        for (launcher, mut command) in shells("sleep 60 & echo ready; wait").filter(|(launcher, _)| *launcher == Launcher::Fork) {
            let mut child = command.own_cgroup(&cgroup).uid(65_534).stdout(Stdio::piped()).spawn().unwrap();
            let mut output = BufReader::new(child.stdout.take().unwrap());
            output.read_line(&mut String::new()).unwrap();
            assert!(become_user(65_534));
            let error = child.end(&kill()).unwrap_err();
            assert!(become_user(0));
            assert!(matches!(error.failure(), Failure::CgroupNotEmpty), "{launcher:?} {error:?}");
            assert_eq!(error.raw_os_error(), Some(libc::EACCES), "{error}");
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL), "the child has been killed and reaped");
            cgroup.kill().unwrap();
            reap_all();
        }
    }
}
