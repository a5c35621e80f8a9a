//! Pipelines: several programs, with options for each and options for all.

use super::signals::{self, PASSED_ON, WAIT};
use super::trees::Mark;
use super::{LAUNCHERS, content, fdrun, outcome, run, run_with_file};
use std::fs;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

#[test]
fn each_stage_reads_what_the_one_before_writes() {
    for launcher in LAUNCHERS {
        let each = format!("--launcher {launcher}");
        let found = run(&format!("fdrun {each} seq 9 '|' {each} sort -r '|' {each} -- head -1"));
        assert_eq!(found, outcome(0, "9\n", ""), "{launcher}");
    }
    assert_eq!(run("echo text | fdrun cat '|' sh -c 'cat; echo error >&2'"), outcome(0, "text\n", "error\n"));
    let twenty = "'|' cat ".repeat(20);
    assert_eq!(run(&format!("fdrun echo text {twenty}")), outcome(0, "text\n", ""));
}

#[test]
fn stages_have_their_pipes_and_no_other_descriptor() {
    let found = run("fdrun sh -c \"$TABLE >&2\" '|' sh -c \"cat; $TABLE >&2\" '|' sh -c \"cat; $TABLE >&2\"");
    assert_eq!(found, outcome(0, "", "0 1 2\n0 1 2\n0 1 2\n"));
}

#[test]
fn the_status_is_that_of_the_last_stage() {
    assert_eq!(run("fdrun sh -c 'exit 3' '|' cat"), outcome(0, "", ""));
    assert_eq!(run("fdrun true '|' sh -c 'exit 3'"), outcome(3, "", ""));
    assert_eq!(run("fdrun yes '|' head -1"), outcome(0, "y\n", ""));
    let status = Command::new(fdrun()).args(["true", "|", "sh", "-c", "kill -USR1 $$"]).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGUSR1));
}

#[test]
fn pipefail_gives_the_status_of_the_first_stage_that_has_failed_by_itself() {
    let cases = [
        ("true '|' true", 0),
        ("sh -c 'exit 3' '|' cat", 3),
        ("sh -c 'exit 3' '|' sh -c 'cat; exit 4'", 3),
        ("true '|' sh -c 'exit 4' '|' sh -c 'cat; exit 5'", 4),
        ("true '|' sh -c 'exit 4'", 4),
        // SIGPIPE is no failure if the reader has not failed, and not the first one if it has.
        ("yes '|' true", 0),
        ("yes '|' cat '|' true", 0),
        ("yes '|' sh -c 'exit 3'", 3),
        ("sh -c 'kill -KILL $$' '|' cat", 137),
        ("sh -c 'exit 3'", 3),
    ];
    for (stages, code) in cases {
        let found = run(&format!("{{ fdrun --pipefail {stages}; echo $?; }} 2>/dev/null"));
        assert_eq!(found, outcome(0, &format!("{code}\n"), ""), "{stages}");
    }
    let status = Command::new(fdrun()).args(["--pipefail", "sh", "-c", "kill -USR1 $$", "|", "cat"]).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGUSR1));
}

#[test]
fn options_are_for_the_stage_before_whose_program_they_stand() {
    let first = "--fd 5=data:first --env A=1 sh -c 'cat <&5; echo \" $A$B\"'";
    let second = "--fd 5=data:second --env B=2 sh -c 'cat; cat <&5; echo \" $A$B\"'";
    assert_eq!(run(&format!("fdrun {first} '|' {second}")), outcome(0, "first 1\nsecond 2\n", ""));
    let nice = "sh -c 'cat; nice'";
    let own: i32 = run("nice").stdout.trim().parse().unwrap();
    let expected = [own, (own + 3).min(19), own].map(|nice| format!("{nice}\n")).concat();
    assert_eq!(run(&format!("fdrun nice '|' --nice 3 {nice} '|' {nice}")), outcome(0, &expected, ""));
    let (_directory, found) = run_with_file("fdrun --umask 077 --fd 1=same:2 sh -c umask '|' --umask 027 sh -c umask");
    assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "descriptor 1 has two sources: {found:?}");
    let found = run("fdrun --umask 077 sh -c umask '|' --umask 027 --rlimit nofile=64 sh -c 'cat; umask; ulimit -n'");
    assert_eq!(found, outcome(0, "0077\n0027\n64\n", ""));
    let found = run("fdrun --fd 2=same:1 sh -c 'echo error >&2' '|' tr a-z A-Z");
    assert_eq!(found, outcome(0, "ERROR\n", ""), "the pipe, and not the standard output of fdrun");
}

