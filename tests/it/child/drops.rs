//! `on_drop`: what the drop of a child does to it.

use super::{adopt_orphans, few, few_ways, helper_by, ready, shell_by, wait_until_ended, was_alive};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::{children, state};
use fdspawn::plan::Refusal;
use fdspawn::{Child, Command, Failure, Group, Launcher, OnDrop, Process, Reach, Signal, Stdio, Teardown};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);
const NEVER: Duration = Duration::from_secs(3600);
const REACHES: [Reach; 4] = [Reach::Process, Reach::Group, Reach::Session, Reach::Descendants];

fn kill() -> OnDrop {
    OnDrop::End(Teardown::kill())
}

/// Whether a process has been reaped by this library.
fn is_reaped(process: &Process) -> bool {
    // SAFETY: the call asks, and writes nothing.
    let result = unsafe {
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        libc::waitid(libc::P_PID, process.id(), std::ptr::null_mut(), options)
    };
    result == -1
}

/// The status of a child that a drop has killed, which began at this time. The drop has reaped it, unless the child has taken longer to end than
/// the drop waits: 100 ms.
fn status_after_drop(process: &Process, start: Instant) -> ExitStatus {
    let took = start.elapsed();
    assert!(is_reaped(process) || took >= Duration::from_millis(100), "{took:?}");
    process.wait_timeout(LONG).unwrap().unwrap()
}

/// Drops a collection of children, which ends each of them.
fn are_ended_by_the_drop(children: impl AsRef<[Child]>) {
    let processes: Vec<_> = children.as_ref().iter().map(Child::process).collect();
    let start = Instant::now();
    drop(children);
    for process in processes {
        assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn drop_ends_whom_the_teardown_reaches() {
    for way in few_ways() {
        for reach in few(&REACHES, way) {
            for grace in [NEVER, SHORT] {
                let how = Teardown::term(grace).reach(reach);
                let script =
                    if grace == NEVER { "sleep 60 & echo; wait" } else { "trap '' TERM; sleep 60 & echo; wait" };
                let mut command = shell_by(way, script);
                let (child, mut output) = ready(command.setsid(true).on_drop(OnDrop::End(how)));
                let process = child.process();
                let start = Instant::now();
                drop(child);
                assert!((if grace == NEVER { Duration::ZERO } else { SHORT }..LONG).contains(&start.elapsed()));
                // SIGTERM has no end of its time here; SIGKILL has.
                if grace == NEVER {
                    assert!(is_reaped(&process), "{way:?} {reach:?}");
                    assert_eq!(process.try_wait().unwrap().unwrap().signal(), Some(libc::SIGTERM));
                } else {
                    assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL), "{way:?} {reach:?}");
                }
                if reach != Reach::Process {
                    output.read_to_string(&mut String::new()).unwrap(); // The sleep has ended, too.
                }
            }
        }
    }
}

#[test]
fn drop_ends_the_child_while_a_panic_unwinds_and_in_another_thread() {
    for way in few_ways() {
        let spawn = || helper_by(way, "wait").on_drop(kill()).spawn().unwrap();
        let mut process = None;
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let child = spawn();
            process = Some((child.process(), Instant::now()));
            std::panic::resume_unwind(Box::new("the panic"));
        }));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "the panic");
        let (process, start) = process.unwrap();
        assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL));
        let child = spawn();
        let (process, start) = (child.process(), Instant::now());
        std::thread::spawn(move || drop(child)).join().unwrap();
        assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL));
        // In a collection, and on the way out of a function with an error.
        are_ended_by_the_drop((0..3).map(|_| spawn()).collect::<Vec<_>>());
    }
}

own_process! {
    fn drop_blocks_at_most_its_graces_and_100_ms_if_the_child_cannot_be_ended() {
        // SAFETY: only numbers are passed. All threads change.
        let become_user = |user| unsafe { libc::setresuid(user, user, 0) == 0 };
        if !become_user(0) {
            crate::support::tools::skip("the user cannot be changed");
            return;
        }
        for way in few_ways() {
            for reach in few(&REACHES, way) {
                let how = Teardown::term(SHORT).then(Signal::INT, SHORT).reach(reach);
                let child = helper_by(way, "wait").setsid(true).on_drop(OnDrop::End(how)).spawn().unwrap();
                let process = child.process();
                assert!(become_user(65_534));
                let start = Instant::now();
                drop(child);
                // A machine that has much to do takes longer.
                assert!(start.elapsed() < LONG / 10, "{:?}", start.elapsed());
                assert_eq!(process.try_wait().unwrap(), None);
                assert!(become_user(0));
                process.end(&Teardown::kill()).unwrap();
            }
        }
        assert_eq!(children(), 0);
    }
}

