//! The suite run again in other circumstances: under a filter that refuses a system call, without /proc, by fork, and
//! by an isolated thread.
//!
//! A few heavy tests take most of a run's time, and the plain run leaves them out of these reruns.
//! `support::EXHAUSTIVE` puts them in.

use crate::own_process;
use crate::support;
use crate::support::mounts::unmount_proc;
use crate::support::seccomp::refuse;
use crate::support::tools::{self, skip};
use crate::support::{exhaustive, own_process, test_binary};
use fdspawn::{Capture, Command, Failure, Launcher, Rest};
use std::os::unix::fs::PermissionsExt;

/// Tests of many launches, and those that look into every process of the machine. Each also runs by itself, in every
/// run of the suite.
const HEAVY: [&str; 38] = [
    "attributes::",
    "child::changes::",
    "child::drops::",
    "child::ends::",
    "child::group_members::",
    "child::groups::",
    "child::processes::",
    "child::recycled::",
    "child::threads::children_of_many_threads",
    "child::timeouts::",
    "child::trees::",
    "child::usage::",
    "command::odd_entries::",
    "exchange::",
    "graph::",
    "inspect::pipe_holders::",
    "isolated::children::rest_is_closed_if",
    "isolated::failures::",
    "launch::closing::every_fallback_closes_all",
    "launch::closing::every_fallback_closes_what",
    "launch::closing::rest_is_closed_without_proc",
    "launch::closing::search_finds",
    "launch::filters::close_range_and_unshare_and_directories",
    "launch::foreign_rules::",
    "launch::hooks::outcome::hook_that_executes_its_own_program_is_a_child_like_any_other_however_often",
    "launch::hooks_environment::",
    "launch::leaks::thousands_of_spawns",
    "launch::signals::signals_to_the_whole_group",
    "launch::traced::spawn_neither_waits",
    "plan::closed_streams::",
    "plan::maps::",
    "plan::renumbering::",
    "spawn::beside::",
    "spawn::exec::failed_execs_do_no_harm",
    "spawn::exec::failure_with_any_target_leaves",
    "spawn::fork_run::",
    "spawn::forked_copy::process_that_forks",
    "spawn::parent_table::",
];

/// Tests that no filter is for: they count calls or take time, they need what the filter refuses, or they are not about
/// spawns and install filters of their own.
const NOT_UNDER_A_FILTER: [&str; 28] = [
    "fd::",
    "inspect::",
    "isolated::",
    "launch::filters::",
    "launch::leaks::",
    "launch::reruns::suite_",
    "launch::system_calls::",
    "launch::valgrind::",
    "low_limit_at_the_first_spawn", // Without close_range there is no shared table.
    "storm_of_signals",
    "beside_waits",
    // These tests launch in each way themselves, with and without a pidfd.
    "child::drops::",
    "child::ends::",
    "child::group_members::",
    "child::trees::",
    "exchange::",
    "graph::",
    "maps_of_five_targets",
    "spawn::beside::",
    "spawn::many_children::",                     // Each child has a pidfd there.
    "writing_a_program_and_executing_it_at_once", // Only a shared table prevents that race.
    "missing_feature_is_warned_of_once",
    "features_that_a_test_takes_away_are_not_warned_of",
    "limit_of_a_billion",
    // These tests install filters of their own, or are about kernels that refuse no call.
    "attributes::all_at_once::",
    "attributes::cgroup::",
    "attributes::parent_death::",
    "cgroup::",
];

/// Runs the suite in another process, without the tests of both lists, and in the plain run without the heavy ones.
/// Each name in a list has to be that of a test.
fn suite_passes(command: &mut Command<'_>, one: &[&str], other: &[&str]) {
    let heavy: &[&str] = if exhaustive() { &[] } else { &HEAVY };
    let tests = suite().arg("--list").output().unwrap().stdout;
    let tests = String::from_utf8(tests).unwrap();
    for name in one.iter().chain(other).chain(heavy) {
        assert!(tests.contains(name), "{name} is not the name of a test");
        command.args(["--skip", name]);
    }
    let text = all_pass(command, 60);
    assert!(text.contains("launch_is_the_one_that_this_run_of_the_suite_is_about ... ok"), "{text}");
}

