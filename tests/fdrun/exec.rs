//! `--exec`: the program takes the place of `fdrun`.

use super::{LAUNCHERS, fdrun, outcome, run, run_with_file};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[test]
fn exec_keeps_the_process() {
    let found = run("sh -c 'echo $$; exec \"$FDRUN\" --exec -- sh -c \"echo \\$\\$\"'");
    let lines: Vec<&str> = found.stdout.lines().collect();
    assert_eq!((found.code, lines.len(), lines[0]), (Some(0), 2, lines[1]), "{found:?}");
    let status = Command::new(fdrun()).args(["--exec", "--", "sh", "-c", "kill -9 $$"]).status().unwrap();
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn exec_gives_the_program_the_same_descriptors_and_streams_as_a_spawn() {
    let plans = [
        "",
        "--fd 9=read:old --fd 4=parent:3 --fd 5=data:x --keep 7 --fd 8=same:9 --fd 0=closed",
        "--fd 3=parent:7 --fd 7=parent:3 --fd 1=parent:2 --fd 2=parent:1",
        "--inherit-rest --fd 5=read:old --fd 7=closed",
    ];
    for plan in plans {
        let found = |option: &str| {
            let read = "for n in 3 4 5 7; do [ ! -e /dev/fd/$n ] || cat <&$n; done";
            let program = format!("sh -c \"$TABLE; echo error >&2; \"'{read}'");
            run_with_file(&format!("echo seven >seven; fdrun {option} {plan} -- {program} 3<old 7<seven")).1
        };
        let by_exec = found("--exec");
        assert_eq!(by_exec.code, Some(0), "{plan}: {by_exec:?}");
        for launcher in LAUNCHERS {
            assert_eq!(by_exec, found(&format!("--launcher {launcher}")), "{plan}");
        }
    }
}

#[test]
fn exec_gives_the_program_the_strings_that_the_options_name() {
    let found =
        run("A=0 fdrun --exec --cwd / --clear-env --env B=1 --arg0 name -- sh -c 'pwd; echo \"$0 $A $B\"' name");
    assert_eq!(found, outcome(0, "/\nname  1\n", ""));
}

#[test]
fn explain_prints_the_same_with_exec() {
    let plan = "--fd 5=data:x --fd 1=parent:2 --explain -- cat";
    assert_eq!(run(&format!("fdrun --exec {plan}")), run(&format!("fdrun {plan}")));
}

#[test]
fn options_for_which_fdrun_must_stay_do_not_go_with_exec() {
    let cases = [
        ("--pipe-from 5", "--pipe-from does not go with --exec: fdrun would not be there to read the pipe"),
        ("--limit 5=1", "--limit does not go with --exec: fdrun would not be there to read the pipe"),
        ("--capture 5=x", "--capture does not go with --exec: fdrun would not be there to read the pipe"),
        ("--lines", "--lines does not go with --exec: fdrun would not be there to read the pipe"),
        ("--launcher auto", "--launcher does not go with --exec: no process is launched"),
        ("--timeout 1", "--timeout does not go with --exec: fdrun would not be there to end the program"),
        ("--kill-after 1", "--kill-after does not go with --exec: fdrun would not be there to kill the program"),
        ("--usage", "--usage does not go with --exec: fdrun would not be there to print it"),
        #[cfg(target_os = "linux")]
        ("--tree process", "--tree does not go with --exec: fdrun would not be there to end the processes"),
        ("--table", "--table does not go with --exec: fdrun would not be there to print the table"),
    ];
    for (option, text) in cases {
        for options in [format!("--exec {option}"), format!("{option} --exec")] {
            // The file is not created.
            let (directory, found) = run_with_file(&format!("fdrun {options} --fd 6=write:new -- echo ran"));
            assert_eq!(found, outcome(125, "", &format!("fdrun: {text}\n")), "{options}");
            assert!(!directory.path().join("new").exists(), "{options}");
        }
    }
}

#[test]
fn errors_of_exec_have_the_same_statuses() {
    let path = "--env PATH=/bin:/usr/bin";
    let (_directory, found) = run_with_file(&format!("fdrun --exec {path} -- no-such-program"));
    assert_eq!((found.code, found.stdout.as_str()), (Some(127), ""), "{found:?}");
    let (_directory, found) = run_with_file("fdrun --exec -- ./old");
    assert_eq!((found.code, found.stdout.as_str()), (Some(126), ""), "{found:?}");
    let (_directory, found) = run_with_file("fdrun --exec --cwd /no/dir -- echo ran");
    assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "{found:?}");
    assert!(found.stderr.starts_with("fdrun: cannot exec"), "{found:?}");
}