#[test]
fn no_stage_gets_a_variable_that_goes_to_a_descriptor() {
    let show = "sh -c 'cat; echo \"${SECRET-none}\"'";
    let found =
        run(&format!("SECRET=hush fdrun --fd 0=null {show} '|' --fd 5=env:SECRET sh -c 'cat; cat <&5' '|' {show}"));
    assert_eq!(found, outcome(0, "none\nhushnone\n", ""));
}

#[test]
fn another_separator_makes_the_first_one_an_argument() {
    assert_eq!(run("fdrun --separator :: echo 'a|' '|' b :: tr a-z A-Z"), outcome(0, "A| | B\n", ""));
    assert_eq!(run("fdrun --separator '' -- echo '|'"), outcome(0, "|\n", ""));
    // The value of an option is no separator.
    let found = run("fdrun true '|' --arg0 '|' sh -c 'cat; echo \"$0\"'");
    assert_eq!(found, outcome(0, "|\n", ""));
}

#[test]
fn a_command_line_that_makes_no_pipeline_starts_nothing() {
    let cases = [
        ("'|' touch ran", "stage 0 has no PROGRAM; see --help"),
        ("touch ran '|'", "stage 1 has no PROGRAM; see --help"),
        ("touch ran '|' '|' touch ran", "stage 1 has no PROGRAM; see --help"),
        ("touch ran '|' --nice 3", "stage 1 has no PROGRAM; see --help"),
        ("touch ran '|' --no-such-option cat", "stage 1: invalid option '--no-such-option'"),
        ("touch ran '|' --nice x cat", "stage 1: --nice takes a whole number, not `x`; see --help"),
        ("touch ran '|' --keep 8 cat", "stage 1: descriptor 8 is not open in the parent"),
        ("touch ran '|' --fd 5=read:/no/file cat", "stage 1: cannot open `/no/file` for descriptor 5: "),
        ("touch ran '|' --fd 0=null cat", "cannot spawn the graph: target 0 of stage 1 has two sources"),
        ("--fd 1=null touch ran '|' cat", "cannot spawn the graph: target 1 of stage 0 has two sources"),
        ("touch ran '|' --cwd /no/dir cat", "cannot spawn stage 1, `cat`: working directory `/no/dir`: "),
        ("--exec touch ran '|' cat", "--exec does not go with a pipeline: "),
        ("--table touch ran '|' cat", "--table does not go with a pipeline: "),
        ("--pipe-from 5 touch ran '|' cat", "--pipe-from does not go with a pipeline: "),
        ("--tree session touch ran '|' cat", "--tree does not go with a pipeline: "),
        ("--tree descendants touch ran '|' cat", "--tree does not go with a pipeline: "),
        ("--tree cgroup touch ran '|' cat", "--tree does not go with a pipeline: "),
        ("--foreground touch ran '|' cat", "--foreground of stage 0 does not go with a pipeline"),
        ("touch ran '|' --foreground cat", "--foreground of stage 1 does not go with a pipeline"),
        ("--tree group touch ran '|' --setsid cat", "--setsid of stage 1 does not go with --tree group: "),
        ("--tree group --pgrp 0 touch ran '|' cat", "--pgrp of stage 0 does not go with --tree group: "),
        ("--signal INT touch ran '|' cat", "--signal does not go without --timeout or --limit"),
    ];
    for (arguments, text) in cases {
        let (directory, found) = run_with_file(&format!("fdrun {arguments}"));
        assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "{arguments}: {found:?}");
        assert!(found.stderr.starts_with(&format!("fdrun: {text}")), "{arguments}: {found:?}");
        assert_eq!(found.stderr.find('\n'), Some(found.stderr.len() - 1), "{arguments}: {found:?}");
        assert!(!directory.path().join("ran").exists(), "{arguments}");
    }
}

#[test]
fn options_for_all_stages_stand_before_the_first_program() {
    let options = [
        "--timeout 5",
        "--kill-after 5",
        "--signal INT",
        "--tree group",
        "--usage",
        "--pipefail",
        "--separator x",
        "--explain",
        "--explain=dot",
        "--limit 1=5",
        "--capture 1=new",
        "--lines",
        "--pipe-from 5",
        "--exec",
        "--table",
        "--help",
    ];
    for option in options {
        let name = option.split([' ', '=']).next().unwrap();
        let (directory, found) = run_with_file(&format!("fdrun touch ran '|' {option} cat"));
        let text = format!("fdrun: stage 1: {name} is for all stages, and has to stand before the first PROGRAM\n");
        assert_eq!(found, outcome(125, "", &text), "{option}");
        assert!(!directory.path().join("ran").exists() && !directory.path().join("new").exists(), "{option}");
    }
}

