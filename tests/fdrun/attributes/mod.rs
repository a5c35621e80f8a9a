//! The attributes of the child, by what the program sees, and compared with the tools that set the same ones.

mod ids;
mod limits;
mod places;
mod sessions;
mod signal_lists;

use crate::{outcome, run, run_with_file, tools};

/// How fdrun gets to the program.
const WAYS: [&str; 3] = ["", "--launcher fork", "--exec"];

/// Whether the tests run as root. If not, the test says that it is skipped.
fn is_root() -> bool {
    rustix::process::geteuid().is_root() || tools::skip("the test needs the rights of root")
}

/// Checks that a program sees the same below fdrun and below a tool, such as `nice -n 5`. `before` is a command before both.
fn same(before: &str, options: &str, tool: &str, program: &str) {
    if !tools::has(tool.split(' ').next().unwrap()) {
        return;
    }
    let expected = run(&format!("{before} {tool} {program}"));
    assert_eq!((expected.code, expected.stderr.as_str()), (Some(0), ""), "{before} {tool}");
    for way in WAYS {
        let found = run(&format!("{before} \"$FDRUN\" {way} {options} -- {program}"));
        assert_eq!(found, expected, "{before} fdrun {way} {options}");
    }
}

#[test]
fn wrong_values_are_refused_before_a_file_is_opened() {
    let uid = "--uid takes the name or the number of a user";
    let gid = "--gid takes the name or the number of a group";
    let groups = "--groups takes names or numbers of groups with commas between them";
    let pgrp = "--pgrp takes the number of a process group, or 0 for a new one";
    let umask = "--umask takes an octal number up to 777";
    let rlimit = "--rlimit takes RESOURCE=LIMIT, such as nofile=64:128, core=unlimited or stack=:8388608";
    let cpus = "--affinity takes a list of CPUs below 1024, such as 0,2-5 or 0-6:2";
    let policy = "--scheduler takes other, batch, idle, fifo:PRIORITY or rr:PRIORITY with a priority from 1 to 99";
    let timeout = "--timeout takes a number, such as 5 or 0.5, and perhaps a unit: s, m, h or d";
    let kill_after = timeout.replace("--timeout", "--kill-after");
    let signal = "--signal takes the name or the number of a signal";
    let tree = "--tree takes process, group, session, descendants or cgroup";
    let cases = [
        ("--timeout x", timeout, "x"),
        ("--timeout -1", timeout, "-1"),
        ("--kill-after 1w", &kill_after, "1w"),
        ("--signal spoon", signal, "spoon"),
        ("--signal 0", signal, "0"),
        ("--tree oak", tree, "oak"),
        ("--uid no-such-user", uid, "no-such-user"),
        ("--uid ''", uid, ""),
        ("--uid -1", uid, "-1"),
        ("--uid 4294967295", uid, "4294967295"),
        ("--gid no-such-group", gid, "no-such-group"),
        ("--gid 4294967296", gid, "4294967296"),
        ("--groups 1,no-such-group", groups, "no-such-group"),
        ("--groups 1,,2", groups, "1,,2"),
        ("--pgrp -1", pgrp, "-1"),
        ("--pgrp x", pgrp, "x"),
        ("--ctty x", "--ctty takes the number of a descriptor of fdrun", "x"),
        ("--program-fd ''", "--program-fd takes the number of a descriptor of fdrun", ""),
        ("--umask 1000", umask, "1000"),
        ("--umask 9", umask, "9"),
        ("--rlimit spoons=1", rlimit, "spoons=1"),
        ("--rlimit nofile", rlimit, "nofile"),
        ("--rlimit nofile=1k", rlimit, "nofile=1k"),
        ("--nice x", "--nice takes a whole number", "x"),
        ("--affinity 1-0", cpus, "1-0"),
        ("--affinity 1024", cpus, "1024"),
        ("--scheduler fifo", policy, "fifo"),
        ("--oom-score-adj 1001", "--oom-score-adj takes a number from -1000 to 1000", "1001"),
        ("--pdeathsig spoon", "--pdeathsig takes keep, clear or a signal", "spoon"),
        ("--pdeathsig 0", "--pdeathsig takes keep, clear or a signal", "0"),
        (
            "--default-signal=EXIT",
            "--default-signal takes names or numbers of signals with commas between them",
            "EXIT",
        ),
        ("--ignore-signal=32", "--ignore-signal takes names or numbers of signals with commas between them", "32"),
        (
            "--block-signal=INT,65",
            "--block-signal takes names or numbers of signals with commas between them",
            "INT,65",
        ),
    ];
    for (option, rule, value) in cases {
        let (directory, found) = run_with_file(&format!("fdrun --fd 6=write:new {option} -- echo ran"));
        assert_eq!(found, outcome(125, "", &format!("fdrun: {rule}, not `{value}`; see --help\n")), "{option}");
        assert!(!directory.path().join("new").exists(), "{option}");
    }
    for option in ["--ctty", "--program-fd"] {
        for number in ["7", "-1"] {
            let found = run(&format!("fdrun {option} {number} --fd 3=null -- echo ran"));
            let text = format!("fdrun: descriptor {number}, the value of {option}, is not open in fdrun\n");
            assert_eq!(found, outcome(125, "", &text));
        }
    }
}

