//! Spawns under seccomp filters that refuse one or two system calls.

use crate::own_process;
use crate::support;
use crate::support::kernel_is_older_than;
use crate::support::seccomp::{answer, refuse, refuse_if};
use crate::support::sources::{leaky, memory};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, children, helper};
use fdspawn::{Failure, Launcher, Stdio};
use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::os::unix::process::ExitStatusExt;

/// What a spawn promises under every filter.
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
        let error = support::command("/no/such").launcher(launcher).spawn().unwrap_err();
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
    eventfd2_answers_eperm: [libc::SYS_eventfd2], EPERM, Clone;
    clone3_close_range_and_pidfd_open_answer_enosys:
        [libc::SYS_clone3, libc::SYS_close_range, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal], ENOSYS, Clone;
    clone3_close_range_and_pidfd_open_answer_eperm:
        [libc::SYS_clone3, libc::SYS_close_range, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal], EPERM, Clone;
}

own_process! {
    fn close_range_and_unshare_and_directories_answer_eperm() {
        // Each launch searches a million numbers, so this is left to the run of the whole suite. `closing.rs` searches in the plain run.
        if support::exhaustive() && refuse(&[libc::SYS_close_range, libc::SYS_unshare, libc::SYS_fstatfs], libc::EPERM) {
            spawns_are_right(Launcher::Clone);
        }
    }
}

own_process! {
    fn clone_with_shared_memory_answers_eperm_and_fork_is_left() {
        // libc's fork is a clone without CLONE_VM and CLONE_VFORK.
        let flag = libc::CLONE_VFORK as u64;
        let has_flag = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
        if refuse(&[libc::SYS_clone3], libc::ENOSYS) && refuse_if(libc::SYS_clone, has_flag, libc::EPERM) {
            spawns_are_right(Launcher::Fork);
        }
    }
}

own_process! {
    fn memfd_create_answers_eperm_for_data() {
        if refuse(&[libc::SYS_memfd_create], libc::EPERM) {
            for launcher in LAUNCHERS {
                let output = helper("cat").launcher(launcher).stdin(Stdio::data("data")).output().unwrap();
                assert_eq!(output.stdout, b"data");
            }
        }
    }
}

own_process! {
    fn filter_that_comes_after_the_first_spawn_is_found_out_too() {
        assert!(support::command("true").launcher(Launcher::Clone).status().unwrap().success());
        if refuse(&[libc::SYS_clone3], libc::EPERM) && refuse(&[libc::SYS_close_range], libc::ENOSYS) {
            spawns_are_right(Launcher::Clone);
        }
    }
}

own_process! {
    fn clones_that_run_out_of_processes_are_an_error_and_no_missing_feature() {
        if refuse(&[libc::SYS_clone3], libc::EAGAIN) {
            let error = support::command("true").launcher(Launcher::Clone).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
            assert!(matches!(error.failure(), Failure::Launch(Launcher::Clone)), "{error}");
            assert_eq!(children(), 0);
        }
    }
}

own_process! {
    fn child_that_is_killed_before_exec_is_an_error_and_no_zombie() {
        if !answer(&[libc::SYS_execve], SeccompAction::KillProcess) {
            return;
        }
        let before = Table::current();
        // SIGSYS makes the kernel dump a core, and old kernels (5.10, but not 6.1) then end each process that shares
        // the memory.
        if kernel_is_older_than(6) {
            eprintln!("skipped: a core dump of the child ends the parent here");
            return;
        }
        let sigsys = |status: &std::process::ExitStatus| status.signal() == Some(libc::SIGSYS);
        for launcher in support::LAUNCHERS {
            let command = || {
                let mut command = support::command("true");
                command.launcher(launcher);
                command
            };
            for error in
                [command().spawn().unwrap_err(), command().status().unwrap_err(), command().output().unwrap_err()]
            {
                assert!(matches!(error.failure(), Failure::Killed(status) if sigsys(status)), "{error}");
                let text = "cannot spawn `true`: the child was killed before it became the program: signal: 31";
                assert!(error.to_string().starts_with(text), "{error}");
            }
        }
        assert_eq!(Table::current(), before);
        assert_eq!(children(), 0);
    }
}
