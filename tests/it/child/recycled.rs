//! A process id that the kernel has given to another process: no signal reaches that one.
//!
//! The tests run in a PID namespace in which the ids are few, so that they come again soon.

use super::{helper_by, reap_elsewhere, ways};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::kernel_is_at_least;
use crate::support::mounts::{mount, private};
use crate::support::tools::skip;
use fdspawn::{Child, Failure, Group, Reach, Signal, Teardown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// Runs `body` as the first process of a new PID namespace, in which ids come again after a hundred forks. False, with a message, if that
/// cannot be done.
pub(crate) fn with_few_ids(body: impl FnOnce()) -> bool {
    const LIMIT: &str = "/proc/sys/kernel/pid_max";
    // Before, all namespaces had one limit.
    if !kernel_is_at_least(6, 14) {
        return skip("the PID namespaces have one limit of ids");
    }
    // SAFETY: only the next children of this thread are in the new namespace.
    if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
        return skip("a PID namespace cannot be made");
    }
    let outside = std::fs::read_to_string(LIMIT).unwrap();
    const UNCHANGED: i32 = 77;
    let status = status_of(|| {
        if std::fs::write(LIMIT, "400").is_err() {
            // SAFETY: the process ends here.
            unsafe { libc::_exit(UNCHANGED) };
        }
        // The first 300 ids do not come again.
        while fork(|_| false) <= 301 {}
        body();
    });
    assert_eq!(std::fs::read_to_string(LIMIT).unwrap(), outside);
    if status == UNCHANGED {
        return skip("the limit of ids cannot be changed");
    }
    assert_eq!(status, 0);
    true
}

/// Forks a process that leads a session and a group, and waits for a signal. If `is_kept` is false for its id, it is ended at once. Returns the id.
fn fork(is_kept: impl FnOnce(i32) -> bool) -> i32 {
    // SAFETY: the process has one thread here; the child only waits.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0, "{}", std::io::Error::last_os_error());
        if pid == 0 {
            libc::setsid();
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        if is_kept(pid) {
            while libc::getsid(pid) != pid {
                std::thread::yield_now();
            }
        } else {
            libc::kill(pid, libc::SIGKILL);
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
        }
        pid
    }
}

/// Forks processes until one has this id. It lives until it gets a signal.
fn fork_until(id: i32) -> i32 {
    assert!((0..5000).any(|_| fork(|pid| pid == id) == id), "the id {id} does not come again");
    id
}

/// Whether a child lives. It ends here.
fn lives(pid: i32) -> bool {
    // SAFETY: the process is the caller's child.
    unsafe {
        if libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) != 0 {
            return false;
        }
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0) == pid
    }
}

/// The library sends a reaped child and its group nothing.
fn sends_nothing(child: &Child, case: &str) {
    let process = child.process();
    for signal in [Signal::TERM, Signal::KILL] {
        assert!(!child.signal(signal).unwrap(), "{case}");
        assert!(!process.signal(signal).unwrap(), "{case}");
        assert!(!child.signal_group(signal).unwrap(), "{case}");
        assert!(!process.signal_group(signal).unwrap(), "{case}");
    }
    child.kill().unwrap();
}

/// A child that has ended and has been reaped, by the library or by other code.
fn reaped(way: (fdspawn::Launcher, bool), elsewhere: bool) -> Child {
    let mut child = helper_by(way, "wait").process_group(0).spawn().unwrap();
    child.kill().unwrap();
    if elsewhere {
        // SAFETY: a null pointer asks for no status.
        assert_eq!(unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) }, child.id().cast_signed());
    } else {
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
    child
}

own_process! {
    fn signal_to_a_reaped_child_does_not_reach_the_next_child_of_that_id() {
        with_few_ids(|| for way in ways() {
            for elsewhere in [false, true] {
                let case = format!("{way:?}, {elsewhere}");
                let child = reaped(way, elsewhere);
                // Without a pidfd, nothing tells two children of one process apart that had the same id, if other code has reaped one.
                if elsewhere && child.pidfd().is_none() {
                    continue;
                }
                let next = fork_until(child.id().cast_signed());
                sends_nothing(&child, &case);
                assert_eq!(child.try_wait().is_ok(), child.pidfd().is_some() || !elsewhere);
                assert!(lives(next), "{case}");
            }
        });
    }
}

own_process! {
    fn signal_to_a_reaped_child_does_not_reach_another_process_of_that_id() {
        with_few_ids(|| for way in ways() {
            for elsewhere in [false, true] {
                let case = format!("{way:?}, {elsewhere}");
                let child = reaped(way, elsewhere);
                let id = child.id().cast_signed();
                // The next process of that id is a grandchild.
                let (mut ready, made) = std::io::pipe().unwrap();
                let (over, sent) = std::io::pipe().unwrap();
                // SAFETY: the process has one thread here.
                let parent = unsafe { libc::fork() };
                if parent == 0 {
                    drop(sent);
                    let next = fork_until(id);
                    std::io::Write::write_all(&mut &made, b"r").unwrap();
                    std::io::Read::read_to_end(&mut &over, &mut Vec::new()).unwrap();
                    // SAFETY: the process ends here.
                    unsafe { libc::_exit(i32::from(!lives(next))) };
                }
                drop((made, over));
                std::io::Read::read_exact(&mut ready, &mut [0]).unwrap();
                sends_nothing(&child, &case);
                drop(sent);
                let mut status = 0;
                // SAFETY: the kernel writes one number.
                assert_eq!(unsafe { libc::waitpid(parent, &raw mut status, 0) }, parent);
                assert_eq!(status, 0, "{case}");
            }
        });
    }
}

