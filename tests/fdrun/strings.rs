//! Options for the child's directory, environment and arguments.

use super::{outcome, run, run_with_file};

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
