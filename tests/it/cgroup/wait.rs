//! Waits for the end of all processes of a cgroup.

use super::{LONG, end, made, waiting};
use crate::own_process;
use fdspawn::Signal;
use std::time::{Duration, Instant};

#[test]
fn wait_ends_at_its_deadline_or_when_the_cgroup_is_empty() {
    let Some((_outer, cgroup)) = made() else { return };
    let now = Instant::now();
    for deadline in [None, Some(now), Some(now + LONG), now.checked_sub(Duration::from_secs(1))] {
        assert!(cgroup.wait_until_empty(deadline).unwrap(), "it is empty already");
    }
    let mut child = waiting(&cgroup);
    let start = Instant::now();
    assert!(!cgroup.wait_until_empty(Some(start)).unwrap());
    assert!(start.elapsed() < Duration::from_millis(500));
    for millis in [30, 700] {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(millis);
        assert!(!cgroup.wait_until_empty(Some(deadline)).unwrap());
        assert!(Instant::now() >= deadline && start.elapsed() < deadline - start + Duration::from_secs(5));
    }
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..4).map(|_| scope.spawn(|| cgroup.wait_until_empty(None))).collect();
        std::thread::sleep(Duration::from_millis(20));
        assert!(waits.iter().all(|wait| !wait.is_finished()));
        child.signal(Signal::TERM).unwrap();
        assert!(waits.into_iter().all(|wait| wait.join().unwrap().unwrap()));
    });
    assert!(cgroup.is_empty().unwrap(), "a zombie does not count");
    child.wait().unwrap();
}

own_process! {
    fn wait_takes_no_processor_time() {
        let Some((_outer, cgroup)) = made() else { return };
        let child = waiting(&cgroup);
        // SAFETY: the kernel writes one structure, for which all zeros are valid.
        let usage = || unsafe {
            let mut time = std::mem::zeroed::<libc::timespec>();
            assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time), 0);
            Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
        };
        let before = usage();
        assert!(!cgroup.wait_until_empty(Some(Instant::now() + Duration::from_secs(1))).unwrap());
        let taken = usage() - before;
        assert!(taken < Duration::from_millis(50), "{taken:?}");
        end(child);
    }
}

#[test]
fn wait_for_a_cgroup_that_another_process_removes_ends() {
    let Some((_outer, cgroup)) = made() else { return };
    let mut child = waiting(&cgroup);
    std::thread::scope(|scope| {
        let wait = scope.spawn(|| cgroup.wait_until_empty(None));
        std::thread::sleep(Duration::from_millis(20));
        child.kill().unwrap();
        child.wait().unwrap();
        // The kernel may not have told the end yet.
        while std::fs::remove_dir(cgroup.path()).is_err() {
            std::thread::yield_now();
        }
        assert!(wait.join().unwrap().unwrap());
    });
}
