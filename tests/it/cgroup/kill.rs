//! The end of all processes of a cgroup, by the kernel and by the library's freezer.

use super::{LONG, adopt_orphans, end, made, reap_all, shells, waiting};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::parent_state::ParentState;
use crate::support::seccomp::refuse;
use crate::support::{LAUNCHERS, by_turns, helper, supervised};
use fdspawn::{Cgroup, CgroupKill, Command, Failure, Isolated, Launcher, Stdio};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

type Kill = fn(&Cgroup) -> fdspawn::Result<CgroupKill>;

/// Both ways, the second of which is that of kernels without `cgroup.kill`.
const KILLS: [(Kill, CgroupKill); 2] =
    [(Cgroup::kill, CgroupKill::Kill), (Cgroup::kill_by_freezing, CgroupKill::Freeze)];

/// Starts a fork bomb in the cgroup, kills the cgroup, and checks that nothing is left of the bomb: each of its processes holds the pipe.
fn kills_a_bomb(launcher: Launcher, cgroup: &Cgroup, kill: Kill, by: CgroupKill) {
    const PROCESSES: usize = 200;
    let mut command = helper("bomb");
    command.arg(PROCESSES.to_string()).launcher(launcher).own_cgroup(cgroup).stdout(Stdio::piped());
    let mut bomb = command.spawn().unwrap();
    let mut output = BufReader::new(bomb.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    assert!(super::members(cgroup.path()).len() > PROCESSES / 2);
    let start = Instant::now();
    assert_eq!(kill(cgroup).unwrap(), by);
    assert!(cgroup.wait_until_empty(Some(start + LONG)).unwrap());
    assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0, "all that held the pipe have ended");
    assert_eq!(bomb.wait().unwrap().signal(), Some(libc::SIGKILL));
    assert!(cgroup.is_empty().unwrap());
    // A process that hops has ended by itself before.
    assert!(reap_all() >= PROCESSES);
    println!("{launcher:?} {by:?}: {:?}", start.elapsed());
}

own_process! {
    fn fork_bomb_in_sessions_of_its_own_is_ended_without_a_survivor() {
        adopt_orphans();
        let Some((_outer, cgroup)) = made() else { return };
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        for (turn, (kill, by)) in KILLS.into_iter().enumerate() {
            for launcher in by_turns(LAUNCHERS, turn) {
                kills_a_bomb(launcher, &cgroup, kill, by);
                assert_eq!(ParentState::now(), before);
            }
        }
        cgroup.remove().unwrap();
    }
}

own_process! {
    fn fork_bomb_is_ended_where_there_are_no_pidfds() {
        adopt_orphans();
        let Some((_outer, cgroup)) = made() else { return };
        for errno in by_turns([libc::ENOSYS, libc::EPERM], 0) {
            let status = status_of(|| {
                adopt_orphans();
                if refuse(&[libc::SYS_pidfd_open], errno) {
                    kills_a_bomb(Launcher::Fork, &cgroup, Cgroup::kill_by_freezing, CgroupKill::Freeze);
                }
            });
            assert_eq!(status, 0);
        }
    }
}

own_process! {
    fn all_processes_are_frozen_when_the_freezer_kills_the_first() {
        let Some((_outer, cgroup)) = made() else { return };
        let children: Vec<_> = (0..3).map(|_| waiting(&cgroup)).collect();
        let mut events = Vec::new();
        let each = |_| {
            events.push(std::fs::read_to_string(cgroup.path().join("cgroup.events")).unwrap());
            None
        };
        let killed = supervised::calls(libc::SYS_pidfd_open, None, each, || cgroup.kill_by_freezing().unwrap());
        if killed.is_some() {
            // Killed processes end though they are frozen, so the later looks for others find the cgroup thawed.
            let first = &events[..children.len()];
            assert!(first.iter().all(|text| text.contains("frozen 1")), "{events:?}");
        }
        children.into_iter().for_each(end);
    }
}

own_process! {
    fn killed_cgroup_can_be_used_again() {
        let Some((_outer, cgroup)) = made() else { return };
        for (kill, by) in KILLS {
            for _ in 0..3 {
                assert_eq!(kill(&cgroup).unwrap(), by, "it is empty");
                let mut child = waiting(&cgroup);
                assert_eq!(kill(&cgroup).unwrap(), by);
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
                assert_eq!(std::fs::read_to_string(cgroup.path().join("cgroup.freeze")).unwrap(), "0\n");
            }
        }
    }
}

