//! `--tree`: that the processes of a program get the signals of fdrun, and that none of them is left.

use super::signals::{PASSED_ON, WAIT, start, start_on_terminal, terminal};
use super::timeout::at_once;
use super::{LAUNCHERS, fdrun, outcome, run, signals};
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const TREES: [&str; 3] = ["group", "session", "descendants"];

/// A variable that marks the processes of one run.
pub struct Mark(String);

impl Mark {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        Self(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// A run of fdrun with the mark. Shells write to standard error which signal has ended a child.
    pub fn command(&self, options: &str, script: &str) -> Command {
        let mut command = Command::new(fdrun());
        command.args(options.split_whitespace()).args(["--", "sh", "-c", script]).env("FDRUN_TEST_MARK", &self.0);
        command.stderr(Stdio::null());
        command
    }

    /// Runs fdrun, without a terminal's group, until all have closed the output.
    pub fn output(&self, options: &str, script: &str) -> Output {
        self.command(options, script).process_group(0).output().unwrap()
    }

    /// The processes that have the mark.
    fn processes(&self) -> Vec<i32> {
        let mark = format!("FDRUN_TEST_MARK={}", self.0);
        let numbers =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let has_mark = |pid: &i32| {
            // A process that has ended has no environment.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
        };
        numbers.filter(has_mark).collect()
    }

    /// Checks that no process is left. The kernel takes a moment to end those that are killed.
    #[track_caller]
    pub fn assert_none(&self, what: &str) {
        let start = Instant::now();
        while !self.processes().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}: {:?} are left", self.processes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the processes that a run has left. None of them makes another one.
    fn kill(&self) {
        for pid in self.processes() {
            // SAFETY: only numbers are passed. The process has the mark, and its parent is not this process.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        self.assert_none("after SIGKILL");
    }
}

#[test]
fn a_run_that_has_timed_out_leaves_no_process_and_what_it_has_printed() {
    for launcher in LAUNCHERS {
        at_once(&TREES, |tree| {
            let mark = Mark::new();
            let start = Instant::now();
            let options = format!("--launcher {launcher} --timeout 1 --tree {tree}");
            let found = mark.output(&options, "sleep 30 & echo early; sleep 30");
            let time = start.elapsed();
            eprintln!("{options}: {time:?}");
            assert_eq!((found.status.code(), &*found.stdout), (Some(124), &b"early\n"[..]));
            assert!(time >= Duration::from_secs(1) && time < Duration::from_secs(20), "{options}: {time:?}");
            mark.assert_none(&options);
        });
    }
}

#[test]
fn what_ignores_the_signal_is_killed_when_the_program_has_ended() {
    // The program ends by the signal, and its child ignores it.
    let script = "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.1; done' & wait";
    let cases: Vec<_> =
        ["", "--kill-after 60"].into_iter().flat_map(|option| TREES.map(|tree| (option, tree))).collect();
    at_once(&cases, |(option, tree)| {
        let mark = Mark::new();
        let options = format!("--timeout 1 --tree {tree} {option}");
        let found = mark.output(&options, script);
        assert_eq!((found.status.code(), &*found.stdout), (Some(124), &b"ready\n"[..]), "{options}");
        mark.assert_none(&options);
    });
}

#[test]
fn kill_after_kills_the_tree_of_a_program_that_ignores_the_signal() {
    let script = "trap '' TERM; sleep 60 & while :; do sleep 0.1; done";
    let all = ["--timeout 2 --kill-after 0.3", "--timeout 0.3 --signal KILL"];
    let cases: Vec<_> = all.into_iter().flat_map(|times| TREES.map(|tree| format!("{times} --tree {tree}"))).collect();
    at_once(&cases, |options| {
        let mark = Mark::new();
        let found = mark.output(options, script);
        assert_eq!(found.status.code(), Some(137), "{options}");
        mark.assert_none(options);
    });
}

#[test]
fn jobs_in_groups_of_their_own_are_reached_by_session_and_by_descendants() {
    // A shell with job control puts each job into a new group.
    let jobs = "set -m; sleep 30 & sleep 30 & echo early; wait";
    let sessions = "setsid sleep 30 & echo early; wait";
    at_once(&[("session", jobs), ("descendants", jobs), ("descendants", sessions)], |(tree, script)| {
        let mark = Mark::new();
        let options = format!("--timeout 0.5 --tree {tree}");
        let found = mark.output(&options, script);
        assert_eq!((found.status.code(), &*found.stdout), (Some(124), &b"early\n"[..]), "{options} {script}");
        mark.assert_none(&options);
    });
}

#[test]
fn what_is_left_is_killed_when_the_program_ends_by_itself() {
    for launcher in LAUNCHERS {
        for (options, is_killed) in [
            ("--tree group", true),
            ("--tree group --setsid", true),
            ("--tree group --pgrp 0", true),
            ("--tree session", true),
            ("--tree session --setsid --timeout 60 --kill-after 60", true),
            ("--tree descendants", false),
            ("--tree process", false),
            ("", false),
        ] {
            let mark = Mark::new();
            let options = format!("--launcher {launcher} {options}");
            let found = mark.output(&options, "sleep 60 >/dev/null 2>&1 & echo early; exit 3");
            assert_eq!((found.status.code(), &*found.stdout), (Some(3), &b"early\n"[..]), "{options}");
            if is_killed {
                mark.assert_none(&options);
            } else {
                assert_eq!(mark.processes().len(), 1, "{options}: the help says that it stays");
                mark.kill();
            }
        }
    }
}

#[test]
fn a_signal_that_kills_the_program_takes_the_tree_with_it() {
    for tree in TREES {
        for (name, signal) in PASSED_ON {
            let mark = Mark::new();
            let options = format!("--tree {tree} --timeout 60");
            let mut started = start(&mut mark.command(&options, "sleep 60 & echo ready; while :; do sleep 0.05; done"));
            assert_eq!(started.line(), "ready", "{options}");
            started.signal(signal);
            assert_eq!(started.end().signal(), Some(signal), "{options} {name}");
            mark.assert_none(&format!("{options} {name}"));
            assert_eq!(started.rest(), "");
        }
    }
}

#[test]
fn a_signal_at_any_time_from_the_start_on_ends_the_tree() {
    const STEP: Duration = Duration::from_micros(100);
    for tree in TREES {
        for step in 0..40 {
            let mut command = Command::new(fdrun());
            command.args(["--tree", tree, "--timeout", "60", "--", "cat"]);
            let mut started = start(&mut command);
            std::thread::sleep(STEP * step);
            started.signal(libc::SIGTERM);
            assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{tree}, step {step}");
            assert_eq!(started.rest(), "", "`cat` would have the output open");
        }
    }
}

#[test]
fn signals_are_passed_on_to_the_whole_tree() {
    for tree in TREES {
        for (name, signal) in PASSED_ON {
            let mark = Mark::new();
            // The outer shell waits for the inner one, which ends only if it has got the signal.
            let inner = format!("trap \"echo inner {name}; exit 4\" {name}; echo ready; {WAIT}");
            let script = format!("trap : {name}; sh -c '{inner}'; echo outer $?; exit 5");
            let options = format!("--tree {tree}");
            let mut started = start(&mut mark.command(&options, &script));
            assert_eq!(started.line(), "ready", "{options}");
            started.signal(signal);
            assert_eq!(started.line(), format!("inner {name}"), "{options}");
            assert_eq!(started.line(), "outer 4", "{options} {name}");
            assert_eq!(started.end().code(), Some(5), "{options} {name}");
            if tree != "descendants" {
                assert_eq!(started.rest(), "", "{options} {name}");
            }
            started.input.take();
            mark.assert_none(&format!("{options} {name}"));
        }
    }
}

#[test]
fn signals_that_all_survive_are_passed_on_again_and_again() {
    for tree in TREES {
        let mark = Mark::new();
        // A `sleep` ends by the signal, and the shell starts the next one.
        let script = "n=0; trap 'n=$((n+1)); echo HUP $n' HUP; echo ready; while :; do sleep 0.05; done";
        let mut started = start(&mut mark.command(&format!("--tree {tree}"), script));
        assert_eq!(started.line(), "ready", "{tree}");
        for count in 1..=3 {
            started.signal(libc::SIGHUP);
            assert_eq!(started.line(), format!("HUP {count}"), "{tree}");
        }
        started.signal(libc::SIGTERM);
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{tree}");
        mark.assert_none(tree);
    }
}

#[test]
fn threads_do_not_pile_up_with_the_signals() {
    let trees = TREES.into_iter().chain(has_cgroup().then_some("cgroup"));
    for tree in trees {
        let mark = Mark::new();
        let script = "n=0; trap 'n=$((n+1)); echo HUP $n' HUP; echo ready; while :; do sleep 0.01; done";
        let mut started = start(&mut mark.command(&format!("--tree {tree}"), script));
        assert_eq!(started.line(), "ready", "{tree}");
        let tasks = format!("/proc/{}/task", started.process.id());
        for count in 1..=24 {
            started.signal(libc::SIGHUP);
            assert_eq!(started.line(), format!("HUP {count}"), "{tree}");
        }
        let threads = fs::read_dir(tasks).unwrap().count();
        assert!(threads <= if tree == "cgroup" { 1 } else { 17 }, "{tree}: {threads} threads");
        started.signal(libc::SIGTERM);
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{tree}");
        mark.assert_none(tree);
    }
}

#[test]
fn the_terminal_comes_back_before_the_pipes_are_read_to_their_end() {
    let show = "cut -d' ' -f5,8 /proc/$$/stat";
    // The sleep has the pipe when the program has ended. fdrun still reads it when SIGTERM ends fdrun.
    let program = "sh -c 'sleep 20 </dev/null >/dev/null 2>/dev/null & exit 0'";
    let run = format!("\"$FDRUN\" --foreground --pgrp 0 --pipe-from 7 -- {program} & child=$!");
    let script = format!("set +m; {run}; sleep 1; {show}; kill $child; wait $child 2>/dev/null; {show}");
    let (_master, slave) = terminal();
    let mut tool = Command::new(fdrun());
    tool.args(["--setsid", "--ctty", "0", "--", "sh", "-c", &script]);
    let output = tool.stdin(slave).stderr(Stdio::null()).env("FDRUN", fdrun()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        assert!(line.split_once(' ').is_some_and(|(own, terminals)| own == terminals), "{text}");
    }
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn an_interrupt_from_the_terminal_reaches_the_new_group() {
    for launcher in LAUNCHERS {
        for options in [
            ["--tree", "group", "--timeout", "60"].as_slice(),
            &["--tree", "session", "--timeout", "60"],
            // The terminal sends the signal to the program's group, and not to fdrun's.
            &["--tree", "group", "--timeout", "60", "--foreground"],
            &["--tree", "descendants", "--timeout", "60"],
        ] {
            let options = [&["--launcher", launcher], options].concat();
            let (mut started, mut terminal) = start_on_terminal(&options, &["sh", "-c", signals::COUNT]);
            assert_eq!(started.line(), "ready", "{options:?}");
            std::io::Write::write_all(&mut terminal, b"\x03").unwrap();
            assert_eq!(started.line(), "INT 1", "{options:?}");
            started.signal(libc::SIGTERM);
            assert_eq!(started.line(), "TERM 1", "{options:?}");
            assert_eq!(started.end().code(), Some(6), "{options:?}");
        }
    }
}

#[test]
fn the_terminal_comes_back_after_a_timeout() {
    // The process group of a shell, and the foreground group of its terminal.
    let show = "cut -d' ' -f5,8 /proc/$$/stat";
    let programs = [
        "sh -c \"$SHOW; exec sleep 60\"",
        // The program has stopped, as by ^Z. SIGCONT wakes it, so that it takes SIGTERM.
        "sh -c \"$SHOW; kill -STOP \\$\\$; exit 7\"",
    ];
    at_once(&programs, |program| {
        let script = format!("\"$FDRUN\" --foreground --tree group --timeout 1 -- {program}; echo $?; {show}");
        let (_master, slave) = terminal();
        let mut tool = Command::new(fdrun());
        tool.args(["--setsid", "--ctty", "0", "--", "sh", "-c", &script]);
        let output = tool.stdin(slave).env("FDRUN", fdrun()).env("SHOW", show).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let is_foreground = |line: &str| line.split_once(' ').is_some_and(|(own, terminals)| own == terminals);
        let [of_program, status, of_shell] = lines[..] else { panic!("{text}") };
        assert!(is_foreground(of_program) && is_foreground(of_shell) && of_program != of_shell, "{text}");
        assert_eq!(status, "124", "{program}");
    });
}

#[test]
fn trees_that_the_program_would_not_lead_are_refused() {
    let lead = "the program has to lead its group";
    let cases = [
        ("--tree group --pgrp 7", format!("--tree group does not go with --pgrp 7: {lead}")),
        (
            "--pgrp 0 --tree session",
            "--tree session does not go with --pgrp: the leader of a session leads a group of its own".to_owned(),
        ),
    ];
    for (options, text) in cases {
        assert_eq!(run(&format!("fdrun {options} -- echo ran")), outcome(125, "", &format!("fdrun: {text}\n")));
    }
}

/// Whether fdrun can make a cgroup here; a message if not.
fn has_cgroup() -> bool {
    let found = run("fdrun --tree cgroup -- true");
    if found.code != Some(0) {
        println!("skipped: fdrun can make no cgroup here: {}", found.stderr);
    }
    found.code == Some(0)
}

#[test]
fn no_process_of_a_cgroup_is_left_whatever_it_has_done() {
    if !has_cgroup() {
        return;
    }
    // In a session of its own, without a parent, and without an ear for SIGTERM.
    let script = "(trap '' TERM; setsid sh -c 'sleep 30 & sleep 30' &); sleep 0.3; echo early; sleep 30";
    let cases = ["--timeout 1 --tree cgroup", "--timeout 1 --tree cgroup --kill-after 60", "--tree cgroup"];
    at_once(&cases, |options| {
        let mark = Mark::new();
        let script =
            if options.contains("timeout") { script.to_owned() } else { script.replace("early; sleep 30", "early") };
        let found = mark.output(options, &script);
        let status = if options.contains("timeout") { 124 } else { 0 };
        assert_eq!((found.status.code(), &*found.stdout), (Some(status), &b"early\n"[..]), "{options}");
        mark.assert_none(options);
    });
}

#[test]
fn cgroup_of_a_tree_is_removed_with_it() {
    if !has_cgroup() {
        return;
    }
    let found = run("fdrun --tree cgroup -- cat /proc/self/cgroup");
    let path = found.stdout.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).unwrap().split(' ').nth(4).unwrap();
    assert!(path.contains("fdspawn"), "{path}");
    assert!(!std::path::Path::new(&format!("{mount}{path}")).exists(), "{path}");
}
