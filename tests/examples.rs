//! Every program of `examples/`, and what it prints. (`tests/fdrun/` has the tests of `fdrun`.)
#![cfg(target_os = "linux")]

mod built;
#[path = "it/support/tools.rs"]
mod tools;

use fdspawn::{Capture, Command, Stdio};
use std::path::Path;
use std::process::Output;

fn run(name: &str, arguments: &[&Path]) -> Output {
    // The example gets 0 to 2, and no other descriptor that the tests were started with.
    Command::new(built::example(name)).args(arguments).output().unwrap()
}

/// Asserts what an example prints, and that it succeeds.
#[track_caller]
fn prints(name: &str, expected: &str) {
    let output = run(name, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, expected, "{errors}");
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
}

#[test]
fn pipe_with_child_ends() {
    prints("pipe_with_child", "the child says: 24 bytes, then end-of-file\nthe child ended: exit status: 0\n");
}

#[test]
fn offset_is_shared_over_fork_and_exec() {
    prints(
        "shared_offset",
        "\
parent reads     \"one \"
child reads      \"two \"
the offset is    8
program reads    \"three four\"
the offset is    19
opened again     \"one\"
",
    );
}

#[test]
fn close_on_exec_matters_to_careless_spawns_only() {
    prints(
        "close_on_exec",
        "\
opened by Rust:  Flags(CLOSE_ON_EXEC)
close-on-exec true : std's child finds it closed
                     not in the plan: closed
                     kept by the plan: open
                     the flag here is as before: Flags(CLOSE_ON_EXEC)
close-on-exec false: std's child finds it open
                     not in the plan: closed
                     kept by the plan: open
                     the flag here is as before: Flags(0x0)
original Flags(0x0), duplicate Flags(CLOSE_ON_EXEC)
",
    );
}

#[test]
fn process_at_its_limit_gets_errors_that_say_why() {
    prints(
        "descriptor_limit",
        "\
open: Too many open files (os error 24)
the table has 32 of 32 entries
status: exit status: 0
output: cannot spawn `true`: cannot open /dev/null for descriptor 0: Too many open files
target: cannot spawn `true`: target 40 is not below the limit of open descriptors (RLIMIT_NOFILE), 32
output: the pipes have descriptors again
",
    );
}

#[test]
fn conversation_goes_both_ways() {
    prints("socket_conversation", "you said: hello\nyou said: goodbye\nnothing more to say\nexit status: 0\n");
}