#[test]
fn what_the_library_or_the_system_refuses_is_an_error_of_fdrun() {
    let cases = [
        ("--ctty 0", "cannot spawn `echo`: a controlling terminal needs a new session (setsid)"),
        ("--rlimit nofile=2:1", "cannot spawn `echo`: the soft limit 2 of RLIMIT_NOFILE is above the hard limit 1"),
        ("--ignore-signal=KILL", "cannot spawn `echo`: no process can ignore SIGKILL"),
        ("--cgroup /no/dir", "cannot open the cgroup `/no/dir`: No such file or directory"),
        ("--cgroup /", "cannot spawn `echo`: descriptor "),
        ("--affinity 1023", "cannot spawn `echo`: cannot set the CPUs to 1023: Invalid argument"),
    ];
    for (options, text) in cases {
        let found = run(&format!("fdrun {options} -- echo ran </dev/null"));
        assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "{options}: {found:?}");
        assert!(found.stderr.starts_with(&format!("fdrun: {text}")), "{options}: {found:?}");
    }
}

#[test]
fn explain_shows_each_attribute() {
    let cases = [
        ("--uid 12345", "set the user to 12345"),
        ("--gid 12345", "set the group to 12345"),
        ("--groups 1,2", "set the supplementary groups"),
        ("--pgrp 0", "make a new process group"),
        ("--pgrp 7", "join process group 7"),
        ("--setsid", "make a new session"),
        ("--tree group", "make a new process group"),
        ("--tree group --pgrp 0", "make a new process group"),
        ("--tree group --setsid", "make a new session"),
        ("--tree session", "make a new session"),
        ("--tree session --setsid", "make a new session"),
        ("--setsid --ctty 0", "the controlling terminal"),
        ("--setsid --ctty 0 --foreground", "become the foreground of the terminal"),
        ("--program-fd 3 3</bin/sh", "exec the program of descriptor"),
        ("--umask 27", "set the umask to 027"),
        ("--rlimit core=5:7", "RLIMIT_CORE"),
        ("--nice 5", "nice"),
        ("--affinity 0,2", "0, 2"),
        ("--scheduler batch", "SCHED_BATCH"),
        ("--oom-score-adj 7", "7"),
        ("--chroot /", "change the root directory"),
        ("--no-new-privs", "give up new privileges"),
        ("--pdeathsig HUP", "set the signal at the parent's death to SIGHUP"),
        ("--default-signal=HUP", "reset SIGHUP"),
        ("--ignore-signal=HUP", "ignore SIGHUP"),
        ("--block-signal=HUP", "block SIGHUP, and no other signal"),
    ];
    let steps = |options: &str| {
        let found = run(&format!("fdrun --explain {options} -- true"));
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{options}: {found:?}");
        let steps = found.stdout.lines().filter_map(|line| Some(line.trim_start().split_once("  ")?.1.to_owned()));
        steps.collect::<Vec<_>>()
    };
    let plain = steps("");
    for (options, step) in cases {
        let found = steps(options);
        let is_its = |line: &String| line.contains(step) && !plain.contains(line);
        assert!(found.iter().any(is_its), "{options}: {found:#?}");
    }
}
