//! `--lines`: what the program writes, line by line, behind the numbers of its descriptors.

use super::signals::start;
use super::{LAUNCHERS, fdrun, outcome, run};
use std::process::{Command, Stdio};

/// The output in an order of its own: that of two descriptors is not certain.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn lines_of_both_streams_and_of_others_come_to_standard_output() {
    for launcher in LAUNCHERS {
        let script = "echo one; echo two >&2; echo three >&5; echo four >&6; exit 3";
        let options = format!("--launcher {launcher} --lines --limit 5=100 --capture 6=/dev/null");
        let found = run(&format!("fdrun {options} -- sh -c '{script}'"));
        assert_eq!((found.code, &*found.stderr), (Some(3), ""), "{launcher}");
        assert_eq!(sorted(&found.stdout), ["1: one", "2: two", "5: three", "6: four"], "{launcher}");
    }
}

#[test]
fn empty_lines_and_a_last_line_without_a_newline_are_lines() {
    let found = run("fdrun --lines -- printf 'a\\n\\n\\nb'");
    assert_eq!(found, outcome(0, "1: a\n1: \n1: \n1: b\n", ""));
    assert_eq!(run("fdrun --lines -- true"), outcome(0, "", ""));
}

#[test]
fn lines_that_are_not_text_come_through() {
    let mut tool = Command::new(fdrun());
    tool.args(["--lines", "--", "printf", r"a\377\000b\nc\200"]);
    assert_eq!(tool.output().unwrap().stdout, b"1: a\xff\0b\n1: c\x80\n");
}

#[test]
fn long_lines_come_in_pieces() {
    const LONGEST: usize = 64 * 1024;
    for length in [LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST, 3 * LONGEST + 7] {
        for newline in ["", "echo;"] {
            let script = format!("head -c {length} /dev/zero | tr '\\0' x; {newline} echo next >&2");
            let found = Command::new(fdrun()).args(["--lines", "--", "sh", "-c", &script]).output().unwrap();
            let text = String::from_utf8(found.stdout).unwrap();
            let lengths: Vec<usize> = text.lines().filter_map(|line| Some(line.strip_prefix("1: ")?.len())).collect();
            let mut expected = vec![LONGEST; length / LONGEST];
            expected.extend(Some(length % LONGEST).filter(|rest| *rest > 0));
            assert_eq!(lengths, expected, "{length} {newline}");
            assert_eq!(text.lines().filter(|line| *line == "2: next").count(), 1, "{length} {newline}");
        }
    }
    // An empty line after a long one is a line.
    let script = "head -c 65536 /dev/zero; echo; echo; echo end";
    let found = Command::new(fdrun()).args(["--lines", "--", "sh", "-c", script]).output().unwrap();
    assert!(found.stdout.ends_with(b"\0\n1: \n1: end\n"), "{}", found.stdout.len());
}

#[test]
fn a_line_comes_as_soon_as_it_is_complete() {
    let program = "printf start; read line; printf ' end\\nmore'; read line; exec >&-; read line; exit 3";
    let mut command = Command::new(fdrun());
    command.args(["--lines", "--", "sh", "-c", program]).stderr(Stdio::null());
    let mut started = start(&mut command);
    let mut answer = || std::io::Write::write_all(started.input.as_mut().unwrap(), b"\n").unwrap();
    answer();
    answer();
    // The program waits, and its standard output is at its end.
    assert_eq!((started.line(), started.line()), ("1: start end".to_owned(), "1: more".to_owned()));
    started.input.take();
    assert_eq!((started.rest(), started.end().code()), (String::new(), Some(3)));
}

#[test]
fn what_other_options_connect_is_left_alone() {
    let found = run("fdrun --lines --fd 2=parent:2 -- sh -c 'echo out; echo error >&2'");
    assert_eq!(found, outcome(0, "1: out\n", "error\n"));
    let found = run("fdrun --lines --keep 1 -- sh -c 'echo out; echo error >&2'");
    assert_eq!(sorted(&found.stdout), ["2: error", "out"]);
    let found = run("fdrun --lines --pipe-from 2 --pipe-from 5 -- sh -c 'echo out; echo error >&2; echo five >&5'");
    assert_eq!((found.code, &*found.stdout), (Some(0), "1: out\n"));
    assert_eq!(sorted(&found.stderr), ["2: error", "5: five"]);
    // One pipe for both has one order.
    let found = run("fdrun --lines --fd 2=same:1 -- sh -c 'echo one; echo two >&2; echo three'");
    assert_eq!(found, outcome(0, "1: one\n1: two\n1: three\n", ""));
}

#[test]
fn the_program_learns_that_no_process_reads_the_lines() {
    for launcher in LAUNCHERS {
        let fdrun = format!("fdrun --launcher {launcher} --timeout 30 --lines");
        let found = run(&format!("{{ {fdrun} -- yes; echo $? >&2; }} | head -n 1"));
        assert_eq!((found.code, &*found.stdout), (Some(0), "1: y\n"), "{launcher}");
        assert_eq!(found.stderr.lines().last(), Some("141"), "{launcher}: {found:?}");
    }
}

#[test]
fn standard_output_without_room_is_an_error() {
    let found = run("fdrun --lines -- sh -c 'echo early; exec sleep 60' >/dev/full");
    let text = "fdrun: cannot pass on what the program has written: No space left on device (os error 28)\n";
    assert_eq!(found, outcome(125, "", text));
}
