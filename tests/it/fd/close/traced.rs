//! Closes counted by strace.

use super::NAMES;
use crate::own_process;
use crate::support::fuse::Files;
use crate::support::helper;
use crate::support::tools::has;
use fdspawn::Command;
use std::path::{Path, PathBuf};

/// Runs a helper under strace, which closes the given files in each way. Returns its closes, by strace, and what the
/// helper printed.
///
/// If there is an error to inject, strace answers each close of these files with it, and the kernel does not run the
/// close.
fn traced(paths: &[PathBuf], inject: Option<&str>) -> Option<(Vec<String>, String)> {
    if !has("strace") {
        return None;
    }
    if !Path::new("/proc/self/fd").exists() {
        eprintln!("skipped: strace needs /proc to know a path");
        return None;
    }
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=openat,close", "-o"]).arg(trace.path());
    if let Some(error) = inject {
        strace.args(["-e", &format!("inject=close:error={error}")]);
        for path in paths {
            strace.arg("-P").arg(path);
        }
    }
    let close = helper("close");
    let output = strace.arg(close.get_program()).args(close.get_args()).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(trace.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.contains("openat(")).unwrap();
    assert!(lines[last].contains(paths.last().unwrap().to_str().unwrap()), "{text}");
    let closes = lines[last..].iter().filter(|line| line.contains("close(")).map(|line| (*line).to_owned()).collect();
    Some((closes, String::from_utf8(output.stdout).unwrap()))
}

/// Asserts that each path was closed once, in their order, with the given error, and that the helper got each error.
fn assert_closed_once(closes: &[String], said: &str, expected: &[(&Path, &str, i32)], then: &str) {
    assert_eq!(closes.len(), expected.len(), "{closes:#?}");
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for ((close, said), (path, name, errno)) in closes.iter().zip(said).zip(expected) {
        let (_, number) = close.split_once("close(").unwrap();
        let (number, _) = number.split_once('<').unwrap();
        assert!(close.contains(&format!("close({number}<{}>)", path.display())), "{close}");
        assert!(close.contains(&format!("= -1 {name} ")), "{close}");
        assert_eq!(said, format!("{number} {errno} {then}"));
    }
}

#[test]
fn strace_shows_one_close_of_each_whatever_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let paths = ["close", "close_all 1", "close_all 2", "sync_and_close"].map(|name| directory.join(name));
    for path in &paths {
        std::fs::write(path, "").unwrap();
    }
    for (name, errno) in NAMES {
        let Some((closes, said)) = traced(&paths, Some(name)) else { return };
        let expected: Vec<(&Path, &str, i32)> = paths.iter().map(|path| (path.as_path(), name, errno)).collect();
        // strace has kept each close from the kernel, so the files are open.
        assert_closed_once(&closes, &said, &expected, "open");
    }
    let Some((closes, said)) = traced(&paths, None) else { return };
    assert_eq!(said, "");
    assert_eq!(closes.len(), paths.len());
    assert!(closes.iter().all(|close| close.ends_with("= 0")), "{closes:#?}");
}

own_process! {
    fn strace_shows_one_close_of_each_file_whose_server_fails() {
        let Some(files) = Files::mount() else { return };
        for (name, errno) in NAMES {
            let paths = [1, 2, 3, 4].map(|count| files.path(&format!("flush={errno},{count}")));
            let Some((closes, said)) = traced(&paths, None) else { return };
            let expected: Vec<(&Path, &str, i32)> = paths.iter().map(|path| (path.as_path(), name, errno)).collect();
            assert_closed_once(&closes, &said, &expected, "free");
        }
    }
}
