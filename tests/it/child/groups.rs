//! Signals to a child, and to the process group that it leads.

use super::{helper_by, shell_by, ways};
use crate::own_process;
use crate::support::kernel_is_at_least;
use crate::support::tools::{has, skip};
use fdspawn::{Child, Command, Failure, Signal, Stdio};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// What makes a child the leader of a group.
const LEADERS: [fn(&mut Command<'_>); 2] = [|command| _ = command.process_group(0), |command| _ = command.setsid(true)];

/// Whether the library has a way to the group of a leader that has been reaped.
fn is_named_after_reap(child: &Child) -> bool {
    child.pidfd().is_some() && kernel_is_at_least(6, 9)
}

fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 asks whether the process exists.
    unsafe { libc::kill(pid, 0) == 0 }
}

#[test]
fn signal_says_whether_it_has_reached_the_child() {
    for way in ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        let process = child.process();
        assert!(process.signal(Signal::CONT).unwrap());
        assert!(child.signal(Signal::TERM).unwrap());
        super::wait_until_ended(&child);
        assert!(child.signal(Signal::KILL).unwrap(), "an ended child takes a signal until it is reaped");
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(!child.signal(Signal::KILL).unwrap());
        assert!(!process.signal(Signal::KILL).unwrap());
        child.kill().unwrap();
    }
}

own_process! {
    fn signal_to_a_child_that_other_code_has_reaped_is_false() {
        for way in ways() {
            let child = helper_by(way, "exit").arg("0").process_group(0).spawn().unwrap();
            super::reap_elsewhere(&child);
            assert!(!child.signal(Signal::KILL).unwrap(), "{way:?}");
            assert!(!child.process().signal(Signal::KILL).unwrap());
            assert!(!child.signal_group(Signal::KILL).unwrap());
            child.kill().expect("killing what is reaped is nothing");
        }
    }
}

own_process! {
    fn child_of_another_user_refuses_signals_and_one_of_the_own_user_takes_them() {
        // SAFETY: only numbers are passed. All threads change.
        let become_user = |user| unsafe { libc::setresuid(user, user, 0) == 0 };
        // SAFETY: the call only asks.
        if unsafe { libc::geteuid() } != 0 || !become_user(65_534) || !become_user(0) {
            skip("the user cannot be changed");
            return;
        }
        for way in ways() {
            let mut sleep = Command::new("sleep");
            sleep.arg("60").launcher(way.0).pidfd(way.1).process_group(0);
            let mut of_root = sleep.spawn().unwrap();
            assert!(become_user(65_534));
            for error in [
                of_root.signal(Signal::TERM).unwrap_err(),
                of_root.kill().unwrap_err(),
                of_root.process().signal(Signal::TERM).unwrap_err(),
                of_root.signal_group(Signal::TERM).unwrap_err(),
            ] {
                assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{way:?}: {error}");
            }
            assert_eq!(of_root.wait_timeout(Duration::from_millis(5)).unwrap(), None);
            let mut of_user = sleep.spawn().unwrap();
            assert_eq!(of_user.wait_timeout(Duration::from_millis(5)).unwrap(), None);
            assert!(of_user.signal_group(Signal::TERM).unwrap());
            assert_eq!(of_user.wait().unwrap().signal(), Some(libc::SIGTERM));
            let mut of_user = sleep.spawn().unwrap();
            assert!(of_user.signal(Signal::TERM).unwrap());
            assert_eq!(of_user.wait().unwrap().signal(), Some(libc::SIGTERM));
            assert!(become_user(0));
            of_root.kill().unwrap();
            of_root.wait().unwrap();
        }
    }
}

own_process! {
    fn signal_to_the_group_reaches_its_members_and_not_who_has_left() {
        if !has("setsid") {
            return;
        }
        // The members hold standard output, and the one that leaves does not.
        let script = "sleep 60 & sleep 60 & setsid sleep 60 >/dev/null & echo $!; wait";
        for way in ways() {
            for lead in LEADERS {
                let mut command = shell_by(way, script);
                lead(command.stdout(Stdio::piped()));
                let mut child = command.spawn().unwrap();
                let mut output = BufReader::new(child.stdout.take().unwrap());
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                let left: i32 = line.trim().parse().unwrap();
                let start = Instant::now();
                // SAFETY: the call only asks.
                while unsafe { libc::getpgid(left) } == child.id().cast_signed() {
                    assert!(start.elapsed() < LONG);
                    std::thread::sleep(Duration::from_millis(1));
                }
                assert!(child.signal_group(Signal::TERM).unwrap());
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
                output.read_to_string(&mut line).expect("no member holds the pipe");
                assert!(is_alive(left));
                // SAFETY: the process is one that the test has started, and it has not ended.
                unsafe { libc::kill(left, libc::SIGKILL) };
            }
        }
    }
}

