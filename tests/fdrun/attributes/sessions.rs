//! Sessions, process groups and terminals.

use crate::signals::terminal;
use crate::{LAUNCHERS, fdrun, outcome, run};
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn pgrp_and_setsid_make_the_program_a_leader() {
    // The pid, the process group and the session of the shell.
    let show = "sh -c 'cut -d\" \" -f1,5,6 /proc/$$/stat'";
    let numbers = |options: &str| {
        let found = run(&format!("fdrun {options} -- {show}"));
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{options}: {found:?}");
        found.stdout.split_whitespace().map(|number| number.parse().unwrap()).collect::<Vec<i32>>()
    };
    for launcher in LAUNCHERS {
        let [pid, group, session] = numbers(&format!("--launcher {launcher} --pgrp 0"))[..] else { panic!() };
        assert!(pid == group && pid != session, "{launcher}: {pid} {group} {session}");
        let [pid, group, session] = numbers(&format!("--launcher {launcher} --setsid"))[..] else { panic!() };
        assert!(pid == group && pid == session, "{launcher}: {pid} {group} {session}");
    }
    // The test's own group may have its leader outside the PID namespace.
    let mut leader = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    let group = leader.id();
    let joined = numbers(&format!("--pgrp {group}"));
    leader.kill().unwrap();
    leader.wait().unwrap();
    assert_eq!(joined[1].unsigned_abs(), group);
    let found = run("fdrun --setsid --pgrp 0 -- true");
    let text = "fdrun: cannot spawn `true`: a new session and a process group exclude each other\n";
    assert_eq!(found, outcome(125, "", text));
}

/// Starts fdrun in a session of its own. Its standard input is a new terminal. Returns the output.
fn on_terminal(arguments: &[&str]) -> String {
    let (_master, slave) = terminal();
    let mut tool = Command::new(fdrun());
    tool.args(["--setsid", "--ctty", "0", "--"]).args(arguments).stdin(slave).env("FDRUN", fdrun());
    let output = tool.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn ctty_gives_the_program_a_terminal_of_its_own() {
    let text = on_terminal(&["sh", "-c", "tty; : </dev/tty && echo opened"]);
    let (name, opened) = text.split_once('\n').unwrap();
    assert!(name.starts_with("/dev/") && opened == "opened\n", "{text}");
    let found = run("fdrun --setsid -- sh -c ': </dev/tty' 2>/dev/null");
    assert_ne!(found.code, Some(0), "a new session has no terminal");
}

#[test]
fn the_program_has_the_foreground_and_fdrun_gets_it_back() {
    // The process group of a shell, and the foreground group of its terminal.
    let show = "cut -d' ' -f5,8 /proc/$$/stat";
    for way in LAUNCHERS {
        for (program, codes) in [("sh -c \"$SHOW\"", "0"), ("/no/such/program 2>/dev/null", "127")] {
            let script = format!("\"$FDRUN\" --launcher {way} --pgrp 0 --foreground -- {program}; echo $?; {show}");
            let text = on_terminal(&["env", &format!("SHOW={show}"), "sh", "-c", &script]);
            let mut lines: Vec<&str> = text.lines().collect();
            let is_foreground = |line: &str| line.split_once(' ').is_some_and(|(own, terminals)| own == terminals);
            assert!(is_foreground(lines.pop().unwrap()), "the shell has the terminal again: {text}");
            assert_eq!(lines.pop(), Some(codes), "{text}");
            assert!(lines.iter().all(|line| is_foreground(line)), "{text}");
        }
    }
}
