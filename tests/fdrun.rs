//! `examples/fdrun.rs` as its users meet it: what the child gets, what is printed, and with which status it exits.

mod built;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, PipeWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// What every test runs with both of. Elsewhere than on Linux there is no clone.
const LAUNCHERS: &[&str] = if cfg!(target_os = "linux") { &["clone", "fork"] } else { &["fork"] };

/// A script that prints which of 0 to 9 are open where it runs, itself opening none of them.
const TABLE: &str = "t=; for n in 0 1 2 3 4 5 6 7 8 9; do [ -e /dev/fd/$n ] && t=\"$t $n\"; done; echo $t";

/// The tool.
fn fdrun() -> &'static Path {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    TOOL.get_or_init(|| built::example("fdrun"))
}

/// What a run has left.
#[derive(Debug, PartialEq)]
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn outcome(code: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome { code: Some(code), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// Runs a shell script in which `fdrun` is the tool, 3 to 9 are closed, whatever the tests were started with, and
/// `$TABLE` is the script of that name.
fn script(directory: &Path, script: &str) -> Outcome {
    let closed = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; fdrun() { \"$FDRUN\" \"$@\"; }";
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{closed}; {script}")).current_dir(directory);
    let output = shell.env("FDRUN", fdrun()).env("TABLE", TABLE).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a script where no file is needed.
fn run(text: &str) -> Outcome {
    script(Path::new("/"), text)
}

/// Runs a script in a directory that has a file `old`, which says so.
fn run_with_file(text: &str) -> (TempDir, Outcome) {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old"), "old\n").unwrap();
    let outcome = script(directory.path(), text);
    (directory, outcome)
}

fn content(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap()
}

// Exit statuses.

#[test]
fn the_status_is_that_of_the_child() {
    for launcher in LAUNCHERS {
        for code in [0, 3, 125, 255] {
            let found = run(&format!("fdrun --launcher {launcher} -- sh -c 'echo ran; exit {code}'"));
            assert_eq!(found, outcome(code, "ran\n", ""), "{launcher}");
        }
    }
}

#[test]
fn a_child_killed_by_a_signal_gives_128_and_its_number() {
    for launcher in LAUNCHERS {
        for signal in [9, 15] {
            let found = run(&format!("fdrun --launcher {launcher} -- sh -c 'kill -{signal} $$; echo survived'"));
            assert_eq!(found, outcome(128 + signal, "", ""), "{launcher}");
        }
    }
}

#[test]
fn a_write_to_a_pipe_that_nobody_reads_kills_the_child() {
    let found = run("fdrun -- sh -c 'kill -13 $$; echo survived'");
    assert_eq!(found, outcome(128 + 13, "", ""), "Rust ignores SIGPIPE; the child must not");
}

#[test]
fn a_program_that_is_not_found_gives_127() {
    for launcher in LAUNCHERS {
        // Where the PATH has a directory that may not be searched, it is `Permission denied` instead.
        let path = "--env PATH=/bin:/usr/bin";
        let found = run(&format!("fdrun --launcher {launcher} {path} -- no-such-program"));
        let text = "cannot spawn `no-such-program`: program not found in PATH: No such file or directory";
        assert_eq!(found, outcome(127, "", &format!("fdrun: {text}\n")), "{launcher}");

        let found = run(&format!("fdrun --launcher {launcher} -- /no/such/program"));
        let text = "cannot spawn `/no/such/program`: No such file or directory";
        assert_eq!(found, outcome(127, "", &format!("fdrun: {text}\n")), "{launcher}");
    }
}

#[test]
fn a_program_is_looked_for_in_the_path_of_the_child() {
    let found = run("fdrun --env PATH=/no/such/directory -- true");
    assert_eq!(found.code, Some(127), "{found:?}");
}

#[test]
fn a_file_that_is_not_executable_gives_126() {
    for launcher in LAUNCHERS {
        let (_directory, found) = run_with_file(&format!("fdrun --launcher {launcher} -- ./old"));
        assert_eq!(found, outcome(126, "", "fdrun: cannot spawn `./old`: Permission denied\n"), "{launcher}");
    }
}

#[test]
fn a_script_that_names_no_interpreter_gives_126() {
    for launcher in LAUNCHERS {
        // The shell makes the script: a file that another test's child still has open for writing cannot be executed.
        let make = "echo 'echo ran' >plain; chmod 755 plain";
        let (_directory, found) = run_with_file(&format!("{make}; fdrun --launcher {launcher} -- ./plain"));
        assert_eq!(found, outcome(126, "", "fdrun: cannot spawn `./plain`: Exec format error\n"), "{launcher}");
    }
}

#[test]
fn errors_of_its_own_give_125_and_one_line() {
    let cases = [
        // The command line.
        ("", "no PROGRAM is given; see --help"),
        ("--", "no PROGRAM is given; see --help"),
        ("--fd 5=null", "no PROGRAM is given; see --help"),
        ("--no-such-option -- echo", "invalid option '--no-such-option'"),
        ("-x -- echo", "invalid option '-x'"),
        ("--explain=yes -- echo", "unexpected argument for option '--explain': \"yes\""),
        ("--fd", "missing argument for option '--fd'"),
        ("--fd 5 -- echo", "--fd takes N=SPEC, not `5`; see --help"),
        ("--fd five=null -- echo", "--fd takes N=SPEC, not `five=null`; see --help"),
        ("--fd =null -- echo", "--fd takes N=SPEC, not `=null`; see --help"),
        ("--fd 5= -- echo", "--fd takes N=SPEC, not `5=`; see --help"),
        ("--fd 5=read -- echo", "--fd takes N=SPEC, not `5=read`; see --help"),
        ("--fd 5=null:x -- echo", "--fd takes N=SPEC, not `5=null:x`; see --help"),
        ("--fd 5=closed:x -- echo", "--fd takes N=SPEC, not `5=closed:x`; see --help"),
        ("--fd 5=lend:3 -- echo", "--fd takes N=SPEC, not `5=lend:3`; see --help"),
        ("--fd 5=parent:x -- echo", "--fd takes N=SPEC, not `5=parent:x`; see --help"),
        ("--fd 5=same:x -- echo", "--fd takes N=SPEC, not `5=same:x`; see --help"),
        ("--fd 99999999999=null -- echo", "--fd takes N=SPEC, not `99999999999=null`; see --help"),
        ("--keep x -- echo", "cannot parse argument \"x\": invalid digit found in string"),
        ("--pipe-from x -- echo", "cannot parse argument \"x\": invalid digit found in string"),
        ("--launcher spoon -- echo", "--launcher takes auto, clone or fork, not `spoon`; see --help"),
        ("--env NAME -- echo", "--env takes NAME=VALUE, not `NAME`; see --help"),
        // Files.
        ("--fd 5=read:/no/file -- echo", "cannot open `/no/file` for descriptor 5: No such file"),
        ("--fd 5=write:/no/file -- echo", "cannot open `/no/file` for descriptor 5: No such file"),
        ("--fd 5=append:/ -- echo", "cannot open `/` for descriptor 5: Is a directory"),
        ("--fd 5=rw: -- echo", "cannot open `` for descriptor 5: No such file"),
        // What fdrun was not started with.
        ("--fd 5=parent:3 -- echo", "the source of target 5, descriptor 3, is not open in the parent"),
        ("--fd 5=parent:-1 -- echo", "the source of target 5, descriptor -1, is not open in the parent"),
        ("--keep 3 -- echo", "descriptor 3 is not open in the parent"),
        ("--keep -1 -- echo", "descriptor -1 is not open in the parent"),
        // Refused plans.
        ("--fd 5=null --fd 5=null -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--fd 5=null --pipe-from 5 -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--keep 1 --pipe-from 1 -- echo", "cannot spawn `echo`: target 1 is given twice"),
        ("--fd -1=null -- echo", "cannot spawn `echo`: target -1 is below zero"),
        ("--pipe-from -7 -- echo", "cannot spawn `echo`: target -7 is below zero"),
        ("--fd 2147483647=null -- echo", "cannot spawn `echo`: target 2147483647 is not below the limit"),
        ("--fd 5=same:5 -- echo", "cannot spawn `echo`: target 5 is to be the same as itself"),
        (
            "--fd 5=same:6 -- echo",
            "cannot spawn `echo`: target 5 is to be the same as 6, which is not open in the child",
        ),
        // Other errors of the library.
        ("--cwd /no/dir -- echo", "cannot spawn `echo`: working directory `/no/dir`: No such file or directory"),
        ("--env =VALUE -- echo", "cannot spawn `echo`: the name of an environment variable is empty"),
    ];
    for (arguments, text) in cases {
        let found = run(&format!("fdrun {arguments}"));
        assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "{arguments}: {found:?}");
        assert!(found.stderr.starts_with(&format!("fdrun: {text}")), "{arguments}: {found:?}");
        assert!(found.stderr.find('\n') == Some(found.stderr.len() - 1), "{arguments}: {found:?}");
    }
}

// Descriptors.

#[test]
fn the_child_has_standard_streams_and_nothing_else() {
    for launcher in LAUNCHERS {
        let (_directory, found) =
            run_with_file(&format!("fdrun --launcher {launcher} -- sh -c \"$TABLE\" 3<old 7<old"));
        assert_eq!(found, outcome(0, "0 1 2\n", ""), "{launcher}");
    }
}

#[test]
fn the_child_has_exactly_what_was_planned() {
    let options = "--fd 9=read:old --fd 4=parent:3 --fd 5=data:x --keep 7 --fd 8=same:9 --pipe-from 6 --fd 0=closed";
    for launcher in LAUNCHERS {
        let run = format!("fdrun --launcher {launcher} {options} -- sh -c \"$TABLE\" 3<old 7<old");
        let (_directory, found) = run_with_file(&run);
        assert_eq!(found, outcome(0, "1 2 4 5 6 7 8 9\n", ""), "{launcher}");
    }
}

#[test]
fn read_opens_a_file_for_reading_only() {
    let (directory, found) = run_with_file("fdrun --fd 5=read:old -- sh -c 'cat <&5; echo new 2>/dev/null >&5'");
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), "old\n"), "{found:?}");
    assert_eq!(content(&directory, "old"), "old\n");
}

