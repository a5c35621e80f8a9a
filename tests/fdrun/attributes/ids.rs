//! Users, groups, privileges, and the signal at the parent's death.

use super::{is_root, same};
use crate::{LAUNCHERS, fdrun, outcome, run, run_with_file, script, tools};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Prints what `setpriv` reads of its own process: the ids, the groups, `no_new_privs` and the signal at the parent's death.
const DUMP: &str = "setpriv --dump";

#[test]
fn ids_and_groups_are_those_of_setpriv() {
    if !is_root() {
        return;
    }
    let cases = [
        ("--uid nobody", "--reuid nobody --clear-groups"),
        ("--uid 1234", "--reuid 1234 --clear-groups"),
        ("--uid nobody --gid daemon", "--reuid nobody --regid daemon --clear-groups"),
        ("--gid 4321 --groups daemon", "--regid 4321 --groups daemon"),
        ("--groups 7,daemon,99 --uid +5 --gid 6", "--reuid 5 --regid 6 --groups 7,daemon,99"),
        ("--groups ''", "--clear-groups"),
        ("--uid nobody --uid daemon", "--reuid daemon --clear-groups"),
    ];
    for (options, tool) in cases {
        same("", options, &format!("setpriv {tool}"), DUMP);
    }
    same("", "--uid nobody --gid nogroup", "setpriv --reuid nobody --regid nogroup --clear-groups", "id");
}

#[test]
fn own_ids_need_no_rights_and_no_fork() {
    for launcher in LAUNCHERS {
        let found = run(&format!("fdrun --launcher {launcher} --uid $(id -u) --gid $(id -g) -- sh -c 'id -u; id -g'"));
        assert_eq!(found, run("id -u; id -g"), "{launcher}");
    }
    let found = run("fdrun --launcher clone --uid 12345 -- true");
    assert_eq!((found.code, found.stdout.as_str()), (Some(125), ""), "{found:?}");
}

#[test]
fn a_file_is_opened_by_fdrun_and_not_by_the_new_user() {
    if !is_root() {
        return;
    }
    let (_directory, found) = run_with_file("chmod 600 old; fdrun --uid nobody --fd 5=read:old -- cat /dev/fd/5");
    assert_eq!((found.code, found.stdout.as_str()), (Some(1), ""), "the path is opened again: {found:?}");
    let (_directory, found) = run_with_file("chmod 600 old; fdrun --uid nobody --fd 0=read:old -- cat");
    assert_eq!(found, outcome(0, "old\n", ""));
}

#[test]
fn the_table_of_another_user_can_be_shown() {
    if !is_root() {
        return;
    }
    // The other user may not reach the directory of the build.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = "cp \"$FDRUN\" ./fdrun; chmod 755 fdrun; ./fdrun";
    let found = script(directory.path(), &format!("{copy} --uid nobody --fd 5=data:x --table </dev/null"));
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
    assert!(found.stdout.contains("\n       5  ") || found.stdout.contains("fdspawn-data"), "{}", found.stdout);
}

#[test]
fn no_new_privs_is_that_of_setpriv() {
    same("", "--no-new-privs", "setpriv --no-new-privs", DUMP);
}

#[test]
fn pdeathsig_is_that_of_setpriv() {
    for signal in ["KILL", "SIGTERM", "term", "RTMIN+1"] {
        same("", &format!("--pdeathsig {signal}"), &format!("setpriv --pdeathsig {signal}"), DUMP);
    }
    if !tools::has("setpriv") {
        return;
    }
    let line = |options: &str| {
        let found = run(&format!("setpriv --pdeathsig HUP \"$FDRUN\" {options} -- setpriv --dump"));
        assert_eq!(found.code, Some(0), "{found:?}");
        found.stdout.lines().find(|line| line.starts_with("Parent death signal")).unwrap().to_owned()
    };
    let (none, hup, quit) = ("Parent death signal: [none]", "Parent death signal: HUP", "Parent death signal: QUIT");
    let cases = [("", none), ("--exec", hup), ("--pdeathsig keep", hup), ("--exec --pdeathsig keep", hup)];
    let more = [("--pdeathsig clear", none), ("--exec --pdeathsig clear", none)];
    let last = [("--pdeathsig clear --pdeathsig 3", quit), ("--exec --pdeathsig 3 --pdeathsig clear", none)];
    for (options, expected) in cases.iter().chain(&more).chain(&last) {
        assert_eq!(line(options), *expected, "{options}");
    }
}

#[test]
fn the_program_dies_with_fdrun_if_pdeathsig_says_so() {
    for launcher in LAUNCHERS {
        let mut tool = Command::new(fdrun());
        tool.args(["--launcher", launcher, "--pdeathsig", "KILL", "--", "sh", "-c", "echo ready; exec sleep 600"]);
        let mut process = tool.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut text = String::new();
        output.read_line(&mut text).unwrap();
        assert_eq!(text, "ready\n", "{launcher}");
        let start = Instant::now();
        process.kill().unwrap();
        process.wait().unwrap();
        // The program has the only other writer of the pipe.
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ready\n", "{launcher}");
        assert!(start.elapsed() < Duration::from_secs(60), "{launcher}");
    }
}
