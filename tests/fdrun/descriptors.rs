//! `--fd`, `--keep` and `--inherit-rest`: what the child has at each number.

use super::{LAUNCHERS, content, fdrun, outcome, run, run_with_file};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

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
fn last_source_of_a_number_counts() {
    assert_eq!(run("fdrun --fd 5=null --fd 0=null --fd 5=data:x --fd 0=same:5 -- cat"), outcome(0, "x", ""));
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
fn append_writes_at_the_end_if_others_write_too() {
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
fn closed_leaves_its_number_closed() {
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
