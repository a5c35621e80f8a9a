//! What each `Reach` ends and what it misses: groups, sessions and descendants, found in `/proc`.

use super::{adopt_orphans, few, few_ways, helper_by, ready, shell_by, status_of_orphan, was_alive, ways};
use crate::own_process;
use crate::support::families::RELATIVES;
use crate::support::forked::status_of;
use crate::support::mounts::{mount, private, unmount_proc};
use crate::support::seccomp::refuse;
use crate::support::tools::skip;
use crate::support::{exhaustive, test_binary};
use fdspawn::{Child, Failure, Launcher, Reach, Reached, Signal, Stdio, Teardown};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

/// The processes of a session or of a tree, and those that have left the group.
const TREES: [Reach; 2] = [Reach::Session, Reach::Descendants];

/// Which relatives a reach misses.
fn missed(reach: Reach) -> &'static [&'static str] {
    match reach {
        Reach::Group => &["group", "session", "orphan-in-group"],
        Reach::Session => &["session"],
        _ => &["orphan", "orphan-in-group"],
    }
}

/// Whether a process ends and is reaped, by its parent or by this process, which adopts it.
fn is_gone(pid: i32) -> bool {
    (0..60_000).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        // SAFETY: a null pointer asks for no status, and signal 0 asks whether the process exists.
        unsafe {
            libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG);
            libc::kill(pid, 0) == -1
        }
    })
}

/// A child that has started one process of each kind, and their numbers.
fn family(way: (Launcher, bool)) -> (Child, BTreeMap<String, i32>) {
    let mut command = helper_by(way, "family");
    let mut child = command.setsid(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut relatives = BTreeMap::new();
    while relatives.len() < RELATIVES.len() {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "{relatives:?}");
        let (kind, number) = line.trim().split_once(' ').unwrap();
        relatives.insert(kind.to_owned(), number.parse().unwrap());
    }
    (child, relatives)
}

/// Ends a family by each reach. Each reach ends the processes that its page names, and no others.
fn ends_whom_it_should(ways: impl Iterator<Item = (Launcher, bool)>) {
    adopt_orphans();
    for way in ways {
        for reach in few(&[Reach::Group, Reach::Session, Reach::Descendants], way) {
            for how in [Teardown::kill(), Teardown::term(SHORT).graces_for_all(true)] {
                let (child, relatives) = family(way);
                let ended = child.end(&how.clone().reach(reach)).unwrap();
                let missed = missed(reach);
                match ended.reached {
                    Reached::Session(count) => assert_eq!((reach, count), (Reach::Session, 9)),
                    Reached::Descendants(count) => assert_eq!((reach, count), (Reach::Descendants, 8)),
                    reached => assert_eq!(reach, Reach::Group, "{reached:?}"),
                }
                for (kind, &number) in &relatives {
                    let case = format!("{way:?} {reach:?} {how:?} {kind}");
                    if missed.contains(&kind.as_str()) {
                        assert!(was_alive(number), "{case}");
                        continue;
                    }
                    let signal = status_of_orphan(number).signal();
                    let is_killed = how == Teardown::kill() || kind == "deaf";
                    let expected = if is_killed { libc::SIGKILL } else { libc::SIGTERM };
                    assert_eq!(signal, Some(expected), "{case}");
                }
                // SAFETY: a null pointer asks for no status.
                while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
            }
        }
    }
}

own_process! {
    fn reach_ends_all_whom_it_should_and_no_one_else() {
        ends_whom_it_should(few_ways());
    }
}

own_process! {
    fn reach_ends_the_same_processes_without_pidfds() {
        if refuse(&[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal], libc::ENOSYS) {
            ends_whom_it_should(few_ways());
        }
    }
}

own_process! {
    fn reach_ends_the_same_processes_if_signals_by_pidfds_fail() {
        if refuse(&[libc::SYS_pidfd_send_signal], libc::EIO) {
            ends_whom_it_should(few_ways());
        }
    }
}

own_process! {
    fn list_of_threads_that_cannot_be_read_is_an_error_and_not_an_empty_list() {
        let mut command = shell_by((Launcher::Auto, true), "read line; exit 3");
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        if refuse(&[libc::SYS_getdents64], libc::EIO) {
            let error = child.end(&Teardown::kill().reach(Reach::Descendants)).unwrap_err();
            assert!(matches!(error.failure(), Failure::NoProcessList), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
        }
        assert_eq!(child.try_wait().unwrap(), None);
        drop(child.stdin.take());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(3), "no signal was sent: {status}");
    }
}