#[test]
fn a_stage_that_cannot_be_started_starts_none() {
    let marks = ["touch 0", "touch 1", "touch 2"];
    for place in 0..3 {
        for (program, code, text) in [
            ("/no/such/program", 127, "No such file or directory"),
            ("./old", 126, "Permission denied"),
            ("--chroot /no/such/directory true", 125, ""),
        ] {
            let mut stages = marks;
            stages[place] = program;
            for options in ["", "--tree group --timeout 60 --pipefail --lines"] {
                let line = format!("fdrun {options} {}", stages.join(" '|' "));
                let (directory, found) = run_with_file(&line);
                assert_eq!((found.code, found.stdout.as_str()), (Some(code), ""), "{line}: {found:?}");
                let name = program.split(' ').next_back().unwrap();
                let start = format!("fdrun: cannot spawn stage {place}, `{name}`: ");
                assert!(found.stderr.starts_with(&start) && found.stderr.contains(text), "{line}: {found:?}");
                // fdrun looks for the programs before it starts any. The chroot fails later, in the child.
                if code != 125 {
                    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "{line}");
                }
            }
        }
    }
}

#[test]
fn no_stage_is_left_if_another_one_cannot_be_started() {
    for launcher in LAUNCHERS {
        let mark = Mark::new();
        let mut command = mark.command("", "");
        let last = "exec sleep 60 >/dev/null 2>&1";
        let args = ["--launcher", launcher, "--chroot", "/no/such/directory", "true", "|", "sh", "-c", last];
        command = replace_args(&command, &args);
        assert_eq!(command.output().unwrap().status.code(), Some(125), "{launcher}");
        mark.assert_none(launcher);
    }
}

/// The same environment with other arguments.
fn replace_args(command: &Command, args: &[&str]) -> Command {
    let mut other = Command::new(command.get_program());
    other.args(args).envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other.stderr(Stdio::null()).process_group(0);
    other
}

/// A run of fdrun with the mark, and these arguments.
fn marked(mark: &Mark, args: &[&str]) -> Command {
    replace_args(&mark.command("", ""), args)
}

#[test]
fn a_timeout_ends_all_stages_and_leaves_what_they_have_written() {
    let early = ["sh", "-c", "echo early; exec sleep 60", "|", "cat", "|", "sh", "-c", "cat; exit 3"];
    let ignores = ["sh", "-c", "trap '' TERM; echo early; while :; do sleep 0.1; done", "|", "cat"];
    let stopped = ["sh", "-c", "echo early; kill -STOP $$", "|", "cat"];
    let cases: [(&[&str], &[&str], i32); 5] = [
        (&["--timeout", "0.5"], &early, 124),
        (&["--timeout", "0.5", "--pipefail"], &early, 124),
        (&["--timeout", "0.5", "--signal", "KILL"], &early, 137),
        (&["--timeout", "1", "--kill-after", "0.3"], &ignores, 137),
        (&["--timeout", "0.5"], &stopped, 124),
    ];
    super::timeout::at_once(&cases, |(options, stages, code)| {
        super::timeout::at_once(&[&[][..], &["--tree", "group"]], |tree| {
            let mark = Mark::new();
            let args = [*options, tree, *stages].concat();
            let found = marked(&mark, &args).output().unwrap();
            let text = String::from_utf8_lossy(&found.stdout).into_owned();
            assert_eq!((found.status.code(), text.as_str()), (Some(*code), "early\n"), "{args:?}");
            mark.assert_none(&format!("{args:?}"));
        });
    });
    assert_eq!(run("fdrun --timeout 60 echo text '|' sh -c 'cat; exit 3'"), outcome(3, "text\n", ""));
}

#[test]
fn a_group_has_all_stages_and_ends_with_them() {
    let group = "sh -c 'cat; cut -d \" \" -f 5 /proc/$$/stat'";
    let found = run(&format!("fdrun --tree group --fd 0=null {group} '|' {group} '|' {group}"));
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| *line == lines[0]), "{found:?}");
    let found = run(&format!("cut -d ' ' -f 5 /proc/$$/stat; fdrun --fd 0=null {group} '|' {group}"));
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| *line == lines[0]), "no group of their own: {found:?}");
    // What a stage has left in the group.
    let mark = Mark::new();
    let left = "sleep 60 >/dev/null 2>&1 & echo early";
    let found = marked(&mark, &["--tree", "group", "sh", "-c", left, "|", "sh", "-c", "cat; exit 3"]).output().unwrap();
    assert_eq!((found.status.code(), &*found.stdout), (Some(3), &b"early\n"[..]));
    mark.assert_none("the group");
}

