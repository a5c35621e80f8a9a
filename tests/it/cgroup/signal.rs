//! Signals to all processes of a cgroup.

use super::{LONG, adopt_orphans, end, made, members, reap_all, shells, waiting};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::helper;
use crate::support::parent_state::ParentState;
use crate::support::seccomp::refuse;
use fdspawn::{Cgroup, Command, Failure, Signal, Stdio};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

own_process! {
    fn signal_reaches_each_process_in_any_session_and_any_cgroup_inside() {
        adopt_orphans();
        let Some((_outer, cgroup)) = made() else { return };
        let inner = cgroup.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let directory = File::open(&inner).unwrap();
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        for (launcher, mut shell) in shells("setsid sleep 60 & setsid setsid sleep 60 & sleep 60 & echo; wait") {
            let mut child = shell.own_cgroup(&cgroup).stdout(Stdio::piped()).spawn().unwrap();
            let mut output = BufReader::new(child.stdout.take().unwrap());
            output.read_line(&mut String::new()).unwrap();
            let mut in_inner = helper("wait").launcher(launcher).cgroup(&directory).spawn().unwrap();
            assert!(cgroup.signal(Signal::TERM).unwrap() >= 5, "{launcher:?}");
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert_eq!(in_inner.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert_eq!(output.read_to_end(&mut Vec::new()).unwrap(), 0);
            assert!(cgroup.wait_until_empty(Some(Instant::now() + LONG)).unwrap());
            reap_all();
            drop((child, in_inner, output));
            assert_eq!(cgroup.signal(Signal::TERM).unwrap(), 0);
            assert_eq!(ParentState::now(), before);
        }
        drop(directory);
    }
}

own_process! {
    fn each_process_gets_the_signal_once() {
        let Some((_outer, cgroup)) = made() else { return };
        // More than are signalled at a time.
        let children: Vec<_> = (0..150).map(|_| Command::new("sleep").arg("60").own_cgroup(&cgroup).spawn().unwrap()).collect();
        assert_eq!(cgroup.signal(Signal::CONT).unwrap(), 150);
        assert_eq!(cgroup.signal(Signal::TERM).unwrap(), 150);
        for mut child in children {
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        }
    }
}

own_process! {
    fn process_that_has_left_gets_no_signal() {
        let Some((outer, cgroup)) = made() else { return };
        let beside = Cgroup::create_in(outer.path("")).unwrap();
        let left = waiting(&cgroup);
        let mut stayed = waiting(&cgroup);
        std::fs::write(beside.path().join("cgroup.procs"), left.id().to_string()).unwrap();
        assert_eq!(members(beside.path()), [left.id().cast_signed()]);
        assert_eq!(cgroup.signal(Signal::TERM).unwrap(), 1);
        assert_eq!(stayed.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(left.try_wait().unwrap().is_none());
        end(left);
    }
}

own_process! {
    fn processes_that_fork_all_the_time_do_not_hold_the_call_for_ever() {
        adopt_orphans();
        let Some((_outer, cgroup)) = made() else { return };
        let mut bomb = helper("bomb").arg("20").own_cgroup(&cgroup).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(bomb.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        let start = Instant::now();
        assert!(cgroup.signal(Signal::TERM).unwrap() >= 19, "they ignore it");
        assert!(start.elapsed() < LONG);
        cgroup.kill().unwrap();
        output.read_to_end(&mut Vec::new()).unwrap();
        bomb.wait().unwrap();
        reap_all();
    }
}

own_process! {
    fn no_process_is_signalled_where_there_are_no_pidfds() {
        let Some((_outer, cgroup)) = made() else { return };
        let child = waiting(&cgroup);
        for errno in [libc::ENOSYS, libc::EPERM] {
            let status = status_of(|| {
                if refuse(&[libc::SYS_pidfd_open], errno) {
                    let error = cgroup.signal(Signal::TERM).unwrap_err();
                    assert!(matches!(error.failure(), Failure::Signal));
                    assert_eq!(error.raw_os_error(), Some(errno), "{error}");
                }
            });
            assert_eq!(status, 0);
        }
        assert!(child.try_wait().unwrap().is_none());
        end(child);
    }
}
