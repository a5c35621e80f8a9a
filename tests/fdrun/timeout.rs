//! `--timeout`, `--signal` and `--kill-after`: statuses and signals, beside those of `timeout`.

use super::signals::{self, WAIT};
use super::{LAUNCHERS, Outcome, exhaustive, fdrun, outcome, run, tools};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that ignores SIGTERM, and ends by itself a second after the timeout.
const IGNORES: &str = "sh -c 'trap \"\" TERM; sleep 3; exit 7'";
/// A program that ignores SIGTERM, and does not end by itself.
const IGNORES_FOR_LONG: &str = "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'";

/// The options of `timeout`, those of fdrun, and a program. The shell that a program is has 2 s to ignore a signal.
const CASES: &[(&str, &str, &str)] = &[
    ("60", "--timeout 60", "true"),
    ("60", "--timeout 60", "sh -c 'echo ran; exit 7'"),
    ("1m", "--timeout 1m", "sh -c 'exit 124'"),
    ("60", "--timeout 60", "sh -c 'kill -9 $$'"),
    ("60", "--timeout 60", "sh -c 'kill -15 $$'"),
    ("0", "--timeout 0", "sh -c 'exit 3'"),
    ("-k 0 0", "--kill-after 0 --timeout 0", "sh -c 'sleep 0.3; exit 3'"),
    ("0.000000000001", "--timeout 0.000000000001", "sleep 60"),
    ("0.2", "--timeout 0.2", "sleep 60"),
    ("0.2s", "--timeout 0.2s", "sh -c 'echo early; sleep 60 >&- 2>&-'"),
    ("2", "--timeout 2", "sh -c 'trap \"exit 3\" TERM; while :; do sleep 0.05; done'"),
    ("2", "--timeout 2", IGNORES),
    ("-k 0 2", "--kill-after 0 --timeout 2", IGNORES),
    ("-k 0.3 2", "--kill-after 0.3 --timeout 2", IGNORES_FOR_LONG),
    ("-k 60 0.2", "--kill-after 60 --timeout 0.2", "sleep 60"),
    ("-s KILL 0.2", "--signal KILL --timeout 0.2", "sleep 60"),
    ("-s 9 2", "--signal 9 --timeout 2", IGNORES_FOR_LONG),
    ("-s INT 0.2", "--signal INT --timeout 0.2", "sleep 60"),
    ("-s SIGUSR1 0.2", "--signal SIGUSR1 --timeout 0.2", "sleep 60"),
    ("-s hup -k 60 2", "--signal hup --kill-after 60 --timeout 2", "sh -c 'trap \"\" TERM; exec sleep 60'"),
    ("-s WINCH -k 0.3 0.2", "--signal WINCH --kill-after 0.3 --timeout 0.2", "sleep 60"),
    ("0.5", "--timeout 0.5", "sh -c 'kill -STOP $$; exit 4'"),
    ("1", "--timeout 1", "no-such-program"),
    ("1", "--timeout 1", "/no/such/program"),
    ("1", "--timeout 1", "/etc/passwd"),
    ("x", "--timeout x", "true"),
    ("-- -1", "--timeout -1", "true"),
    ("1x", "--timeout 1x", "true"),
    ("''", "--timeout ''", "true"),
    ("-k x 1", "--kill-after x --timeout 1", "true"),
    ("-s spoon 1", "--signal spoon --timeout 1", "true"),
    ("1", "--timeout 1", ""),
];

/// Runs a tool in a shell, which says how the tool has ended, and measures the time.
fn ended(tool: &str) -> (Outcome, Duration) {
    let start = Instant::now();
    // If PATH has a directory that may not be searched, the status differs.
    let found = run(&format!("PATH=/bin:/usr/bin; {{ {tool}; echo $?; }} 2>/dev/null"));
    (found, start.elapsed())
}

