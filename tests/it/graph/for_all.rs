//! What all stages have by one call: a session each, a cgroup, a group.

use super::{Files, LONG, family, pids, shell, tool, ways};
use crate::own_process;
use crate::support::cgroup::Cgroup as Outer;
use crate::support::running::is_gone;
use fdspawn::{Cgroup, Command, Failure, Graph, Group, OnDrop, Reach, Running, StageId, Teardown};
use rustix::process::{Pid, getpgid};
use std::ffi::CString;
use std::path::Path;

/// A function of this process that waits for a signal.
fn pauses<'fd>() -> Command<'fd> {
    let wait = || {
        loop {
            // SAFETY: the call has no conditions.
            unsafe { libc::pause() };
        }
    };
    // SAFETY: the function makes one system call.
    unsafe { Command::function("pauses", wait) }
}

fn pid_of(running: &Running, stage: StageId) -> Pid {
    Pid::from_raw(running.process(stage).unwrap().id().cast_signed()).unwrap()
}

/// The session of a process, or of this one. The number is 0 if the leader is outside this PID namespace.
fn session_of(pid: Option<Pid>) -> i32 {
    // SAFETY: only a number is passed.
    let session = unsafe { libc::getsid(pid.map_or(0, |pid| pid.as_raw_nonzero().get())) };
    assert!(session >= 0);
    session
}

#[test]
fn each_stage_leads_a_session_also_if_it_is_added_later() {
    for way in ways() {
        let mut graph = Graph::new();
        let first = graph.stage(tool(way, &["sleep", "1000"]));
        let second = graph.setsid(true).stage(tool(way, &["cat"]));
        let third = graph.stage(pauses());
        graph.pipe([first.stdout()], [second.stdin()]).pipe([second.stdout()], [third.stdin()]);
        // A call for one stage counts more.
        let fourth = graph.stage(tool(way, &["sleep", "1000"]));
        graph.command(fourth).setsid(false);
        let mut running = graph.spawn().unwrap();
        for stage in [first, second, third] {
            let pid = pid_of(&running, stage);
            assert_eq!(session_of(Some(pid)), pid.as_raw_nonzero().get());
            assert_eq!(getpgid(Some(pid)).unwrap(), pid);
        }
        assert_eq!(session_of(Some(pid_of(&running, fourth))), session_of(None));
        running.end(&Teardown::kill()).unwrap();
        // No session as before.
        let mut running = graph.setsid(false).spawn().unwrap();
        assert!(graph.stages().all(|stage| session_of(Some(pid_of(&running, stage))) == session_of(None)));
        running.end(&Teardown::kill()).unwrap();
    }
}

/// A function that starts a process, which moves to a group of its own. Both write their ids to a file, and wait for a signal.
fn leaver<'fd>(list: &Path) -> Command<'fd> {
    let list = CString::new(list.to_str().unwrap()).unwrap();
    let function = move || {
        // SAFETY: the calls are async-signal-safe, and the path ends in a NUL.
        unsafe {
            if libc::fork() == 0 && libc::setpgid(0, 0) != 0 {
                libc::_exit(1);
            }
            let file = libc::open(list.as_ptr(), libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT, 0o600);
            let line = format!("{}\n", libc::getpid());
            libc::write(file, line.as_ptr().cast(), line.len());
            loop {
                libc::pause();
            }
        }
    };
    // SAFETY: this process has no other thread that holds a lock.
    unsafe { Command::function("leaver", function) }
}

own_process! {
    fn end_by_the_sessions_reaches_what_has_left_the_groups_of_the_stages() {
        for way in ways() {
            for is_drop in [false, true] {
                let files = Files::new();
                let list = files.path("list");
                let mut graph = Graph::pipeline([leaver(&list), family(way, &list)]);
                graph.setsid(true).on_drop(OnDrop::End(Teardown::kill().reach(Reach::Session)));
                let mut running = graph.spawn().unwrap();
                let all = pids(&list, 4);
                match is_drop {
                    true => drop(running),
                    false => _ = running.end(&Teardown::term(LONG).reach(Reach::Session)).unwrap(),
                }
                assert!(all.into_iter().all(is_gone));
            }
        }
    }
}