#[test]
fn write_truncates() {
    let (directory, found) = run_with_file("fdrun --fd 5=write:old -- sh -c 'echo x >&5; cat 2>/dev/null <&5'");
    assert_eq!(found, outcome(1, "", ""), "it cannot be read");
    assert_eq!(content(&directory, "old"), "x\n");
}

#[test]
fn files_are_created_for_all_as_far_as_the_umask_allows() {
    for kind in ["write", "append", "rw"] {
        for (umask, mode) in [("000", 0o666), ("027", 0o640)] {
            let run = format!("umask {umask}; fdrun --fd 5={kind}:new -- sh -c 'echo new >&5'");
            let (directory, found) = run_with_file(&run);
            assert_eq!(found, outcome(0, "", ""), "{kind}");
            assert_eq!(content(&directory, "new"), "new\n", "{kind}");
            let created = fs::metadata(directory.path().join("new")).unwrap();
            assert_eq!(created.permissions().mode() & 0o777, mode, "{kind}");
        }
    }
}

#[test]
fn append_writes_at_the_end_whoever_else_does() {
    let (directory, found) = run_with_file("fdrun --fd 5=append:old -- sh -c 'echo 1 >&5; echo 2 >>old; echo 3 >&5'");
    assert_eq!(found, outcome(0, "", ""));
    assert_eq!(content(&directory, "old"), "old\n1\n2\n3\n");
}

