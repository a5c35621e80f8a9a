//! The first step beyond std: `CommandFdExt`, `ChildFdExt`, and the conversions into this library's own types.

use crate::own_process;
use crate::support::table::is_open;
use crate::support::{LAUNCHERS, helper::MARK, test_binary};
use fdspawn::process::{ChildFdExt, Command, CommandFdExt, Stdio};
use fdspawn::{FdMap, Rest, Teardown};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A duplicate of `/dev/null` without close-on-exec, at the number 60. Only a process of its own is sure to have it free: other tests open
/// more than a hundred descriptors at times.
fn inherited() -> OwnedFd {
    let null = File::open("/dev/null").unwrap();
    // SAFETY: the new number is this function's own.
    let fd = unsafe { OwnedFd::from_raw_fd(libc::fcntl(null.as_raw_fd(), libc::F_DUPFD, 60)) };
    assert_eq!(fd.as_raw_fd(), 60);
    fd
}

/// A shell that tells which numbers from 3 to 99 are open, each in a line.
fn lister() -> Command {
    let mut command = Command::new("sh");
    let script = "exec 2>/dev/null; i=3; while [ $i -lt 100 ]; do [ -e /proc/self/fd/$i ] && echo $i; i=$((i+1)); done";
    command.args(["-c", script]);
    command
}

fn numbers(output: &[u8]) -> Vec<i32> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

own_process! {
    fn rest_is_inherited_until_the_command_closes_it() {
        let other = inherited();
        let mut command = lister();
        assert!(numbers(&command.output().unwrap().stdout).contains(&other.as_raw_fd()));
        assert_eq!(numbers(&command.rest(Rest::Close).output().unwrap().stdout), []);
        assert!(numbers(&command.rest(Rest::Inherit).output().unwrap().stdout).contains(&other.as_raw_fd()));
    }
}

#[test]
fn descriptors_have_any_number_and_serve_each_spawn() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"one\ntwo\n").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let number = file.as_raw_fd();
    let mut command = Command::new("sh");
    command.args(["-c", "read line <&7; echo $line"]).fd(7, file);
    let line = |command: &mut Command| String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!([line(&mut command), line(&mut command)], ["one\n", "two\n"]);
    assert!(is_open(number), "it belongs to the command");
    command.fd(7, Stdio::null()); // std's type is a source, too
    assert_eq!(line(&mut command), "\n");
    command.fd(7, fdspawn::Stdio::data("data\n")).fd(8, Arc::new(File::open("/dev/null").unwrap()));
    assert_eq!(line(&mut command), "data\n");
}

#[test]
fn kept_descriptor_serves_each_spawn() {
    let (reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd();
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("echo text >/dev/fd/{number}")).keep(writer).rest(Rest::Close);
    for _ in 0..2 {
        assert!(command.status().unwrap().success());
    }
    drop(command);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "text\ntext\n");
}

#[test]
fn child_hands_out_the_ends_of_slots() {
    let mut command = Command::new("sh");
    command.args(["-c", "cat <&5 >&6; exec 6>&-; read line <&7; echo \"got $line\" >&7"]).rest(Rest::Close);
    let (writer, reader, socket) = (command.writer(5), command.reader(6), command.socket(7));
    for _ in 0..2 {
        let mut child = command.spawn().unwrap();
        child.take(writer).unwrap().write_all(b"text").unwrap();
        assert!(child.take(writer).is_none());
        assert_eq!(std::io::read_to_string(child.take(reader).unwrap()).unwrap(), "text");
        let mut socket = child.take(socket).unwrap();
        socket.write_all(b"line\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert_eq!(text, "got line\n");
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    // In the process of all tests, the pipe itself may have the number 9.
    fn spawn_with_a_map_lends_without_a_duplicate_and_for_one_spawn() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = lister();
        command.rest(Rest::Close).stdout(Stdio::null());
        let mut map = FdMap::new();
        map.stdout(&writer).fd(9, &writer).keep(&writer);
        assert!(command.spawn_with(&map).unwrap().wait().unwrap().success());
        assert!(command.status().unwrap().success()); // to /dev/null, as before
        let number = writer.as_raw_fd();
        drop(map);
        drop(writer);
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap(); // ends: the command has no duplicate
        let mut expected = vec![9, number];
        expected.sort_unstable();
        assert_eq!(numbers(&text), expected);
    }
}

#[test]
fn map_of_a_spawn_stays_as_it_is_and_its_owners_stay_open() {
    let file = File::open("/dev/null").unwrap();
    let number = file.as_raw_fd();
    let mut map = FdMap::new();
    map.fd(9, file); // moved into the map
    let slot = map.reader(8);
    let mut command = Command::new("sh");
    command.args(["-c", "cat <&9; echo text >&8"]).rest(Rest::Close);
    for _ in 0..2 {
        let mut child = command.spawn_with(&map).unwrap();
        assert!(is_open(number));
        assert_eq!(std::io::read_to_string(child.take(slot).unwrap()).unwrap(), "text\n");
        assert!(child.wait().unwrap().success());
    }
    drop(map);
}

#[test]
fn map_is_forgotten_after_a_failed_spawn() {
    let file = File::open("/dev/null").unwrap();
    let mut command = Command::new("/nope");
    let mut map = FdMap::new();
    map.fd(9, &file).fd(10, fdspawn::Stdio::same_as(11));
    assert!(command.spawn_with(&map).is_err());
    assert!(matches!(command.last_error().unwrap().failure(), fdspawn::Failure::Refused(_)));
    assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(libc::ENOENT));
    // A descriptor that a spawn of another command has closed cannot be lent.
    let mut spent = FdMap::new();
    spent.fd(9, file);
    let mut other = fdspawn::Command::new("true");
    assert!(other.fd_map(spent).status().unwrap().success());
}

