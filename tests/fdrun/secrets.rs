//! `data-from` and `env`: data that does not stand in the command line of `fdrun`.

use super::{fdrun, outcome, run, run_with_file};
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn data_from_passes_the_content_of_a_file() {
    let (_directory, found) =
        run_with_file("fdrun --fd 5=data-from:old --fd 6=data-from:/dev/null -- sh -c 'cat <&5 <&6; cat <&5'");
    assert_eq!(found, outcome(0, "old\n", ""));
    // The program does not get the file itself.
    let (_directory, found) = run_with_file("fdrun --fd 5=data-from:old -- sh -c 'echo new >old; cat <&5'");
    assert_eq!(found, outcome(0, "old\n", ""));
}

#[test]
fn data_from_standard_input_passes_all_of_it() {
    let mut tool = Command::new(fdrun());
    tool.args(["--fd", "5=data-from:-", "--", "sh", "-c", "cat; cat <&5"]);
    let mut tool = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // More than a pipe holds, and no text.
    let bytes: Vec<u8> = (0..300_000_u32).map(|each| each as u8).collect();
    tool.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(tool.wait_with_output().unwrap().stdout == bytes);
}

#[test]
fn data_from_works_with_exec_and_opens_nothing_for_explain() {
    let (_directory, found) =
        run_with_file("echo in | fdrun --exec --fd 5=data-from:- --fd 6=data-from:old -- cat /dev/fd/5 /dev/fd/6");
    assert_eq!(found, outcome(0, "in\nold\n", ""));
    let found =
        run("echo in | { fdrun --explain --fd 5=data-from:/no/file --fd 6=data-from:- -- cat >/dev/null; cat; }");
    assert_eq!(found, outcome(0, "in\n", ""));
}

#[test]
fn env_passes_the_value_and_removes_the_variable() {
    for options in ["", "--exec"] {
        let found = run(&format!(
            "A='x=y z' B= C=1 fdrun {options} --fd 5=env:A --fd 6=env:B -- sh -c 'cat <&5; cat <&6; echo .; env' | grep -v PWD="
        ));
        assert!(found.stdout.starts_with("x=y z.\n"), "{found:?}");
        assert!(found.stdout.contains("\nC=1\n"), "{found:?}");
        assert!(!found.stdout.contains("\nA=") && !found.stdout.contains("\nB="), "{found:?}");
    }
}

#[test]
fn env_can_be_used_twice_and_the_program_can_get_another_value() {
    let options = "--env A=other --fd 5=env:A --clear-env --fd 6=env:A";
    let found = run(&format!("A=secret fdrun {options} -- sh -c 'cat <&5; cat <&6; echo \" $A\"'"));
    assert_eq!(found, outcome(0, "secretsecret other\n", ""));
}

#[test]
fn data_that_cannot_be_read_is_an_error_of_fdrun() {
    let cases = [
        (
            "--fd 5=data-from:/no/file",
            "cannot read `/no/file` for descriptor 5: No such file or directory (os error 2)",
        ),
        ("--fd 5=data-from:/", "cannot read `/` for descriptor 5: Is a directory (os error 21)"),
        ("--fd 5=data-from:", "cannot read `` for descriptor 5: No such file or directory (os error 2)"),
        ("--fd 5=env:FDRUN_TEST_UNSET", "the variable `FDRUN_TEST_UNSET` for descriptor 5 is not set"),
        ("--fd 5=env:", "the variable `` for descriptor 5 is not set"),
        ("--fd 5=env", "--fd takes N=SPEC, not `5=env`; see --help"),
        ("--fd 5=data-from", "--fd takes N=SPEC, not `5=data-from`; see --help"),
    ];
    for (options, text) in cases {
        let found = run(&format!("fdrun {options} -- echo ran"));
        assert_eq!(found, outcome(125, "", &format!("fdrun: {text}\n")), "{options}");
    }
}
