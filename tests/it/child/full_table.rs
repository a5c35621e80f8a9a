//! A parent at its limit of descriptors: how it ends children, lets them join a group, and moves their bytes.

use super::{adopt_orphans, few, few_ways, ready, shell_by, ways};
use crate::own_process;
use crate::support::children;
use crate::support::sources::{hard_limit, set_limit};
use crate::support::table::{Table, is_open};
use fdspawn::{Capture, Command, Exchange, Failure, Group, Keep, Reach, Resource, Rlimit, Signal, Teardown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;

/// Calls a function while this process can open only so many descriptors more.
fn with_room<T>(room: u64, act: impl FnOnce() -> T) -> T {
    // All numbers below this one are taken.
    let first_free = (0..).find(|&number| !is_open(number)).unwrap() as u64;
    set_limit(first_free + room, hard_limit());
    let result = act();
    set_limit(hard_limit(), hard_limit());
    result
}

/// A command whose child has more room than this process.
fn roomy(mut command: Command<'static>) -> Command<'static> {
    command.rlimit(Resource::Nofile, Rlimit { current: Some(256), maximum: Some(hard_limit()) });
    command
}

/// Reaps the orphans that this process has adopted, as each ends.
fn reap_orphans() {
    // SAFETY: a null pointer asks for no status.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

own_process! {
    fn end_reaches_all_or_sends_nothing() {
        adopt_orphans();
        for way in ways() {
            for reach in few(&[Reach::Process, Reach::Group, Reach::Session, Reach::Descendants], way) {
                let mut failures = 0;
                for room in 0..6 {
                    let (child, output) = ready(shell_by(way, "sleep 60 & echo; wait").setsid(true));
                    drop(output);
                    let before = Table::current();
                    let how = Teardown::term(std::time::Duration::from_secs(60)).reach(reach);
                    let ended = with_room(room, || child.end(&how));
                    match ended {
                        Ok(ended) => assert_eq!((ended.by, ended.status.signal()), (Some(Signal::TERM), Some(libc::SIGTERM))),
                        Err(error) => {
                            failures += 1;
                            assert!(matches!(error.failure(), Failure::NoProcessList), "{error}");
                            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                            assert_eq!(child.try_wait().unwrap(), None, "the child got no signal");
                            child.end(&Teardown::kill().reach(reach)).unwrap();
                        }
                    }
                    assert_eq!(Table::current(), before);
                    if reach == Reach::Process {
                        // SAFETY: the group has its number for itself as long as it has a process.
                        unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
                    }
                    drop(child);
                    reap_orphans();
                    assert_eq!(children(), 0);
                }
                let needs_descriptors = matches!(reach, Reach::Session | Reach::Descendants);
                assert_eq!(failures > 0, needs_descriptors, "{way:?}, {reach:?}: {failures}");
            }
        }
    }
}

own_process! {
    fn group_and_capture_succeed_or_leave_nothing() {
        for way in few_ways() {
            let mut successes = 0;
            for room in 0..24 {
                let before = Table::current();
                let group = Group::new();
                let leader = with_room(room, || roomy(shell_by(way, "exit 3")).group(&group).spawn());
                if let Ok(mut leader) = leader {
                    assert_eq!(leader.wait().unwrap().code(), Some(3));
                    let mut member = shell_by(way, "exit 4").group(&group).spawn().unwrap();
                    assert_eq!(member.wait().unwrap().code(), Some(4));
                } else {
                    assert_eq!(group.id(), None);
                }
                drop(group);
                let captured = with_room(room, || roomy(shell_by(way, "cat")).capture(&Capture::new().input("text")));
                match captured {
                    Ok(captured) => {
                        successes += 1;
                        assert_eq!(captured.stdout, b"text");
                    }
                    Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}"),
                }
                assert_eq!((Table::current(), children()), (before, 0));
            }
            assert!((1..24).contains(&successes), "{way:?}: {successes}");
        }
    }
}

own_process! {
    fn socket_of_an_exchange_needs_one_number_and_leaves_nothing_without_it() {
        let before = Table::current();
        let (socket, other) = UnixStream::pair().unwrap();
        let mut exchange = Exchange::new();
        let error = with_room(0, || exchange.socket(socket, b"text", Keep::All)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        drop((exchange, other));
        assert_eq!(Table::current(), before);
    }
}