/// Starts two stages that write `ready` when their traps are set, and `0 NAME` or `1 NAME` for a signal. The pipe between them is at 1 of the
/// first one, which writes to the standard output of fdrun by 4.
fn start_two(options: &[&str], trap: &str) -> signals::Started {
    let mut command = Command::new(fdrun());
    let stage = |number: u8, to: u8| {
        format!(
            "{}; echo ready >&{to}; {WAIT}",
            trap.replace("N ", &format!("{number} ")).replace(">&T", &format!(">&{to}"))
        )
    };
    let (first, last) = (stage(0, 4), stage(1, 1));
    command.args(options).args(["--fd", "4=parent:1", "sh", "-c", &first, "|", "sh", "-c", &last]);
    let mut started = signals::start(command.stderr(Stdio::null()));
    assert_eq!([started.line(), started.line()], ["ready", "ready"]);
    started
}

#[test]
fn signals_are_passed_on_to_all_stages() {
    for options in [&[][..], &["--tree", "group"], &["--launcher", "fork", "--timeout", "60"]] {
        for (name, signal) in PASSED_ON {
            let mut started = start_two(options, &format!("trap 'echo N {name} >&T; exit 7' {name}"));
            started.signal(signal);
            let mut lines = [started.line(), started.line()];
            lines.sort();
            assert_eq!(lines, [format!("0 {name}"), format!("1 {name}")], "{options:?}");
            assert_eq!(started.end().code(), Some(7), "{options:?} {name}");
            started.input.take(); // ends the `cat` that the first stage has left
            assert_eq!(started.rest(), "", "{options:?} {name}");
        }
    }
}

#[test]
fn fdrun_ends_by_the_signal_that_has_ended_the_last_stage() {
    for (name, signal) in PASSED_ON {
        let mut command = Command::new(fdrun());
        command.args(["sh", "-c", "echo ready; exec cat", "|", "cat"]);
        let mut started = signals::start(&mut command);
        assert_eq!(started.line(), "ready");
        started.signal(signal);
        assert_eq!(started.end().signal(), Some(signal), "{name}");
        assert_eq!(started.rest(), "", "{name}: no process is left");
    }
}

#[test]
fn kill_after_counts_from_a_signal_that_is_passed_on() {
    let mut started = start_two(&["--kill-after", "0.3"], "trap 'echo N TERM >&T' TERM");
    started.signal(libc::SIGTERM);
    let mut lines = [started.line(), started.line()];
    lines.sort();
    assert_eq!(lines, ["0 TERM", "1 TERM"]);
    assert_eq!(started.end().code(), Some(137));
}

#[test]
fn a_signal_from_the_terminal_reaches_each_stage_once() {
    let stage = |number: u8| super::signals::COUNT.replace("echo INT", &format!("echo {number} INT"));
    let (first, last) = (stage(0).replace("echo ", "echo >&4 "), stage(1));
    // `start_on_terminal` connects 3 of the first stage. The last stage waits for the end of the first one.
    let args = ["sh", "-c", &first, "|", "sh", "-c", &format!("exec 3<&0; {last}")];
    let (mut started, mut terminal) = signals::start_on_terminal(&["--fd", "4=parent:1"], &args);
    assert_eq!([started.line(), started.line()], ["ready", "ready"]);
    for count in 1..=3 {
        std::io::Write::write_all(&mut terminal, b"\x03").unwrap();
        let mut lines = [started.line(), started.line()];
        lines.sort();
        assert_eq!(lines, [format!("0 INT {count}"), format!("1 INT {count}")]);
    }
    started.signal(libc::SIGTERM);
    assert_eq!(started.end().code(), Some(6));
}

#[test]
fn usage_has_a_line_for_each_stage() {
    let found = run("fdrun --usage seq 3 '|' sh -c 'cat; exit 3'");
    assert_eq!((found.code, found.stdout.as_str()), (Some(3), "1\n2\n3\n"));
    let lines: Vec<&str> = found.stderr.lines().collect();
    let [first, second, elapsed] = lines[..] else { panic!("{found:?}") };
    for (line, start) in [(first, "fdrun: stage 0, `seq`: user "), (second, "fdrun: stage 1, `sh`: user ")] {
        let words = [" s, system ", " s, peak memory ", " KiB, switches: ", " voluntary, ", " minor, ", " major"];
        assert!(line.starts_with(start) && words.iter().all(|word| line.contains(word)), "{line}");
    }
    assert!(elapsed.starts_with("fdrun: elapsed 0."), "{elapsed}");
}

