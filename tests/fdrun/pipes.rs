//! `--pipe-from`: lines from the child behind the number of their pipe.

use super::{LAUNCHERS, fdrun, outcome, run, run_with_file};
use std::io::{self, PipeWriter, Write};
use std::process::Command;

#[test]
fn lines_come_through_behind_their_number() {
    for launcher in LAUNCHERS {
        let found =
            run(&format!("fdrun --launcher {launcher} --pipe-from 5 -- sh -c 'printf \"a\\n\\nb\\n\" >&5; exit 3'"));
        assert_eq!(found, outcome(3, "", "5: a\n5: \n5: b\n"), "{launcher}");
    }
}

#[test]
fn a_last_line_needs_no_newline() {
    let found = run("fdrun --pipe-from 5 -- sh -c 'printf \"a\\nb\" >&5'");
    assert_eq!(found, outcome(0, "", "5: a\n5: b\n"));
}

#[test]
fn a_pipe_without_a_write_shows_nothing() {
    assert_eq!(run("fdrun --pipe-from 5 -- true"), outcome(0, "", ""));
}

#[test]
fn lines_that_are_not_text_come_through() {
    let mut tool = Command::new(fdrun());
    tool.args(["--pipe-from", "5", "--", "sh", "-c", r"printf 'a\377\000b\nc\200' >&5"]);
    assert_eq!(tool.output().unwrap().stderr, b"5: a\xff\0b\n5: c\x80\n");
}

#[test]
fn standard_streams_can_be_read_too() {
    let found = run("fdrun --pipe-from 1 --pipe-from 2 -- sh -c 'echo out'");
    assert_eq!(found, outcome(0, "", "1: out\n"));
}

#[test]
fn the_other_descriptors_are_not_touched() {
    let found = run("echo input | fdrun --pipe-from 5 -- sh -c 'cat; echo error >&2; exec 5>&-; echo after'");
    assert_eq!(found, outcome(0, "input\nafter\n", "error\n"));
}

#[test]
fn pipes_are_read_at_the_same_time_and_lines_never_mix() {
    // The child writes more than a pipe holds to each of three pipes, by turns. A reader that reads one pipe to its end
    // before the next would wait for ever.
    let text = "x".repeat(300);
    let child = format!("i=0; while [ $i -lt 1000 ]; do for n in 5 6 7; do echo {text} >&$n; done; i=$((i+1)); done");
    let found = run(&format!("fdrun --pipe-from 5 --pipe-from 6 --pipe-from 7 -- sh -c '{child}'"));
    assert_eq!((found.code, found.stdout.as_str()), (Some(0), ""));
    for number in [5, 6, 7] {
        let line = format!("{number}: {text}");
        assert_eq!(found.stderr.lines().filter(|each| *each == line).count(), 1000, "{number}");
    }
    assert_eq!(found.stderr.lines().count(), 3000);
}

#[test]
fn pipes_are_read_to_their_end_even_after_the_child_has_ended() {
    // `cat` writes after the child has ended: it waits for the end of the FIFO, which only the child has open for
    // writing.
    let child = "mkfifo fifo; { cat; echo late >&5; } <fifo & exec 4>fifo; echo early >&5; exit 3";
    let (_directory, found) = run_with_file(&format!("fdrun --pipe-from 5 -- sh -c '{child}'"));
    assert_eq!(found, outcome(3, "", "5: early\n5: late\n"));
}

#[test]
fn the_child_is_not_disturbed_if_no_process_reads_the_lines() {
    let child = "i=0; while [ $i -lt 5000 ]; do echo line >&5; i=$((i+1)); done; echo done";
    let mut tool = Command::new(fdrun());
    tool.args(["--pipe-from", "5", "--", "sh", "-c", child]).stderr(without_a_reader());
    let output = tool.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"done\n"[..]));
}

/// The write end of a pipe whose read end is closed.
fn without_a_reader() -> PipeWriter {
    let (_, mut writer) = io::pipe().unwrap();
    assert!(writer.write_all(b"x").is_err());
    writer
}