#[test]
fn statuses_are_those_of_timeout() {
    if !tools::has("timeout") {
        return;
    }
    if !run("timeout --version").stdout.contains("coreutils") {
        tools::skip("timeout is not that of coreutils");
        return;
    }
    // The other trees take as long again, and `trees.rs` has them, too.
    let trees = if exhaustive() {
        &["", "--tree group", "--tree session", "--tree descendants"][..]
    } else {
        &["", "--tree group"]
    };
    at_once(CASES, |(of_timeout, of_fdrun, program)| {
        let timeout = format!("timeout {of_timeout} {program}");
        let launcher = LAUNCHERS[program.len() % LAUNCHERS.len()];
        let of_trees = trees.iter().map(|tree| format!("fdrun {of_fdrun} --launcher {launcher} {tree} -- {program}"));
        let commands: Vec<String> = std::iter::once(timeout).chain(of_trees).collect();
        let found = at_once(&commands, |command| ended(command));
        let (expected, time) = &found[0];
        for (fdrun, (found, own_time)) in commands.iter().zip(&found).skip(1) {
            assert_eq!(found, expected, "{}: {time:?}; {fdrun}: {own_time:?}", commands[0]);
            assert!(*own_time < Duration::from_secs(40), "{fdrun}: {own_time:?}, timeout: {time:?}");
        }
    });
}

/// Calls a function for all values at the same time, since most of them wait.
pub fn at_once<T: Sync, R: Send>(values: &[T], call: impl Fn(&T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = values.iter().map(|value| scope.spawn(move || call(value))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread has shown why")).collect()
    })
}

#[test]
fn an_early_end_is_not_waited_out() {
    let start = Instant::now();
    assert_eq!(run("fdrun --timeout 60 --kill-after 60 -- echo ran"), outcome(0, "ran\n", ""));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn the_program_alone_gets_the_signal_without_a_tree() {
    for option in ["", "--tree process"] {
        let script = "exec 3<&0; (trap 'echo TERM' TERM; echo ready $$; cat <&3) & wait";
        let (mut started, program) = signals::start_script(&format!("--timeout 0.5 {option}"), script);
        assert_eq!(started.end().code(), Some(124), "{option}");
        assert!(signals::is_gone(program), "{option}");
        started.input.take();
        assert_eq!(started.rest(), "", "{option}: the other process ends at the end of its input");
    }
}

#[test]
fn kill_after_counts_from_a_signal_that_is_passed_on() {
    for launcher in LAUNCHERS {
        for more in ["", "--timeout 60"] {
            let options = format!("--launcher {launcher} --kill-after 0.3 {more}");
            let (mut started, program) =
                signals::start_script(&options, &format!("trap 'echo TERM' TERM; echo ready $$; {WAIT}"));
            started.signal(libc::SIGTERM);
            assert_eq!(started.line(), "TERM", "{options}");
            assert_eq!(started.end().code(), Some(137), "{options}");
            assert!(signals::is_gone(program), "{options}");
        }
    }
}

#[test]
fn a_signal_that_ends_the_program_in_time_ends_fdrun_too() {
    let (mut started, _) = signals::start_script("--timeout 60 --kill-after 60", "echo ready $$; exec cat");
    started.signal(libc::SIGTERM);
    assert_eq!(started.end().signal(), Some(libc::SIGTERM));
}

#[test]
fn pipes_are_read_no_longer_than_the_timeout() {
    let program = "exec 3<&0; cat <&3 >&5 & echo early >&5; echo ready $$; exec 3<&-; exit 3";
    let mut command = Command::new(fdrun());
    command.args(["--timeout", "1", "--pipe-from", "5", "--", "sh", "-c", program]).stderr(Stdio::piped());
    let mut started = signals::start(&mut command);
    assert_eq!(started.end().code(), Some(3), "the program has ended in time");
    started.input.take(); // ends `cat`, which has the standard error, too
    let mut text = String::new();
    std::io::Read::read_to_string(&mut started.process.stderr.take().unwrap(), &mut text).unwrap();
    assert_eq!(text, "5: early\n");
}

#[test]
fn a_signal_needs_a_timeout_or_a_limit() {
    assert_eq!(
        run("fdrun --signal INT -- echo ran"),
        outcome(125, "", "fdrun: --signal does not go without --timeout or --limit\n")
    );
}

#[test]
fn explain_and_table_take_a_timeout_and_do_not_wait() {
    for option in ["--explain", "--table"] {
        let found = run(&format!("fdrun --timeout 60 --kill-after 1 {option} -- sleep 60"));
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{option}");
    }
}
