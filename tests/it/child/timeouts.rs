//! Waits with a time limit: `wait_timeout` and `wait_deadline`.

use super::{cost, helper_by, wait_until_ended, ways};
use crate::own_process;
use crate::support::forked::Forked;
use crate::support::tools::skip;
use fdspawn::{Change, Signal};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(40);
/// How long a wait lasts whose cost is measured.
const WHILE: Duration = Duration::from_millis(300);
/// A bound for what should take no time, on a machine that has much to do.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn running_child_is_none_when_the_time_is_over_and_not_before() {
    for way in ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        for _ in 0..2 {
            let start = Instant::now();
            assert_eq!(child.wait_timeout(SHORT).unwrap(), None);
            assert!((SHORT..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
            assert_eq!(process.wait_deadline(start + 2 * SHORT).unwrap(), None);
            assert!((2 * SHORT..LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
        }
        let start = Instant::now();
        assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
        assert_eq!(process.wait_timeout(Duration::ZERO).unwrap(), None);
        assert_eq!(child.wait_deadline(start).unwrap(), None);
        assert_eq!(process.wait_deadline(start.checked_sub(Duration::from_secs(1)).unwrap_or(start)).unwrap(), None);
        assert!(start.elapsed() < LONG);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn end_of_the_child_ends_the_wait_and_the_status_stays() {
    for way in ways() {
        let child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        let past = Instant::now();
        let start = Instant::now();
        let waits: [&(dyn Fn() -> _ + Sync); 4] = [
            &|| child.wait_timeout(10 * LONG),
            &|| child.wait_deadline(start + 10 * LONG),
            &|| process.wait_timeout(Duration::MAX),
            &|| child.wait_timeout(Duration::MAX),
        ];
        std::thread::scope(|scope| {
            let waiting = waits.map(|wait| scope.spawn(wait));
            std::thread::sleep(SHORT);
            assert!(child.signal(Signal::TERM).unwrap());
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap().unwrap().unwrap().signal(), Some(libc::SIGTERM));
            }
        });
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
        for again in
            [child.wait_timeout(Duration::ZERO), child.wait_deadline(past), process.wait_timeout(Duration::MAX)]
        {
            assert_eq!(again.unwrap().unwrap().signal(), Some(libc::SIGTERM));
        }
    }
}

#[test]
fn child_that_has_ended_has_a_status_though_the_time_is_over() {
    for way in ways() {
        let past = Instant::now();
        for by_time in [true, false] {
            let child = helper_by(way, "exit").arg("7").spawn().unwrap();
            wait_until_ended(&child);
            let ended = if by_time { child.wait_timeout(Duration::ZERO) } else { child.wait_deadline(past) };
            assert_eq!(ended.unwrap().unwrap().code(), Some(7));
        }
    }
}

/// The call costs next to no processor time. With a pidfd the thread stops once; without one it asks at most each 16 ms.
fn is_no_busy_loop(asks: bool, wait: impl FnOnce()) {
    let (time, stops) = cost(wait);
    assert!(time < WHILE / 6, "{time:?}");
    assert!(stops < if asks { 60 } else { 8 }, "{stops}");
}

// In a process of its own: `cost` also counts the stops for the lock of the memory mappings, which threads of other tests would change.
own_process! {
    fn wait_for_a_running_or_stopped_child_is_no_busy_loop() {
        for way in ways() {
            let mut child = helper_by(way, "wait").spawn().unwrap();
            let asks = child.pidfd().is_none();
            is_no_busy_loop(asks, || assert_eq!(child.wait_timeout(WHILE).unwrap(), None));
            assert!(child.signal(Signal::STOP).unwrap());
            is_no_busy_loop(asks, || assert_eq!(child.wait_timeout(WHILE).unwrap(), None));
            assert!(child.signal(Signal::CONT).unwrap());
            is_no_busy_loop(asks, || assert_eq!(child.wait_timeout(WHILE).unwrap(), None));
            child.kill().unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        }
    }
}

own_process! {
    fn storm_of_signals_neither_shortens_nor_prolongs_a_wait() {
        static CAUGHT: AtomicUsize = AtomicUsize::new(0);
        extern "C" fn count(_: i32) {
            CAUGHT.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the handler only counts. It has no SA_RESTART, so that calls end with EINTR.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
        for way in ways() {
            let child = helper_by(way, "wait").spawn().unwrap();
            // SAFETY: the call asks who this thread is.
            let waiting = unsafe { libc::pthread_self() };
            let over = AtomicBool::new(false);
            let before = CAUGHT.load(Ordering::Relaxed);
            std::thread::scope(|scope| {
                let over = crate::support::Over(&over);
                scope.spawn(|| {
                    while !over.0.load(Ordering::Relaxed) {
                        // SAFETY: the thread lives as long as this scope.
                        unsafe { libc::pthread_kill(waiting, libc::SIGUSR1) };
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
                let start = Instant::now();
                assert_eq!(child.wait_timeout(WHILE).unwrap(), None);
                assert!((WHILE..WHILE + LONG).contains(&start.elapsed()), "{:?}", start.elapsed());
                let process = child.process();
                scope.spawn(move || {
                    std::thread::sleep(SHORT);
                    process.signal(Signal::TERM).unwrap();
                });
                assert_eq!(child.wait_timeout(Duration::MAX).unwrap().unwrap().signal(), Some(libc::SIGTERM));
                over.0.store(true, Ordering::Relaxed);
            });
            assert!(CAUGHT.load(Ordering::Relaxed) - before > 10);
        }
    }
}

own_process! {
    fn ended_child_that_another_process_traces_is_no_busy_loop() {
        // A tracer that does not wait keeps an ended child from its parent: the pidfd is readable, and waitid(2) finds nothing.
        for way in ways() {
            let child = helper_by(way, "wait").spawn().unwrap();
            let pid = child.id();
            let (mut reader, writer) = std::io::pipe().unwrap();
            let tracer = Forked::new(|| {
                // SAFETY: only numbers are passed.
                let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) } == 0;
                std::io::Write::write_all(&mut &writer, &[u8::from(seized)]).unwrap();
            });
            let mut seized = [0];
            std::io::Read::read_exact(&mut reader, &mut seized).unwrap();
            if seized == [0] {
                child.kill().unwrap();
                child.process().wait().unwrap();
                skip("one child cannot trace another");
                return;
            }
            child.kill().unwrap();
            let traced = format!("/proc/{pid}/stat");
            while !std::fs::read_to_string(&traced).unwrap().contains(") Z ") {
                std::thread::sleep(Duration::from_millis(1));
            }
            is_no_busy_loop(true, || assert_eq!(child.wait_timeout(WHILE).unwrap(), None));
            let process = child.process();
            std::thread::scope(|scope| {
                let changed = scope.spawn(|| is_no_busy_loop(true, || {
                    assert!(matches!(child.wait_change().unwrap(), Change::Ended(status) if status.signal() == Some(9)));
                }));
                let ended = scope.spawn(|| is_no_busy_loop(true, || {
                    assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGKILL));
                }));
                std::thread::sleep(WHILE);
                assert!(!ended.is_finished() && !changed.is_finished());
                drop(tracer);
                ended.join().unwrap();
                changed.join().unwrap();
            });
        }
    }
}