own_process! {
    fn command_becomes_this_librarys_with_either_launcher() {
        for launcher in LAUNCHERS {
            let other = inherited();
            let mut command = lister();
            command.stdin(File::open("/dev/null").unwrap()).env("A=B", "passed on");
            let mut command = fdspawn::Command::from(command);
            command.launcher(launcher).umask(0o77);
            assert!(numbers(&command.output().unwrap().stdout).contains(&other.as_raw_fd()), "Rest::Inherit stays");
            assert_eq!(numbers(&command.rest(Rest::Close).output().unwrap().stdout), []);
            let mut child = command.stdout(fdspawn::Stdio::null()).spawn().unwrap();
            assert_eq!(child.launched_by(), launcher);
            let mut native = fdspawn::Command::new("true").launcher(launcher).spawn().unwrap();
            assert_eq!(child.pidfd().is_some(), native.pidfd().is_some()); // a filter may refuse pidfds
            assert!(child.wait().unwrap().success() && native.wait().unwrap().success());
        }
    }
}

#[test]
fn child_becomes_this_librarys() {
    let mut command = Command::new("cat");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let process = child.process();
    let mut child = fdspawn::Child::from(child);
    assert_eq!(child.wait_timeout(Duration::from_millis(5)).unwrap(), None);
    assert!(child.stdin.is_some() && child.stdout.is_some() && child.stderr.is_none());
    child.stdin.take().unwrap().write_all(b"text").unwrap();
    assert_eq!(std::io::read_to_string(child.stdout.take().unwrap()).unwrap(), "text");
    assert!(child.end(&Teardown::kill()).unwrap().status.success() || process.try_wait().unwrap().is_some());
    let stdio = fdspawn::Stdio::from(Stdio::piped());
    assert!(fdspawn::Command::new("true").stdout(stdio).spawn().unwrap().stdout.is_some());
}

#[test]
fn pretty_debug_shows_the_descriptors_that_std_has_not() {
    let mut command = Command::new("true");
    assert!(!format!("{command:#?}").contains("fd_map"));
    command.fd(7, fdspawn::Stdio::null());
    assert!(format!("{command:#?}").contains("fd_map"));
    let mut helper = Command::new(test_binary());
    helper.args([MARK, "exit", "3"]);
    assert_eq!(helper.status().unwrap().code(), Some(3));
}

/// Owns no descriptor, and panics if it is asked for one.
struct Panics;

impl AsFd for Panics {
    fn as_fd(&self) -> BorrowedFd<'_> {
        std::panic::resume_unwind(Box::new("a panic of the caller's code"))
    }
}

#[test]
fn slots_of_the_command_and_of_the_map_are_handed_out_and_a_panic_forgets_the_map() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo own >&5; { echo map >&6; } 2>/dev/null; echo text"]).stdout(Stdio::piped());
    let own = command.reader(5);
    let text = |reader: Option<PipeReader>| std::io::read_to_string(reader.unwrap()).unwrap();
    for _ in 0..2 {
        let mut map = FdMap::new();
        let maps = map.reader(6);
        let mut child = command.spawn_with(&map).unwrap();
        assert_eq!([text(child.take(own)), text(child.take(maps))], ["own\n", "map\n"]);
        assert_eq!(child.wait_with_output().unwrap().stdout, b"text\n");
        map.fd(8, Arc::new(Panics));
        assert!(catch_unwind(AssertUnwindSafe(|| command.spawn_with(&map))).is_err());
        let mut child = command.spawn().unwrap();
        assert!(child.take(maps).is_none());
        assert_eq!(text(child.take(own)), "own\n");
        assert_eq!(child.wait_with_output().unwrap().stdout, b"text\n");
    }
}

#[test]
fn slot_that_was_not_taken_does_not_keep_a_wait_from_its_end() {
    let mut command = Command::new("sh");
    command.args(["-c", "cat <&5; echo end"]).stdout(Stdio::piped());
    let _ = command.writer(5);
    let (sender, receiver) = std::sync::mpsc::channel();
    let child = command.spawn().unwrap();
    let process = child.process();
    let thread = std::thread::spawn(move || sender.send(child.wait_with_output().unwrap().stdout).unwrap());
    let result = receiver.recv_timeout(Duration::from_secs(10));
    process.signal(fdspawn::Signal::KILL).unwrap();
    assert_eq!(result.unwrap(), b"end\n");
    thread.join().unwrap();
}
