//! `Group`: who leads it, who can join, and what is left of it.

use super::{cost, few_ways, has_pidfd, helper_by, ready, reap_elsewhere, shell_by};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::table::Table;
use crate::support::{children, kernel_is_at_least};
use fdspawn::{Command, Failure, Group, Isolated, Launcher, OnDrop, Reach, Reached, Signal, Teardown};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const NEVER: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(60);

/// The process group of a child that has not been reaped.
fn group_of(child: &fdspawn::Child) -> i32 {
    // SAFETY: only a number is passed.
    unsafe { libc::getpgid(child.id().cast_signed()) }
}

/// The state of a process in `/proc`; nothing if there is none.
fn state_of(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

own_process! {
    fn members_join_after_the_end_of_the_leader_which_is_reaped_with_the_group() {
        for way in few_ways() {
            let before = Table::current().numbers().len();
            let group = Group::new();
            assert_eq!(group.id(), None);
            assert!(!group.signal(Signal::TERM).unwrap());
            let mut leader = helper_by(way, "exit").arg("7").group(&group).spawn().unwrap();
            assert_eq!(leader.wait().unwrap().code(), Some(7));
            assert_eq!(leader.wait_usage().unwrap().0.code(), Some(7));
            assert_eq!(group.id(), Some(leader.id()));
            assert_eq!(state_of(leader.id()), Some('Z'), "the number of the group stays its own");
            let mut members: Vec<_> = [Launcher::Clone, Launcher::Fork]
                .map(|launcher| helper_by((launcher, way.1), "wait").group(&group).spawn().unwrap())
                .into();
            for member in &members {
                assert_eq!(group_of(member), leader.id().cast_signed(), "{way:?}");
            }
            assert!(group.signal(Signal::TERM).unwrap());
            for member in &mut members {
                assert_eq!(member.wait().unwrap().signal(), Some(libc::SIGTERM));
                assert_eq!(state_of(member.id()), None, "only the leader is held");
            }
            let error = leader.into_parts().unwrap_err();
            assert!(matches!(error.failure(), Failure::Shared | Failure::Reaped(_)), "{error:?}");
            drop(members);
            drop(group);
            assert_eq!(children(), 0);
            assert_eq!(Table::current().numbers().len(), before);
        }
    }
}

own_process! {
    fn waits_for_members_without_a_pidfd_sleep_until_the_end() {
        for (launcher, _) in few_ways() {
            let group = Group::new();
            for _leader_then_member in 0..2 {
                let mut child = shell_by((launcher, false), "sleep 0.2").group(&group).spawn().unwrap();
                let (_, switches) = cost(|| assert!(child.wait().unwrap().success()));
                assert!(switches < 10, "{launcher:?}: the thread woke {switches} times");
            }
        }
    }
}

own_process! {
    fn group_answers_other_calls_while_its_first_child_is_launched() {
        // SAFETY: the signal ends a process that waits for ever.
        unsafe { libc::alarm(60) };
        let group = Arc::new(Group::new());
        let (mut is_launching, mut launching) = std::io::pipe().unwrap();
        let (mut go, mut may_go) = std::io::pipe().unwrap();
        let same = Arc::clone(&group);
        let first = std::thread::spawn(move || {
            let mut command = helper_by((Launcher::Fork, true), "wait");
            let of_hook = Arc::clone(&same);
            // SAFETY: the hook reads and writes pipes, and asks the group.
            unsafe {
                command.pre_exec(move || {
                    // The copy of the calling thread does not wait for itself.
                    assert_eq!(of_hook.id(), None);
                    launching.write_all(b"l")?;
                    go.read_exact(&mut [0])
                });
            }
            command.group(&same).spawn().unwrap()
        });
        is_launching.read_exact(&mut [0]).unwrap();
        assert_eq!(group.id(), None);
        assert!(!group.signal(Signal::TERM).unwrap());
        may_go.write_all(b"g").unwrap();
        let first = first.join().unwrap();
        assert_eq!(group.id(), Some(first.id()));
        first.end(&Teardown::kill()).unwrap();
    }
}

own_process! {
    fn leader_of_an_open_group_is_not_given_away_and_a_member_is() {
        for way in few_ways() {
            let group = Group::new();
            let leader = helper_by(way, "wait").group(&group).on_drop(OnDrop::End(Teardown::kill())).spawn().unwrap();
            let id = leader.id();
            let member = helper_by(way, "wait").group(&group).spawn().unwrap();
            let error = leader.into_parts().unwrap_err();
            assert!(matches!(error.failure(), Failure::Shared), "{error:?}");
            assert_eq!(state_of(id), Some('Z'), "it has been dropped, which ends it");
            let (pid, _pidfd) = member.into_parts().unwrap();
            assert!(group.signal(Signal::TERM).unwrap());
            let mut status = 0;
            // SAFETY: the kernel writes one number.
            assert_eq!(unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, 0) }, pid.cast_signed());
            assert_eq!(libc::WTERMSIG(status), libc::SIGTERM);
            drop(group);
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn first_spawns_of_eight_threads_make_one_leader() {
        for way in few_ways() {
            let group = Group::new();
            let barrier = Barrier::new(8);
            let members: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            barrier.wait();
                            helper_by(way, "wait").group(&group).spawn().unwrap()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let groups: BTreeSet<i32> = members.iter().map(group_of).collect();
            assert_eq!(groups.into_iter().collect::<Vec<_>>(), [group.id().unwrap().cast_signed()], "{way:?}");
            assert!(members.iter().any(|member| Some(member.id()) == group.id()));
            let how = Teardown::term(NEVER).reach(Reach::Group);
            let start = Instant::now();
            for member in &members {
                assert_eq!(member.end(&how).unwrap().status.signal(), Some(libc::SIGTERM));
            }
            assert!(start.elapsed() < LONG);
            drop(group);
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn failed_first_spawn_leaves_the_group_empty() {
        for way in few_ways() {
            let group = Group::new();
            for _ in 0..2 {
                let mut command = Command::new("/no/such/program");
                command.launcher(way.0).pidfd(way.1).group(&group).spawn().unwrap_err();
                assert_eq!(group.id(), None);
            }
            let leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            assert_eq!(group.id(), Some(leader.id()));
            Command::new("/no/such/program").launcher(way.0).group(&group).spawn().unwrap_err();
            assert_eq!(group.id(), Some(leader.id()), "a member that has not started changes nothing");
            leader.end(&Teardown::kill()).unwrap();
            drop(group);
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn group_whose_leader_other_code_has_reaped_takes_no_member_and_its_members_are_ended() {
        for way in few_ways() {
            let group = Group::new();
            let leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            let member = helper_by(way, "wait").group(&group).spawn().unwrap();
            let (last, _output) = ready(shell_by(way, "sleep 60 & echo; wait").group(&group));
            leader.kill().unwrap();
            reap_elsewhere(&leader);
            let error = helper_by(way, "wait").group(&group).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::GroupGone), "{error:?}");
            let error = Command::new("true").group(&group).exec();
            assert!(matches!(error.failure(), Failure::GroupGone), "{error:?}");
            // As long as a member has not been reaped, no other group has the number.
            let how = Teardown::term(NEVER).reach(Reach::Group);
            let start = Instant::now();
            let ended = member.end(&how).unwrap();
            assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)), "{way:?}");
            let named = kernel_is_at_least(6, 9) && leader.pidfd().is_some();
            assert_eq!(ended.reached, if named { Reached::GroupByPidfd } else { Reached::GroupByNumber });
            let ended = last.end(&how).unwrap();
            assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{way:?}");
            assert!(start.elapsed() < LONG);
            drop(group);
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn group_that_is_dropped_first_leaves_the_leader_to_its_wait_and_its_members_can_be_ended() {
        for way in few_ways() {
            let before = Table::current().numbers().len();
            let group = Group::new();
            let mut leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            let number = leader.id().cast_signed();
            let (member, mut output) = ready(shell_by(way, "(trap '' TERM; echo; exec sleep 60) & wait").group(&group));
            drop(group);
            assert_eq!(leader.try_wait().unwrap(), None);
            leader.kill().unwrap();
            assert_eq!(leader.wait().unwrap().signal(), Some(libc::SIGKILL));
            assert_eq!(state_of(leader.id()), None);
            assert_eq!(group_of(&member), number);
            let start = Instant::now();
            let ended = member.end(&Teardown::term(NEVER).reach(Reach::Group)).unwrap();
            assert!(start.elapsed() < LONG, "{way:?}");
            assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)), "{way:?}");
            // The sleep has been killed, too.
            output.read_to_end(&mut Vec::new()).unwrap();
            drop((leader, member, output));
            assert_eq!(children(), 0);
            assert_eq!(Table::current().numbers().len(), before);
        }
    }
}

