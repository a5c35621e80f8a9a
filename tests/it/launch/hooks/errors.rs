//! What the caller learns of a hook that fails, panics or ends the child.

use crate::own_process;
use crate::support;
use crate::support::children;
use crate::support::sources::memory_at;
use crate::support::table::Table;
use fdspawn::{Command, Failure};
use std::io;
use std::os::unix::process::ExitStatusExt;

#[test]
fn hooks_error_keeps_its_number_or_its_text() {
    type Make = fn() -> io::Error;
    let cases: [(Make, &str); 3] = [
        (|| io::Error::from_raw_os_error(libc::EXDEV), "pre_exec hook 1: Invalid cross-device link"),
        (|| io::Error::other("no luck today"), "pre_exec hook 1: no luck today"),
        (|| io::ErrorKind::TimedOut.into(), "pre_exec hook 1: timed out"),
    ];
    for (error, text) in cases {
        let mut command = support::command("true");
        // SAFETY: no other thread of this test holds the allocator's lock, so the child may allocate a text.
        unsafe {
            command.pre_exec(|| Ok(()));
            command.pre_exec(move || Err(error()));
        }
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 1, .. }));
        assert_eq!(error.to_string(), format!("cannot spawn `true`: {text}"));
    }
}

#[test]
fn long_text_of_a_hooks_error_is_cut_and_not_lost() {
    static TEXT: [u8; 5000] = [b'x'; 5000];
    let mut command = support::command("true");
    // SAFETY: no other thread of this test holds the allocator's lock, so the child may allocate a text.
    unsafe { command.pre_exec(|| Err(io::Error::other(std::str::from_utf8(&TEXT).unwrap()))) };
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::Hook { message: Some(text), .. } if text.len() == 1000));
}

#[test]
fn error_number_that_no_system_has_is_passed_on_as_text() {
    for code in [0, -5, 100_000] {
        let mut command = support::command("true");
        // SAFETY: no other thread of this test holds the allocator's lock, so the child may allocate a text.
        unsafe { command.pre_exec(move || Err(io::Error::from_raw_os_error(code))) };
        let error = command.spawn().unwrap_err();
        assert!(
            matches!(error.failure(), Failure::Hook { message: Some(text), .. } if text.contains(&code.to_string()))
        );
    }
}

own_process! {
    fn hook_that_panics_ends_the_child_and_never_unwinds_into_the_caller() {
        // The child prints the panic's message, by the panic hook of the process.
        std::panic::set_hook(Box::new(|_| {}));
        let mut command = support::command("true");
        // SAFETY: no other thread of this test holds the allocator's lock, so the child may allocate a text.
        unsafe { command.pre_exec(|| Ok(())).pre_exec(|| panic!("in the hook")) };
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::HookPanicked { index: 1 }), "{error}");
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn hook_that_ends_the_child_is_an_error_with_the_status() {
        let before = Table::current();
        let mut command = support::command("true");
        // SAFETY: the child ends.
        unsafe { command.pre_exec(|| libc::_exit(9)) };
        let status = |command: &mut Command<'_>| match command.spawn().unwrap_err().failure() {
            Failure::HookEnded(status) => *status,
            failure => panic!("{failure}"),
        };
        assert_eq!(status(&mut command).code(), Some(9));
        let mut command = support::command("true");
        // SAFETY: the child ends.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(libc::kill(libc::getpid(), libc::SIGKILL)))) };
        assert_eq!(status(&mut command).signal(), Some(libc::SIGKILL));
        assert_eq!(children(), 0);
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn hook_that_replaces_every_number_keeps_its_error_and_gets_no_bytes_of_the_library() {
        let file = memory_at(5, "", false);
        let mut command = support::command("true");
        // SAFETY: the child renumbers descriptors of its own.
        unsafe {
            command.keep(&file).pre_exec(|| {
                for number in 6..2000 {
                    libc::dup2(5, number);
                }
                Err(io::Error::from_raw_os_error(libc::EXDEV))
            })
        };
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 0, .. }), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EXDEV));
        assert_eq!(rustix::fs::fstat(&file).unwrap().st_size, 0);
        assert_eq!(children(), 0);
    }
}
