//! Closing the rest: every fallback closes all of it, or the spawn fails.

use crate::own_process;
use crate::support;
use crate::support::mounts::unmount_proc;
use crate::support::sources::{hard_limit, leaky, memory, memory_at, set_limit};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, by_turns, children, exhaustive, helper, kernel_is_older_than};
use fdspawn::plan::Step;
use fdspawn::{Command, Failure, Features, Launcher, Rest};
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::Path;

fn opens_with(out: &Path, launcher: Launcher, missing: Features) -> Vec<RawFd> {
    let mut command = helper("open");
    command.args(["300"]).arg(out).launcher(launcher).missing(missing);
    assert!(command.status().unwrap().success());
    let text = std::fs::read_to_string(out).unwrap();
    text.split(' ').map(|number| number.parse().unwrap()).collect()
}

own_process! {
    fn child_that_opens_300_descriptors_gets_the_lowest_numbers() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("numbers");
        let mut open: Vec<OwnedFd> = Vec::new();
        for count in [0, 100, 1000] {
            while open.len() < count {
                open.push(leaky(memory("parent")).into());
            }
            for launcher in LAUNCHERS {
                assert_eq!(opens_with(&out, launcher, Features::empty()), (3..303).collect::<Vec<_>>(), "{count}");
            }
            assert_eq!(opens_with(&out, Launcher::Clone, Features::SHARED_TABLE), (3..303).collect::<Vec<_>>());
        }
    }
}

/// What may be missing, one case after the other, of the means to close descriptors.
const CLOSING: [Features; 6] = [
    Features::empty(),
    Features::SHARED_TABLE,
    Features::CLOSE_RANGE,
    Features::CLOSE_RANGE.union(Features::SHARED_TABLE),
    Features::CLOSE_RANGE.union(Features::PROC),
    Features::CLOSE_RANGE.union(Features::PROC).union(Features::SHARED_TABLE),
];

/// What is missing in the tests of this run, and the launchers. A search asks for a million numbers, so the plain run has it once for each test, by the
/// launcher whose turn it is.
fn closing(turn: usize) -> impl Iterator<Item = (Features, Launcher)> {
    let missing = if exhaustive() { &CLOSING[..] } else { &CLOSING[..5] };
    missing.iter().flat_map(move |&missing| {
        let searches = missing.contains(Features::CLOSE_RANGE | Features::PROC);
        let launchers = if searches { by_turns(LAUNCHERS, turn) } else { LAUNCHERS.to_vec() };
        launchers.into_iter().map(move |launcher| (missing, launcher))
    })
}

own_process! {
    fn every_fallback_closes_all_that_the_plan_does_not_name() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = memory_at(120, "source", false);
        let _others: Vec<OwnedFd> = [3, 4, 50, 63, 64, 65, 119, 121, 128, 700, 4999, 15_000]
            .iter()
            .filter(|&&number| (number as u64) < hard_limit())
            .map(|&number| memory_at(number, "other", false))
            .collect();
        for clone3 in [Features::empty(), Features::CLONE3] {
            for (missing, launcher) in closing(0) {
                if !clone3.is_empty() && missing.contains(Features::PROC) && !exhaustive() {
                    continue;
                }
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).missing(missing | clone3).fd(7, &source);
                let mut child = command.spawn().unwrap();
                assert_eq!(child.launched_by(), launcher);
                assert!(child.wait().unwrap().success());
                let table = Table::read(&out);
                assert_eq!(table.numbers(), [0, 1, 2, 7], "{missing:?}, {launcher:?}");
                assert_eq!(table.content(7), Some("source"));
            }
        }
    }
}

own_process! {
    fn every_fallback_closes_what_was_opened_for_its_place_only() {
        // poll(2) reports a descriptor that was opened with `O_PATH` as closed.
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        // SAFETY: the path is NUL-terminated, and the descriptors are new.
        let _places: Vec<OwnedFd> =
            (0..100).map(|_| unsafe { OwnedFd::from_raw_fd(libc::open(c"/".as_ptr(), libc::O_PATH)) }).collect();
        for (missing, launcher) in closing(1) {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher).missing(missing);
            assert!(command.status().unwrap().success());
            assert_eq!(Table::read(&out).numbers(), [0, 1, 2], "{missing:?}, {launcher:?}");
        }
    }
}

