//! Arguments, environment and working directory.

use crate::own_process;
use crate::support;
use crate::support::helper::MARK;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Environment, Failure, Stage};
use std::ffi::{CStr, OsStr, c_char};
use std::fs;
use std::os::unix::ffi::OsStrExt;

#[test]
fn arguments_arrive_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("arguments");
    for launcher in LAUNCHERS {
        let mut command = helper("arguments");
        command.arg(&out).args(["", "two words", "$HOME", "\"quotes'"]).arg0("zeroth").launcher(launcher);
        assert!(command.status().unwrap().success());
        let text = fs::read_to_string(&out).unwrap();
        let arguments: Vec<&str> = text.split('\n').collect();
        assert_eq!(arguments[0], "zeroth");
        assert_eq!(arguments[4..], ["", "two words", "$HOME", "\"quotes'"]);
        assert!(command.arg0("").status().unwrap().success());
        assert!(fs::read_to_string(&out).unwrap().starts_with('\n'), "an empty arg0 is passed");
    }
}

fn environment_of(command: &mut Command<'_>, out: &std::path::Path) -> Vec<Vec<u8>> {
    assert!(command.status().unwrap().success());
    let mut lines: Vec<Vec<u8>> = fs::read(out).unwrap().split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.retain(|line| !line.is_empty());
    lines
}

#[test]
fn environment_is_the_parents_with_changes() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("environment");
    let path = [b"PATH=".as_slice(), std::env::var_os("PATH").unwrap().as_bytes()].concat();
    for launcher in LAUNCHERS {
        let mut command = helper("environment");
        command.arg(&out).launcher(launcher);
        command.env("FDSPAWN_A", "1").env("FDSPAWN_A", "2").env("FDSPAWN_B", OsStr::from_bytes(b"\xff=x"));
        command.envs([("FDSPAWN_C", "3"), ("FDSPAWN_D", "")]).env_remove("FDSPAWN_C").env_remove("HOME");
        let lines = environment_of(&mut command, &out);
        let has = |line: &[u8]| lines.iter().any(|found| found == line);
        assert!(has(b"FDSPAWN_A=2") && has(b"FDSPAWN_B=\xff=x") && has(b"FDSPAWN_D=") && has(&path));
        assert!(!lines.iter().any(|line| line.starts_with(b"FDSPAWN_C=") || line.starts_with(b"HOME=")));
        let mut command = helper("environment");
        command.arg(&out).launcher(launcher).env("FDSPAWN_BEFORE", "1").env_clear().env("FDSPAWN_AFTER", "2");
        assert_eq!(environment_of(&mut command, &out), [b"FDSPAWN_AFTER=2"]);
    }
}

#[test]
fn working_directory_is_by_path_or_by_descriptor_and_the_last_call_counts() {
    let root = tempfile::tempdir().unwrap();
    let real = root.path().canonicalize().unwrap();
    let out = real.join("out");
    let opened = fs::File::open(&real).unwrap();
    for launcher in LAUNCHERS {
        let mut command = helper("directory");
        command.arg(&out).launcher(launcher).current_dir("/");
        assert!(command.status().unwrap().success());
        assert_eq!(fs::read(&out).unwrap(), b"/");
        assert!(command.current_dir_fd(&opened).status().unwrap().success());
        assert_eq!(fs::read(&out).unwrap(), real.as_os_str().as_bytes());
        assert!(command.current_dir("/usr").status().unwrap().success());
        assert_eq!(fs::read(&out).unwrap(), b"/usr");
    }
}

