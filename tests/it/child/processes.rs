//! Several threads with handles of one child: `Process`.

use super::{cost, helper_by, ways};
use crate::own_process;
use crate::support;
use crate::support::forked::status_of;
use crate::support::{children, exhaustive};
use fdspawn::{Change, Failure, Launcher, Process, Signal};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

#[test]
fn handle_goes_to_any_thread() {
    fn shareable<T: Clone + Send + Sync + 'static>() {}
    shareable::<Process>();
}

#[test]
fn eight_threads_that_wait_get_the_status_of_the_child_that_another_ends() {
    for way in ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        assert_eq!(process.id(), child.id());
        let waiting: Vec<_> = (0..8)
            .map(|index| {
                let process = process.clone();
                std::thread::spawn(move || {
                    let mut status = None;
                    let (time, _) = cost(|| {
                        status = Some(match index % 4 {
                            0 => process.wait().unwrap(),
                            1 => process.wait_timeout(Duration::MAX).unwrap().unwrap(),
                            2 => process.wait_deadline(Instant::now() + Duration::from_secs(600)).unwrap().unwrap(),
                            _ => process.wait_usage().unwrap().0,
                        });
                    });
                    assert!(time < Duration::from_millis(50), "{time:?}");
                    status.unwrap()
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(process.try_wait().unwrap(), None);
        assert!(process.signal(Signal::TERM).unwrap());
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), status);
        }
        assert_eq!(process.try_wait().unwrap(), Some(status));
        assert!(!process.signal(Signal::TERM).unwrap(), "a reaped child gets no signal");
    }
}

#[test]
fn wait_returns_when_another_thread_has_reaped_the_child() {
    for way in ways() {
        let child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        let waiting = std::thread::spawn(move || process.wait());
        child.kill().unwrap();
        while child.try_wait().unwrap().is_none() {}
        assert_eq!(waiting.join().unwrap().unwrap(), child.try_wait().unwrap().unwrap());
    }
}

#[test]
fn handle_outlives_the_child_value_and_its_drop_does_nothing() {
    for way in ways() {
        let child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        drop(process.clone());
        assert_eq!(process.try_wait().unwrap(), None);
        drop(child);
        assert_eq!(process.wait_timeout(Duration::from_millis(10)).unwrap(), None);
        assert!(process.signal(Signal::KILL).unwrap());
        assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

own_process! {
    fn signals_beside_waits_reach_their_own_children_and_no_status_is_lost() {
        const THREADS: usize = 8;
        // Each child gets a signal of its own: the status of a wrong target would show another one.
        const SIGNALS: [Signal; THREADS] = [
            Signal::TERM, Signal::KILL, Signal::HUP, Signal::USR1, Signal::USR2, Signal::INT, Signal::ALARM, Signal::VTALARM,
        ];
        let rounds = if exhaustive() { 20_000 } else { 200 } / THREADS;
        let mut bystander = support::command("sleep").arg("600").spawn().unwrap();
        let slots: Vec<Mutex<Option<Process>>> = (0..THREADS).map(|_| Mutex::new(None)).collect();
        let barrier = Barrier::new(THREADS);
        let all: Vec<(Launcher, bool)> = ways().collect();
        let work = |thread: usize| {
            for round in 0..rounds {
                let way = all[(thread + round) % all.len()];
                let mut command = support::command("sleep");
                command.arg("600").launcher(way.0).pidfd(way.1);
                *slots[thread].lock().unwrap() = Some(command.spawn().unwrap().process());
                barrier.wait();
                // The first signal comes from one thread, and repeats of it from others, during the waits and the reap.
                for other in (0..THREADS).map(|step| (thread + step) % THREADS) {
                    let process = slots[other].lock().unwrap().clone().unwrap();
                    process.signal(SIGNALS[other]).unwrap();
                    let status = if round % 2 == 0 { process.wait() } else { process.wait_usage().map(|told| told.0) };
                    assert_eq!(status.unwrap().signal(), Some(SIGNALS[other].as_raw()), "{way:?}");
                    assert!(!process.signal(Signal::KILL).unwrap());
                }
                barrier.wait();
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                // A thread that panics would leave the others at the barrier.
                scope.spawn(move || {
                    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(thread)));
                    // SAFETY: the process ends here.
                    result.unwrap_or_else(|_| unsafe { libc::_exit(101) });
                });
            }
        });
        assert_eq!(bystander.try_wait().unwrap(), None);
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        assert_eq!(children(), 0);
    }
}

#[test]
fn child_with_a_second_handle_is_not_given_away() {
    for way in ways() {
        let child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        let error = child.into_parts().unwrap_err();
        assert!(matches!(error.failure(), Failure::Shared), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
        assert!(error.to_string().contains("a Process of the child exists"), "{error}");
        assert_eq!(process.try_wait().unwrap(), None, "it runs on");
        process.signal(Signal::KILL).unwrap();
        process.wait().unwrap();

        let child = helper_by(way, "wait").spawn().unwrap();
        drop(child.process());
        let (pid, _pidfd) = child.into_parts().unwrap();
        // SAFETY: the child is this test's now, and it has not been reaped.
        unsafe {
            assert_eq!(libc::kill(pid.cast_signed(), libc::SIGKILL), 0);
            assert_eq!(libc::waitpid(pid.cast_signed(), std::ptr::null_mut(), 0), pid.cast_signed());
        }
    }
}

own_process! {
    fn in_a_forked_copy_everything_is_an_error_at_once() {
        for way in ways() {
            for ended in [false, true] {
                let mut child = helper_by(way, "wait").process_group(0).spawn().unwrap();
                let process = child.process();
                if ended {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
                let status = status_of(|| {
                    // SAFETY: the signal ends a copy that waits.
                    unsafe { libc::alarm(60) };
                    let long = Duration::from_secs(3600);
                    let errors = [
                        process.wait().unwrap_err(),
                        process.try_wait().unwrap_err(),
                        process.wait_timeout(long).unwrap_err(),
                        process.wait_timeout(Duration::ZERO).unwrap_err(),
                        process.wait_deadline(Instant::now() + long).unwrap_err(),
                        process.wait_usage().unwrap_err(),
                        process.signal(Signal::KILL).unwrap_err(),
                        process.signal_group(Signal::KILL).unwrap_err(),
                        child.wait_change().unwrap_err(),
                        child.wait_timeout(long).unwrap_err(),
                        child.signal(Signal::KILL).unwrap_err(),
                        child.signal_group(Signal::KILL).unwrap_err(),
                        child.kill().unwrap_err(),
                        child.wait().unwrap_err(),
                        child.wait_usage().unwrap_err(),
                    ];
                    for error in errors {
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD), "{error}");
                    }
                });
                assert_eq!(status, 0);
                if !ended {
                    assert_eq!(child.try_wait().unwrap(), None, "the copy has not harmed it");
                    assert!(process.signal(Signal::STOP).unwrap());
                    assert_eq!(child.wait_change().unwrap(), Change::Stopped(Signal::STOP));
                    child.kill().unwrap();
                    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
                }
            }
        }
    }
}