own_process! {
    fn handle_of_the_leader_that_is_dropped_first_leaves_the_group_open() {
        for way in few_ways() {
            for ends in [false, true] {
                let group = Group::new();
                let on_drop = if ends { OnDrop::End(Teardown::kill()) } else { OnDrop::Detach };
                let leader = helper_by(way, "wait").group(&group).on_drop(on_drop).spawn().unwrap();
                let id = leader.id();
                let process = leader.process();
                drop(leader);
                assert_eq!(state_of(id) == Some('Z'), ends);
                let member = helper_by(way, "wait").group(&group).spawn().unwrap();
                assert_eq!(group_of(&member), id.cast_signed());
                assert_eq!(process.end(&Teardown::kill()).unwrap().status.signal(), Some(libc::SIGKILL));
                assert_eq!(member.try_wait().unwrap(), None);
                member.end(&Teardown::kill().reach(Reach::Group)).unwrap();
                drop(group);
                assert_eq!(children(), 0);
            }
        }
    }
}

own_process! {
    fn in_a_forked_copy_the_group_is_an_error_at_once() {
        for way in few_ways() {
            let group = Group::new();
            let leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            let mut command = helper_by(way, "exit");
            command.arg("0").group(&group);
            let status = status_of(|| {
                // SAFETY: the signal ends a copy that waits.
                unsafe { libc::alarm(60) };
                assert_eq!(group.id(), None);
                let errors = [group.signal(Signal::KILL).unwrap_err(), command.spawn().unwrap_err(), command.exec()];
                for error in errors {
                    assert!(matches!(error.failure(), Failure::NotAChild), "{error:?}");
                }
                // A group that the copy makes is its own.
                let own = Group::new();
                let child = helper_by((Launcher::Fork, false), "wait").group(&own).spawn().unwrap();
                child.end(&Teardown::kill().reach(Reach::Group)).unwrap();
            });
            assert_eq!(status, 0);
            assert_eq!(leader.try_wait().unwrap(), None);
            leader.end(&Teardown::kill()).unwrap();
        }
    }
}

