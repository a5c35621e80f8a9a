//! The keep list: descriptors that are lent, shared or moved, and have the same number in the child.

use crate::own_process;
use crate::support;
use crate::support::sources::{lent, memory, memory_at};
use crate::support::table::{Table, is_open};
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Failure, Stage, Stdio, plan::Refusal};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

fn refused(command: &mut Command<'_>, refusal: Refusal, number: i32) {
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
    assert_eq!((error.raw_os_error(), error.stage()), (Some(number), Stage::Parent));
}

own_process! {
    fn kept_descriptor_has_its_number_in_the_child_and_its_owner_closes_it_here() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            for close_on_exec in [false, true] {
                let one = memory_at(31, "lent", close_on_exec);
                let shared = Arc::new(memory_at(32, "shared", close_on_exec));
                let moved = memory_at(33, "moved", close_on_exec);
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).keep(&one).keep(shared.clone()).keep(moved);
                let explanation = command.explain().to_string();
                for meaning in [
                    "  kept\n",
                    "  kept; shared: the parent closes it with its last owner\n",
                    "  kept; moved: the parent closes it after the spawn\n",
                ] {
                    assert!(explanation.contains(meaning), "{explanation}");
                }
                let mut child = command.spawn().unwrap();
                assert_eq!([31, 32, 33].map(is_open), [true, true, false], "as soon as the spawn has succeeded");
                assert!(child.wait().unwrap().success());
                let found = Table::read(&out);
                assert_eq!(found.contents()[3..], [(31, "lent"), (32, "shared"), (33, "moved")]);
                refused(&mut command, Refusal::SourceSpent { target: 33 }, libc::EBADF);
                drop(command);
                assert_eq!(Arc::strong_count(&shared), 1);
            }
        }
    }
}

#[test]
fn failed_spawn_leaves_a_moved_kept_descriptor_in_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    for launcher in LAUNCHERS {
        let file = memory("moved");
        let number = file.as_raw_fd();
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).keep(file).current_dir("/nonexistent").spawn().unwrap_err();
        assert!(command.current_dir("/").status().unwrap().success());
        assert_eq!(Table::read(&out).content(number), Some("moved"));
    }
}

#[test]
fn kept_descriptor_that_a_target_has_the_number_of_is_refused_whoever_owns_it() {
    for launcher in LAUNCHERS {
        let command = || {
            let mut command = support::command("true");
            command.launcher(launcher);
            command
        };
        let (file, shared) = (memory("moved"), Arc::new(memory("shared")));
        let target = file.as_raw_fd();
        refused(command().keep(file).fd(target, Stdio::null()), Refusal::KeepCollides { target }, libc::EINVAL);
        let target = shared.as_raw_fd();
        refused(
            command().fd(target, Stdio::null()).keep(shared.clone()),
            Refusal::KeepCollides { target },
            libc::EINVAL,
        );
    }
}

own_process! {
    fn descriptor_that_is_kept_twice_has_one_entry_and_keeps_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            let shared = Arc::new(memory_at(31, "shared", true));
            let mut command = helper("table");
            command.arg(&out).launcher(launcher).keep(lent(31)).keep(shared.clone()).keep(lent(31)).keep(shared.clone());
            assert_eq!(Arc::strong_count(&shared), 2, "the command is an owner once");
            drop(shared);
            assert!(command.status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(31, "shared")]);
        }
    }
}

own_process! {
    fn number_of_a_spent_descriptor_can_be_kept_or_be_a_target_again() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let moved = |content: &str| -> OwnedFd { memory_at(31, content, true) };
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher);
            for content in ["first", "second"] {
                assert!(command.keep(moved(content)).status().unwrap().success());
                assert_eq!(Table::read(&out).contents()[3..], [(31, content)]);
            }
            assert!(command.fd(31, Stdio::data("third")).status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(31, "third")]);
        }
    }
}