#[test]
fn output_is_that_of_the_last_stage_and_errors_are_those_of_all() {
    let (directory, found) = run_with_file(
        "fdrun --capture 1=out --capture 2=errors sh -c 'echo a; echo x >&2' '|' sh -c 'cat; echo y >&2; exit 3'",
    );
    assert_eq!(found, outcome(3, "", ""));
    assert_eq!((content(&directory, "out").as_str(), content(&directory, "errors").as_str()), ("a\n", "x\ny\n"));
    assert_eq!(run("fdrun --lines echo a '|' sh -c 'cat; echo b'"), outcome(0, "1: a\n1: b\n", ""));
    // A stage that connects the descriptor is left out.
    let found = run("fdrun --lines sh -c 'echo x >&2' '|' --fd 2=parent:2 sh -c 'cat; echo y >&2'");
    assert_eq!(found, outcome(0, "2: x\n", "y\n"));
    let found = run("fdrun --limit 5=1 --fd 5=null true '|' --fd 5=null true");
    assert_eq!(found, outcome(125, "", "fdrun: fdrun cannot read descriptor 5: it is connected in each stage\n"));
    let found = run("fdrun --lines --fd 2=null sh -c 'echo a' '|' --fd 1=parent:1 --fd 2=null cat");
    assert_eq!(found, outcome(0, "a\n", ""));
}

#[test]
fn a_limit_ends_all_stages() {
    let mark = Mark::new();
    let found = marked(&mark, &["--limit", "1=6", "sh", "-c", "yes; exec sleep 60", "|", "cat"]).output().unwrap();
    assert_eq!((found.status.code(), &*found.stdout), (Some(123), &b"y\ny\ny\n"[..]));
    mark.assert_none("the limit");
}

#[test]
fn explain_shows_the_graph_and_each_stage_and_starts_nothing() {
    let line = "--fd 5=write:new touch ran '|' --fd 5=data:abc cat '|' --nice 3 tail -n 1";
    let (directory, found) = run_with_file(&format!("fdrun --explain --timeout 60 --usage {line}"));
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
    let graph = "\
stage 0: `touch` `ran`
stage 1: `cat`
stage 2: `tail` `-n` `1`
pipe: stage 0 at 1 -> stage 1 at 0
pipe: stage 1 at 1 -> stage 2 at 0
order of the launches: 2, 1, 0

stage 0: descriptors of `touch`; all others are closed
";
    assert!(found.stdout.starts_with(graph), "{}", found.stdout);
    let parts: Vec<&str> = found.stdout.split("\n\n").collect();
    assert_eq!(parts.len(), 4, "{}", found.stdout);
    assert!(parts[2].contains("       5") && parts[2].contains("3 bytes of data to read"), "{}", parts[2]);
    assert!(parts[3].starts_with("stage 2: descriptors of `tail`") && parts[3].contains("nice"), "{}", parts[3]);
    assert!(!directory.path().join("ran").exists() && !directory.path().join("new").exists());
    let found = run("fdrun --explain true '|' --fd 0=null cat");
    assert_eq!(found, outcome(125, "", "fdrun: cannot spawn the graph: target 0 of stage 1 has two sources\n"));
}

#[test]
fn explain_prints_dot() {
    let two = "digraph {
    node [shape=box]
    stage0 [label=\"`seq` `9`\"]
    stage1 [label=\"`grep` `\\\"`\"]
    stage0 -> stage1 [taillabel=\"1\", headlabel=\"0\"]
}
";
    assert_eq!(run("fdrun --explain=dot seq 9 '|' grep '\"'"), outcome(0, two, ""));
    let one = "digraph {\n    node [shape=box]\n    stage0 [label=\"`seq` `9`\"]\n}\n";
    assert_eq!(run("fdrun --explain=dot seq 9"), outcome(0, one, ""));
}

#[test]
fn the_reader_of_a_pipeline_that_has_ended_finds_the_end() {
    let mut process = Command::new(fdrun()).args(["echo", "a", "|", "cat"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    process.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), process.wait().unwrap().code()), ("a\n", Some(0)));
}
