//! The pipes of a child: what is closed before a wait, and how both outputs are read.

use crate::support;
use crate::support::{LAUNCHERS, helper};
use fdspawn::Stdio;
use std::io::{Read, Write};

#[test]
fn wait_closes_standard_input_first() {
    for launcher in LAUNCHERS {
        let mut child = helper("cat").launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert!(child.wait().unwrap().success(), "cat ends at end-of-file");
        assert!(child.stdin.is_none());
    }
}

#[test]
fn both_outputs_are_drained_at_once_however_uneven() {
    for launcher in LAUNCHERS {
        for (stdout, stderr) in [(0, 0), (1, 0), (0, 300_000), (131_072, 131_072), (1_000_000, 70_000)] {
            let mut command = helper("flood");
            let output = command.args([stdout.to_string(), stderr.to_string()]).launcher(launcher).output().unwrap();
            assert!(output.status.success());
            assert!(output.stdout == vec![b'1'; stdout] && output.stderr == vec![b'2'; stderr]);
        }
    }
}

#[test]
fn handles_that_were_not_taken_are_closed_before_the_output_is_read() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "cat <&5; echo done"]).launcher(launcher).stdout(Stdio::piped());
        let _ = command.writer(5);
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.stdout, b"done\n");
    }
}

#[test]
fn three_pipes_carry_what_they_should() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "read line; echo \"out $line\"; echo \"err $line\" >&2"]).launcher(launcher);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"text\n").unwrap();
        let (mut stdout, mut stderr) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((stdout.as_str(), stderr.as_str()), ("out text\n", "err text\n"));
        assert!(child.wait().unwrap().success());
    }
}
