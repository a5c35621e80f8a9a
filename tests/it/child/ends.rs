//! `end`: the signals of a teardown, their order and graces.

mod threads;

use super::{
    adopt_orphans, few, few_ways, helper_by, ready, reap_elsewhere, shell_by, shell_with_trap, wait_until_ended,
};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::tools::skip;
use crate::support::with_longer_times;
use fdspawn::{Change, Failure, Reach, Reached, Signal, Stdio, Teardown};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(20);
/// A bound for what should take no time, on a machine that has much to do.
const LONG: Duration = Duration::from_secs(60);
/// A grace that no test waits for.
const NEVER: Duration = Duration::from_secs(3600);
const REACHES: [Reach; 4] = [Reach::Process, Reach::Group, Reach::Session, Reach::Descendants];

#[test]
fn signals_come_in_their_order_until_one_ends_the_child() {
    for way in few_ways() {
        // If two signals wait for a busy shell, it gets the one with the lower number first.
        let script = "trap 'echo USR1' USR1; trap 'echo USR2' USR2; echo; while :; do sleep 0.002; done";
        let (child, mut output) = ready(&mut shell_by(way, script));
        let grace = Duration::from_millis(60);
        let how = Teardown::signal(Signal::USR1, grace).then(Signal::USR2, grace).then(Signal::TERM, NEVER);
        let start = Instant::now();
        let ended = child.end(&how.then(Signal::QUIT, NEVER)).unwrap();
        assert!((2 * grace..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)));
        assert_eq!(ended.reached, Reached::Process);
        assert_eq!(child.try_wait().unwrap(), Some(ended.status));
        // The shell says nothing of a signal that came before it was done with the one before.
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert!("USR1\nUSR2\n".starts_with(&text), "{text}");
    }
}

#[test]
fn end_returns_with_the_child_and_not_after_the_grace() {
    for way in few_ways() {
        let start = Instant::now();
        let child = helper_by(way, "wait").spawn().unwrap();
        let ended = child.end(&Teardown::term(NEVER)).unwrap();
        assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)));
        let child = helper_by(way, "wait").spawn().unwrap();
        let ended = child.process().end(&Teardown::signal(Signal::KILL, Duration::MAX)).unwrap();
        assert_eq!((ended.by, ended.status.signal()), (Some(Signal::KILL), Some(libc::SIGKILL)));
        let (child, _output) = shell_with_trap(way, "exit 7");
        let ended = child.end(&Teardown::term(Duration::MAX)).unwrap();
        assert_eq!((ended.by, ended.status.code()), (Some(Signal::TERM), Some(7)));
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    }
}

#[test]
fn child_that_takes_no_signal_is_killed_after_the_graces() {
    for way in few_ways() {
        for how in [Teardown::term(SHORT), Teardown::signal(Signal::CONT, SHORT), Teardown::signal(Signal::STOP, SHORT)]
        {
            let (child, _output) = ready(&mut shell_by(way, "trap '' TERM; echo; exec sleep 60"));
            let start = Instant::now();
            let ended = child.end(&how).unwrap();
            assert!((SHORT..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
            assert_eq!((ended.by, ended.status.signal()), (Some(Signal::KILL), Some(libc::SIGKILL)), "{how:?}");
        }
        let child = helper_by(way, "wait").spawn().unwrap();
        assert_eq!(child.end(&Teardown::kill()).unwrap().by, Some(Signal::KILL));
    }
}

#[test]
fn stopped_child_takes_the_signal() {
    for way in few_ways() {
        for reach in few(&REACHES, way) {
            let child = shell_by(way, "kill -STOP $$; exit 7").setsid(true).spawn().unwrap();
            assert_eq!(child.wait_change().unwrap(), Change::Stopped(Signal::STOP));
            let ended = child.end(&Teardown::term(NEVER).reach(reach)).unwrap();
            assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)));
            // Nothing wakes it for a stop.
            let child = helper_by(way, "wait").setsid(true).spawn().unwrap();
            let ended = child.end(&Teardown::signal(Signal::TSTP, SHORT).reach(reach)).unwrap();
            assert_eq!(ended.by, Some(Signal::KILL));
        }
    }
}

own_process! {
    fn child_that_another_process_traces_is_ended_when_the_tracer_lets_it() {
        for way in few_ways() {
            for how in [Teardown::term(NEVER), Teardown::kill()] {
                let child = helper_by(way, "wait").spawn().unwrap();
                let pid = child.id().cast_signed();
                let (mut ready, is_ready) = std::io::pipe().unwrap();
                // SAFETY: the other thread of this process only waits, and the copy ends below.
                let tracer = unsafe { libc::fork() };
                if tracer == 0 {
                    trace(pid, || std::io::Write::write_all(&mut &is_ready, b"r").unwrap());
                }
                drop(is_ready);
                if ready.read(&mut [0]).unwrap() == 0 {
                    skip("another process cannot be traced");
                    child.end(&Teardown::kill()).unwrap();
                    reap(tracer);
                    return;
                }
                let start = Instant::now();
                let ended = child.end(&how).unwrap();
                assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
                assert_eq!(ended.by.map(Signal::as_raw), ended.status.signal());
                reap(tracer);
            }
        }
    }
}