#[test]
fn getters_return_what_was_set() {
    let mut command = support::command("program");
    command.args(["a", "b"]).env("SET", "1").env_remove("GONE").current_dir("/somewhere");
    assert_eq!(command.get_program(), "program");
    assert_eq!(command.get_args().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(command.get_args().len(), 2);
    let variables: Vec<_> = command.get_envs().collect();
    assert_eq!(variables, [(OsStr::new("GONE"), None), (OsStr::new("SET"), Some(OsStr::new("1")))]);
    assert_eq!(command.get_current_dir(), Some(std::path::Path::new("/somewhere")));
    assert_eq!(format!("{command:?}"), "cd /somewhere && env -u GONE SET=1 program a b");
}

#[test]
fn prepared_environment_is_that_of_its_capture_with_changes_on_top() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("environment");
    let environment = Environment::capture();
    assert_eq!(environment.len(), std::env::vars_os().count());
    for launcher in LAUNCHERS {
        let mut inherited = helper("environment");
        inherited.arg(&out).launcher(launcher);
        let mut prepared = helper("environment");
        prepared.arg(&out).launcher(launcher).environment(&environment);
        assert_eq!(environment_of(&mut prepared, &out), environment_of(&mut inherited, &out));

        // `helper` has made one change already. These are two more, one before and one after `environment`.
        let mut changed = helper("environment");
        changed.arg(&out).launcher(launcher).env("FDSPAWN_A", "1").environment(&environment).env_remove("PATH");
        let lines = environment_of(&mut changed, &out);
        assert!(lines.contains(&b"FDSPAWN_A=1".to_vec()));
        assert!(!lines.iter().any(|line| line.starts_with(b"PATH=")));
        assert!(environment.get("PATH").is_some());

        // `env_clear` clears the prepared environment too.
        changed.env_clear().env("FDSPAWN_B", "2");
        assert_eq!(environment_of(&mut changed, &out), [b"FDSPAWN_B=2"]);
    }
}

own_process! {
    fn prepared_environment_does_not_follow_the_parents() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("environment");
        // SAFETY: no other code in this process reads or writes the environment now.
        unsafe { std::env::set_var("FDSPAWN_CAPTURED", "before") };
        let environment = Environment::capture();
        // SAFETY: as above.
        unsafe { std::env::set_var("FDSPAWN_CAPTURED", "after") };
        for launcher in LAUNCHERS {
            // There is no change, so the child gets the prepared block itself.
            let mut command = support::command(support::test_binary());
            command.args([MARK, "environment"]).arg(&out).launcher(launcher).environment(&environment);
            let lines = environment_of(&mut command, &out);
            assert!(lines.contains(&b"FDSPAWN_CAPTURED=before".to_vec()));
            assert_eq!(lines.len(), environment.len());
        }
        // The library looks the program up in the PATH of the prepared environment.
        // SAFETY: as above.
        unsafe { std::env::set_var("PATH", "/no/such") };
        assert!(support::command("true").environment(&environment).status().unwrap().success());
        support::command("true").status().unwrap_err();
    }
}

#[test]
fn strings_are_passed_on_in_their_order_whatever_they_are() {
    let strings = ["B=2", "JUNK", "=C:=C:\\dir", "B=3", "", "A=1", "="].map(OsStr::new);
    let not_text = OsStr::from_bytes(b"\xff");
    let environment = Environment::from_strings(strings.iter().copied().chain([not_text])).unwrap();
    assert_eq!((environment.len(), environment.get("B")), (8, Some(OsStr::new("2"))));
    let printed = |command: &mut Command<'_>| {
        let output = command.output().unwrap();
        assert!(output.status.success());
        let strings: Vec<Vec<u8>> = output.stdout.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        strings[..strings.len() - 1].to_vec()
    };
    for launcher in LAUNCHERS {
        let mut command = support::command("env");
        command.arg("-0").launcher(launcher).environment(&environment);
        let expected: [&[u8]; 8] = [b"B=2", b"JUNK", b"=C:=C:\\dir", b"B=3", b"", b"A=1", b"=", b"\xff"];
        assert_eq!(printed(&mut command), expected);
        command.env("A", "new").env_remove("JUNK").env_remove("B");
        let expected: [&[u8]; 6] = [b"JUNK", b"=C:=C:\\dir", b"", b"=", b"\xff", b"A=new"];
        assert_eq!(printed(&mut command), expected);
    }
    let error = Environment::from_strings(["A=1", "B=\0"]).unwrap_err();
    assert_eq!(error.to_string(), "cannot make an environment: an environment variable has a NUL byte inside");
    assert_eq!((error.kind(), error.raw_os_error()), (std::io::ErrorKind::InvalidInput, Some(libc::EINVAL)));
    assert!(Environment::from_strings([""; 0]).unwrap().is_empty());
}

