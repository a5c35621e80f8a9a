//! Every target gets what its source was, by content, on both launchers.

use crate::own_process;
use crate::support;
use crate::support::sources::{close, hard_limit, leaky, memory, memory_at, set_limit};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, Over, helper};
use fdspawn::{Failure, Features, Launcher, Rest, Stdio, plan::Refusal};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The descriptor `number` of this process, lent for as long as the test likes.
fn lent(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the test has the process to itself and closes nothing that it has lent.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Opens 0 to 5 with a content of their own each, and two more that no plan here names.
fn six_sources() -> Vec<OwnedFd> {
    let mut open: Vec<OwnedFd> =
        (0..6).map(|number| memory_at(number, &format!("source{number}"), number % 2 == 1)).collect();
    open.push(memory_at(8, "unnamed", false));
    open.push(memory_at(63, "unnamed", true));
    open
}

/// Runs each map of targets to sources in a real child; `None` is a hole. Returns how many.
fn run_maps(launcher: Launcher, rest: Rest, maps: impl Iterator<Item = Vec<Option<RawFd>>>) -> usize {
    let _open = six_sources();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let mut count = 0;
    for map in maps {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).rest(rest);
        let mut expected = Vec::new();
        for (target, source) in (0..).zip(&map) {
            match source {
                Some(source) => {
                    command.fd(target, lent(*source));
                    expected.push((target, format!("source{source}")));
                }
                None => {
                    command.fd(target, Stdio::closed());
                }
            }
        }
        if rest == Rest::Inherit {
            let gone = |number: &RawFd| map.contains(&Some(*number)) || (*number as usize) < map.len();
            expected.extend(
                [2, 4].into_iter().filter(|number| !gone(number)).map(|number| (number, format!("source{number}"))),
            );
            expected.push((8, "unnamed".to_owned()));
        }
        let status = command.status().unwrap_or_else(|error| panic!("{map:?}: {error}"));
        assert!(status.success(), "{map:?}: {status}");
        let found = Table::read(&out);
        let expected: Vec<(RawFd, &str)> =
            expected.iter().map(|(number, content)| (*number, content.as_str())).collect();
        assert_eq!(found.contents(), expected, "{map:?}, {launcher:?}");
        count += 1;
    }
    count
}

/// Every map of `targets` targets to the first `sources` sources.
fn every_map(targets: u32, sources: usize) -> impl Iterator<Item = Vec<Option<RawFd>>> {
    (0..sources.pow(targets))
        .map(move |code| (0..targets).map(|target| Some((code / sources.pow(target) % sources) as RawFd)).collect())
}

own_process! {
    fn all_3125_maps_of_five_targets_to_five_sources_by_clone() {
        assert_eq!(run_maps(Launcher::Clone, Rest::Close, every_map(5, 5)), 3125);
    }
}

own_process! {
    fn all_3125_maps_of_five_targets_to_five_sources_by_fork() {
        assert_eq!(run_maps(Launcher::Fork, Rest::Close, every_map(5, 5)), 3125);
    }
}

own_process! {
    fn maps_with_holes_and_a_source_beyond_the_targets() {
        let maps = || (0..7_usize.pow(3)).map(|code| {
            (0..3).map(|target| (code / 7_usize.pow(target) % 7) as RawFd - 1).map(|source| (source >= 0).then_some(source)).collect()
        });
        for launcher in LAUNCHERS {
            assert_eq!(run_maps(launcher, Rest::Close, maps()), 343);
        }
    }
}

own_process! {
    fn maps_where_the_rest_is_inherited() {
        for launcher in LAUNCHERS {
            assert_eq!(run_maps(launcher, Rest::Inherit, every_map(4, 4)), 256);
        }
    }
}

