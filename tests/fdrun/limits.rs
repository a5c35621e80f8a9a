//! `--limit`: what is passed on, how the program ends, and that nothing is left of it.

use super::signals::{self, is_gone};
use super::timeout::at_once;
use super::trees::{Mark, TREES};
use super::{LAUNCHERS, content, fdrun, outcome, run, run_with_file};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

/// A loop that does not end by itself, and in which a shell takes signals.
const LOOP: &str = "while :; do sleep 0.05; done";

/// Runs fdrun with a program, and nothing between.
fn tool(arguments: &[&str], program: &[&str]) -> Output {
    Command::new(fdrun()).args(arguments).arg("--").args(program).output().unwrap()
}

#[test]
fn a_limit_is_exact() {
    // Pipes contain 64 KiB, and fdrun counts pieces of 256 KiB.
    let limits = [0, 1, 6, 4095, 4096, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 1_000_001];
    let expected = b"y\n".repeat(500_001);
    for launcher in LAUNCHERS {
        at_once(&limits, |&limit| {
            let found = tool(&["--launcher", launcher, "--limit", &format!("1={limit}")], &["yes"]);
            assert_eq!((found.status.code(), &*found.stderr), (Some(123), &b""[..]), "{launcher}, {limit}");
            assert!(found.stdout == expected[..limit], "{launcher}, {limit}: {} bytes", found.stdout.len());
        });
    }
}

#[test]
fn a_program_that_writes_no_more_than_the_limit_is_not_disturbed() {
    for limit in [65_536, 262_144, 300_000] {
        for more in [0, 1] {
            let script = format!("head -c {limit} /dev/zero; exit 7");
            let found = tool(&["--limit", &format!("1={}", limit + more)], &["sh", "-c", &script]);
            assert_eq!(found.status.code(), Some(7), "{limit}");
            assert!(found.stdout == vec![0; limit], "{limit}: {} bytes", found.stdout.len());
        }
    }
    assert_eq!(run("fdrun --limit 1=0 -- sh -c 'exit 3'"), outcome(3, "", ""));
    assert_eq!(run("fdrun --limit 1=18446744073709551615 -- echo all"), outcome(0, "all\n", ""));
}

#[test]
fn each_descriptor_goes_where_it_would_go_and_has_a_limit_of_its_own() {
    let script = "echo out; echo errors >&2; exec sleep 60";
    let found = run(&format!("fdrun --limit 1=4 --limit 2=3 -- sh -c '{script}'"));
    assert_eq!(found, outcome(123, "out\n", "err"));
    // Nothing says where the bytes of 5 go. The program writes to 1 what fdrun does not read.
    let found = run("fdrun --limit 5=3 -- sh -c 'echo out; echo abc >&5; exec sleep 60'");
    assert_eq!(found, outcome(123, "out\n", ""));
    let found = run("fdrun --limit 5=4 -- sh -c 'echo abc >&5; echo out'");
    assert_eq!(found, outcome(0, "out\n", ""));
}

#[test]
fn a_limit_counts_for_files_and_for_lines_too() {
    for options in ["", "--lines"] {
        let program = "sh -c 'echo abc >&5; echo def >&5; exec sleep 60'";
        let (directory, found) = run_with_file(&format!("fdrun --limit 5=6 --capture 5=new {options} -- {program}"));
        let printed = if options.is_empty() { "" } else { "5: abc\n5: de\n" };
        assert_eq!(found, outcome(123, printed, ""), "{options}");
        assert_eq!(content(&directory, "new"), "abc\nde", "{options}");
    }
    let found = run("fdrun --limit 5=6 --pipe-from 5 -- sh -c 'echo abc >&5; echo def >&5; exec sleep 60'");
    assert_eq!(found, outcome(123, "", "5: abc\n5: de\n"));
}

#[test]
fn the_program_gets_the_signal_and_its_other_output_is_read_to_the_end() {
    let trap = "trap \"seq 20000 >&5; echo got INT >&2; exit 7\" INT";
    let script = format!("{trap}; echo abc; {LOOP}");
    let (directory, found) =
        run_with_file(&format!("fdrun --limit 1=2 --signal INT --capture 5=new --usage -- sh -c '{script}'"));
    assert_eq!((found.code, &*found.stdout), (Some(123), "ab"));
    let (error, usage) = found.stderr.split_once('\n').unwrap();
    assert_eq!(error, "got INT");
    assert!(usage.starts_with("fdrun: user ") && usage.lines().count() == 3, "{usage}");
    let expected: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(content(&directory, "new") == expected, "all that the program has written after the signal");
}

#[test]
fn a_program_that_ignores_the_signal_gets_sigkill() {
    let script = format!("trap \"\" TERM; echo abc; {LOOP}");
    for options in ["--kill-after 0.2", "--kill-after 0.2 --timeout 60", "--signal KILL"] {
        let found = run(&format!("fdrun --limit 1=2 {options} -- sh -c '{script}'"));
        assert_eq!(found, outcome(123, "ab", ""), "{options}");
    }
}

#[test]
fn what_comes_first_counts() {
    // The limit is reached after the timeout.
    let trap = "trap \"echo toolong; exit 3\" TERM";
    let found = run(&format!("fdrun --limit 1=3 --timeout 0.5 -- sh -c '{trap}; {LOOP}'"));
    assert_eq!(found, outcome(124, "too", ""));
    // The timeout would come while the program ends.
    let trap = "trap \"sleep 1; exit 3\" TERM";
    let found = run(&format!("fdrun --limit 1=3 --timeout 0.7 -- sh -c '{trap}; echo toolong; {LOOP}'"));
    assert_eq!(found, outcome(123, "too", ""));
}

