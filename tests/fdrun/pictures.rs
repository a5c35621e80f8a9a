//! `--help`, `--explain` and `--table`: what `fdrun` prints of a plan.

use super::{LAUNCHERS, content, outcome, run, run_with_file};
use std::fs;

#[test]
fn help_shows_all_options() {
    let found = run("fdrun --keep 0 --help");
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""));
    assert!(
        found
            .stdout
            .starts_with("Usage: fdrun [OPTION]... [--] PROGRAM [ARG]... ['|' [OPTION]... PROGRAM [ARG]...]...\n"),
        "{}",
        found.stdout
    );
    let options = [
        "fd N=SPEC",
        "keep N",
        "pipe-from N",
        "limit N=BYTES",
        "capture N=FILE",
        "lines",
        "inherit-rest",
        "launcher NAME",
        "cwd DIR",
        "env NAME=VALUE",
    ];
    let more = ["clear-env", "arg0 NAME", "exec", "explain[=dot]", "table", "help", "separator WORD", "pipefail"];
    let attributes = ["uid USER", "gid GROUP", "groups GROUP,...", "pgrp GROUP", "setsid", "ctty N", "foreground"];
    let others = ["umask MASK", "rlimit RESOURCE=LIMIT", "nice N", "chroot DIR"];
    let signals = ["default-signal[=SIGNAL,...]", "ignore-signal[=SIGNAL,...]", "block-signal[=SIGNAL,...]"];
    let scheduling = ["affinity CPU,...", "scheduler POLICY", "oom-score-adj N"];
    let only_linux = ["cgroup DIR", "program-fd N", "pdeathsig SIGNAL", "no-new-privs"];
    let only_linux = scheduling.iter().chain(&only_linux).filter(|_| cfg!(target_os = "linux"));
    let attributes = attributes.iter().chain(&others).chain(&signals).chain(only_linux);
    for option in options.iter().chain(&more).chain(attributes) {
        let is_its = |line: &&str| format!("{line} ").starts_with(&format!("  --{option} "));
        let lines = found.stdout.lines().filter(is_its).count();
        assert_eq!(lines, 1, "{option}: {}", found.stdout);
    }
    let files = ["read:", "write:", "append:", "rw:"];
    let others = ["parent:", "same:", "data:", "data-from:", "env:", "null", "closed"];
    for kind in files.iter().chain(&others) {
        assert!(found.stdout.contains(&format!("\n                      {kind}")), "{kind}: {}", found.stdout);
    }
}

/// The table of a child that has done the steps of a picture: for each open number, the number that its file had at
/// first.
fn follow(steps: &[&str], first: &[i32]) -> Vec<(i32, i32)> {
    let mut table: Vec<(i32, i32)> = first.iter().map(|&number| (number, number)).collect();
    for step in steps {
        let numbers: Vec<i32> =
            step.split(|each: char| !each.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [first] if step.ends_with("and above") => table.retain(|(number, _)| *number < first),
            [number] if step.starts_with("close ") => table.retain(|(each, _)| *each != number),
            [first, last] if step.starts_with("close ") => table.retain(|(each, _)| !(first..=last).contains(each)),
            [source, target] if step.starts_with("duplicate ") => {
                let content = table.iter().find(|(number, _)| *number == source).expect(step).1;
                table.retain(|(number, _)| *number != target);
                table.push((target, content));
            }
            [_] if step.starts_with("clear close-on-exec of ") => {}
            [] => assert!(["reset", "restore", "exec"].iter().any(|verb| step.starts_with(verb)), "{step}"),
            _ => panic!("unknown step: {step}"),
        }
    }
    table.sort_unstable();
    table
}

#[test]
fn the_picture_of_three_pipes_a_swap_and_a_keep_is_right() {
    let options = "--pipe-from 5 --pipe-from 6 --pipe-from 7 --fd 1=parent:2 --fd 2=parent:1 --keep 3";
    for launcher in LAUNCHERS {
        let run = format!("fdrun --launcher {launcher} --explain {options} -- cat 3<old");
        let (_directory, found) = run_with_file(&run);
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
        let mut lines = found.stdout.lines();
        assert_eq!(lines.next(), Some("descriptors of `cat`; all others are closed"));
        assert_eq!(lines.next(), Some("  target  source  what it is"));
        let rows: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("steps")).collect();
        let (rows, internal): (Vec<&str>, Vec<&str>) = rows.iter().partition(|row| !row.starts_with("       - "));
        assert_eq!(
            rows,
            [
                "       0       0  inherited",
                "       1       2  inherited",
                "       2       1  inherited",
                "       3       3  inherited",
                // A pipe's ends are the first two numbers that are free: 4 and 5, 6 and 7, 8 and 9.
                "       5       5  pipe: the child writes, the parent reads",
                "       6       7  pipe: the child writes, the parent reads",
                "       7       9  pipe: the child writes, the parent reads",
            ],
            "{launcher}"
        );
        assert!(internal.is_empty(), "{internal:?}");
        assert!(found.stdout.contains(&format!("\nsteps in the child, launched by {launcher}\n")), "{}", found.stdout);

        let steps: Vec<&str> = lines.map(|line| line.trim_start().split_once("  ").expect(line).1).collect();
        assert_eq!(steps.last(), Some(&"exec the program"));
        let open: Vec<i32> = (0..=9).collect();
        let expected = [(0, 0), (1, 2), (2, 1), (3, 3), (5, 5), (6, 7), (7, 9)];
        let below_ten = |table: Vec<(i32, i32)>| table.into_iter().filter(|(each, _)| *each < 10).collect::<Vec<_>>();
        assert_eq!(below_ten(follow(&steps, &open)), expected, "{launcher}: {}", found.stdout);
    }
}

