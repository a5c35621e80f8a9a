//! Plans of many targets, long cycles and shared sources: each target gets what its source was, by both launchers.

use crate::own_process;
use crate::support;
use crate::support::sources::{leaky, memory, memory_at};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Failure, Stdio, plan::Refusal};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

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
        // 3 and above are closed, so the library's pipes get these numbers.
        for launcher in LAUNCHERS {
            for target in 3..9 {
                let mut command = support::command("true");
                command.launcher(launcher).stdout(Stdio::piped()).fd(target, Stdio::inherit());
                let error = command.spawn().unwrap_err();
                let refusal = Refusal::InheritWhere { target };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                let mut command = support::command("true");
                // SAFETY: the number is closed.
                let closed = unsafe { Stdio::inherit_from(target) };
                let _ = command.launcher(launcher).fd(20, closed).reader(3);
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
            // SAFETY: this test owns 40, and 1 stays open as long as the process runs.
            let (forty, stdout) = unsafe { (Stdio::inherit_from(40), Stdio::inherit_from(1)) };
            command.arg(&out).launcher(launcher).fd(7, forty).fd(8, stdout);
            assert!(command.status().unwrap().success());
            let table = Table::read(&out);
            assert_eq!(table.numbers(), [0, 1, 2, 7, 8]);
            assert_eq!(table.content(7), Some("forty"));
            assert_eq!(table.0[1].file, table.0[4].file);
        }
    }
}