#[test]
fn setting_changes_after_the_spawn_and_a_detached_child_goes_on() {
    for way in few_ways() {
        let by_default = helper_by(way, "wait").spawn().unwrap();
        let mut set_back = helper_by(way, "wait").on_drop(kill()).spawn().unwrap();
        set_back.set_on_drop(OnDrop::Detach).unwrap();
        let detached = helper_by(way, "wait").on_drop(kill()).spawn().unwrap();
        let processes = [&by_default, &set_back, &detached].map(Child::process);
        drop((by_default, set_back));
        detached.detach();
        for process in processes {
            assert_eq!(process.wait_timeout(Duration::from_millis(1)).unwrap(), None);
            process.end(&Teardown::kill()).unwrap();
        }
        let mut set = helper_by(way, "wait").spawn().unwrap();
        // Without a way to the processes the setting stays what it is.
        set.set_on_drop(kill()).unwrap();
        let error = set.set_on_drop(OnDrop::End(Teardown::kill().reach(Reach::Group))).unwrap_err();
        assert!(matches!(error.failure(), Failure::NoGroup), "{error:?}");
        let (process, start) = (set.process(), Instant::now());
        drop(set);
        assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn child_that_cannot_be_given_away_is_dropped_as_the_setting_says() {
    for way in few_ways() {
        let child = helper_by(way, "wait").on_drop(kill()).spawn().unwrap();
        let (process, start) = (child.process(), Instant::now());
        assert!(matches!(child.into_parts().unwrap_err().failure(), Failure::Shared));
        assert_eq!(status_after_drop(&process, start).signal(), Some(libc::SIGKILL), "{way:?}");
        // A child that is given away is the caller's.
        let child = helper_by(way, "wait").on_drop(kill()).spawn().unwrap();
        let (pid, _pidfd) = child.into_parts().unwrap();
        let pid = pid.cast_signed();
        // SAFETY: the child is this test's now, and it has not been reaped.
        unsafe {
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG), 0, "it runs");
            libc::kill(pid, libc::SIGKILL);
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
        }
        // What takes the child by value drops it.
        let output = shell_by(way, "echo text; exit 7").stdout(Stdio::piped()).on_drop(kill()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(7), &b"text\n"[..]));
        let status = helper_by(way, "exit").arg("7").on_drop(kill()).status().unwrap();
        assert_eq!(status.code(), Some(7));
    }
}

own_process! {
    fn drop_without_a_way_is_refused_before_anything_is_made() {
        let before = state::own();
        for launcher in [Launcher::Clone, Launcher::Fork] {
            for (reach, refusal) in [
                (Reach::Group, Refusal::DropReachesNoGroup),
                (Reach::Session, Refusal::DropReachesNoSession),
            ] {
                let mut command = Command::new("true");
                command.launcher(launcher).on_drop(OnDrop::End(Teardown::kill().reach(reach)));
                let refused = |command: &mut Command<'_>| match command.spawn().unwrap_err().failure() {
                    Failure::Refused(found) => *found == refusal,
                    _ => false,
                };
                assert!(refused(&mut command), "{reach:?}");
                assert!(refused(&mut command.try_clone().unwrap()), "a copy has the setting, too");
                assert!(refused(command.process_group(1)), "the group of another process is not its own");
                // A child that is started ends by itself before its drop.
                let is_refused = |command: &mut Command<'_>| match command.spawn() {
                    Ok(child) => !child.wait_timeout(LONG).unwrap().unwrap().success(),
                    Err(_) => true,
                };
                assert_eq!(is_refused(command.process_group(0)), reach == Reach::Session);
                let group = Group::new();
                let mut member = Command::new("true");
                member.launcher(launcher).on_drop(OnDrop::End(Teardown::kill().reach(reach))).group(&group);
                assert_eq!(is_refused(&mut member), reach == Reach::Session);
                let mut leader = Command::new("true");
                leader.launcher(launcher).on_drop(OnDrop::End(Teardown::kill().reach(reach))).setsid(true);
                assert!(!is_refused(&mut leader));
            }
        }
        assert_eq!(state::own(), before);
    }
}

#[test]
fn copy_of_a_command_has_its_setting() {
    for way in few_ways() {
        let mut command = helper_by(way, "wait");
        command.on_drop(kill());
        are_ended_by_the_drop([command.try_clone().unwrap().spawn().unwrap(), command.spawn().unwrap()]);
    }
}

#[test]
fn drop_after_the_wait_does_nothing() {
    for way in few_ways() {
        for reach in few(&REACHES, way) {
            let how = Teardown::term(NEVER).reach(reach).graces_for_all(true);
            let mut command = helper_by(way, "exit");
            let mut child = command.arg("7").setsid(true).on_drop(OnDrop::End(how)).spawn().unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(7));
            let start = Instant::now();
            drop(child);
            assert!(start.elapsed() < LONG);
            let child = command.spawn().unwrap();
            wait_until_ended(&child);
            let process = child.process();
            drop(child);
            assert_eq!(process.try_wait().unwrap().unwrap().code(), Some(7));
        }
    }
}

own_process! {
    fn drop_after_the_wait_leaves_what_the_child_has_left() {
        adopt_orphans();
        for way in few_ways() {
            for reach in few(&REACHES, way) {
                let mut command = shell_by(way, "sleep 60 >/dev/null & echo $!");
                let how = Teardown::kill().reach(reach);
                let mut child = command.setsid(true).stdout(Stdio::piped()).on_drop(OnDrop::End(how)).spawn().unwrap();
                let number = std::io::read_to_string(child.stdout.take().unwrap()).unwrap().trim().parse().unwrap();
                assert!(child.wait().unwrap().success());
                drop(child);
                assert!(was_alive(number), "{way:?} {reach:?}");
            }
        }
    }
}

own_process! {
    fn drop_in_a_forked_copy_does_nothing() {
        for way in few_ways() {
            let mut child = Some(helper_by(way, "wait").on_drop(kill()).spawn().unwrap());
            let status = status_of(|| drop(child.take()));
            assert_eq!(status, 0);
            let child = child.unwrap();
            assert_eq!(child.wait_timeout(SHORT).unwrap(), None);
            drop(child);
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn drop_of_a_child_that_other_code_has_reaped_returns_at_once() {
        for way in few_ways() {
            for reach in few(&REACHES, way) {
                let how = Teardown::term(NEVER).reach(reach);
                let mut command = helper_by(way, "exit");
                let child = command.arg("0").setsid(true).on_drop(OnDrop::End(how)).spawn().unwrap();
                super::reap_elsewhere(&child);
                let start = Instant::now();
                drop(child);
                assert!(start.elapsed() < LONG);
            }
        }
    }
}
