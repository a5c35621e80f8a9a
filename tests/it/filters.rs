//! Kernels that refuse: each call answers with an error of its own by a seccomp filter.

use crate::own_process;
use crate::support::sources::{leaky, memory};
use crate::support::table::Table;
use crate::support::tools::skip;
use crate::support::{children, helper};
use fdspawn::{Command, Failure, Launcher, Stdio};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};
use std::collections::BTreeMap;

/// From now on, `calls` answer with `errno` in this process and its children.
fn refuse(calls: &[i64], errno: i32) -> bool {
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = calls.iter().map(|&call| (call, vec![])).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno as u32),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    apply_filter_all_threads(&program).is_ok() || skip("a seccomp filter cannot be installed")
}

/// All that a spawn promises, whatever is refused.
fn spawns_are_right(expected: Launcher) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let (source, _other) = (leaky(memory("source")), leaky(memory("other")));
    let before = Table::current();
    for launcher in [Launcher::Auto, Launcher::Clone, Launcher::Fork] {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).fd(200, &source).fd(5, Stdio::data("data"));
        match command.spawn() {
            Ok(mut child) => {
                assert_eq!(child.launched_by(), if launcher == Launcher::Auto { expected } else { launcher });
                assert_eq!(child.try_wait().unwrap().map_or(0, |status| status.code().unwrap()), 0);
                assert!(child.wait().unwrap().success());
                child.kill().unwrap();
                assert_eq!(Table::read(&out).contents()[3..], [(5, "data"), (200, "source")]);
            }
            Err(error) => {
                assert!(launcher == Launcher::Clone && expected == Launcher::Fork, "{launcher:?}: {error}");
                assert!(matches!(error.failure(), Failure::CloneUnavailable), "{error}");
                continue;
            }
        }
        let error = Command::new("/no/such").launcher(launcher).spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let output = helper("print").arg("text").launcher(launcher).output().unwrap();
        assert_eq!(output.stdout, b"text");
        let mut child = helper("wait").launcher(launcher).spawn().unwrap();
        child.kill().unwrap();
        assert!(child.wait().unwrap().code().is_none());
    }
    assert_eq!(Table::current(), before);
    assert_eq!(children(), 0);
}

macro_rules! refused {
    ($($name:ident: $calls:expr, $errno:ident, $expected:ident;)*) => {$(
        own_process! {
            fn $name() {
                if refuse(&$calls, libc::$errno) {
                    spawns_are_right(Launcher::$expected);
                }
            }
        }
    )*};
}

refused! {
    close_range_answers_enosys: [libc::SYS_close_range], ENOSYS, Clone;
    close_range_answers_eperm: [libc::SYS_close_range], EPERM, Clone;
    clone3_answers_enosys: [libc::SYS_clone3], ENOSYS, Clone;
    clone3_answers_eperm: [libc::SYS_clone3], EPERM, Clone;
    pidfd_open_answers_enosys: [libc::SYS_pidfd_open], ENOSYS, Clone;
    pidfd_open_answers_eperm: [libc::SYS_pidfd_open], EPERM, Clone;
    pidfd_send_signal_answers_enosys: [libc::SYS_pidfd_send_signal], ENOSYS, Clone;
    pidfd_send_signal_answers_eperm: [libc::SYS_pidfd_send_signal], EPERM, Clone;
    memfd_create_answers_eperm_for_data: [libc::SYS_eventfd2], EPERM, Clone;
    clone3_close_range_and_pidfd_open_answer_enosys:
        [libc::SYS_clone3, libc::SYS_close_range, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal], ENOSYS, Clone;
    clone3_close_range_and_pidfd_open_answer_eperm:
        [libc::SYS_clone3, libc::SYS_close_range, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal], EPERM, Clone;
    close_range_and_unshare_and_directories_answer_eperm:
        [libc::SYS_close_range, libc::SYS_unshare, libc::SYS_fstatfs], EPERM, Clone;
}

own_process! {
    fn clone_with_shared_memory_answers_eperm_and_fork_is_left() {
        // libc's fork is a clone without CLONE_VM.
        let vm = seccompiler::SeccompCondition::new(
            0,
            seccompiler::SeccompCmpArgLen::Qword,
            seccompiler::SeccompCmpOp::MaskedEq(libc::CLONE_VFORK as u64),
            libc::CLONE_VFORK as u64,
        );
        let rule = seccompiler::SeccompRule::new(vec![vm.unwrap()]).unwrap();
        let filter = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_clone, vec![rule])]),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM as u32),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        if refuse(&[libc::SYS_clone3], libc::ENOSYS) && apply_filter_all_threads(&program).is_ok() {
            spawns_are_right(Launcher::Fork);
        }
    }
}

own_process! {
    fn filter_that_comes_after_the_first_spawn_is_found_out_too() {
        assert!(Command::new("true").launcher(Launcher::Clone).status().unwrap().success());
        if refuse(&[libc::SYS_clone3], libc::EPERM) && refuse(&[libc::SYS_close_range], libc::ENOSYS) {
            spawns_are_right(Launcher::Clone);
        }
    }
}

own_process! {
    fn clones_that_run_out_of_processes_are_an_error_and_no_missing_rung() {
        if refuse(&[libc::SYS_clone3], libc::EAGAIN) {
            let error = Command::new("true").launcher(Launcher::Clone).spawn().unwrap_err();
            assert!(error.raw_os_error() == Some(libc::EAGAIN) || matches!(error.failure(), Failure::CloneUnavailable));
            assert_eq!(children(), 0);
        }
    }
}