own_process! {
    fn exec_joins_the_group_and_a_failed_one_leaves_it_open() {
        for way in few_ways() {
            // The copy makes the group, and becomes a shell that compares its group with the leader's number.
            let status = status_of(|| {
                let group = Group::new();
                let error = Command::new("/no/such/program").group(&group).exec();
                assert_eq!((error.raw_os_error(), group.id()), (Some(libc::ENOENT), None), "{error}");
                let leader = helper_by(way, "wait").group(&group).spawn().unwrap();
                let script = "kill -9 $0; read -r _ _ _ _ group _ </proc/$$/stat; test $group = $0";
                let error = Command::new("/bin/sh").args(["-c", script, &leader.id().to_string()]).group(&group).exec();
                panic!("{error}");
            });
            assert_eq!(status, 0, "{way:?}");
        }
    }
}

own_process! {
    fn isolated_launches_join_the_group() {
        let isolated = Isolated::new().unwrap();
        for way in few_ways() {
            let group = Group::new();
            let leader = helper_by(way, "wait").isolated(&isolated).group(&group).spawn().unwrap();
            let member = helper_by(way, "wait").isolated(&isolated).group(&group).spawn().unwrap();
            let plain = helper_by(way, "wait").group(&group).spawn().unwrap();
            for child in [&leader, &member, &plain] {
                assert_eq!(group_of(child), leader.id().cast_signed());
            }
            let how = Teardown::term(NEVER).reach(Reach::Group);
            for child in [&member, &plain, &leader] {
                assert_eq!(child.end(&how).unwrap().status.signal(), Some(libc::SIGTERM), "{way:?}");
            }
            drop(group);
            assert_eq!(children(), 0);
        }
    }
}

#[test]
fn group_is_reached_by_the_mechanism_that_the_end_tells() {
    for way in few_ways() {
        let child = helper_by(way, "wait").process_group(0).spawn().unwrap();
        let named = kernel_is_at_least(6, 9) && way.1 && has_pidfd(way.0);
        let ended = child.end(&Teardown::term(NEVER).reach(Reach::Group)).unwrap();
        assert_eq!(ended.reached, if named { Reached::GroupByPidfd } else { Reached::GroupByNumber }, "{way:?}");
    }
}

#[test]
fn copy_of_a_command_joins_the_same_group_and_either_setting_replaces_the_other() {
    for way in few_ways() {
        let group = Group::new();
        let mut command = helper_by(way, "wait");
        command.process_group(0).group(&group);
        let leader = command.spawn().unwrap();
        let member = command.try_clone().unwrap().spawn().unwrap();
        assert_eq!(group_of(&member), leader.id().cast_signed());
        let alone = command.process_group(0).spawn().unwrap();
        assert_eq!(group_of(&alone), alone.id().cast_signed());
        assert!(command.group(&group).setsid(true).spawn().is_err(), "a new session and a group exclude each other");
        for child in [member, leader, alone] {
            child.end(&Teardown::kill()).unwrap();
        }
    }
}