#[test]
fn the_picture_shows_each_kind_of_source() {
    let options = "--fd 0=closed --fd 2=same:1 --fd 4=read:old --fd 5=data:text --fd 6=null --pipe-from 7";
    let (_directory, found) = run_with_file(&format!("fdrun {options} --explain --inherit-rest --cwd . -- cat"));
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
    assert!(found.stdout.starts_with("descriptors of `cat`; all others are inherited unless close-on-exec is set\n"));
    let pairs = [
        ("0", "closed"),
        ("1", "inherited"),
        ("2", "the same as 1"),
        ("4", "moved: the parent closes it after the spawn"),
        ("5", "4 bytes of data to read"),
        ("6", "/dev/null"),
        ("7", "pipe: the child writes, the parent reads"),
    ];
    for (target, text) in pairs {
        let is_it =
            |line: &&str| line.starts_with(&format!("       {target}  ")) && line.ends_with(&format!("  {text}"));
        assert_eq!(found.stdout.lines().filter(is_it).count(), 1, "{target}: {}", found.stdout);
    }
    assert!(found.stdout.contains("  change the working directory to `.`\n"), "{}", found.stdout);
}

#[test]
fn explain_runs_nothing_and_leaves_files_alone() {
    let options = "--explain --fd 5=write:old --fd 6=append:new --fd 7=rw:newer --fd 8=read:absent";
    let (directory, found) = run_with_file(&format!("fdrun {options} -- touch ran"));
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
    assert_eq!(content(&directory, "old"), "old\n");
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["old"]);
}

#[test]
fn explain_says_why_a_plan_is_refused() {
    let found = run("fdrun --explain --fd 5=null --pipe-from 5 -- touch ran");
    assert_eq!(found, outcome(125, "", "fdrun: cannot spawn `touch`: target 5 is given twice\n"));
}

/// The numbers and the last column of a printed table.
fn rows(text: &str) -> Vec<(i32, String)> {
    let row = |line: &str| {
        let number = line.split_whitespace().next()?.parse().ok()?;
        Some((number, line.split("  ").last()?.trim().to_owned()))
    };
    text.lines().skip(2).filter_map(row).collect()
}

#[test]
fn the_table_is_what_the_program_would_start_with() {
    for launcher in LAUNCHERS {
        let plan = "--fd 1=null --fd 2=closed --fd 5=data:hush --fd 7=read:old --fd 8=same:7 --pipe-from 9";
        let (_directory, found) =
            run_with_file(&format!("fdrun --launcher {launcher} --table {plan} 3<old </dev/null"));
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{launcher}");
        let rows = rows(&found.stdout);
        let numbers: Vec<i32> = rows.iter().map(|row| row.0).collect();
        // 2 is closed, although Rust's runtime opens a closed 2. 3 is closed, and so is every descriptor of fdrun's
        // own.
        assert_eq!(numbers, [0, 1, 5, 7, 8, 9], "{launcher}: {}", found.stdout);
        let kind = |number| &rows.iter().find(|row| row.0 == number).unwrap().1;
        assert!(kind(0).contains("/dev/null") && kind(1).contains("/dev/null"), "{}", found.stdout);
        assert!(kind(7).ends_with("/old") && kind(7) == kind(8), "{}", found.stdout);
        assert!(kind(5).contains("fdspawn-data"), "{}", found.stdout);
        assert!(kind(9).contains("pipe:["), "{}", found.stdout);
    }
}

#[test]
fn the_table_has_what_is_inherited() {
    for launcher in LAUNCHERS {
        let (_directory, found) = run_with_file(&format!("fdrun --launcher {launcher} --inherit-rest --table 6<old"));
        // Descriptors that the tests were started with have higher numbers.
        let rows: Vec<_> = rows(&found.stdout).into_iter().filter(|row| row.0 < 10).collect();
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [0, 1, 2, 6], "{launcher}: {}", found.stdout);
        assert!(rows[3].1.ends_with("/old"));
    }
}

#[test]
fn the_table_of_a_plan_that_is_refused_is_its_error() {
    let found = run("fdrun --table --keep 7 -- true");
    assert_eq!(found, outcome(125, "", "fdrun: descriptor 7 is not open in the parent\n"));
    let found = run("fdrun --table --fd 3=null --pipe-from 3");
    assert_eq!(found.code, Some(125));
    assert!(found.stderr.ends_with("target 3 is given twice\n"), "{}", found.stderr);
}