own_process! {
    fn spawn_fails_if_nothing_can_close_the_rest() {
        let before = Table::current();
        let missing = Features::CLOSE_RANGE | Features::PROC | Features::SEARCH;
        for launcher in LAUNCHERS {
            for shared in [Features::empty(), Features::SHARED_TABLE] {
                let mut command = helper("exit");
                let error = command.arg("0").launcher(launcher).missing(missing | shared).spawn().unwrap_err();
                assert!(matches!(error.failure(), Failure::Child(_)), "{error}");
                assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
            }
        }
        assert_eq!(Table::current(), before);
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn limit_of_a_billion_does_not_mean_a_billion_calls() {
        // Root may raise the limit up to fs.nr_open.
        let text = std::fs::read_to_string("/proc/sys/fs/nr_open").unwrap();
        let most: u64 = text.trim().parse().unwrap();
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: the limit is read.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            eprintln!("skipped: the limit of descriptors cannot be raised here");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _high = memory_at(most.min(1 << 20) as RawFd - 1, "high", false);
        for launcher in LAUNCHERS {
            for missing in CLOSING {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).missing(missing);
                match command.status() {
                    Ok(status) => {
                        assert!(status.success());
                        assert_eq!(Table::read(&out).numbers(), [0, 1, 2], "{missing:?}");
                    }
                    // The library refuses to search so many numbers, and the program does not run.
                    Err(error) => {
                        assert!(most > 1 << 24 && missing.contains(Features::PROC), "{error}");
                        assert!(matches!(error.failure(), Failure::Child(_)), "{error}");
                    }
                }
            }
        }
    }
}

own_process! {
    fn search_finds_a_descriptor_above_a_limit_that_was_lowered() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _high = memory_at(3000, "high", false);
        for limit in if exhaustive() { vec![300, 10] } else { vec![10] } {
            set_limit(limit, 400);
            for (missing, launcher) in closing(1) {
                let mut command = helper("table");
                assert!(command.arg(&out).launcher(launcher).missing(missing).status().unwrap().success());
                assert_eq!(Table::read(&out).numbers(), [0, 1, 2], "{missing:?}");
            }
        }
    }
}

own_process! {
    fn rest_is_closed_without_proc() {
        if !unmount_proc() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = leaky(memory("source"));
        let _other = leaky(memory("other"));
        // Without /proc and `close_range` the child searches, whatever else is missing.
        let missing = if exhaustive() { &CLOSING[..] } else { &CLOSING[..3] };
        for &missing in missing {
            let turn = usize::from(!missing.contains(Features::CLOSE_RANGE));
            for launcher in by_turns(LAUNCHERS, turn) {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).missing(missing);
                assert!(command.fd(7, &source).status().unwrap().success());
                assert_eq!(Table::read(&out).contents()[3..], [(7, "source")], "{missing:?}");
            }
        }
    }
}

#[test]
fn inherited_rest_is_what_close_on_exec_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let _leaky = leaky(memory("leaky"));
    let _private = memory("private");
    let moved = leaky(memory("moved"));
    for launcher in LAUNCHERS {
        let mut command = helper("table");
        assert!(command.arg(&out).launcher(launcher).rest(Rest::Inherit).fd(900, &moved).status().unwrap().success());
        let table = Table::read(&out);
        let contents: Vec<&str> = table.0.iter().map(|each| each.content.as_str()).collect();
        assert!(contents.contains(&"leaky"));
        assert!(!contents.contains(&"private"));
        let places: Vec<RawFd> =
            table.0.iter().filter(|each| each.content == "moved").map(|each| each.number).collect();
        assert_eq!(places, [900], "a source does not stay open at its old number");
        let mut command = helper("table");
        assert!(command.arg(&out).launcher(launcher).status().unwrap().success());
        assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
    }
}

own_process! {
    fn lock_is_released_by_the_parent_alone_since_no_child_holds_the_description() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        for launcher in LAUNCHERS {
            let file = leaky(File::create(&path).unwrap());
            file.lock().unwrap();
            let mut command = helper("wait");
            let mut child = command.launcher(launcher).spawn().unwrap();
            drop(file);
            File::open(&path).unwrap().try_lock().expect("the child does not hold the lock");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

own_process! {
    fn low_limit_at_the_first_spawn_is_not_taken_for_a_kernel_without_a_right_table() {
        let steps_after_a_spawn = || {
            let mut command = support::command("true");
            assert!(command.launcher(Launcher::Clone).status().unwrap().success());
            command.explain().steps().to_vec()
        };
        set_limit(64, hard_limit());
        let low = steps_after_a_spawn();
        // Debian's 5.10.223 makes wrong tables under any limit. Kernels from 6.1 on make right ones.
        if kernel_is_older_than(6) {
            eprintln!("skipped: this kernel may make no right private table");
            return;
        }
        assert_eq!(low[0], Step::UnshareFiles { first: 3 });
    }
}

own_process! {
    fn kept_descriptor_has_close_on_exec_cleared_in_the_child_whether_it_was_set_or_not() {
        // Another thread may set the flag between the parent's look and the clone.
        for close_on_exec in [false, true] {
            let kept = memory_at(9, "kept", close_on_exec);
            let mut command = Command::new("true");
            let explanation = command.keep(&kept).explain();
            assert!(explanation.steps().contains(&Step::ClearCloexec { fd: 9 }), "{explanation}");
        }
    }
}