own_process! {
    fn group_is_reached_after_its_leader_has_been_reaped_if_a_pidfd_names_it() {
        // This process gets the orphans, and reaps them.
        // SAFETY: only numbers are passed.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }, 0);
        for way in ways() {
            for (lead, elsewhere) in LEADERS.into_iter().flat_map(|lead| [(lead, false), (lead, true)]) {
                let mut command = shell_by(way, "sleep 60 & echo $!");
                lead(command.stdout(Stdio::piped()));
                let mut child = command.spawn().unwrap();
                let mut line = String::new();
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
                let member: i32 = line.trim().parse().unwrap();
                if elsewhere {
                    super::reap_elsewhere(&child);
                } else {
                    assert!(child.wait().unwrap().success());
                }
                let reached = child.signal_group(Signal::TERM).unwrap();
                assert_eq!(reached, is_named_after_reap(&child), "{way:?}");
                assert!(!child.signal(Signal::KILL).unwrap(), "the leader itself is no more");
                let mut status = 0;
                // SAFETY: the member is this process's child now. The kernel writes one number.
                unsafe {
                    if !reached {
                        assert_eq!(libc::waitpid(member, &raw mut status, libc::WNOHANG), 0, "it got no signal");
                        libc::kill(member, libc::SIGTERM);
                    }
                    assert_eq!(libc::waitpid(member, &raw mut status, 0), member);
                }
                assert_eq!(libc::WTERMSIG(status), libc::SIGTERM);
                assert!(!child.signal_group(Signal::TERM).unwrap(), "the group is empty");
                assert!(!child.process().signal_group(Signal::KILL).unwrap());
            }
        }
    }
}

#[test]
fn child_in_the_group_of_its_parent_leads_none() {
    for way in ways() {
        let mut child = helper_by(way, "wait").spawn().unwrap();
        for error in
            [child.signal_group(Signal::KILL), child.process().signal_group(Signal::KILL)].map(Result::unwrap_err)
        {
            assert!(matches!(error.failure(), Failure::NoGroup), "{error:?}");
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            assert!(error.to_string().contains("the child leads no process group of its own"), "{error}");
        }
        assert_eq!(child.try_wait().unwrap(), None);
        // A member that does not lead is in the group of another child.
        let mut member = helper_by(way, "wait").process_group(0).spawn().unwrap();
        let mut second = helper_by(way, "wait").process_group(member.id().cast_signed()).spawn().unwrap();
        assert!(matches!(second.signal_group(Signal::KILL).unwrap_err().failure(), Failure::NoGroup));
        assert!(member.signal_group(Signal::TERM).unwrap());
        for ended in [&mut member, &mut second] {
            assert_eq!(ended.wait().unwrap().signal(), Some(libc::SIGTERM));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!child.signal_group(Signal::KILL).unwrap(), "after the reap nothing is sent");
    }
}

own_process! {
    fn group_that_this_process_has_joined_is_not_signalled() {
        // SAFETY: only numbers are passed.
        let own = unsafe { libc::getpgid(0) };
        // SAFETY: only numbers are passed.
        let join = |group| assert_eq!(unsafe { libc::setpgid(0, group) }, 0, "{}", std::io::Error::last_os_error());
        for way in ways() {
            let mut child = helper_by(way, "wait").process_group(0).spawn().unwrap();
            join(child.id().cast_signed());
            let error = child.signal_group(Signal::KILL).unwrap_err();
            assert!(matches!(error.failure(), Failure::OwnGroup), "{error:?}");
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            assert_eq!(child.try_wait().unwrap(), None);
            child.kill().unwrap();
            child.wait().unwrap();
            let error = child.signal_group(Signal::KILL).unwrap_err();
            assert!(matches!(error.failure(), Failure::OwnGroup), "after the reap, too: {error:?}");
            join(own);
            assert!(!child.signal_group(Signal::KILL).unwrap());
        }
    }
}
