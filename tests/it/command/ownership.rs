//! Sources in the parent: which of them a spawn closes, and when.

use crate::support;
use crate::support::sources::memory;
use crate::support::table::Table;
use crate::support::{LAUNCHERS, Planned, helper};
use fdspawn::{Failure, Stdio, plan::Refusal};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

#[test]
fn moved_source_is_closed_as_soon_as_the_spawn_has_succeeded() {
    for launcher in LAUNCHERS {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = helper("print-on");
        command.args(["5", "text"]).launcher(launcher).fd(5, writer).planned();
        let mut child = command.spawn().unwrap();
        let mut text = String::new();
        // The command still exists, and yet the reader sees the end.
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert!(child.wait().unwrap().success());
        drop(command);
    }
}

#[test]
fn failed_spawn_leaves_the_command_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    for launcher in LAUNCHERS {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).fd(5, memory("moved"));
        command.current_dir("/nonexistent");
        for _ in 0..2 {
            assert!(matches!(command.spawn().unwrap_err().failure(), Failure::WorkingDirectory(Some(_))));
        }
        command.current_dir("/");
        assert!(command.status().unwrap().success());
        assert_eq!(Table::read(&out).content(5), Some("moved"));
    }
}

#[test]
fn second_spawn_with_a_source_that_was_spent_is_refused_with_advice() {
    for launcher in LAUNCHERS {
        let mut command = support::command("true");
        command.launcher(launcher).fd(5, memory("moved"));
        assert!(command.status().unwrap().success());
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(Refusal::SourceSpent { target: 5 })));
        let text = error.to_string();
        assert!(text.contains("target 5") && text.contains("lend it") && text.contains("Arc"), "{text}");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn lent_and_shared_sources_serve_every_spawn_and_stay_open() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    for launcher in LAUNCHERS {
        let mut lent = memory("lent");
        let shared: Arc<OwnedFd> = Arc::new(memory("shared").into());
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).fd(5, &lent).fd(6, shared.clone());
        for _ in 0..3 {
            assert!(command.status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(5, "lent"), (6, "shared")]);
        }
        drop(command);
        assert_eq!(Arc::strong_count(&shared), 1);
        let mut text = String::new();
        std::io::Seek::rewind(&mut lent).unwrap();
        lent.read_to_string(&mut text).unwrap();
        assert_eq!(text, "lent");
    }
}

#[test]
fn pipes_are_made_afresh_for_each_spawn() {
    for launcher in LAUNCHERS {
        let mut command = helper("print-on");
        command.args(["7", "text"]).launcher(launcher);
        let slot = command.reader(7);
        command.planned();
        for _ in 0..3 {
            let mut child = command.spawn().unwrap();
            let mut text = String::new();
            child.take(slot).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
            assert!(child.take(slot).is_none(), "a slot is redeemed once");
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn slot_of_another_command_gives_nothing() {
    let mut one = support::command("true");
    let mut other = support::command("true");
    let slot = one.reader(7);
    let _ = other.reader(7);
    let mut child = other.spawn().unwrap();
    assert!(child.take(slot).is_none());
    child.wait().unwrap();
}

#[test]
fn std_streams_and_child_pipes_of_std_can_be_sources() {
    for launcher in LAUNCHERS {
        let mut first =
            std::process::Command::new("echo").arg("text").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut command = helper("cat");
        command.launcher(launcher).stdin(first.stdout.take().unwrap()).stderr(std::io::stdout());
        let output = command.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(output.stdout, b"text\n");
        first.wait().unwrap();
    }
}

#[test]
fn any_owner_in_an_arc_can_be_shared() {
    struct Own(std::fs::File);
    impl AsFd for Own {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let (file, own, socket) =
        (Arc::new(memory("file")), Arc::new(Own(memory("own"))), Arc::new(UnixStream::pair().unwrap().0));
    for launcher in LAUNCHERS {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher);
        command.fd(5, file.clone()).fd(6, own.clone()).fd(7, socket.clone()).fd(8, file.clone());
        assert!(format!("{:?}", Stdio::from(file.clone())).contains(&file.as_raw_fd().to_string()));
        // A command that borrows nothing can be sent to another thread.
        let mut command: fdspawn::Command<'static> = command;
        let owners = Arc::strong_count(&file);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2 {
                    assert!(command.status().unwrap().success());
                }
            });
        });
        let table = Table::read(&out);
        assert_eq!((table.content(5), table.content(6), table.content(8)), (Some("file"), Some("own"), Some("file")));
        assert_eq!(table.numbers(), [0, 1, 2, 5, 6, 7, 8]);
        assert_eq!(Arc::strong_count(&file), owners, "a spawn keeps the command's share");
        drop(command);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}

#[test]
fn last_owner_of_a_shared_source_closes_it_also_if_that_is_the_command() {
    for launcher in LAUNCHERS {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = support::command("true");
        command.launcher(launcher).fd(5, Arc::new(writer));
        assert!(command.status().unwrap().success() && command.status().unwrap().success());
        drop(command);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