#[test]
fn rw_reads_and_writes_and_does_not_truncate() {
    let run = "fdrun --fd 5=rw:old -- sh -c 'read line <&5; echo \"read $line\"; echo new >&5'";
    let (directory, found) = run_with_file(run);
    assert_eq!(found, outcome(0, "read old\n", ""));
    assert_eq!(content(&directory, "old"), "old\nnew\n");
}

#[test]
fn a_path_may_have_any_bytes_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"a=b:c \xff");
    fs::write(directory.path().join(name), "odd\n").unwrap();
    let mut spec = OsStr::new("5=read:").to_owned();
    spec.push(name);
    let mut tool = Command::new(fdrun());
    tool.arg("--fd").arg(spec).args(["--", "sh", "-c", "cat <&5"]).current_dir(directory.path());
    assert_eq!(tool.output().unwrap().stdout, b"odd\n");
}

#[test]
fn parent_lends_a_descriptor_under_another_number() {
    for launcher in LAUNCHERS {
        let run = format!("fdrun --launcher {launcher} --fd 5=parent:3 -- sh -c \"cat <&5; $TABLE\" 3<old; echo $?");
        let (_directory, found) = run_with_file(&run);
        assert_eq!(found, outcome(0, "old\n0 1 2 5\n0\n", ""), "{launcher}");
    }
}

#[test]
fn output_and_error_can_be_swapped() {
    for launcher in LAUNCHERS {
        let options = format!("--launcher {launcher} --fd 1=parent:2 --fd 2=parent:1");
        let found = run(&format!("fdrun {options} -- sh -c 'echo to 1; echo to 2 >&2'"));
        assert_eq!(found, outcome(0, "to 2\n", "to 1\n"), "{launcher}");
    }
}

