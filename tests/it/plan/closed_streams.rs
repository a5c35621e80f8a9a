//! Parents in which some of 0, 1 and 2 are closed: the child has `/dev/null` there.

use crate::own_process;
use crate::support;
use crate::support::sources::{close, lent, memory_at};
use crate::support::table::{Table, close_on_exec, is_open};
use crate::support::{LAUNCHERS, Over, helper};
use fdspawn::{Failure, Features, Stdio, plan::Refusal};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// Closes those of 0 to 2 whose bit is set in `closed`, and opens the others, each with a content of its own.
fn close_streams(closed: u8) {
    for number in 0..3 {
        if is_closed(closed, number) {
            close(number);
        } else {
            std::mem::forget(memory_at(number, &format!("stream{number}"), false));
        }
    }
}

fn is_closed(closed: u8, number: RawFd) -> bool {
    closed >> number & 1 == 1
}

own_process! {
    fn every_combination_of_closed_standard_streams_times_every_permutation() {
        const PERMUTATIONS: [[RawFd; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        // The sources have the numbers 10 to 12. The test opens and closes 0 to 2 of the parent.
        let _kept: Vec<OwnedFd> =
            (0..3).map(|number| memory_at(10 + number, &format!("source{number}"), true)).collect();
        for closed in 0..8 {
            close_streams(closed);
            for launcher in LAUNCHERS {
                for permutation in PERMUTATIONS {
                    let mut command = helper("table");
                    command.arg(&out).launcher(launcher);
                    for (target, source) in (0..).zip(permutation) {
                        command.fd(target, lent(10 + source));
                    }
                    assert!(command.status().unwrap().success());
                    let expected: Vec<(RawFd, String)> =
                        (0..).zip(permutation).map(|(target, source)| (target, format!("source{source}"))).collect();
                    let found = Table::read(&out);
                    assert_eq!(
                        found.0.iter().map(|each| (each.number, each.content.clone())).collect::<Vec<_>>(),
                        expected
                    );
                }
                // The child inherits its streams. It has /dev/null for a closed one, and never a pipe of the library.
                let mut command = helper("table");
                command.arg(&out).launcher(launcher);
                let pipe = command.reader(5);
                let mut child = command.spawn().unwrap();
                let reader = child.take(pipe).unwrap();
                assert!(reader.as_raw_fd() > 2, "a pipe that lands on a closed stream is moved away");
                assert!(child.pidfd().is_none_or(|pidfd| pidfd.as_raw_fd() > 2));
                assert!(child.wait().unwrap().success());
                let found = Table::read(&out);
                assert_eq!(found.numbers(), [0, 1, 2, 5], "{closed:#b}");
                for number in 0..3 {
                    let content = found.content(number).unwrap();
                    let null = found.0.iter().find(|each| each.number == number).unwrap().file == null_file();
                    if is_closed(closed, number) {
                        assert!(null, "{number} of {closed:#b}");
                    } else {
                        assert_eq!(content, format!("stream{number}"));
                    }
                }
                // A stream that was closed in the parent is still closed.
                assert!(
                    (0..3).all(|number| is_open(number) != is_closed(closed, number)),
                    "{closed:#b} by {launcher:?}"
                );
            }
        }
    }
}

own_process! {
    fn pidfd_stays_off_closed_streams_whatever_is_opened_for_the_child() {
        let source = memory_at(10, "source", true);
        let opened: [Option<fn() -> Stdio<'static>>; 3] = [None, Some(Stdio::null), Some(|| Stdio::data("some"))];
        for closed in 0..8 {
            close_streams(closed);
            for launcher in LAUNCHERS {
                for (opened, missing) in opened
                    .iter()
                    .flat_map(|opened| [Features::empty(), Features::MEMFD].map(|missing| (opened, missing)))
                {
                    let mut command = support::command("true");
                    command.launcher(launcher).missing(missing);
                    command.stdin(&source).stdout(&source).stderr(&source);
                    if let Some(opened) = opened {
                        command.fd(5, opened());
                    }
                    let mut child = command.spawn().unwrap();
                    assert!(child.pidfd().is_none_or(|pidfd| pidfd.as_raw_fd() > 2), "{closed:#b} by {launcher:?}");
                    assert!(
                        (0..3).all(|number| is_open(number) != is_closed(closed, number)),
                        "{closed:#b} by {launcher:?}"
                    );
                    assert!(child.wait().unwrap().success());
                }
            }
        }
    }
}

fn null_file() -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    let null = std::fs::metadata("/dev/null").unwrap();
    (null.dev(), null.ino())
}

own_process! {
    fn inherited_stream_with_close_on_exec_is_open_in_the_child_and_keeps_its_flag_in_the_parent() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _input = memory_at(0, "input", true);
        for launcher in LAUNCHERS {
            assert!(helper("table").arg(&out).launcher(launcher).status().unwrap().success());
            assert_eq!(Table::read(&out).content(0), Some("input"));
            assert_eq!(close_on_exec(0), Some(true));
        }
    }
}

own_process! {
    fn same_as_a_stream_that_is_closed_in_the_parent_is_null_too() {
        close(1);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            assert!(helper("table").arg(&out).launcher(launcher).stderr(Stdio::same_as(1)).status().unwrap().success());
            let table = Table::read(&out);
            assert_eq!(table.0[1].file, null_file());
            assert_eq!(table.0[2].file, null_file());
        }
    }
}