own_process! {
    fn refused_sleep_is_no_panic() {
        let child = |pidfd| shell_by((Launcher::Auto, pidfd), "sleep 60 & exec sleep 60").spawn().unwrap();
        let children = [child(true), child(false)];
        if refuse(&[libc::SYS_nanosleep, libc::SYS_clock_nanosleep], libc::EPERM) {
            assert_eq!(children[1].wait_timeout(SHORT).unwrap(), None);
        }
        for child in &children {
            child.end(&Teardown::kill().reach(Reach::Descendants)).unwrap();
        }
    }
}

own_process! {
    fn reach_ends_the_same_processes_for_a_plain_user() {
        // SAFETY: only numbers are passed. All threads change.
        if unsafe { libc::geteuid() != 0 || (libc::setgid(65_534) == 0 && libc::setuid(65_534) == 0) } {
            ends_whom_it_should(few_ways());
        }
    }
}

own_process! {
    fn bomb_of_processes_leaves_no_survivor() {
        adopt_orphans();
        let all: Vec<_> = ways().collect();
        // 2 + 4 + ... + 128 processes, which the first one starts while they are ended.
        let depth = if exhaustive() { "7" } else { "5" };
        let mut round = 0;
        for (reach, kind) in [
            (Reach::Group, "deaf"),
            (Reach::Session, "deaf"),
            (Reach::Session, "deaf groups"),
            (Reach::Session, "groups"),
            (Reach::Descendants, "deaf"),
            (Reach::Descendants, "deaf groups"),
        ] {
            for how in [Teardown::kill(), Teardown::term(SHORT)] {
                for wait in [0, 4] {
                    round += 1;
                    // In the plain run every second kind waits, and each kind has one way.
                    if !exhaustive() && ![0, 1].contains(&(round % 4)) {
                        continue;
                    }
                    for (index, &way) in all.iter().enumerate() {
                        if !exhaustive() && index != round / 4 % all.len() {
                            continue;
                        }
                        let mut child = helper_by(way, "bomb")
                            .args([depth, kind])
                            .setsid(true)
                            .stdout(Stdio::piped())
                            .spawn()
                            .unwrap();
                        std::thread::sleep(Duration::from_millis(wait));
                        let start = Instant::now();
                        child.end(&how.clone().reach(reach)).unwrap();
                        let case = format!("{way:?} {reach:?} {kind} {how:?}");
                        // Each of them holds the pipe for a minute.
                        assert_eq!(child.stdout.take().unwrap().read(&mut [0]).unwrap(), 0);
                        assert!(start.elapsed() < LONG / 2, "{case}: {:?}", start.elapsed());
                    }
                }
            }
        }
        // SAFETY: a null pointer asks for no status.
        while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
    }
}

