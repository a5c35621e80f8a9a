//! A child that stops and continues: `wait_change`.

use super::{cost, helper_by, ways};
use crate::own_process;
use crate::support::children;
use fdspawn::{Change, Signal};
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn stops_continuations_and_the_end_come_in_order_and_once_each() {
    for way in ways() {
        // The kernel does not stop a member of an orphaned group by SIGTSTP, SIGTTIN or SIGTTOU. The group of this child is
        // not orphaned: its leader has a parent in another group of the session.
        let child = helper_by(way, "wait").process_group(0).spawn().unwrap();
        for signal in [Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU] {
            assert!(child.signal(signal).unwrap());
            assert_eq!(child.wait_change().unwrap(), Change::Stopped(signal), "{way:?}");
            assert_eq!(child.try_wait().unwrap(), None, "a stopped child has not ended");
            assert!(child.signal(Signal::CONT).unwrap());
            assert_eq!(child.wait_change().unwrap(), Change::Continued);
            assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
        }
        assert!(child.signal(Signal::TERM).unwrap());
        for _ in 0..2 {
            assert!(
                matches!(child.wait_change().unwrap(), Change::Ended(status) if status.signal() == Some(libc::SIGTERM))
            );
        }
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGTERM));
    }
}

#[test]
fn child_that_ends_while_it_is_stopped_or_during_the_wait_has_its_status() {
    for way in ways() {
        let child = helper_by(way, "exit").arg("7").spawn().unwrap();
        assert!(matches!(child.wait_change().unwrap(), Change::Ended(status) if status.code() == Some(7)));

        let child = helper_by(way, "wait").spawn().unwrap();
        assert!(child.signal(Signal::STOP).unwrap());
        assert_eq!(child.wait_change().unwrap(), Change::Stopped(Signal::STOP));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut changed = None;
                let (time, _) = cost(|| changed = Some(child.wait_change().unwrap()));
                assert!(time < Duration::from_millis(50), "{time:?}");
                changed.unwrap()
            });
            std::thread::sleep(Duration::from_millis(300));
            assert!(!waiting.is_finished());
            child.kill().unwrap();
            assert!(matches!(waiting.join().unwrap(), Change::Ended(status) if status.signal() == Some(libc::SIGKILL)));
        });
    }
}

#[test]
fn of_two_threads_one_is_told_of_each_stop_and_both_of_the_end() {
    for way in ways() {
        let child = helper_by(way, "wait").spawn().unwrap();
        let (sender, changes) = mpsc::channel();
        std::thread::scope(|scope| {
            for sender in [sender.clone(), sender] {
                let child = &child;
                scope.spawn(move || {
                    loop {
                        let change = child.wait_change().unwrap();
                        sender.send(change).unwrap();
                        if matches!(change, Change::Ended(_)) {
                            return;
                        }
                    }
                });
            }
            for _ in 0..5 {
                for (signal, change) in
                    [(Signal::STOP, Change::Stopped(Signal::STOP)), (Signal::CONT, Change::Continued)]
                {
                    assert!(child.signal(signal).unwrap());
                    assert_eq!(changes.recv().unwrap(), change);
                }
            }
            assert!(child.signal(Signal::TERM).unwrap());
        });
        let ends: Vec<Change> = changes.iter().collect();
        let is_end =
            |change: &Change| matches!(change, Change::Ended(status) if status.signal() == Some(libc::SIGTERM));
        assert!(ends.len() == 2 && ends.iter().all(is_end), "{ends:?}");
    }
}

#[test]
fn wait_for_the_end_takes_no_stop_away() {
    for way in ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        let waiting = std::thread::spawn(move || process.wait());
        assert!(child.signal(Signal::STOP).unwrap());
        assert_eq!(child.wait_timeout(Duration::from_millis(20)).unwrap(), None);
        assert_eq!(child.wait_change().unwrap(), Change::Stopped(Signal::STOP));
        child.kill().unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), child.wait().unwrap());
    }
}

own_process! {
    fn change_of_a_child_that_other_code_reaps_is_its_end_or_a_clear_error() {
        for way in ways() {
            let child = helper_by(way, "wait").spawn().unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| child.wait_change());
                std::thread::sleep(Duration::from_millis(20));
                child.kill().unwrap();
                // SAFETY: a null pointer asks for no status.
                unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) };
                match waiting.join().unwrap() {
                    Ok(change) => assert!(matches!(change, Change::Ended(status) if status.signal() == Some(libc::SIGKILL))),
                    Err(error) => {
                        assert!(!super::is_told_after_reap(&child));
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                    }
                }
            });
            assert_eq!(children(), 0);
        }
    }
}