/// Traces a process until it has ended, and hands its signals on after a time.
fn trace(pid: i32, attached: impl FnOnce()) -> ! {
    let null = std::ptr::null_mut::<u8>();
    // SAFETY: only numbers and null pointers are passed, the kernel writes one number, and the process ends here.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, pid, null, null) != 0 {
            libc::_exit(0);
        }
        attached();
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, libc::__WALL) == pid && libc::WIFSTOPPED(status) {
            std::thread::sleep(SHORT);
            libc::ptrace(libc::PTRACE_CONT, pid, null, libc::WSTOPSIG(status) as usize as *mut u8);
        }
        libc::_exit(0)
    }
}

fn reap(pid: i32) {
    // SAFETY: a null pointer asks for no status.
    assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) }, pid);
}

/// Makes this process a user. False, with a message, if it is not root.
fn become_user(user: u32) -> bool {
    // SAFETY: only numbers are passed. All threads change.
    let done = unsafe { libc::setresuid(user, user, 0) == 0 };
    done || skip("the user cannot be changed")
}

own_process! {
    fn child_of_another_user_is_an_error_without_a_hang_or_ends_by_itself() {
        if !become_user(65_534) || !become_user(0) {
            return;
        }
        for way in few_ways() {
            for reach in few(&REACHES, way) {
                let child = helper_by(way, "wait").setsid(true).spawn().unwrap();
                assert!(become_user(65_534));
                let start = Instant::now();
                // A signal that the child refuses has no grace.
                let error = child.end(&Teardown::term(NEVER).then(Signal::INT, NEVER).reach(reach)).unwrap_err();
                assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
                assert!(matches!(error.failure(), Failure::Signal), "{error:?}");
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{reach:?} {error}");
                assert_eq!(child.try_wait().unwrap(), None);
                assert!(become_user(0));
                assert_eq!(child.end(&Teardown::kill()).unwrap().by, Some(Signal::KILL));
            }
            let child = shell_by(way, "sleep 0.03; exit 7").spawn().unwrap();
            assert!(become_user(65_534));
            if let Ok(ended) = child.end(&Teardown::kill()) {
                assert_eq!((ended.status.code(), ended.by), (Some(7), None), "no signal has been sent");
            }
            assert!(become_user(0));
            let _ = child.wait_timeout(LONG).unwrap();
        }
    }
}

own_process! {
    fn process_of_another_user_takes_no_grace_from_the_child() {
        if !become_user(0) {
            return;
        }
        adopt_orphans();
        for way in few_ways() {
            for reach in few(&[Reach::Group, Reach::Session, Reach::Descendants], way) {
                let (mut child, _output) = ready(helper_by(way, "of-two-users").setsid(true).stdin(Stdio::piped()));
                assert!(become_user(65_534));
                let ended = child.end(&Teardown::term(NEVER).reach(reach)).unwrap();
                assert_eq!((ended.status.code(), ended.by), (Some(7), Some(Signal::TERM)), "{way:?} {reach:?}");
                drop(child.stdin.take());
                assert!(become_user(0));
            }
        }
        // SAFETY: a null pointer asks for no status.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
    }
}

#[test]
fn child_that_has_ended_before_needs_no_signal() {
    for way in few_ways() {
        for reach in few(&REACHES, way) {
            let how = Teardown::term(NEVER).reach(reach).graces_for_all(true);
            let mut child = helper_by(way, "exit").arg("7").setsid(true).spawn().unwrap();
            wait_until_ended(&child);
            let ended = child.end(&how).unwrap();
            assert_eq!((ended.status.code(), ended.by), (Some(7), None), "{way:?} {reach:?}");
            // It has been reaped now.
            assert_eq!(child.end(&how).unwrap().status, ended.status);
            assert_eq!(child.process().end(&how).unwrap().by, None);
            assert_eq!(child.wait().unwrap(), ended.status);
        }
    }
}

own_process! {
    fn child_that_other_code_has_reaped_has_the_status_that_the_kernel_tells() {
        for way in few_ways() {
            for reach in few(&REACHES, way) {
                let child = helper_by(way, "exit").arg("7").setsid(true).spawn().unwrap();
                reap_elsewhere(&child);
                let start = Instant::now();
                match child.end(&Teardown::term(NEVER).reach(reach)) {
                    Ok(ended) => {
                        assert!(super::is_told_after_reap(&child));
                        assert_eq!((ended.status.code(), ended.by), (Some(7), None));
                    }
                    Err(error) => {
                        assert!(!super::is_told_after_reap(&child));
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD), "{error}");
                    }
                }
                assert!(start.elapsed() < LONG);
            }
        }
    }
}