own_process! {
    fn closed_stream_is_null_however_many_spawns_open_pipes_at_the_same_time() {
        close(0);
        let over = &std::sync::atomic::AtomicBool::new(false);
        let directory = tempfile::tempdir().unwrap();
        let outs: Vec<_> = (0..support::rounds(60, 200)).map(|index| directory.path().join(index.to_string())).collect();
        std::thread::scope(|scope| {
            for launcher in LAUNCHERS {
                scope.spawn(move || {
                    while !over.load(std::sync::atomic::Ordering::Relaxed) {
                        let mut command = support::command("true");
                        command.launcher(launcher).stdout(Stdio::piped()).stderr(Stdio::null());
                        command.spawn().unwrap().wait().unwrap();
                    }
                });
            }
            // The test must open nothing meanwhile: a new descriptor would land on 0, and the child would rightly
            // inherit it.
            let _over = Over(over);
            for (index, out) in outs.iter().enumerate() {
                let mut command = helper("table");
                assert!(command.arg(out).launcher(LAUNCHERS[index % 2]).status().unwrap().success());
            }
        });
        for out in &outs {
            let table = Table::read(out);
            assert_eq!(table.0[0].file, null_file(), "{table}");
        }
    }
}

own_process! {
    fn number_that_is_no_standard_stream_is_null_in_the_child_and_stays_open_here() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        // A process that was started with a closed 0 has a file of its own there.
        let _own = memory_at(0, "own", false);
        let _stream = memory_at(2, "stream", false);
        for launcher in LAUNCHERS {
            for inherited in [None, Some(Stdio::inherit())] {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).not_inherited([0]);
                inherited.map(|stdio| command.stdin(stdio));
                let explanation = command.explain().to_string();
                assert!(explanation.contains("/dev/null, since the parent's is not inherited"), "{explanation}");
                for _ in 0..2 {
                    assert!(command.status().unwrap().success());
                    let table = Table::read(&out);
                    assert_eq!((table.numbers(), table.0[0].file), (vec![0, 1, 2], null_file()));
                    assert_eq!(table.content(2), Some("stream"));
                    assert_eq!(Table::current().content(0), Some("own"));
                }
                // The calls add up. A target that is the same as such a one is null, too.
                assert!(command.not_inherited([2]).stdout(Stdio::same_as(2)).status().unwrap().success());
                assert!(Table::read(&out).0.iter().all(|each| each.file == null_file()));
            }
        }
    }
}

own_process! {
    fn source_that_the_command_names_itself_may_be_any_number_of_the_parent() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _own = memory_at(0, "own", false);
        for launcher in LAUNCHERS {
            // SAFETY: 0 stays open as long as the process runs.
            let (by_number, strict) = unsafe { (Stdio::inherit_from(0), Stdio::borrow_raw(0)) };
            for source in [by_number, strict, Stdio::from(lent(0)), Stdio::from(std::io::stdin())] {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).not_inherited(0..=2).stdin(source);
                assert!(command.status().unwrap().success());
                assert_eq!(Table::read(&out).content(0), Some("own"));
            }
        }
    }
}

own_process! {
    fn closed_number_may_be_named_as_no_standard_stream_and_others_are_refused() {
        close(0);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).not_inherited([0]).status().unwrap().success());
            assert_eq!(Table::read(&out).0[0].file, null_file());
            assert!(!is_open(0));
            for number in [3, -1] {
                let error = support::command("true").launcher(launcher).not_inherited([0, number]).spawn().unwrap_err();
                let refusal = Refusal::NotInheritedWhere { number };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
            }
        }
    }
}