#[test]
fn removing_a_name_that_no_variable_has_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("environment");
    for launcher in LAUNCHERS {
        let mut command = helper("environment");
        command.arg(&out).launcher(launcher).env("FDSPAWN_A", "B=1");
        let before = environment_of(&mut command, &out);
        command.env_remove("FDSPAWN_A=B").env_remove("").env_remove("=A=").env_remove("A\0B");
        assert_eq!(environment_of(&mut command, &out), before);
        // The call removes what the command has set.
        command.env("A=B", "").env_remove("A=B");
        assert_eq!(environment_of(&mut command, &out), before);
        assert!(!format!("{command:?}").contains("-u"), "{command:?}");
    }
}

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

own_process! {
    fn inherited_variables_keep_their_order_and_those_that_occur_twice() {
        // This spawn finds out that the process was started with variables only. `odd_entries` is about other
        // processes.
        assert!(!Environment::capture().is_empty());
        let strings = [c"Z=1", c"JUNK", c"A=2", c"=C:=3", c"Z=4", c""].map(CStr::as_ptr);
        let array = [&strings[..], &[std::ptr::null()]].concat();
        // SAFETY: no other code in this process reads or writes the environment now. The array lives until the process ends.
        unsafe { environ = array.leak().as_ptr() };
        for launcher in LAUNCHERS {
            let mut command = support::command("env");
            let output = command.arg("-0").launcher(launcher).output().unwrap().stdout;
            // Without the strings that are no variables, and that only this test has put there.
            assert_eq!(output, b"Z=1\0A=2\0=C:=3\0Z=4\0");
            let output = command.env("B", "5").env_remove("A").output().unwrap().stdout;
            assert_eq!(output, b"Z=1\0=C:=3\0Z=4\0B=5\0");
        }
    }
}

#[test]
fn pairs_are_variables_in_their_order_and_those_of_this_process_make_a_copy() {
    let pairs = [("Z", "1"), ("A", ""), ("=C:", "C:\\dir"), ("Z", "2=3")]
        .map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let not_text = (OsStr::from_bytes(b"\xfe"), OsStr::from_bytes(b"\xff"));
    let environment = Environment::from_pairs(pairs.into_iter().chain([not_text])).unwrap();
    assert_eq!((environment.len(), environment.get("Z")), (5, Some(OsStr::new("1"))));
    for launcher in LAUNCHERS {
        let output = support::command("/usr/bin/env").arg("-0").launcher(launcher).environment(&environment).output();
        assert_eq!(output.unwrap().stdout, b"Z=1\0A=\0=C:=C:\\dir\0Z=2=3\0\xfe=\xff\0");
    }
    // Each pair of std is one that it accepts.
    let copy = Environment::from_pairs(std::env::vars_os()).unwrap();
    assert_eq!(copy.len(), std::env::vars_os().count());
    assert!(std::env::vars_os().all(|(name, _)| copy.get(&name).is_some()));
    assert!(Environment::from_pairs([("", ""); 0]).unwrap().is_empty());
}

#[test]
fn pairs_that_a_program_would_read_otherwise_are_refused() {
    for name in ["", "A=B", "A=", "==", "=A=B"] {
        let error = Environment::from_pairs([("FINE", "1"), (name, "value")]).unwrap_err();
        assert!(matches!(error.failure(), Failure::VariableName(refused) if refused == name), "{error}");
        assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::EINVAL), Stage::Parent));
    }
    for (name, value) in [("A\0", "1"), ("A", "1\0"), ("\0", "")] {
        let error = Environment::from_pairs([(name, value)]).unwrap_err();
        assert!(matches!(error.failure(), Failure::NulByte(_)), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }
}