own_process! {
    fn processes_that_start_others_for_ever_do_not_keep_a_teardown_from_its_end() {
        adopt_orphans();
        for (index, reach) in [Reach::Group, Reach::Session, Reach::Descendants].into_iter().enumerate() {
            let way = ways().nth(index).unwrap();
            let (child, mut output) = ready(helper_by(way, "growth").arg("5000").setsid(true));
            let ended = child.end(&Teardown::term(SHORT).reach(reach).graces_for_all(true)).unwrap();
            assert_eq!(ended.by, Some(Signal::KILL));
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            assert_eq!(text, "", "{reach:?}: it has ended by itself");
            // SAFETY: a null pointer asks for no status.
            while unsafe { libc::waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
        }
    }
}

own_process! {
    fn process_whose_main_thread_has_ended_is_reached() {
        adopt_orphans();
        for way in few_ways() {
            for reach in few(&TREES, way) {
                for how in [Teardown::kill(), Teardown::term(SHORT).graces_for_all(true)] {
                    let mut command = shell_by(way, "\"$0\" fdspawn-test-helper leaderless 1 & echo $!; trap '' TERM; wait");
                    command.arg(test_binary()).setsid(true).stdout(Stdio::piped());
                    let mut child = command.spawn().unwrap();
                    let mut output = BufReader::new(child.stdout.take().unwrap());
                    let mut text = Vec::new();
                    while !(text.contains(&b'\n') && text.windows(5).any(|text| text == b"ended")) {
                        assert!(output.by_ref().take(1).read_to_end(&mut text).unwrap() > 0, "{text:?}");
                    }
                    let text = String::from_utf8(text).unwrap();
                    // The shell and the process may write in either order.
                    let number = text.replace("ended", "").trim().parse().unwrap();
                    let ended = child.end(&how.clone().reach(reach)).unwrap();
                    assert!(matches!(ended.reached, Reached::Session(1) | Reached::Descendants(1)), "{ended:?}");
                    // The shell may have reaped it before its own end.
                    assert!(is_gone(number), "{way:?} {reach:?} {how:?}");
                }
            }
        }
    }
}

/// The processes cannot be found: an error, and nothing has been signalled.
fn has_no_list(way: (Launcher, bool), reach: Reach) {
    // Its output says that the inner shell waits.
    let (mut child, mut output) = ready(shell_by(way, "sleep 60 & echo; wait").setsid(true));
    let how = Teardown::term(SHORT).reach(reach);
    for error in [child.end(&how).unwrap_err(), child.set_on_drop(fdspawn::OnDrop::End(how.clone())).unwrap_err()] {
        assert!(matches!(error.failure(), Failure::NoProcessList), "{error:?}");
        assert!(error.to_string().contains("the processes that it has started cannot be found in /proc"), "{error}");
    }
    assert_eq!(child.wait_timeout(Duration::from_millis(5)).unwrap(), None);
    // The group needs no list.
    child.end(&Teardown::kill().reach(Reach::Group)).unwrap();
    output.read_to_string(&mut String::new()).unwrap();
}

own_process! {
    fn without_proc_there_is_no_list_and_nothing_is_signalled() {
        if unmount_proc() {
            for way in few_ways().filter(|way| way.0 == Launcher::Clone) {
                TREES.into_iter().for_each(|reach| has_no_list(way, reach));
            }
        }
    }
}

own_process! {
    fn proc_of_another_pid_namespace_is_no_list() {
        // SAFETY: only the next children of this thread are in the new namespace.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            skip("a PID namespace cannot be made");
            return;
        }
        let status = status_of(|| {
            for way in few_ways().filter(|way| way.0 == Launcher::Clone) {
                TREES.into_iter().for_each(|reach| has_no_list(way, reach));
            }
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn proc_that_hides_processes_is_no_list() {
        for hidden in [c"hidepid=1", c"hidepid=2"] {
            let status = status_of(|| {
                if private().and_then(|()| mount(c"proc", Path::new("/proc"), hidden)).is_err() {
                    skip("/proc cannot be mounted");
                    return;
                }
                // SAFETY: only numbers are passed.
                unsafe {
                    if libc::setgroups(0, std::ptr::null()) != 0 || libc::setgid(65_534) != 0 || libc::setuid(65_534) != 0 {
                        skip("the user cannot be changed");
                        return;
                    }
                }
                for way in few_ways().filter(|way| way.0 == Launcher::Clone) {
                    has_no_list(way, Reach::Session);
                    // The lists of children show all of this user's, so the answer is whole.
                    let (child, mut output) = ready(shell_by(way, "sleep 60 & echo; wait").process_group(0));
                    let ended = child.end(&Teardown::kill().reach(Reach::Descendants)).unwrap();
                    assert_eq!(ended.reached, Reached::Descendants(1));
                    output.read_to_string(&mut String::new()).unwrap();
                }
            });
            assert_eq!(status, 0, "{hidden:?}");
        }
    }
}

own_process! {
    fn descendant_of_another_user_that_proc_hides_is_told() {
        // SAFETY: only numbers are passed. All threads change. The group of root is one that sees all processes.
        let become_user = |user| unsafe {
            libc::seteuid(0) == 0 && libc::setgroups(0, std::ptr::null()) == 0 && libc::setegid(user) == 0
                && libc::setresuid(user, user, 0) == 0
        };
        if !become_user(0) || private().and_then(|()| mount(c"proc", Path::new("/proc"), c"hidepid=2")).is_err() {
            skip("/proc cannot be mounted");
            return;
        }
        for way in few_ways().filter(|way| way.0 == Launcher::Clone) {
            let (mut child, _output) = ready(helper_by(way, "of-two-users").process_group(0).stdin(Stdio::piped()));
            assert!(become_user(65_534));
            let error = child.end(&Teardown::term(LONG).reach(Reach::Descendants)).unwrap_err();
            assert!(matches!(error.failure(), Failure::NoProcessList), "{error:?}");
            assert_eq!(child.try_wait().unwrap(), None);
            drop(child.stdin.take());
            assert_eq!(child.end(&Teardown::term(LONG)).unwrap().status.code(), Some(7));
            assert!(become_user(0));
        }
    }
}

own_process! {
    fn descriptors_that_a_teardown_has_opened_are_closed() {
        use crate::support::table::Table;
        adopt_orphans();
        for way in few_ways() {
            for reach in [Reach::Group, Reach::Session, Reach::Descendants] {
                let before = Table::current().numbers().len();
                let (child, relatives) = family(way);
                child.end(&Teardown::kill().reach(reach)).unwrap();
                drop(child);
                assert_eq!(Table::current().numbers().len(), before);
                for number in relatives.into_values() {
                    was_alive(number);
                }
            }
        }
    }
}