/// Where [`start_child`] writes the number of the process that it has started.
static STARTED: AtomicI32 = AtomicI32::new(-1);

/// A handler of SIGUSR1, which starts a process.
extern "C" fn start_child(_: i32) {
    // SAFETY: the process has one thread, and waits for this signal. The child only waits.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        libc::write(STARTED.load(Ordering::Relaxed), (&raw const pid).cast(), 4);
    }
}

/// Lets a process that [`fork`] has made start a child. Returns its number.
fn child_of(pid: i32, started: &mut std::io::PipeReader) -> i32 {
    let mut number = [0; 4];
    // SAFETY: the process is one that this test has made, and it handles the signal.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGUSR1) }, 0);
    std::io::Read::read_exact(started, &mut number).unwrap();
    i32::from_ne_bytes(number)
}

/// Whether a process runs, and is not a zombie.
fn runs(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// No teardown of a reaped child signals anyone, or waits for anyone.
fn ends_nothing(child: &Child, case: &str) {
    for reach in [Reach::Process, Reach::Group, Reach::Session, Reach::Descendants] {
        for how in [Teardown::kill(), Teardown::term(Duration::from_secs(3600)).graces_for_all(true)] {
            match child.end(&how.reach(reach)) {
                Ok(ended) => assert_eq!((ended.by, ended.status.signal()), (None, Some(libc::SIGKILL)), "{case}"),
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECHILD), "{case} {reach:?} {error}"),
            }
        }
    }
}

own_process! {
    fn end_of_a_reaped_child_does_not_reach_the_next_process_of_that_id_or_what_it_has_started() {
        with_few_ids(|| {
            // SAFETY: the signal ends a test that waits for the wrong process.
            unsafe { libc::alarm(120) };
            if private().and_then(|()| mount(c"proc", Path::new("/proc"), c"")).is_err() {
                skip("/proc cannot be mounted");
                return;
            }
            let (mut started, writer) = std::io::pipe().unwrap();
            STARTED.store(std::os::fd::AsRawFd::as_raw_fd(&writer), Ordering::Relaxed);
            // SAFETY: the handler is one for a process that waits.
            unsafe { libc::signal(libc::SIGUSR1, start_child as extern "C" fn(i32) as libc::sighandler_t) };
            for way in ways() {
                for elsewhere in [false, true] {
                    let case = format!("{way:?}, {elsewhere}");
                    let mut child = helper_by(way, "wait").setsid(true).spawn().unwrap();
                    child.kill().unwrap();
                    if elsewhere {
                        reap_elsewhere(&child);
                    } else {
                        child.wait().unwrap();
                    }
                    // Nothing tells the two children apart then.
                    if elsewhere && child.pidfd().is_none() {
                        continue;
                    }
                    let next = fork_until(child.id().cast_signed());
                    let below = child_of(next, &mut started);
                    ends_nothing(&child, &case);
                    assert!(runs(below), "{case}");
                    assert!(lives(next), "{case}");
                }
            }
        });
    }
}

own_process! {
    fn group_of_a_reaped_leader_does_not_reach_the_next_group_of_that_id() {
        with_few_ids(|| for way in ways() {
            let kill = Teardown::kill().reach(Reach::Group);
            let group = Group::new();
            let mut leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            let member = helper_by(way, "wait").group(&group).spawn().unwrap();
            assert!(group.signal(Signal::TERM).unwrap());
            leader.wait().unwrap();
            member.end(&kill).unwrap();
            drop(group);
            let next = fork_until(leader.id().cast_signed());
            for child in [&leader, &member] {
                assert!(!child.signal_group(Signal::KILL).unwrap(), "{way:?}");
                assert_eq!(child.end(&kill).unwrap().by, None);
            }
            assert!(lives(next), "{way:?}");

            // Other code reaps the leader. Without a pidfd, nothing tells it and the next child of its id apart.
            let group = Group::new();
            let leader = helper_by(way, "wait").group(&group).spawn().unwrap();
            leader.kill().unwrap();
            reap_elsewhere(&leader);
            if leader.pidfd().is_none() {
                continue;
            }
            let next = fork_until(leader.id().cast_signed());
            assert!(!group.signal(Signal::KILL).unwrap(), "{way:?}");
            let error = helper_by(way, "wait").group(&group).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::GroupGone), "{error:?}");
            drop(group);
            assert!(lives(next), "{way:?}");
        });
    }
}