own_process! {
    fn every_combination_of_closed_standard_streams_times_every_permutation() {
        const PERMUTATIONS: [[RawFd; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        // What the three streams are is kept at 10 to 12; the parent's own 0 to 2 come and go.
        let _kept: Vec<OwnedFd> = (0..3).map(|number| memory_at(10 + number, &format!("source{number}"), true)).collect();
        for closed in 0..8 {
            for number in 0..3 {
                match closed >> number & 1 {
                    1 => close(number),
                    _ => std::mem::forget(memory_at(number, &format!("stream{number}"), false)),
                }
            }
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
                    assert_eq!(found.0.iter().map(|each| (each.number, each.content.clone())).collect::<Vec<_>>(), expected);
                }
                // Inherited: a closed stream is /dev/null, never a hole, and never a pipe of the library's.
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
                    match closed >> number & 1 {
                        1 => assert!(null, "{number} of {closed:#b}"),
                        _ => assert_eq!(content, format!("stream{number}")),
                    }
                }
                // Whatever was closed in the parent still is.
                for number in 0..3 {
                    // SAFETY: only asks about the number.
                    let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
                    assert_eq!(open, closed >> number & 1 == 0, "{number} of {closed:#b} by {launcher:?}");
                }
            }
        }
    }
}

own_process! {
    fn pidfd_stays_off_closed_streams_whatever_is_opened_for_the_child() {
        let source = memory_at(10, "source", true);
        let opened: [Option<fn() -> Stdio<'static>>; 3] = [None, Some(Stdio::null), Some(|| Stdio::data("some"))];
        for closed in 0..8 {
            for number in 0..3 {
                match closed >> number & 1 {
                    1 => close(number),
                    _ => std::mem::forget(memory_at(number, "stream", false)),
                }
            }
            for launcher in LAUNCHERS {
                for (opened, missing) in
                    opened.iter().flat_map(|opened| [Features::empty(), Features::MEMFD].map(|missing| (opened, missing)))
                {
                    let mut command = support::command("true");
                    command.launcher(launcher).missing(missing);
                    command.stdin(&source).stdout(&source).stderr(&source);
                    if let Some(opened) = opened {
                        command.fd(5, opened());
                    }
                    let mut child = command.spawn().unwrap();
                    assert!(child.pidfd().is_none_or(|pidfd| pidfd.as_raw_fd() > 2), "{closed:#b} by {launcher:?}");
                    for number in 0..3 {
                        // SAFETY: only asks about the number.
                        let open = unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
                        assert_eq!(open, closed >> number & 1 == 0, "{number} of {closed:#b} by {launcher:?}");
                    }
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
            // SAFETY: only asks about the flag.
            assert_eq!(unsafe { libc::fcntl(0, libc::F_GETFD) }, libc::FD_CLOEXEC);
        }
    }
}

#[test]
fn one_source_serves_many_targets_and_leaks_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    for launcher in LAUNCHERS {
        let out = directory.path().join("table");
        let source = leaky(memory("fan"));
        let mut command = helper("table");
        command.arg(&out).launcher(launcher);
        for target in [3, 9, 4, 77, 5] {
            command.fd(target, &source);
        }
        assert!(command.status().unwrap().success());
        let table = Table::read(&out);
        assert_eq!(table.numbers(), [0, 1, 2, 3, 4, 5, 9, 77]);
        assert!([3, 4, 5, 9, 77].iter().all(|&number| table.content(number) == Some("fan")));
    }
}

own_process! {
    fn hundreds_of_descriptors_with_holes_whatever_the_order_of_the_keep_list() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let numbers: Vec<RawFd> = (0..400).map(|index| 10 + index * 3).collect();
        let open: Vec<OwnedFd> =
            numbers.iter().map(|&number| memory_at(number, &format!("kept{number}"), number % 2 == 0)).collect();
        let _others: Vec<OwnedFd> = (0..400).map(|index| memory_at(11 + index * 3, "other", false)).collect();
        let mut shuffled: Vec<usize> = (0..open.len()).map(|index| index * 157 % open.len()).collect();
        shuffled.extend_from_slice(&[3, 3, 399]);
        let orders: [Vec<usize>; 3] = [(0..open.len()).collect(), (0..open.len()).rev().collect(), shuffled];
        for order in &orders {
            for launcher in LAUNCHERS {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher);
                for &index in order {
                    command.keep(&open[index]);
                }
                assert!(command.status().unwrap().success());
                let table = Table::read(&out);
                assert_eq!(table.numbers()[3..], numbers);
                assert!(numbers.iter().all(|&number| table.content(number) == Some(&format!("kept{number}"))));
            }
        }
    }
}