own_process! {
    fn killed_cgroup_takes_children_by_each_launcher() {
        let Some((outer, killed)) = made() else { return };
        let isolated = Isolated::new().unwrap();
        assert!(Command::new("true").status().unwrap().success());
        killed.kill().unwrap();
        let directory = File::open(killed.path()).unwrap();
        let before = ParentState::now();
        for (launcher, in_thread) in LAUNCHERS.into_iter().flat_map(|launcher| [(launcher, false), (launcher, true)]) {
            for is_own in [true, false] {
                let mut command = Command::new("true");
                if in_thread {
                    command.isolated(&isolated);
                }
                if is_own {
                    command.own_cgroup(&killed);
                } else {
                    command.cgroup(&directory);
                }
                let case = format!("{launcher:?}, {in_thread}, {is_own}");
                assert!(command.launcher(launcher).status().unwrap().success(), "{case}");
                assert!(command.output().unwrap().status.success(), "{case}");
                let mut child = command.spawn().unwrap();
                assert_eq!(child.launched_by(), launcher, "{case}");
                assert!(child.wait().unwrap().success(), "{case}");
            }
        }
        assert_eq!(ParentState::now(), before);
        // A process that is in such a cgroup itself, and starts children in one that is new.
        let status = status_of(|| {
            std::fs::write(killed.path().join("cgroup.procs"), "0").unwrap();
            let new = Cgroup::create_in(outer.path("")).unwrap();
            for launcher in LAUNCHERS {
                let mut command = Command::new("true");
                command.launcher(launcher).own_cgroup(&new);
                assert!(command.status().unwrap().success(), "{launcher:?}");
                assert!(command.spawn().unwrap().wait().unwrap().success(), "{launcher:?}");
            }
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn frozen_stopped_and_traced_processes_are_killed() {
        adopt_orphans();
        let Some((_outer, cgroup)) = made() else { return };
        for (kill, by) in KILLS {
            let mut child = waiting(&cgroup);
            let mut stopped = waiting(&cgroup);
            stopped.signal(fdspawn::Signal::STOP).unwrap();
            let mut traced = helper("traced").arg("0").own_cgroup(&cgroup).stdin(Stdio::piped()).spawn().unwrap();
            std::fs::write(cgroup.path().join("cgroup.freeze"), "1").unwrap();
            assert_eq!(kill(&cgroup).unwrap(), by);
            std::fs::write(cgroup.path().join("cgroup.freeze"), "0").unwrap();
            for child in [&mut child, &mut stopped, &mut traced] {
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
            }
            assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
        }
    }
}

own_process! {
    fn processes_of_cgroups_inside_are_killed_also_if_these_are_threaded() {
        let Some((_outer, cgroup)) = made() else { return };
        let [inner, threaded] = ["a/b", "threaded"].map(|name| cgroup.path().join(name));
        for (kill, by) in KILLS {
            std::fs::create_dir_all(&inner).unwrap();
            let directory = File::open(&inner).unwrap();
            let mut in_inner = helper("wait").cgroup(&directory).spawn().unwrap();
            let mut in_outer = waiting(&cgroup);
            assert_eq!(kill(&cgroup).unwrap(), by);
            for child in [&mut in_inner, &mut in_outer] {
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
            }
            while std::fs::remove_dir(&inner).is_err() {
                std::thread::yield_now();
            }
            std::fs::remove_dir(inner.parent().unwrap()).unwrap();
            // The cgroup itself lists the processes of a threaded one.
            std::fs::create_dir(&threaded).unwrap();
            std::fs::write(threaded.join("cgroup.type"), "threaded").unwrap();
            let mut child = waiting(&cgroup);
            std::fs::write(threaded.join("cgroup.threads"), child.id().to_string()).unwrap();
            assert!(std::fs::read(threaded.join("cgroup.procs")).is_err());
            assert_eq!(kill(&cgroup).unwrap(), by);
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
            while std::fs::remove_dir(&threaded).is_err() {
                std::thread::yield_now();
            }
        }
    }
}

own_process! {
    fn process_that_is_in_the_cgroup_does_not_kill_itself() {
        let Some((_outer, cgroup)) = made() else { return };
        let mut child = waiting(&cgroup);
        let status = status_of(|| {
            std::fs::create_dir(cgroup.path().join("inner")).unwrap();
            for place in ["cgroup.procs", "inner/cgroup.procs"] {
                std::fs::write(cgroup.path().join(place), "0").unwrap();
                for (kill, _) in KILLS {
                    let error = kill(&cgroup).unwrap_err();
                    let text = format!("cannot kill the cgroup `{}`: this process is in the cgroup itself", cgroup.path().display());
                    assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EINVAL)));
                    assert!(matches!(error.failure(), Failure::OwnCgroup));
                }
                // A signal leaves it out.
                assert_eq!(cgroup.signal(fdspawn::Signal::CONT).unwrap(), 1);
            }
            assert_eq!(cgroup.signal(fdspawn::Signal::KILL).unwrap(), 1);
        });
        assert_eq!(status, 0);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

own_process! {
    fn kill_leaves_other_processes_alone() {
        let Some((outer, cgroup)) = made() else { return };
        let beside = Cgroup::create_in(outer.path("")).unwrap();
        for (kill, _) in KILLS {
            let others = [waiting(&beside), helper("wait").spawn().unwrap()];
            for (_, mut shell) in shells("setsid sleep 60 & sleep 60 & wait") {
                let mut child = shell.own_cgroup(&cgroup).spawn().unwrap();
                kill(&cgroup).unwrap();
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
                assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
            }
            for other in others {
                assert!(other.try_wait().unwrap().is_none());
                end(other);
            }
        }
    }
}
