//! The exit status of `fdrun`, and its own errors.

use super::{LAUNCHERS, outcome, run, run_with_file};

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
fn a_shell_shows_128_and_the_number_of_the_signal_that_has_killed_the_child() {
    for launcher in LAUNCHERS {
        for signal in [9, 15] {
            // The shell may write to standard error how fdrun has ended.
            let child = format!("sh -c 'kill -{signal} $$; echo survived'");
            let found = run(&format!("{{ fdrun --launcher {launcher} -- {child}; echo $?; }} 2>/dev/null"));
            assert_eq!(found, outcome(0, &format!("{}\n", 128 + signal), ""), "{launcher}");
        }
    }
}

#[test]
fn a_write_to_a_pipe_without_a_reader_kills_the_child() {
    let found = run("fdrun -- sh -c 'kill -13 $$; echo survived'");
    assert_eq!(found, outcome(128 + 13, "", ""), "Rust ignores SIGPIPE; the child must not");
}

#[test]
fn a_program_that_is_not_found_gives_127() {
    for launcher in LAUNCHERS {
        // If PATH has a directory that may not be searched, the error is `Permission denied` instead.
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
        // The shell writes the script: the kernel refuses to execute a file that is open for writing, and a child of
        // another test might have a copy of a descriptor of this process.
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
        ("--explain=yes -- echo", "--explain takes no value or `dot`, not `yes`; see --help"),
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
        ("--limit 5 -- echo", "--limit takes N=BYTES, not `5`; see --help"),
        ("--limit x=3 -- echo", "--limit takes N=BYTES, not `x=3`; see --help"),
        ("--limit 5=-1 -- echo", "--limit takes N=BYTES, not `5=-1`; see --help"),
        ("--limit 5=+1 -- echo", "--limit takes N=BYTES, not `5=+1`; see --help"),
        ("--limit 5= -- echo", "--limit takes N=BYTES, not `5=`; see --help"),
        ("--limit 5=18446744073709551616 -- echo", "--limit takes N=BYTES, not `5=18446744073709551616`; see --help"),
        ("--capture 5 -- echo", "--capture takes N=FILE, not `5`; see --help"),
        ("--capture =x -- echo", "--capture takes N=FILE, not `=x`; see --help"),
        ("--capture 5= -- echo", "cannot open `` for descriptor 5: No such file"),
        ("--lines=x -- echo", "unexpected argument for option '--lines': \"x\""),
        ("--launcher spoon -- echo", "--launcher takes auto, clone or fork, not `spoon`; see --help"),
        ("--env NAME -- echo", "--env takes NAME=VALUE, not `NAME`; see --help"),
        // Files.
        ("--fd 5=read:/no/file -- echo", "cannot open `/no/file` for descriptor 5: No such file"),
        ("--fd 5=write:/no/file -- echo", "cannot open `/no/file` for descriptor 5: No such file"),
        ("--fd 5=append:/ -- echo", "cannot open `/` for descriptor 5: Is a directory"),
        ("--fd 5=rw: -- echo", "cannot open `` for descriptor 5: No such file"),
        // Descriptors that fdrun was not started with.
        ("--fd 5=parent:3 -- echo", "the source of target 5, descriptor 3, is not open in the parent"),
        ("--fd 5=parent:-1 -- echo", "the source of target 5, descriptor -1, is not open in the parent"),
        ("--keep 3 -- echo", "descriptor 3 is not open in the parent"),
        ("--keep -1 -- echo", "descriptor -1 is not open in the parent"),
        // Refused plans.
        ("--pipe-from 5 --pipe-from 5 -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--limit 5=1 --limit 5=2 -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--capture 5=/dev/null --capture 5=/dev/null -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--fd 5=null --limit 5=1 -- echo", "cannot spawn `echo`: target 5 is given twice"),
        ("--limit -7=1 -- echo", "cannot spawn `echo`: target -7 is below zero"),
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
