//! A child that reports what it has.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

/// The first argument of a child that reports.
pub const MARK: &str = "fdspawn-walk-report";

/// Plays the role that the arguments name.
pub fn run(args: &[String]) {
    let words: Vec<&str> = args[2..].iter().map(String::as_str).collect();
    match words[..] {
        ["to", path, ..] => std::fs::write(path, report(args)).unwrap(),
        ["descriptors", path] => std::fs::write(path, descriptors()).unwrap(),
        ["environment", path] => std::fs::write(path, environment()).unwrap(),
        // Writes to both streams, in pieces, and more than a pipe can hold.
        ["flood", bytes] => {
            let piece = [b'x'; 1000];
            for _ in 0..bytes.parse::<usize>().unwrap() / piece.len() {
                std::io::stdout().write_all(&piece).unwrap();
                std::io::stderr().write_all(&piece).unwrap();
            }
            std::io::stdout().flush().unwrap();
        }
        // Copies its input to its output.
        ["copy"] => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).unwrap();
            std::io::stdout().write_all(&text).unwrap();
            std::io::stdout().flush().unwrap();
        }
        ["jobserver", path] => {
            let flags = std::env::var("MAKEFLAGS").unwrap_or_default();
            let auth = flags.split(' ').find_map(|flag| flag.strip_prefix("--jobserver-auth=")).unwrap_or_default();
            let is_open = match (auth.strip_prefix("fifo:"), auth.split_once(',')) {
                (Some(fifo), _) => std::path::Path::new(fifo).exists(),
                (None, Some((read, write))) => [read, write].iter().all(|fd| mode(fd.parse().unwrap()).is_some()),
                (None, None) => false,
            };
            let text = if is_open { "the jobserver is open" } else { "no jobserver" };
            std::fs::write(path, text).unwrap();
        }
        ref other => panic!("no such role: {other:?}"),
    }
}

fn report(args: &[String]) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    // SAFETY: the calls have no arguments that refer to memory.
    let (own, group, session, mask) = unsafe { (libc::getpid(), libc::getpgrp(), libc::getsid(0), libc::umask(0o22)) };
    let mut text = String::new();
    let program = args[0].rsplit('/').next().unwrap().split('-').next().unwrap();
    writeln!(text, "argument 0: {program}").unwrap();
    writeln!(text, "arguments: {:?}", &args[4..]).unwrap();
    writeln!(text, "directory: {}", std::env::current_dir().unwrap().display()).unwrap();
    writeln!(text, "group: {}", if group == own { "its own" } else { "another" }).unwrap();
    writeln!(text, "session: {}", if session == own { "its own" } else { "another" }).unwrap();
    writeln!(text, "umask: {mask:o}").unwrap();
    for name in ["Uid:", "Gid:", "Groups:", "NoNewPrivs:"] {
        writeln!(text, "{name} {}", line(name)).unwrap();
    }
    for name in ["SigBlk:", "SigIgn:", "SigCgt:"] {
        // glibc's posix_spawn ignores 32 and 33 in the child, which are glibc's own. glibc sets them anew in each program.
        let signals = u64::from_str_radix(&line(name), 16).unwrap() & !(0b11 << 31);
        writeln!(text, "{name} {signals:x}").unwrap();
    }
    write!(text, "{}", descriptors()).unwrap();
    text
}

/// The access mode of a number; `None` if it is not open.
fn mode(number: i32) -> Option<i32> {
    // SAFETY: the call only reads flags, and the number need not be open.
    match unsafe { libc::fcntl(number, libc::F_GETFL) } {
        -1 => None,
        flags => Some(flags & libc::O_ACCMODE),
    }
}

/// Each open number with what it refers to and its access mode.
fn descriptors() -> String {
    let mut text = String::new();
    for number in 0..100 {
        let Some(mode) = mode(number) else { continue };
        let file = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        let file = file.to_str().unwrap().split(":[").next().unwrap().to_owned();
        let mode = ["read", "write", "both"][mode as usize];
        writeln!(text, "descriptor {number}: {file}, {mode}").unwrap();
    }
    text
}

/// The strings of the environment, in their order.
fn environment() -> String {
    unsafe extern "C" {
        static environ: *const *const std::ffi::c_char;
    }
    let mut strings = Vec::new();
    // SAFETY: the array ends with a null pointer, and no thread changes it.
    unsafe {
        let mut next = environ;
        while !(*next).is_null() {
            strings.push(CStr::from_ptr(*next).to_string_lossy().into_owned());
            next = next.add(1);
        }
    }
    strings.retain(|string| !string.starts_with("FDSPAWN_"));
    strings.join("\n")
}
