//! Process ids of members that the kernel gives to other processes while a signal is on its way.

use super::made;
use crate::child::recycled::with_few_ids;
use crate::own_process;
use fdspawn::{Cgroup, Signal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Forks a process that moves to a cgroup, if there is one, and then ends by itself.
fn fork(cgroup: Option<&std::fs::File>, life: Duration) -> i32 {
    use std::io::Write;
    // SAFETY: the child makes only calls that are safe after a fork, and ends.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            if let Some(mut procs) = cgroup {
                let _ = procs.write_all(b"0");
            }
            libc::usleep(life.as_micros() as u32);
            libc::_exit(0);
        }
        pid
    }
}

own_process! {
    fn signal_to_members_that_come_and_go_reaches_no_process_outside() {
        let Some((_outer, cgroup)) = made() else { return };
        with_few_ids(|| is_right_under_a_storm(&cgroup));
    }
}

fn is_right_under_a_storm(cgroup: &Cgroup) {
    let over = AtomicBool::new(false);
    let procs = std::fs::File::options().write(true).open(cgroup.path().join("cgroup.procs")).unwrap();
    let end = Instant::now() + Duration::from_secs(2);
    let signalled = std::thread::scope(|scope| {
        let signals = scope.spawn(|| {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                count += cgroup.signal(Signal::TERM).unwrap();
            }
            count
        });
        let (mut strangers, mut members) = (Vec::new(), Vec::new());
        let mut number = 0_u64;
        while Instant::now() < end {
            number += 1;
            // Short lives, so that numbers go from members to strangers all the time.
            let is_member = number & 1 == 0;
            let pid = fork(is_member.then_some(&procs), Duration::from_micros(number % 7 * 100));
            if pid > 0 {
                if is_member { members.push(pid) } else { strangers.push(pid) }
            }
            for (ended, of_strangers) in [(&mut strangers, true), (&mut members, false)] {
                let most = if ended.len() > 20 { 10 } else { 0 };
                for pid in ended.drain(..most) {
                    let mut status = 0;
                    // SAFETY: the process is this one's child. The kernel writes one number.
                    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
                    assert!(!of_strangers || status == 0, "a process outside the cgroup was signalled: {status:#x}");
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        for pid in strangers {
            let mut status = 0;
            // SAFETY: as above.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0);
        }
        signals.join().unwrap()
    });
    assert!(signalled > 0);
}