#[test]
fn same_duplicates_what_the_child_has() {
    let found = run("fdrun --fd 2=same:1 --fd 5=same:6 --fd 6=data:text -- sh -c 'echo error >&2; cat <&5; cat <&6'");
    assert_eq!(found, outcome(0, "error\ntext", ""), "5 and 6 share one offset");
}

#[test]
fn null_reads_nothing_and_takes_everything() {
    let found = run("fdrun --fd 1=null --fd 5=null -- sh -c 'echo gone; cat <&5 >&2; echo gone too >&5'");
    assert_eq!(found, outcome(0, "", ""));
}

#[test]
fn closed_leaves_a_hole() {
    let found = run("fdrun --fd 0=closed --fd 5=closed -- sh -c \"$TABLE\"");
    assert_eq!(found, outcome(0, "1 2\n", ""));
}

#[test]
fn data_is_read_as_it_is_and_ends() {
    let found = run("fdrun --fd 0='data: a=b:c $HOME ' --fd 5=data: -- sh -c 'cat; cat <&5; echo .'");
    assert_eq!(found, outcome(0, " a=b:c $HOME .\n", ""));
}

#[test]
fn keep_leaves_a_descriptor_where_it_is() {
    for launcher in LAUNCHERS {
        let run = format!("fdrun --launcher {launcher} --keep 3 --keep 0 -- sh -c \"cat <&3; $TABLE\" 3<old 4<old");
        let (_directory, found) = run_with_file(&run);
        assert_eq!(found, outcome(0, "old\n0 1 2 3\n", ""), "{launcher}");
    }
}

#[test]
fn what_the_tool_opens_is_not_taken_for_what_it_was_started_with() {
    let cases = [
        ("--fd 5=read:old --fd 6=parent:3", "the source of target 6, descriptor 3, is not open in the parent"),
        ("--fd 6=parent:3 --fd 5=read:old", "the source of target 6, descriptor 3, is not open in the parent"),
        ("--pipe-from 5 --fd 6=parent:4", "the source of target 6, descriptor 4, is not open in the parent"),
        ("--fd 5=read:old --keep 3", "descriptor 3 is not open in the parent"),
        ("--pipe-from 3 --keep 4", "descriptor 4 is not open in the parent"),
        ("--fd 3=data:x --keep 4", "descriptor 4 is not open in the parent"),
    ];
    for (options, text) in cases {
        for explain in ["", "--explain"] {
            let (_directory, found) = run_with_file(&format!("fdrun {options} {explain} -- echo ran"));
            assert_eq!(found, outcome(125, "", &format!("fdrun: {text}\n")), "{options}");
        }
    }
}

#[test]
fn an_inherited_rest_has_what_the_parent_has_but_not_what_the_tool_opens() {
    let options = "--inherit-rest --fd 5=read:old --pipe-from 6 --fd 8=closed";
    for launcher in LAUNCHERS {
        let run = format!("fdrun --launcher {launcher} {options} -- sh -c \"$TABLE; cat <&4\" 4<old 8<old");
        let (_directory, found) = run_with_file(&run);
        assert_eq!(found, outcome(0, "0 1 2 4 5 6\nold\n", ""), "{launcher}");
    }
}

// Pipes.

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
fn a_pipe_that_nobody_writes_to_shows_nothing() {
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
    // Each pipe gets more than it holds, by turns: whoever reads one to its end first never gets there.
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
    // The writer's `cat` ends when the child, which alone has the FIFO open for writing, has.
    let child = "mkfifo fifo; { cat; echo late >&5; } <fifo & exec 4>fifo; echo early >&5; exit 3";
    let (_directory, found) = run_with_file(&format!("fdrun --pipe-from 5 -- sh -c '{child}'"));
    assert_eq!(found, outcome(3, "", "5: early\n5: late\n"));
}

#[test]
fn the_child_is_not_disturbed_where_nobody_reads_the_lines() {
    let child = "i=0; while [ $i -lt 5000 ]; do echo line >&5; i=$((i+1)); done; echo done";
    let mut tool = Command::new(fdrun());
    tool.args(["--pipe-from", "5", "--", "sh", "-c", child]).stderr(nobody_reads());
    let output = tool.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"done\n"[..]));
}

/// A pipe whose other end is closed.
fn nobody_reads() -> PipeWriter {
    let (_, mut writer) = io::pipe().unwrap();
    assert!(writer.write_all(b"x").is_err());
    writer
}

// The child's strings and directory.

