//! Handles and spawns in several threads.

use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Stdio};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;

#[test]
fn kill_and_try_wait_from_many_threads_agree() {
    for launcher in LAUNCHERS {
        let child = helper("wait").launcher(launcher).spawn().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    child.kill().unwrap();
                    while child.try_wait().unwrap().is_none() {
                        std::thread::yield_now();
                    }
                    child.kill().unwrap();
                });
            }
        });
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn children_of_many_threads_do_not_hold_each_others_pipes() {
    // If an end of a pipe leaked into another child, `cat` would wait for ever.
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for index in 0..crate::support::rounds(12, 40) {
                    let launcher = LAUNCHERS[(thread + index) % 2];
                    let mut command = helper("cat");
                    command.launcher(launcher).stdin(Stdio::piped()).stdout(Stdio::piped());
                    let mut child = command.spawn().unwrap();
                    let text = format!("{thread} {index}");
                    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                    assert_eq!(child.wait_with_output().unwrap().stdout, text.as_bytes());
                }
            });
        }
    });
}

#[test]
fn types_can_go_where_those_of_std_go() {
    fn sendable<T: Send>() {}
    fn shareable<T: Send + Sync>() {}
    sendable::<Command<'static>>();
    shareable::<Command<'static>>();
    shareable::<fdspawn::Child>();
    shareable::<fdspawn::Error>();
    shareable::<fdspawn::Slot<std::io::PipeReader>>();
}
