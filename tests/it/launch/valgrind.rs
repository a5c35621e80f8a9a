//! Launches under valgrind, which emulates system calls: it has no `clone3`, and forks instead of sharing memory.

use crate::support::tools::has;
use crate::support::{exhaustive, helper, tiny::tiny_program};
use std::process::Command;

#[test]
fn valgrind_runs_each_kind_of_launch_and_finds_no_error() {
    // It takes seconds, and so is left to the run of the whole suite.
    if exhaustive() && has("valgrind") {
        let program = tiny_program();
        let launches = helper("launch-in-each-way");
        let mut valgrind = Command::new("valgrind");
        // Each forked child counts its errors, too, and ends with this status if its program was not executed.
        valgrind.args(["--error-exitcode=9", "--num-callers=30"]).arg(launches.get_program()).args(launches.get_args());
        let output = valgrind.arg(&program).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(!text.contains("Valgrind has to exit now"), "{text}");
        let mut summaries = text.lines().filter(|line| line.contains("ERROR SUMMARY"));
        assert!(summaries.all(|line| line.contains("ERROR SUMMARY: 0 errors")), "{text}");
    }
}