#[test]
fn cwd_is_where_the_child_starts_but_not_where_files_are_looked_for() {
    let run = "mkdir sub; fdrun --cwd sub --fd 5=read:old -- sh -c 'pwd -P; cat <&5'";
    let (directory, found) = run_with_file(run);
    let sub = directory.path().canonicalize().unwrap().join("sub");
    assert_eq!(found, outcome(0, &format!("{}\nold\n", sub.display()), ""));
}

#[test]
fn env_sets_a_variable_whatever_is_in_its_value() {
    let found = run("A=0 B=1 fdrun --env A=x=y --env C= -- sh -c 'echo \"$A $B ${C-unset}.\"'");
    assert_eq!(found, outcome(0, "x=y 1 .\n", ""));
}

#[test]
fn clear_env_leaves_only_what_env_sets() {
    for options in ["--clear-env --env A=1 --env Z=2", "--env A=1 --env Z=2 --clear-env"] {
        let found = run(&format!("B=2 fdrun {options} -- env"));
        assert_eq!(found, outcome(0, "A=1\nZ=2\n", ""), "{options}");
    }
    assert_eq!(run("B=2 fdrun --clear-env -- env"), outcome(0, "", ""), "the child's PATH has a default");
}

#[test]
fn arg0_is_the_name_that_the_program_sees() {
    let found = run("fdrun --arg0 other --fd 0='data:echo $0' -- sh");
    assert_eq!(found, outcome(0, "other\n", ""));
    let found = run("fdrun --fd 0='data:echo $0' -- sh");
    assert_eq!(found, outcome(0, "sh\n", ""));
}

#[test]
fn the_program_ends_the_options() {
    let cases = [
        ("fdrun -- echo --fd 5=x -- --help", "--fd 5=x -- --help\n"),
        ("fdrun echo --fd 5=x -- --help", "--fd 5=x -- --help\n"),
        ("fdrun --fd=5=null echo '' 'a  b'", " a  b\n"),
    ];
    for (text, stdout) in cases {
        assert_eq!(run(text), outcome(0, stdout, ""), "{text}");
    }
}

// Help and pictures.

#[test]
fn help_shows_all_options() {
    let found = run("fdrun --keep 0 --help");
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""));
    assert!(found.stdout.starts_with("Usage: fdrun [OPTION]... [--] PROGRAM [ARG]...\n"), "{}", found.stdout);
    let options = ["fd N=SPEC", "keep N", "pipe-from N", "inherit-rest", "launcher NAME", "cwd DIR", "env NAME=VALUE"];
    let more = ["clear-env", "arg0 NAME", "explain", "help"];
    for option in options.iter().chain(&more) {
        let lines = found.stdout.lines().filter(|line| line.starts_with(&format!("  --{option} "))).count();
        assert_eq!(lines, 1, "{option}: {}", found.stdout);
    }
    for kind in ["read:", "write:", "append:", "rw:", "parent:", "same:", "data:", "null", "closed"] {
        assert!(found.stdout.contains(&format!("\n                      {kind}")), "{kind}: {}", found.stdout);
    }
}

/// The table that a child ends up with when it follows the steps of a picture: for each number that is open, what was
/// at first open under which number.
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
        let (rows, transient): (Vec<&str>, Vec<&str>) = rows.iter().partition(|row| !row.starts_with("       - "));
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
        assert_eq!(transient.len(), usize::from(*launcher == "fork"), "{transient:?}");
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
    assert!(found.stdout.contains("  change the working directory\n"), "{}", found.stdout);
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
    let found = run("fdrun --explain --fd 5=null --fd 5=data:x -- touch ran");
    assert_eq!(found, outcome(125, "", "fdrun: cannot spawn `touch`: target 5 is given twice\n"));
}

// The table.

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
        // Nothing at 2, which Rust's runtime would have opened, nothing at 3, and nothing of fdrun's own.
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
        // What the tests were started with is above.
        let rows: Vec<_> = rows(&found.stdout).into_iter().filter(|row| row.0 < 10).collect();
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [0, 1, 2, 6], "{launcher}: {}", found.stdout);
        assert!(rows[3].1.ends_with("/old"));
    }
}

#[test]
fn the_table_of_a_plan_that_is_refused_is_its_error() {
    let found = run("fdrun --table --keep 7 -- true");
    assert_eq!(found, outcome(125, "", "fdrun: descriptor 7 is not open in the parent\n"));
    let found = run("fdrun --table --fd 3=null --fd 3=null");
    assert_eq!(found.code, Some(125));
    assert!(found.stderr.ends_with("target 3 is given twice\n"), "{}", found.stderr);
}
