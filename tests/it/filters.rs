//! Kernels that refuse: each call answers with an error of its own by a seccomp filter.

use crate::own_process;
use crate::support;
use crate::support::own_process;
use crate::support::sources::{leaky, memory};
use crate::support::table::Table;
use crate::support::tools::skip;
use crate::support::{children, helper};
use fdspawn::{Command, Failure, Launcher, Stdio};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter_all_threads};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

/// From now on, `calls` answer with `errno` in this process and its children.
pub fn refuse(calls: &[i64], errno: i32) -> bool {
    answer(calls, SeccompAction::Errno(errno as u32))
}

/// From now on, this is what becomes of `calls` in this process and its children.
pub fn answer(calls: &[i64], action: SeccompAction) -> bool {
    apply_filter_all_threads(&program(calls, action)).is_ok() || skip("a seccomp filter cannot be installed")
}

/// From now on, `calls` answer with `errno` in this thread, and in the threads and children that it starts.
pub fn refuse_to_thread(calls: &[i64], errno: i32) {
    seccompiler::apply_filter(&program(calls, SeccompAction::Errno(errno as u32))).unwrap();
}

fn program(calls: &[i64], action: SeccompAction) -> BpfProgram {
    let rules: BTreeMap<i64, Vec<seccompiler::SeccompRule>> = calls.iter().map(|&call| (call, vec![])).collect();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap().try_into().unwrap()
}

/// Tests that only count or time, that need what is refused here to work, or that are not about spawns and set filters of
/// their own.
const NOT_UNDER_A_FILTER: [&str; 17] = [
    "close::",
    "descriptor_table::",
    "ends::",
    "flags::",
    "isolated::",
    "locks::",
    "ranges::",
    "low_limit_at_the_first_spawn", // Without close_range there is no shared table.
    "filters::",
    "system_calls::",
    "leaks::",
    "storm_of_signals",
    "all_3125_maps",
    "writing_a_program_and_executing_it_at_once", // Only a shared table closes that race.
    "missing_feature_is_warned_of_once",
    "features_that_a_test_takes_away_are_no_news",
    "limit_of_a_billion",
];

/// Runs the other tests in a process to which the kernel refuses something.
fn suite_passes(skip: &[&str]) {
    let mut command = Command::new(std::env::args_os().next().unwrap());
    suite_of_passes(command.env_remove(own_process::VARIABLE), &NOT_UNDER_A_FILTER, skip);
}