#[test]
fn sessions_and_a_group_exclude_each_other() {
    for way in ways() {
        let group = Group::new();
        let mut graph = Graph::pipeline([tool(way, &["true"]), tool(way, &["cat"])]);
        let error = graph.setsid(true).group(&group).spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(_)), "{error}");
        assert!(error.to_string().starts_with("cannot spawn stage 0, `true`: "), "{error}");
        graph.setsid(false).spawn().unwrap().wait().unwrap().check().unwrap();
        assert!(group.id().is_some());
        // So does a drop by sessions that the stages do not have.
        let mut graph = Graph::pipeline([tool(way, &["true"])]);
        graph.on_drop(OnDrop::End(Teardown::kill().reach(Reach::Session)));
        assert!(matches!(graph.spawn().unwrap_err().failure(), Failure::Refused(_)));
    }
}

#[test]
fn group_has_stages_that_are_added_later() {
    for way in ways() {
        let group = Group::new();
        let mut graph = Graph::new();
        graph.group(&group);
        let stages = [0; 3].map(|_| graph.stage(tool(way, &["sleep", "1000"])));
        let mut running = graph.spawn().unwrap();
        let leader = group.id().unwrap().cast_signed();
        assert!(
            stages
                .iter()
                .all(|&stage| getpgid(Some(pid_of(&running, stage))).unwrap().as_raw_nonzero().get() == leader)
        );
        running.end(&Teardown::kill().reach(Reach::Group)).unwrap();
    }
}

own_process! {
    fn cgroup_has_all_stages_and_a_teardown_by_it_ends_them_with_what_they_have_started() {
        let Some(outer) = Outer::new() else { return };
        for way in ways() {
            for is_drop in [false, true] {
                let cgroup = Cgroup::create_in(outer.path("")).unwrap();
                let files = Files::new();
                let list = files.path("list");
                // What a stage starts leaves its session, and not the cgroup.
                let script = "setsid sleep 1000 & printf '%s\\n%s\\n' $! $$ >>\"$0\"; exec sleep 1000";
                let stage = || super::shell_with(way, script, &list);
                let mut graph = Graph::pipeline([stage(), pauses()]);
                graph.own_cgroup(&cgroup);
                let late = graph.stage(stage());
                graph.on_drop(OnDrop::End(Teardown::kill().reach(Reach::Cgroup)));
                let mut running = graph.spawn().unwrap();
                let all = pids(&list, 4);
                let members = std::fs::read_to_string(cgroup.path().join("cgroup.procs")).unwrap();
                let members: Vec<u32> = members.lines().map(|line| line.parse().unwrap()).collect();
                let mut expected: Vec<u32> = graph.stages().map(|stage| running.process(stage).unwrap().id()).collect();
                expected.extend(&all);
                assert!(expected.iter().all(|pid| members.contains(pid)), "{members:?} {expected:?}");
                assert!(expected.contains(&running.process(late).unwrap().id()));
                match is_drop {
                    true => drop(running),
                    false => _ = running.end(&Teardown::term(LONG).reach(Reach::Cgroup)).unwrap(),
                }
                assert!(cgroup.is_empty().unwrap());
                assert!(all.into_iter().all(is_gone));
                drop(graph);
                cgroup.remove().unwrap();
            }
            // A cgroup of the caller, by its directory.
            let directory = outer.open();
            let mut graph = Graph::pipeline([shell(way, "cat /proc/self/cgroup; cat"), tool(way, &["cat"])]);
            let output = graph.cgroup(&directory).output().unwrap().check().unwrap();
            assert!(outer.has(&String::from_utf8_lossy(&output.stdout)));
        }
    }
}

#[test]
fn cgroup_that_is_none_is_refused_before_a_stage_starts() {
    for way in ways() {
        let files = Files::new();
        let list = files.path("list");
        let other = std::fs::File::open("/").unwrap();
        let mut graph = Graph::pipeline([family(way, &list), family(way, &list)]);
        let error = graph.cgroup(&other).spawn().unwrap_err();
        assert!(error.to_string().starts_with("cannot spawn stage 0, `/bin/sh`: "), "{error}");
        assert!(!files.has("list"));
    }
}