own_process! {
    fn in_a_forked_copy_nothing_is_ended() {
        for way in few_ways() {
            let child = helper_by(way, "wait").setsid(true).spawn().unwrap();
            let status = status_of(|| {
                // SAFETY: the signal ends a copy that waits.
                unsafe { libc::alarm(60) };
                for reach in few(&REACHES, way) {
                    let how = Teardown::term(NEVER).reach(reach);
                    for error in [child.end(&how).unwrap_err(), child.process().end(&how).unwrap_err()] {
                        assert!(matches!(error.failure(), Failure::NotAChild), "{error:?}");
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                    }
                }
            });
            assert_eq!(status, 0);
            assert_eq!(child.try_wait().unwrap(), None);
            child.end(&Teardown::kill()).unwrap();
        }
    }
}

#[test]
fn teardown_without_a_way_sends_nothing() {
    for way in few_ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        for (reach, is_failure) in [
            (Reach::Group, (|failure| matches!(failure, Failure::NoGroup)) as fn(&Failure) -> bool),
            (Reach::Session, |failure| matches!(failure, Failure::NoSession)),
        ] {
            let how = Teardown::kill().reach(reach);
            let error = child.end(&how).unwrap_err();
            assert!(is_failure(error.failure()), "{error:?}");
            let error = child.set_on_drop(fdspawn::OnDrop::End(how)).unwrap_err();
            assert!(is_failure(error.failure()), "{error:?}");
        }
        assert_eq!(child.wait_timeout(Duration::from_millis(2)).unwrap(), None);
        // A group is no session.
        let leader = helper_by(way, "wait").process_group(0).spawn().unwrap();
        let error = leader.end(&Teardown::kill().reach(Reach::Session)).unwrap_err();
        assert!(matches!(error.failure(), Failure::NoSession), "{error:?}");
        for child in [child, leader] {
            assert_eq!(child.end(&Teardown::kill()).unwrap().status.signal(), Some(libc::SIGKILL));
        }
    }
}

own_process! {
    fn group_that_this_process_has_joined_is_not_ended() {
        // SAFETY: only numbers are passed.
        let own = unsafe { libc::getpgid(0) };
        // SAFETY: only numbers are passed.
        let join = |group| assert_eq!(unsafe { libc::setpgid(0, group) }, 0, "{}", std::io::Error::last_os_error());
        for way in few_ways() {
            let child = helper_by(way, "wait").process_group(0).spawn().unwrap();
            join(child.id().cast_signed());
            let error = child.end(&Teardown::kill().reach(Reach::Group)).unwrap_err();
            assert!(matches!(error.failure(), Failure::OwnGroup), "{error:?}");
            assert_eq!(child.try_wait().unwrap(), None);
            // The child alone, and its descendants, are other than this process.
            child.end(&Teardown::kill().reach(Reach::Descendants)).unwrap();
            join(own);
        }
        // This process joins while the graces last.
        let (child, _output) = ready(shell_by((fdspawn::Launcher::Fork, true), "trap '' TERM; echo; exec sleep 60").process_group(0));
        let process = child.process();
        let ending = std::thread::spawn(move || process.end(&Teardown::term(10 * SHORT).reach(Reach::Group)));
        std::thread::sleep(SHORT);
        join(child.id().cast_signed());
        assert_eq!(ending.join().unwrap().unwrap().by, Some(Signal::KILL));
        join(own);
    }
}

#[test]
fn graces_are_for_the_child_alone_or_for_all() {
    // After SIGTERM the outer shell ends at once. The inner shell works on for 0.1 s if it gets a grace. Without a grace it works in an endless
    // loop, since the teardown may also send SIGTERM to the sleep that the trap has started, and end it.
    let script = |work| format!("(trap '{work}; echo finished; exit' TERM; echo; while :; do sleep 0.01; done) & wait");
    for way in few_ways() {
        for reach in few(&[Reach::Group, Reach::Session, Reach::Descendants], way) {
            for for_all in [true, false] {
                let work = if for_all { "sleep 0.1" } else { "while :; do sleep 1; done" };
                let (child, mut output) = ready(shell_by(way, &script(work)).setsid(true));
                let start = Instant::now();
                let ended = child.end(&Teardown::term(NEVER).reach(reach).graces_for_all(for_all)).unwrap();
                assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
                assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM)));
                let mut text = String::new();
                output.read_to_string(&mut text).unwrap();
                assert_eq!(text, if for_all { "finished\n" } else { "" }, "{way:?} {reach:?}");
            }
        }
    }
}

#[test]
fn what_takes_no_signal_is_killed_after_the_graces_for_all() {
    let script = "(trap '' TERM; echo; exec sleep 60) & wait";
    for way in few_ways() {
        for reach in [Reach::Group, Reach::Descendants] {
            with_longer_times(SHORT, |grace| {
                let (child, mut output) = ready(shell_by(way, script).process_group(0));
                let start = Instant::now();
                let how = Teardown::term(grace).then(Signal::TERM, grace).reach(reach).graces_for_all(true);
                let ended = child.end(&how).unwrap();
                assert!((2 * grace..2 * grace + LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
                output.read_to_string(&mut String::new()).unwrap();
                // A child that is slow to end is killed with the others.
                assert!([Some(Signal::TERM), Some(Signal::KILL)].contains(&ended.by), "{:?}", ended.by);
                ended.by == Some(Signal::TERM)
            });
        }
    }
}
