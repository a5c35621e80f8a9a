//! Spawns in a process that was forked while its other threads spawned.

use crate::own_process;
use crate::support;
use crate::support::{LAUNCHERS, Over, children};
use std::sync::atomic::{AtomicBool, Ordering};

own_process! {
    fn process_that_forks_while_its_threads_spawn_can_spawn_in_the_copy() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for launcher in LAUNCHERS {
                let over = &over;
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        support::command("true").launcher(launcher).status().unwrap();
                    }
                });
            }
            let _over = Over(&over);
            for _ in 0..support::rounds(60, 300) {
                let (reader, writer) = std::io::pipe().unwrap();
                // SAFETY: the copy spawns, and ends. The C library's own locks are right in the copy, as glibc promises for fork.
                let copy = unsafe { libc::fork() };
                assert!(copy >= 0);
                if copy == 0 {
                    let spawned = fdspawn::Command::new("/bin/true").env_clear().status().is_ok_and(|status| status.success());
                    // SAFETY: the copy ends.
                    unsafe { libc::_exit(i32::from(!spawned)) };
                }
                drop(writer);
                assert_eq!(status_within(copy, &reader, 20), Some(0));
            }
        });
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn child_of_the_process_is_no_child_of_its_copy() {
        let mut child = crate::support::helper("wait").spawn().unwrap();
        let status = crate::support::forked::status_of(|| {
            let no_child = |error: fdspawn::Error| {
                assert!(matches!(error.failure(), fdspawn::Failure::NotAChild), "{error:?}");
                assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::ECHILD), fdspawn::Stage::Running));
                assert!(error.to_string().ends_with(": this process is a forked copy of the one that has started it"), "{error}");
            };
            no_child(child.try_wait().unwrap_err());
            no_child(child.kill().unwrap_err());
            no_child(child.wait().unwrap_err());
        });
        assert_eq!(status, 0);
        assert!(child.try_wait().unwrap().is_none(), "the copy has not killed it");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// The exit status of a copy that ends in time, and so closes its end of a pipe. If it does not end, it is killed.
fn status_within(pid: i32, end: &std::io::PipeReader, seconds: i64) -> Option<i32> {
    let mut polls = [rustix::event::PollFd::new(end, rustix::event::PollFlags::IN)];
    let timeout = rustix::event::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let in_time = rustix::event::poll(&mut polls, Some(&timeout)).unwrap() == 1;
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    if !in_time {
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let (_, status) = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap().unwrap();
    in_time.then(|| status.exit_status()).flatten()
}
