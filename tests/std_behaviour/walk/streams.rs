//! What the child's descriptors are.

use super::super::library::process::{Command, Stdio};
use super::{child, record, shell};
use crate::records::Records;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

fn reporter() -> Command {
    child(&["descriptors", "report"])
}

/// The access modes of the child's streams, without those of `/dev/null`.
fn modes(records: &mut Records, name: &str, command: &mut Command) {
    assert!(command.status().unwrap().success());
    let report = std::fs::read_to_string("report").unwrap();
    let without_mode = |line: &str| line.split("/dev/null").next().unwrap().to_owned();
    records.add(name, report.lines().map(without_mode).collect::<Vec<_>>());
}

pub fn walk(records: &mut Records) {
    record(
        records,
        "streams that are null",
        reporter().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()),
    );
    let mut piped = reporter();
    modes(records, "streams that are pipes", piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let written = || File::create("written").unwrap();
    let mut files = reporter();
    files
        .stdin(File::open("/dev/zero").unwrap())
        .stdout(written())
        .stderr(File::options().append(true).open("written").unwrap());
    modes(records, "streams that are files", &mut files);
    let (reader, writer) = std::io::pipe().unwrap();
    modes(records, "streams that are ends of a pipe", reporter().stdin(reader).stderr(writer));
    let mut swapped = reporter();
    modes(records, "streams of the parent", swapped.stdout(std::io::stderr()).stderr(std::io::stdout()));
    modes(records, "stream from an owner", reporter().stdin(OwnedFd::from(File::open("/dev/zero").unwrap())));

    // A file that was moved into a command serves each spawn, at the offset that the one before has left.
    std::fs::write("lines", "one\ntwo\n").unwrap();
    let mut reading = shell("read line; echo $line");
    reading.stdin(File::open("lines").unwrap());
    let lines = [(); 3].map(|()| String::from_utf8(reading.output().unwrap().stdout).unwrap());
    records.add("a file as the input of three spawns", lines);
    let mut file = File::create_new("appended").unwrap();
    let mut writing = shell("echo text");
    writing.stdout(file.try_clone().unwrap());
    assert!(writing.status().unwrap().success() && writing.status().unwrap().success());
    drop(writing);
    records.add(
        "a file as the output of two spawns",
        (std::fs::read_to_string("appended").unwrap(), file.stream_position().unwrap()),
    );
    file.flush().unwrap();

    // A pipe's end belongs to the command until its drop.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let number = writer.as_raw_fd();
    let mut writing = shell("echo text");
    writing.stdout(writer);
    assert!(writing.status().unwrap().success());
    // SAFETY: the call only reads flags, and the number need not be open.
    let is_open = || unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    let open_after_spawn = is_open();
    drop(writing);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    records.add("the end of a pipe in a command", (open_after_spawn, is_open(), text));

    rest(records);
}

/// The descriptors that the command does not name.
fn rest(records: &mut Records) {
    let file = File::open("/dev/zero").unwrap();
    // SAFETY: the new number is this function's own.
    let inherited = unsafe { OwnedFd::from_raw_fd(libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, 40)) };
    assert!(inherited.as_raw_fd() >= 40);
    modes(records, "descriptors without close-on-exec are inherited, others are not", &mut reporter());
    drop(inherited);

    // SAFETY: the numbers are this process's streams, which are back after the calls.
    let saved = unsafe { OwnedFd::from_raw_fd(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 50)) };
    // SAFETY: as above.
    unsafe { libc::close(0) };
    let status = reporter().status().map_err(|error| error.raw_os_error());
    // SAFETY: as above.
    unsafe { libc::dup2(saved.as_raw_fd(), 0) };
    records.add("status with a closed standard input", status);
    let report = std::fs::read_to_string("report").unwrap();
    records.add("a closed standard input", report.lines().any(|line| line.starts_with("descriptor 0")));
}