#[test]
fn no_process_of_a_tree_is_left() {
    for launcher in LAUNCHERS {
        at_once(&TREES, |tree| {
            let mark = Mark::new();
            let options = format!("--launcher {launcher} --limit 1=5 --timeout 60 --tree {tree}");
            let found = mark.output(&options, "sleep 60 & sleep 60 & echo early; sleep 60");
            assert_eq!((found.status.code(), &*found.stdout), (Some(123), &b"early"[..]), "{options}");
            mark.assert_none(&options);
        });
    }
}

#[test]
fn a_process_that_has_the_pipe_after_the_program_has_the_same_limit() {
    let program = "exec 3<&0; { cat <&3; echo toolong; } & exec 3<&-; echo ready $$; exit 0";
    let (mut started, program) = signals::start_script("--limit 1=1000", program);
    while !is_gone(program) {
        std::thread::yield_now();
    }
    let mut input = started.input.take().unwrap();
    std::io::Write::write_all(&mut input, &[b'x'; 2000]).unwrap();
    drop(input);
    assert_eq!(started.end().code(), Some(123));
    let ready = format!("ready {program}\n").len();
    assert_eq!(started.rest(), "x".repeat(1000 - ready));
}

#[test]
fn the_program_learns_that_no_process_reads_its_output() {
    for launcher in LAUNCHERS {
        let fdrun = format!("fdrun --launcher {launcher} --timeout 30 --limit 1=1000000000000");
        let found = run(&format!("{{ {fdrun} -- yes; echo $? >&2; }} | head -n 1"));
        assert_eq!((found.code, &*found.stdout), (Some(0), "y\n"), "{launcher}");
        assert_eq!(found.stderr.lines().last(), Some("141"), "{launcher}: {found:?}");
    }
}

#[test]
fn output_is_not_lost_if_its_reader_is_slow() {
    // fdrun is asked to end, and then waits for output for a second. The pipes contain all that the program writes.
    let cases = [
        ("--limit 1=300000", "head -c 200000 /dev/zero", "wc -c", "200000"),
        ("--lines", "seq 20000", "wc -l", "20000"),
        ("--lines --limit 1=300000", "seq 20000", "wc -l", "20000"),
    ];
    at_once(&cases, |(options, program, count, expected)| {
        let fdrun = format!("fdrun {options} -- sh -c '{program}; kill $$'");
        let found = run(&format!("{{ {fdrun}; echo $? >&2; }} | {{ sleep 2.5; {count}; }}"));
        assert_eq!((found.code, found.stdout.trim()), (Some(0), *expected), "{options}");
        assert_eq!(found.stderr.lines().last(), Some("143"), "{options}: {found:?}");
    });
}

#[test]
fn a_process_that_writes_for_ever_does_not_keep_fdrun_after_the_timeout() {
    let program = "sh -c 'yes $(seq -s, 200) & exec sleep 60'";
    let options = ["--lines", "--pipe-from 1", "--capture 1=/dev/null", "--limit 1=1000000000000000"];
    at_once(&options, |options| {
        let fdrun = format!("fdrun --timeout 0.05 {options} -- {program}");
        let found = run(&format!("{{ {fdrun} 2>/dev/null; echo $? >&2; }} | cat >/dev/null"));
        assert_eq!(found, outcome(0, "", "124\n"), "{options}");
    });
}

#[test]
fn signals_are_passed_on_while_the_output_has_no_room() {
    for options in ["--lines", "--limit 1=1000000000"] {
        let mut command = Command::new(fdrun());
        command.args(options.split(' ')).args(["--fd", "5=parent:2", "--", "sh", "-c", "echo ready $$ >&5; exec yes"]);
        let mut started = signals::start(command.stderr(Stdio::piped()));
        let mut errors = std::io::BufReader::new(started.process.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut errors, &mut line).unwrap();
        let program = line.trim_end().strip_prefix("ready ").expect("ready").parse().unwrap();
        let length = started.wait_until_full();
        started.signal(libc::SIGTERM);
        while !is_gone(program) {
            std::thread::yield_now();
        }
        let rest = started.rest();
        let expected = if options == "--lines" { "1: y" } else { "y" };
        let other = rest.lines().find(|line| *line != expected);
        assert!(other.is_none() && rest.len() >= length, "{options}: {other:?}");
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{options}");
    }
}

#[test]
fn one_thread_does_it_all() {
    let options = "--limit 1=1000 --capture 5=/dev/null --pipe-from 6 --lines --timeout 60 --kill-after 1 --usage";
    let mut command = Command::new(fdrun());
    command.args(options.split(' ')).args(["--", "sh", "-c", "echo ready; read line"]).stderr(Stdio::null());
    let mut started = signals::start(&mut command);
    assert_eq!(started.line(), "1: ready");
    let tasks = format!("/proc/{}/task", started.process.id());
    assert_eq!(std::fs::read_dir(tasks).unwrap().count(), 1);
    started.input.take();
    assert_eq!(started.end().code(), Some(1), "that of `read` at the end of its input");
}

#[test]
fn explain_and_table_take_a_limit() {
    let found = run("fdrun --limit 5=3 --explain -- true");
    assert!(found.code == Some(0) && found.stdout.contains("pipe: the child writes, the parent reads"), "{found:?}");
    let found = run("fdrun --limit 5=3 --table");
    assert_eq!((found.code, &*found.stderr), (Some(0), ""));
}