#[test]
fn talk_shows_answers_and_the_one_that_does_not_come_in_time() {
    if !tools::has("bc") {
        return;
    }
    let found =
        run("talk", &["--timeout", "2", "bc", "6 * 7", "2 ^ 100", "1 +", "while (1) {}", "6 * 9"].map(Path::new));
    let text = String::from_utf8(found.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // Each `bc` has its own words for a syntax error.
    let [_, _, _, _, wrong, error, rest @ ..] = &lines[..] else { panic!("{text}") };
    assert_eq!(lines[..4], ["6 * 7", "    42", "2 ^ 100", "    1267650600228229401496703205376"]);
    assert!(*wrong == "1 +" && error.contains("error"), "{text}");
    let expected = ["while (1) {}", "    no answer in time", "the program was ended: signal: 15 (SIGTERM)"];
    assert_eq!(*rest, expected);
    assert_eq!((found.status.code(), &*found.stderr), (Some(0), &b""[..]));

    for arguments in [&["--timeout", "soon", "1"][..], &["--timeout"]] {
        let found = run("talk", &arguments.iter().map(Path::new).collect::<Vec<_>>());
        assert_eq!((found.status.code(), found.stdout), (Some(1), vec![]));
        assert_eq!(String::from_utf8(found.stderr).unwrap(), "Error: \"--timeout needs seconds\"\n");
    }

    let found = run("talk", &["quit", "6 * 7"].map(Path::new));
    let expected = "quit\n    no answer: the program has ended\nthe program has ended: exit status: 0\n";
    assert_eq!(String::from_utf8(found.stdout).unwrap(), expected);
}

#[test]
fn talk_goes_with_python_too() {
    if !tools::has("python3") {
        return;
    }
    let found = run("talk", &["python3", "6 * 7", "2 ** 100"].map(Path::new));
    let expected = "6 * 7\n    42\n2 ** 100\n    1267650600228229401496703205376\n";
    let end = "the program has ended: exit status: 0\n";
    assert_eq!(String::from_utf8(found.stdout).unwrap(), format!("{expected}{end}"));
}

#[test]
fn talk_without_its_program_says_so() {
    for program in ["bc", "python3"] {
        let mut command = Command::new(built::example("talk"));
        let found = command.arg(program).env("PATH", "/no/such/directory").output().unwrap();
        let text = String::from_utf8(found.stdout).unwrap();
        assert_eq!((found.status.code(), text), (Some(0), format!("skipped: {program} is not installed\n")));
    }
}

#[test]
fn guards_close_on_every_way_out() {
    prints(
        "scope_guards",
        "\
open before: 3
  (the guard runs its function)
End: returned, with 3 more open at that time
  (the guard runs its function)
Return: returned, with 3 more open at that time
  (the guard runs its function)
Error: failed: something else went wrong
  (the guard runs its function)
Panic: panicked
open after:  3
",
    );
}

#[test]
fn second_close_closes_what_is_anothers_unless_there_is_an_owner() {
    prints(
        "double_close",
        "\
the number is used again: true
the second close: Ok(())
the other file:   Bad file descriptor (os error 9)
the third close:  BadDescriptor
with owners:      the other file's data
the duplicate:    still open: true
",
    );
}

#[test]
fn leaks_and_their_holders_are_found() {
    let output = run("find_leak", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    // The number of a pipe (`pipe:[NUMBER]`) differs from run to run.
    let lines: Vec<String> = text.lines().map(|line| line.split('[').next().unwrap().to_owned()).collect();
    let expected = [
        "not closed by the function:",
        "  pipe:",
        "  pipe:",
        "the write end is held by `sleep` (our child: true), with the same number as in the parent",
        "after it has exited: 0 writers",
        "end-of-file after 0 bytes",
        "with a plan: 0 writers, end-of-file after 4 bytes",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn runtime_gets_a_pid_or_an_error_number_and_a_stage() {
    prints(
        "runtime",
        "\
argv                 \"zeroth one\", exit status 7
env                  \"1 2\", exit status 0
cwd, by fork         \"/usr\", exit status 0
no standard stream   \"nothing\", exit status 0
fds_to_keep          \"kept\", exit status 0
umask, group         \"0027\\nleader\", exit status 0
candidates           \"found\", exit status 0
no such user         (22, \"parent\")
a closed one         (9, \"parent\")
no such program      (2, \"exec\")
no such directory    (2, \"directory\")
a NUL inside         (22, \"parent\")
",
    );
}

#[test]
fn fork_exec_of_the_example_has_at_most_80_lines() {
    let text = include_str!("../examples/runtime.rs");
    let start = text.find("unsafe fn fork_exec").expect("the example has the function");
    let end = text.find("impl<'a> Arguments").expect("and after it the defaults of its arguments");
    let lines = text[start..end].lines().count();
    assert!((20..=80).contains(&lines), "{lines} lines");
}

#[test]
fn lock_lives_as_long_as_its_last_holder() {
    prints(
        "lock_of_the_last_holder",
        "\
locked by the parent:             held
closed by the parent:             held
the last holder has exited:       free
a child runs without descriptor:  free
unlocked while the child has it:  free
",
    );
}

#[test]
fn errors_of_one_close_and_of_many_are_told_apart() {
    let one = "one: closed\none: a bug: the descriptor was already closed\none: on the disk, and closed\n";
    prints("close_errors", &format!("{one}many: 0 closed\n"));

    let directory = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| directory.path().join(name));
    let output = run("close_errors", &files.each_ref().map(|path| path.as_path()));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{one}many: 2 closed\n"));
    assert!(output.status.success());
}

#[test]
fn lost_writes_come_back_with_their_file_and_the_others_are_closed() {
    if !tools::has("strace") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| directory.path().join(name));
    for (error, advice) in [
        ("ENOSPC", "the written data is lost: free some space, and write it again"),
        ("EDQUOT", "the written data is lost: free some space, and write it again"),
        ("EIO", "the written data is lost: try another disk"),
        ("EINTR", "closed, but the system does not tell whether it wrote all data"),
    ] {
        let log = directory.path().join("log");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=close", "-P"]).arg(&a).arg("-o").arg(&log);
        strace.args(["-e", &format!("inject=close:error={error}")]).arg(built::example("close_errors")).args([&a, &b]);
        let output = strace.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let many: Vec<&str> = text.lines().filter(|line| line.starts_with("many")).collect();
        let expected = format!("many: {}: {advice}", a.display());
        assert_eq!(many, [expected.as_str(), "many: 1 of 2 closed without an error"], "{error}");
        assert_eq!(output.status.code(), Some(1));
        // The example closes that file once, even if the close returns an error.
        let log = std::fs::read_to_string(log).unwrap();
        assert_eq!(log.matches("close(").count(), 1, "{log}");
    }
}

#[test]
fn many_descriptors_are_listed() {
    let output = run("list_many", &[Path::new("900")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("900 descriptors: ") && text.ends_with(" ms, the median of 7\n"), "{text}");
    assert!(output.status.success());
}

#[test]
fn loop_around_poll_waits_for_children_and_for_a_socket() {
    let output = run("poll_loop", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        "echo slow; exec sleep 60: Deadline, \"slow\\n\"",
        "sleep 0.2; echo quick: Done, \"quick\\n\"",
        "the socket says: hello",
        "the talker: Done, \"\"",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn tokio_drives_what_takes_time() {
    prints(
        "with_tokio",
        "\
Done: 1 2 3 4 \n\
exit status: 0
sleep 0: exit status: 0
sleep 0.1: exit status: 0
sleep 60: signal: 15 (SIGTERM)
sorted: \"a\\nb\\n\"
",
    );
}

#[test]
fn async_io_drives_what_takes_time() {
    prints("with_async_io", "Done: fed\nand now it sleeps\nafter 50 ms: None\nended: signal: 15 (SIGTERM)\n");
}

/// Runs the commands as jobs; returns what is printed, without times.
fn jobs(options: &[&str], lines: &str) -> (String, Option<i32>) {
    let how = Capture::new().input(lines);
    let captured = Command::new(built::example("jobs")).args(options).capture(&how).unwrap();
    let text = String::from_utf8(captured.stdout).unwrap();
    assert_eq!(String::from_utf8_lossy(&captured.stderr), "");
    let without_time = |line: &str| match line.split_once(" after ") {
        Some((result, rest)) => format!("{result}: {}\n", rest.split_once(": ").unwrap().1),
        None => format!("{line}\n"),
    };
    (text.lines().map(without_time).collect(), captured.status.unwrap().code())
}

#[test]
fn jobs_print_their_outputs_in_order() {
    let lines = "sleep 0.2; echo one; echo error >&2\necho two\n\nexit 3\nkill -9 $$\n";
    let (text, code) = jobs(&["-j", "3"], lines);
    let expected = "\
ok: sleep 0.2; echo one; echo error >&2
one
error
ok: echo two
two
exit status: 3: exit 3
signal: 9 (SIGKILL): kill -9 $$
2 of 4 failed, 0 not started
";
    assert_eq!((&*text, code), (expected, Some(1)));
    assert_eq!(jobs(&[], "true\n"), ("ok: true\n0 of 1 failed, 0 not started\n".to_owned(), Some(0)));
    assert_eq!(jobs(&[], ""), ("0 of 0 failed, 0 not started\n".to_owned(), Some(0)));
}

#[test]
fn jobs_end_those_whose_time_is_over_and_after_the_first_failure_the_others() {
    let (text, code) = jobs(&["-t", "0.5"], "echo early; sleep 60 & sleep 60\necho quick\n");
    let expected =
        "time is over: echo early; sleep 60 & sleep 60\nearly\nok: echo quick\nquick\n1 of 2 failed, 0 not started\n";
    assert_eq!((&*text, code), (expected, Some(1)));
    let (text, code) = jobs(&["-x"], "echo begun; exec sleep 60\nsleep 0.2; exit 4\necho never\n");
    let expected =
        "stopped: echo begun; exec sleep 60\nbegun\nexit status: 4: sleep 0.2; exit 4\n2 of 2 failed, 1 not started\n";
    assert_eq!((&*text, code), (expected, Some(1)));
}

#[test]
fn jobs_example_has_less_than_120_lines() {
    assert!(include_str!("../examples/jobs.rs").lines().count() < 120);
}

#[test]
fn archive_is_packed_counted_and_summed_in_one_pass() {
    if !["tar", "gzip", "sha256sum"].into_iter().all(tools::has) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), vec![b'x'; 300_000]).unwrap();
    let archive = tempfile::NamedTempFile::new().unwrap();
    let output = run("archive", &[directory.path(), archive.path()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let unpacked = Command::new("gzip").arg("-dc").arg(archive.path()).output().unwrap().stdout;
    let sum = Command::new("sha256sum").stdin(Stdio::data(unpacked.clone())).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap();
    let expected = format!("{} bytes, SHA-256 {}\n", unpacked.len(), sum.split(' ').next().unwrap());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn outputs_of_two_commands_are_compared() {
    let run = |first: &str, second: &str| {
        let output = run("compare_outputs", &[Path::new(first), Path::new(second)]);
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (text, output.status.code())
    };
    assert_eq!(run("seq 2", "seq 2"), (String::new(), Some(0)));
    assert_eq!(run("seq 2", "echo 1"), ("2d1\n< 2\n".to_owned(), Some(1)));
    let text = "1d0\n< 1\ncompare_outputs: stage 0, `sh`: exit status: 3: no\n".to_owned();
    assert_eq!(run("echo 1; echo no >&2; exit 3", "true"), (text, Some(2)));
}

#[test]
fn function_of_the_example_filters_between_two_commands() {
    let filter = |first: &str, last: &str| {
        let output = run("filter", &[Path::new(first), Path::new(last)]);
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    assert_eq!(filter("printf 'a\\nb\\n'", "cat"), ("   1  a\n   2  b\n".to_owned(), Some(0)));
    assert_eq!(filter("seq 100000", "tail -n 1"), ("100000  100000\n".to_owned(), Some(0)));
    assert_eq!(filter("echo a; exit 3", "cat"), ("   1  a\n".to_owned(), Some(1)));
    let mut command = Command::new(built::example("filter"));
    let output = command.args(["seq 1", "cat"]).env("EXPLAIN", "1").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("stage 1: function `number`\n") && text.ends_with("   1  1\n"), "{text}");
}

#[test]
fn reports_of_a_line_arrive_beside_its_data() {
    if !tools::has("gzip") {
        return;
    }
    let output = run("status_line", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.pop(), Some("300000 bytes"));
    // The reports of different stages come in any order.
    lines.sort_unstable();
    assert_eq!(lines, ["generate: part 1", "generate: part 2", "generate: part 3", "pack: done", "unpack: done"]);
}
