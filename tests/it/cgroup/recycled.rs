//! Process ids of members that the kernel gives to other processes while a signal is on its way.

use super::{LONG, made};
use crate::child::recycled::with_few_ids;
use crate::own_process;
use crate::support::supervised;
use fdspawn::{Cgroup, Signal};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Forks a process that waits for a signal, without libc's handlers of forks: another thread may hold a lock that these take.
fn fork_waiting() -> i32 {
    // SAFETY: the child only waits, and ends with this process.
    unsafe {
        let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32;
        if pid == 0 {
            // The supervisor waits until all copies of a pipe's end are closed.
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
            libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
            loop {
                libc::syscall(libc::SYS_ppoll, 0, 0, 0, 0, 0);
            }
        }
        assert!(pid > 0, "{}", std::io::Error::last_os_error());
        pid
    }
}

/// Kills a child and reaps it. Returns the signal that has ended it.
fn kill(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the process is this one's child. The kernel writes one number.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
    }
    libc::WTERMSIG(status)
}

own_process! {
    fn number_of_a_member_that_another_process_gets_before_the_pidfd_is_opened_is_not_signalled() {
        let Some((_outer, cgroup)) = made() else { return };
        with_few_ids(|| {
            let member = fork_waiting();
            std::fs::write(cgroup.path().join("cgroup.procs"), member.to_string()).unwrap();
            let mut calls = 0;
            let signalled = signal_supervised(&cgroup, || {
                calls += 1;
                kill(member);
                assert!((0..5000).any(|_| is_next(member)), "the id {member} does not come again");
            });
            let Some(signalled) = signalled else { return };
            assert_eq!((calls, signalled), (1, 0));
            assert_eq!(kill(member), libc::SIGKILL, "the process outside the cgroup lived");
        });
    }
}

/// Whether the next process has this number. If not, it is ended at once.
fn is_next(number: i32) -> bool {
    let pid = fork_waiting();
    if pid != number {
        kill(pid);
    }
    pid == number
}

/// How many processes a signal reaches, if this is done before each `pidfd_open`. `None` if calls cannot be supervised.
fn signal_supervised(cgroup: &Cgroup, mut each: impl FnMut()) -> Option<usize> {
    let each = |_| {
        each();
        None
    };
    supervised::calls(libc::SYS_pidfd_open, None, each, || cgroup.signal(Signal::TERM).unwrap())
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
    let start = Instant::now();
    let least = Duration::from_millis(crate::support::rounds(250, 2000) as u64);
    let signalled = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                signalled.fetch_add(cgroup.signal(Signal::TERM).unwrap(), Ordering::Relaxed);
            }
        });
        let (mut strangers, mut members) = (Vec::new(), Vec::new());
        let mut number = 0_u64;
        // On a machine that has much to do, each member can have ended before a signal is sent.
        let is_too_early = |took| took < least || took < LONG && signalled.load(Ordering::Relaxed) == 0;
        while is_too_early(start.elapsed()) {
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
    });
    assert!(signalled.into_inner() > 0);
}
