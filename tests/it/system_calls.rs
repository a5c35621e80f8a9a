//! How many system calls a spawn takes, counted by strace.

use crate::support::helper;
use crate::support::sources::program;
use crate::support::tools::has;
use std::process::Command;

/// A static program that does nothing but exit with status 0.
pub fn tiny_program() -> tempfile::TempPath {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    program(&path, &tiny_image(), 0o755);
    path
}

/// An ELF file of two headers and a few instructions.
pub fn tiny_image() -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    #[cfg(target_arch = "x86_64")]
    let (machine, code) = (62_u16, [0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05]); // exit_group(0)
    #[cfg(target_arch = "aarch64")]
    let (machine, code) = (183_u16, [0x00, 0x00, 0x80, 0xd2, 0xc8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4]);
    let size = HEADERS + code.len() as u64;
    let mut image = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    image.extend(2_u16.to_le_bytes()); // executable
    image.extend(machine.to_le_bytes());
    image.extend(1_u32.to_le_bytes());
    for word in [BASE + HEADERS, 64, 0] {
        image.extend(word.to_le_bytes()); // entry, program headers, no sections
    }
    image.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        image.extend(half.to_le_bytes());
    }
    image.extend(1_u32.to_le_bytes()); // load
    image.extend(5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, size, size, 0x1000] {
        image.extend(word.to_le_bytes());
    }
    image.extend(code);
    image
}

/// The system calls of one spawn of the tiny program, in parent and child together, without exit_group, which strace -c does
/// not count since it does not return.
fn calls_of_one(what: &str) -> f64 {
    let program = tiny_program();
    let calls = |count: u32| {
        let repeat = helper("repeat");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-U", "calls,name"]).arg(repeat.get_program()).args(repeat.get_args());
        let output = strace.args([what, &count.to_string()]).arg(&program).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let total = text.lines().rev().find(|line| line.ends_with("total")).unwrap_or_else(|| panic!("{text}"));
        total.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    // The difference leaves the helper's own start out.
    (calls(150) - calls(50)) / 100.0
}

#[test]
fn plain_status_takes_12_calls_in_parent_and_child_together() {
    if has("strace") {
        // Parent: three fcntl, two rt_sigprocmask, clone3, waitid. Child: close_range, rt_sigaction, rt_sigprocmask, execve.
        assert_eq!(calls_of_one("status"), 11.0);
    }
}

/// The calls of closing one descriptor: std asks whether it is open first, where debug assertions are on.
const CLOSE: f64 = if cfg!(debug_assertions) { 2.0 } else { 1.0 };

#[test]
fn plain_spawn_takes_two_calls_more() {
    if has("strace") {
        // A waitid, since the child may have been killed before exec, and the pidfd is closed in the end.
        assert_eq!(calls_of_one("spawn"), 11.0 + 1.0 + CLOSE);
    }
}

#[test]
fn spawn_with_three_pipes_takes_no_call_that_is_not_needed() {
    if has("strace") {
        // Parent: prlimit64 for the highest target, three pipe2, and six ends to close. Child: three dup3, and a close_range
        // from 3 on. The pipes show that 0, 1 and 2 are open: no fcntl.
        assert_eq!(calls_of_one("pipes"), 9.0 + CLOSE + 4.0 + 6.0 * CLOSE + 4.0);
    }
}