own_process! {
    fn hundreds_of_targets_in_one_long_cycle() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let open: Vec<OwnedFd> = (10..310).map(|number| memory_at(number, &format!("at{number}"), true)).collect();
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher);
            for (index, target) in (10..310).enumerate() {
                command.fd(target, &open[(index + 7) % open.len()]);
            }
            assert!(command.status().unwrap().success());
            let table = Table::read(&out);
            for (index, target) in (10..310).enumerate() {
                assert_eq!(table.content(target), Some(&*format!("at{}", 10 + (index + 7) % open.len())));
            }
            assert_eq!(table.0.len(), 303);
        }
    }
}

own_process! {
    fn every_target_from_0_to_64_with_a_program_that_does_not_exist_leaves_the_file_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for launcher in LAUNCHERS {
            for target in 0..=64 {
                let mut command = support::command("/nonexistent/program");
                command.launcher(launcher).fd(target, File::create(&path).unwrap());
                let error = command.spawn().expect_err("there is no such program");
                assert!(matches!(error.failure(), Failure::Exec), "target {target}: {error}");
                assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
                assert_eq!(std::fs::read(&path).unwrap(), b"", "target {target}");
            }
        }
    }
}

own_process! {
    fn every_target_from_0_to_64_with_a_failing_hook_leaves_the_file_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for &rest in support::rests() {
            for target in 0..=64 {
                let mut command = support::command("true");
                command.rest(rest).fd(target, File::create(&path).unwrap());
                // SAFETY: the hook returns an error that is made without an allocation.
                unsafe { command.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EXDEV))) };
                let error = command.spawn().expect_err("the hook fails");
                assert_eq!(error.raw_os_error(), Some(libc::EXDEV), "target {target}: {error}");
                assert_eq!(std::fs::read(&path).unwrap(), b"", "target {target}");
            }
        }
    }
}

own_process! {
    fn targets_around_the_soft_limit() {
        set_limit(100, hard_limit());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = memory("source");
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).fd(99, &source).status().unwrap().success());
            assert_eq!(Table::read(&out).content(99), Some("source"));
            for target in [100, 101, 4096, RawFd::MAX] {
                let mut command = helper("table");
                let error = command.arg(&out).launcher(launcher).fd(target, &source).spawn().unwrap_err();
                let refusal = Refusal::TargetBeyondLimit { target, limit: 100 };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                assert!(error.to_string().contains(&target.to_string()), "{error}");
            }
        }
    }
}

own_process! {
    fn descriptor_opened_before_the_limit_was_lowered_can_be_a_source_or_kept_or_closed() {
        let high = memory_at(500, "high", false);
        let unnamed = memory_at(600, "unnamed", false);
        set_limit(100, 200);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).fd(5, &high).status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(5, "high")]);
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).keep(&high).status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(500, "high")]);
            assert!(helper("table").arg(&out).launcher(launcher).status().unwrap().success());
            assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
        }
        drop(unnamed);
    }
}

own_process! {
    fn plan_that_fills_every_number_below_the_limit_is_refused_where_a_cycle_needs_one_more() {
        set_limit(16, hard_limit());
        let open: Vec<OwnedFd> = (3..16).map(|number| memory_at(number, &format!("at{number}"), true)).collect();
        for launcher in LAUNCHERS {
            let mut command = support::command("true");
            command.launcher(launcher);
            for (index, target) in (3..16).enumerate() {
                command.fd(target, &open[(index + 1) % open.len()]);
            }
            let error = command.spawn().unwrap_err();
            // The fork launcher has no number left for its report either.
            let expected = match launcher {
                Launcher::Clone => matches!(error.failure(), Failure::Refused(Refusal::NoScratch { limit: 16 })),
                _ => matches!(error.failure(), Failure::ParentOpen { .. }) && error.raw_os_error() == Some(libc::EMFILE),
            };
            assert!(expected, "{error}");
        }
    }
}