/// Runs the suite without the tests that are left out for one reason or another.
fn suite_of_passes(command: &mut Command<'_>, one: &[&str], other: &[&str]) {
    for name in one.iter().chain(other) {
        command.args(["--skip", name]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let result = text.lines().find(|line| line.starts_with("test result: ok. ")).unwrap();
    let passed: usize = result.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(passed > 60, "{result}");
    assert!(text.contains("launch_is_the_one_that_this_run_of_the_suite_is_about ... ok"), "{text}");
}

macro_rules! suites {
    ($($name:ident: $calls:expr, $errno:ident;)*) => {$(
        own_process! {
            fn $name() {
                if refuse(&$calls, libc::$errno) {
                    suite_passes(&[]);
                }
            }
        }
    )*};
}

suites! {
    suite_passes_where_close_range_answers_enosys: [libc::SYS_close_range], ENOSYS;
    suite_passes_where_close_range_answers_eperm: [libc::SYS_close_range], EPERM;
    suite_passes_where_clone3_answers_enosys: [libc::SYS_clone3], ENOSYS;
    suite_passes_where_pidfd_open_answers_enosys: [libc::SYS_pidfd_open], ENOSYS;
    suite_passes_where_pidfd_open_answers_eperm: [libc::SYS_pidfd_open], EPERM;
}

#[test]
fn suite_passes_where_clone3_answers_eperm() {
    // There glibc starts no thread, and so libtest runs no test: the filter is set in each test's own process, for the
    // test's thread.
    let mut command = Command::new(std::env::args_os().next().unwrap());
    for name in NOT_UNDER_A_FILTER.iter().chain(&[
        "of_another_thread",
        "however_many_spawns",
        "signals_to_the_whole",
        "other_threads",
        "another_threads",
        "subscriber_that_spawns",
        "steps_of_a_launch",
        "table_of_its_own",
        "main_thread_has_ended",
        "pids_are_those",
    ]) {
        command.args(["--skip", name]);
    }
    let output = command.env(own_process::WITHOUT_CLONE3, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

own_process! {
    fn suite_passes_without_proc() {
        if crate::support::tools::unmount_proc() {
            // These look at the process through /proc themselves.
            suite_passes(&[
                "storm", "tables::", "exec::", "failures_leave", "full_table", "nothing_can_close", "rest_is_closed_without_proc",
                "without_proc_too", "hook_that", "ignored_sigchld", "arguments_arrive", "new_pid_namespace", "ends::",
            ]);
        }
    }
}

/// Tests that say nothing more when they run again in another way of launching.
const LEFT_OUT_OF_A_RERUN: [&str; 9] = [
    // They are reruns themselves.
    "filters::suite_",
    // They are not about launches, or launch in one way only.
    "close::",
    "descriptor_table::",
    "ranges::",
    "system_calls::",
    "fork_run::",
    // They have threads of their own, which they compare with launches by the caller.
    "isolated::",
    // `maps_with_holes` has moves of each kind, in a tenth of the time.
    "all_3125_maps",
    // The signals go to the one thread that calls; those of `signals_to_the_whole_group` go to all.
    "storm_of_signals",
];

/// Runs the suite once more in another way of launching. Each test that is left out stands beside the reason.
fn suite_passes_again(variable: &str, value: &str, left_out: &[&str]) {
    let mut command = Command::new(std::env::args_os().next().unwrap());
    command.env(variable, value).env_remove(own_process::VARIABLE);
    suite_of_passes(&mut command, &LEFT_OUT_OF_A_RERUN, left_out);
}

#[test]
fn suite_passes_where_an_isolated_thread_launches_all_commands() {
    let left_out = [
        // There is no rest to inherit: `failures_say_what_they_say_elsewhere_and_leave_nothing`.
        "maps_where_the_rest_is_inherited",
        "inherited_rest_is_what_close_on_exec_leaves",
        "leaked_writer_is_found_where_it_leaked_to",
        "child_that_inherits_a_leaky_descriptor_holds_the_lock",
        // What is beyond the limit cannot be duplicated: `kept_descriptor_above_a_lowered_limit_is_refused`.
        "descriptor_opened_before_the_limit_was_lowered_can_be_a_source_or_kept_or_closed",
        // Nor is it refused: `plan_that_fills_every_number_below_the_limit_needs_no_scratch_number`.
        "plan_that_fills_every_number_below_the_limit_is_refused_where_a_cycle_needs_one_more",
        // In the thread's table is nothing that would have to be found.
        "search_finds_a_descriptor_above_a_limit_that_was_lowered",
        // No thread does this, as other tests of `exec` show, which take less long.
        "exec::failure_leaves_the_process_as_it_was",
        // The thread's namespaces are its own: `namespaces_are_those_of_the_thread`. There is /proc in them, and where there is
        // none, that is `rest_is_closed_where_the_thread_has_no_proc`.
        "first_spawn_after_a_new_pid_namespace_is_its_first_process",
        "rest_is_closed_without_proc",
    ];
    suite_passes_again(crate::support::ISOLATED, "1", &left_out);
}

#[test]
fn suite_passes_where_fork_launches_all_commands_that_ask_for_no_launcher() {
    // These say which launcher it is, for each launch, or there is a hook; and they take long.
    let left_out =
        ["closing::", "exec::", "filters::", "hooks::", "renumbering::", "ten_thousand_spawns", "whole_group"];
    suite_passes_again(crate::support::LAUNCHER, "fork", &left_out);
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
        // Such a death dumps a core, and old kernels (5.10, but not 6.1) end all who share the memory.
        let old = |release: &str| release.split('.').next().unwrap().parse::<u32>().unwrap() < 6;
        if old(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap()) {
            eprintln!("skipped: a core dump of the child ends the parent here");
            return;
        }
        let error = support::command("true").launcher(Launcher::Clone).spawn().unwrap_err();
        let sigsys = |status: &std::process::ExitStatus| status.signal() == Some(libc::SIGSYS);
        assert!(matches!(error.failure(), Failure::Killed(status) if sigsys(status)), "{error}");
        // Whoever waits at once sees it as the status, as with fork.
        assert!(sigsys(&support::command("true").launcher(Launcher::Clone).status().unwrap()));
        assert!(sigsys(&support::command("true").launcher(Launcher::Fork).spawn().unwrap().wait().unwrap()));
        assert_eq!(Table::current(), before);
        assert_eq!(children(), 0);
    }
}