/// Runs tests. All have to pass, and to be more than `count`. Returns what the run prints.
fn all_pass(command: &mut Command<'_>, count: usize) -> String {
    // A test may leave a process that has the pipes, and is not waited for.
    let output = command.capture(&Capture::new()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_success = output.status.is_some_and(|status| status.success());
    assert!(is_success, "{:?}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let result = text.lines().find(|line| line.starts_with("test result: ok. ")).unwrap();
    let passed: usize = result.split(' ').nth(3).unwrap().parse().unwrap();
    assert!(passed > count, "{result}");
    text
}

/// The test binary, which runs all tests that it does not skip.
fn suite<'fd>() -> Command<'fd> {
    let mut command = Command::new(test_binary());
    // Several reruns go on at the same time, so that each has few threads.
    command.env_remove(own_process::VARIABLE).env("RUST_TEST_THREADS", "2");
    command
}

macro_rules! suites {
    ($($name:ident: $calls:expr, $errno:ident;)*) => {$(
        own_process! {
            fn $name() {
                // The exhaustive run has them. `filters.rs` has each refused call in the plain run.
                if exhaustive() && refuse(&$calls, libc::$errno) {
                    suite_passes(&mut suite(), &NOT_UNDER_A_FILTER, &[]);
                }
            }
        }
    )*};
}

suites! {
    suite_passes_if_close_range_answers_enosys: [libc::SYS_close_range], ENOSYS;
    suite_passes_if_close_range_answers_eperm: [libc::SYS_close_range], EPERM;
    suite_passes_if_clone3_answers_enosys: [libc::SYS_clone3], ENOSYS;
    suite_passes_if_pidfd_open_answers_enosys: [libc::SYS_pidfd_open], ENOSYS;
    suite_passes_if_pidfd_open_answers_eperm: [libc::SYS_pidfd_open], EPERM;
}

#[test]
fn suite_passes_if_clone3_answers_eperm() {
    if !exhaustive() {
        return; // As for the filters above.
    }
    // With this answer glibc starts no thread, and so libtest would run no test. Each test that has a process of its
    // own installs the filter there instead, for its thread.
    let starts_threads = [
        "attributes::",
        "of_another_thread",
        "however_many_spawns",
        "signals_to_the_whole",
        "other_threads",
        "another_threads",
        "another_thread_sets_variables",
        "subscriber_that_spawns",
        "steps_of_a_launch",
        "table_of_its_own",
        "main_thread_has_ended",
        "while_its_threads_spawn",
        "lock_of_standard_output",
        "pids_are_those",
        "child::changes::",
        "child::drops::",
        "child::ends::",
        "child::group_members::",
        "child::groups::",
        "child::processes::",
        "child::recycled::",
        "child::timeouts::",
        "child::wait::status_of",
        "exchange::waits::",
        "function_has_every_entrance",
    ];
    suite_passes(suite().env(own_process::WITHOUT_CLONE3, "1"), &NOT_UNDER_A_FILTER, &starts_threads);
}

own_process! {
    fn suite_passes_without_proc() {
        if !exhaustive() {
            return; // In the plain run, tests of closes, tables and teardowns do without /proc themselves.
        }
        // These tests look at the process through /proc themselves.
        let look_at_proc = [
            "storm",
            "parent_table::",
            "spawn::exec::",
            "failures_leave",
            "full_table",
            "nothing_can_close",
            "rest_is_closed_without_proc",
            "without_proc_too",
            "hook_that",
            "hooks_find_all_attributes_set",
            "oom_score_adj_is_that_of_the_child_only",
            "ignored_sigchld",
            "child::recycled::",
            "child::changes::change_of_a_child",
            "reaps_during_the_wait",
            "child::processes::signals_beside_waits",
            "ended_child_that_another_process_traces",
            "arguments_arrive",
            "new_pid_namespace",
            "ssh_keygen_accepts",
            "child::groups::",
            // Sessions and descendants are found there.
            "child::drops::",
            "child::ends::",
            "child::group_members::",
            "child::trees::",
            "child_is_reaped_although_poll",
            "child_that_has_ended_and_is_traced",
            "links_of_a_captured_child",
            "memory_of_many_exchanges",
            "nothing_is_left_of_captures",
            "are_found_if_process_vm_readv", // The library then reads the environment from /proc.
            "attributes::chroot::",
            "attributes::credentials::",
            "attributes::in_place::",
            "attributes::stops::",
            "attributes::storm::",
            "attributes::terminal::",
            "process::beyond::",
            "settings_of_unix_are_steps",
        ];
        if unmount_proc() {
            suite_passes(&mut suite(), &NOT_UNDER_A_FILTER, &look_at_proc);
        }
    }
}

/// Tests that show nothing more when the suite runs by another way of launching.
const NOT_BY_ANOTHER_LAUNCHER: [&str; 22] = [
    // These tests are reruns themselves.
    "launch::reruns::suite_",
    // These tests are not about launches, or launch in one way only.
    "fd::close::",
    "fd::ranges::",
    "inspect::table::",
    "launch::system_calls::",
    "launch::valgrind::",
    "process::",
    "spawn::fork_run::",
    // A forked copy does not have the isolated thread.
    "session_outside_the_pid_namespace",
    // These tests start isolated threads, and compare launches by these with launches by the caller.
    "isolated::",
    // These tests launch in each way themselves.
    "attributes::",
    "cgroup::",
    // `maps_with_holes` has moves of each kind, in a tenth of the time.
    "maps_of_five_targets",
    // These signals go to the calling thread only. Those of `signals_to_the_whole_group` go to all threads.
    "storm_of_signals",
    // These tests launch thousands of children in each way.
    "beside_waits",
    // These tests launch in each way themselves, with and without a pidfd.
    "child::drops::",
    "child::ends::",
    "child::group_members::",
    "child::trees::",
    "exchange::",
    "graph::",
    "spawn::beside::",
];

#[test]
fn suite_passes_if_an_isolated_thread_launches_all_commands() {
    if !exhaustive() {
        return; // In the plain run `isolated::` has the tests of such launches.
    }
    // The table of the thread has no rest that a child could inherit:
    // `failures_have_the_same_text_as_in_plain_spawns_and_leave_nothing`.
    let inherit_the_rest = [
        "maps_if_the_rest_is_inherited",
        "inherited_rest_is_what_close_on_exec_leaves",
        "leaked_writer_is_found_where_it_leaked_to",
        "child_that_inherits_a_leaky_descriptor_holds_the_lock",
    ];
    let other_answers = [
        // The sources have numbers of the thread's table.
        "spawn::many_children::",
        // The thread cannot duplicate to a number beyond the limit: `kept_descriptor_above_a_lowered_limit_is_refused`.
        "descriptor_opened_before_the_limit_was_lowered_can_be_a_source_or_kept_or_closed",
        // The thread needs no number for a cycle:
        // `plan_that_fills_every_number_below_the_limit_needs_no_scratch_number`.
        "plan_that_fills_every_number_below_the_limit_is_refused_if_a_cycle_needs_one_more",
        // The table of the thread does not have the pipe on which the process that the hook has forked waits.
        "process_that_a_hook_has_forked_does_not_report",
        // The table of the thread has no descriptor for the search to find.
        "search_finds_a_descriptor_above_a_limit_that_was_lowered",
        // The forked copy of a process does not have the thread.
        "session_outside_the_pid_namespace",
        "child::recycled::",
        "proc_of_another_pid_namespace_is_no_list",
        "proc_that_hides_processes_is_no_list",
        "in_a_forked_copy_the_group_is_an_error_at_once",
        "exec_joins_the_group_and_a_failed_one_leaves_it_open",
        "peak_memory_is_at_least",
        // `exec` uses no thread, as other tests of it show in less time.
        "spawn::exec::failure_with_any_target_leaves_the_process_as_it_was",
        // The thread keeps the namespaces that it was started in, with /proc: `namespaces_are_those_of_the_thread`.
        // `rest_is_closed_if_the_thread_has_no_proc` is about a thread without /proc.
        "first_spawn_after_a_new_pid_namespace_is_its_first_process",
        "rest_is_closed_without_proc",
    ];
    let left_out = [&inherit_the_rest[..], &other_answers].concat();
    suite_passes(suite().env(support::ISOLATED, "1"), &NOT_BY_ANOTHER_LAUNCHER, &left_out);
}

#[test]
fn suite_passes_if_fork_launches_all_commands_that_ask_for_no_launcher() {
    if !exhaustive() {
        return; // In the plain run each test of launches has both launchers itself.
    }
    // These tests name the launcher of each launch or have a hook, and they take long.
    let left_out = [
        "launch::closing::",
        "launch::filters::",
        "launch::hooks::",
        "plan::",
        "spawn::exec::",
        "thousands_of_spawns",
        "whole_group",
    ];
    suite_passes(suite().env(support::LAUNCHER, "fork"), &NOT_BY_ANOTHER_LAUNCHER, &left_out);
}

#[test]
fn suite_of_waits_teardowns_and_exchanges_passes_for_a_plain_user() {
    if !exhaustive() {
        return; // It takes long, and most of it depends on no user.
    }
    // SAFETY: the call only asks.
    if unsafe { libc::geteuid() } != 0 {
        skip("the user cannot be changed");
        return;
    }
    // The user may not search the directory that the binary is in.
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("it");
    std::fs::copy(test_binary(), &binary).unwrap();
    for path in [directory.path(), &binary] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&binary);
    command.env_remove(own_process::VARIABLE).env_remove(support::EXHAUSTIVE).current_dir("/");
    command.env_remove(tools::DEMAND); // This user may make no cgroup and change no user.
    command.uid(65_534).gid(65_534).groups(&[]).args(["child::", "exchange::", "cgroup::"]);
    all_pass(&mut command, 150);
}

#[test]
fn launch_is_the_one_that_this_run_of_the_suite_is_about() {
    // Otherwise a rerun by fork or by an isolated thread would be the plain run once more.
    let mut child = support::command("true").spawn().unwrap();
    if std::env::var_os(support::LAUNCHER).is_some() {
        assert_eq!(child.launched_by(), Launcher::Fork);
    }
    assert!(child.wait().unwrap().success());
    let inherited = support::command("true").rest(Rest::Inherit).status();
    if std::env::var_os(support::ISOLATED).is_some() {
        assert!(matches!(inherited.unwrap_err().failure(), Failure::NothingToInherit));
    } else {
        assert!(inherited.unwrap().success());
    }
}