#[test]
fn same_as_follows_its_target_whatever_that_is() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let source = memory("source");
    for launcher in LAUNCHERS {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher);
        command.fd(9, Stdio::same_as(7)).fd(7, Stdio::same_as(5)).fd(5, &source).stdin(Stdio::same_as(9));
        let pipe = command.reader(11);
        command.fd(12, Stdio::same_as(11));
        let mut child = command.spawn().unwrap();
        drop(child.take(pipe));
        assert!(child.wait().unwrap().success());
        let table = Table::read(&out);
        assert_eq!(table.numbers(), [0, 1, 2, 5, 7, 9, 11, 12]);
        assert!([0, 5, 7, 9].iter().all(|&number| table.content(number) == Some("source")));
        let file = |number| table.0.iter().find(|each| each.number == number).unwrap().file;
        assert_eq!(file(11), file(12));
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

#[test]
fn working_directory_descriptor_is_never_hit_by_a_target_and_is_not_open_in_the_child() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().canonicalize().unwrap();
    let out = real.join("table");
    let root = leaky(File::open("/").unwrap());
    let number = root.as_raw_fd();
    let source = memory("source");
    for launcher in LAUNCHERS {
        for &rest in support::rests() {
            for target in number - 2..number + 3 {
                if target < 3 {
                    continue;
                }
                let mut command = support::command("/bin/sh");
                command.args(["-c", &format!("pwd > {}", out.display())]).launcher(launcher).rest(rest);
                command.current_dir_fd(root.as_fd()).fd(target, &source);
                assert!(command.status().unwrap().success());
                assert_eq!(std::fs::read_to_string(&out).unwrap(), "/\n");
            }
        }
        let mut command = helper("table");
        assert!(command.arg(&out).launcher(launcher).current_dir_fd(&root).status().unwrap().success());
        assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
    }
}

own_process! {
    fn pipe_of_the_library_is_never_taken_for_an_inherited_descriptor() {
        // 3 and above are closed, and the library's pipes land there.
        for launcher in LAUNCHERS {
            for target in 3..9 {
                let mut command = support::command("true");
                command.launcher(launcher).stdout(Stdio::piped()).fd(target, Stdio::inherit());
                let error = command.spawn().unwrap_err();
                let refusal = Refusal::SourceNotOpen { target, source: target };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                let mut command = support::command("true");
                let _ = command.launcher(launcher).fd(20, Stdio::inherit_from(target)).reader(3);
                let error = command.spawn().unwrap_err();
                let refusal = Refusal::SourceNotOpen { target: 20, source: target };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
            }
        }
    }
}

own_process! {
    fn descriptor_can_be_inherited_under_another_number() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _source = memory_at(40, "forty", true);
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher).fd(7, Stdio::inherit_from(40)).fd(8, Stdio::inherit_from(1));
            assert!(command.status().unwrap().success());
            let table = Table::read(&out);
            assert_eq!(table.numbers(), [0, 1, 2, 7, 8]);
            assert_eq!(table.content(7), Some("forty"));
            assert_eq!(table.0[1].file, table.0[4].file);
        }
    }
}

own_process! {
    fn closed_stream_is_null_however_many_spawns_open_pipes_at_the_same_time() {
        close(0);
        let over = &std::sync::atomic::AtomicBool::new(false);
        let directory = tempfile::tempdir().unwrap();
        let outs: Vec<_> = (0..200).map(|index| directory.path().join(index.to_string())).collect();
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
            // Nothing else may be opened here meanwhile: it would land on 0, and be inherited rightly.
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
