//! `--capture`: files that fdrun writes for its program.

use super::{LAUNCHERS, content, outcome, run_with_file};
use std::fs;

#[test]
fn the_file_has_what_the_program_has_written() {
    for launcher in LAUNCHERS {
        let script = "printf \"a\\0\\377b\"; printf more >&5; echo error >&2; exit 3";
        let run = format!("fdrun --launcher {launcher} --capture 1=new --capture 5=old -- sh -c '{script}'");
        let (directory, found) = run_with_file(&run);
        assert_eq!(found, outcome(3, "", "error\n"), "{launcher}");
        assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"a\0\xffb", "{launcher}");
        assert_eq!(content(&directory, "old"), "more", "{launcher}: the file is truncated");
    }
}

#[test]
fn the_program_has_a_pipe_and_not_the_file() {
    let (directory, found) = run_with_file("fdrun --capture 1=new -- sh -c '[ -p /dev/fd/1 ] && echo pipe'");
    assert_eq!(found, outcome(0, "", ""));
    assert_eq!(content(&directory, "new"), "pipe\n");
}

#[test]
fn much_output_comes_in_full() {
    let script = "seq 200000 & seq 200000 >&5; wait";
    let (directory, found) = run_with_file(&format!("fdrun --capture 1=one --capture 5=five -- sh -c '{script}'"));
    assert_eq!(found, outcome(0, "", ""));
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    for name in ["one", "five"] {
        assert!(content(&directory, name) == expected, "{name}");
    }
}

#[test]
fn descriptors_that_share_a_file_do_not_overwrite_each_other() {
    let script = "echo one; echo two >&2; echo three >&5";
    let captures = "--capture 1=new --capture 2=new --capture 5=new";
    let (directory, found) = run_with_file(&format!("fdrun {captures} -- sh -c '{script}'"));
    assert_eq!(found, outcome(0, "", ""));
    let text = content(&directory, "new");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
    // A pipe that the program has as 1 and as 2 keeps the order.
    let script = "echo one; echo two >&2; echo three; echo four >&2";
    let (directory, found) = run_with_file(&format!("fdrun --capture 1=new --fd 2=same:1 -- sh -c '{script}'"));
    assert_eq!(found, outcome(0, "", ""));
    assert_eq!(content(&directory, "new"), "one\ntwo\nthree\nfour\n");
}

#[test]
fn output_until_the_timeout_and_after_it_is_in_the_file() {
    let script = "trap \"echo late; exit\" TERM; printf early; while :; do sleep 0.05; done";
    for option in ["", "--lines"] {
        let (directory, found) =
            run_with_file(&format!("fdrun --timeout 1 --capture 1=new {option} -- sh -c '{script}'"));
        let printed = if option.is_empty() { "" } else { "1: earlylate\n" };
        assert_eq!(found, outcome(124, printed, ""), "{option}");
        assert_eq!(content(&directory, "new"), "earlylate\n", "{option}");
    }
}

#[test]
fn the_path_is_relative_to_the_directory_of_fdrun() {
    let (directory, found) = run_with_file("fdrun --cwd / --capture 1=new -- pwd");
    assert_eq!(found, outcome(0, "", ""));
    assert_eq!(content(&directory, "new"), "/\n");
}

#[test]
fn no_file_is_made_if_no_program_runs() {
    for (options, code) in [("--explain", 0), ("--table", 0), ("--fd 5=read:/no/file", 125), ("--exec", 125)] {
        let (directory, found) = run_with_file(&format!("fdrun --capture 1=new {options} -- true"));
        assert_eq!(found.code, Some(code), "{options}: {found:?}");
        assert!(!directory.path().join("new").exists(), "{options}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_before_the_program_runs() {
    let (directory, found) = run_with_file("fdrun --capture 1=/no/file -- sh -c 'echo ran >new'");
    let text = "fdrun: cannot open `/no/file` for descriptor 1: No such file or directory (os error 2)\n";
    assert_eq!(found, outcome(125, "", text));
    assert!(!directory.path().join("new").exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_without_room_is_an_error_and_ends_the_program() {
    use super::trees::Mark;
    let text = "fdrun: cannot pass on what the program has written: No space left on device (os error 28)\n";
    for options in ["--capture 1=/dev/full", "--capture 1=/dev/full --lines", "--capture 1=/dev/full --limit 1=9"] {
        let mark = Mark::new();
        let mut command = mark.command(options, "echo early; exec sleep 60");
        let found = command.stderr(std::process::Stdio::piped()).output().unwrap();
        assert_eq!((found.status.code(), &*String::from_utf8_lossy(&found.stderr)), (Some(125), text), "{options}");
        mark.assert_none(options);
    }
}
