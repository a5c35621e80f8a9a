//! `Child`: what a parent does with it, and how it ends.

use super::super::library::os::unix::process::ExitStatusExt;
use super::super::library::process::{Child, Command, Stdio};
use super::{child, shell};
use crate::records::Records;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// How many descriptors this process has.
fn count() -> usize {
    // SAFETY: the call only reads flags, and the number need not be open.
    (0..500).filter(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0).count()
}

pub fn walk(records: &mut Records) {
    for status in [0, 7, 255] {
        records.add(&format!("status {status}"), shell(format!("exit {status}")).status().unwrap());
    }
    for signal in ["TERM", "KILL", "PIPE"] {
        let status = shell(format!("kill -{signal} $$")).status().unwrap();
        records.add(&format!("signal {signal}"), (status, status.code(), status.signal(), status.to_string()));
    }
    waits(records);
    pipes(records);
    ends(records);
}

fn waits(records: &mut Records) {
    let before = count();
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    records.add("debug of a child", format!("{cat:?}"));
    records.add("descriptors that a child costs", count() - before);
    records.add("try_wait of a running child", cat.try_wait().unwrap());
    let other = cat.stdin.as_ref().unwrap().as_raw_fd();
    records.add("wait closes standard input", cat.wait().unwrap());
    records.add("standard input after a wait", cat.stdin.is_none());
    // SAFETY: the call only reads flags, and the number need not be open.
    records.add("end of standard input after a wait", unsafe { libc::fcntl(other, libc::F_GETFD) });
    records.add("second wait", cat.wait().unwrap());
    records.add("try_wait after a wait", cat.try_wait().unwrap());
    records.error("kill after a wait", cat.kill());
    records.add("descriptors after the wait", count() - before);
    records.add("identity after the wait", cat.id() > 1);

    let mut sleep = Command::new("sleep").arg("60").spawn().unwrap();
    records.error("kill", sleep.kill());
    records.error("second kill", sleep.kill());
    records.add("status after a kill", sleep.wait().unwrap());
    drop(sleep);
    records.add("descriptors after the drop", count() - before);
}

fn pipes(records: &mut Records) {
    let mut copy = child(&["copy"]);
    let mut copy = copy.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    copy.stdin.as_mut().unwrap().write_all(b"text").unwrap();
    let output = copy.wait_with_output().unwrap();
    records.add("wait_with_output", &output);

    let output = child(&["flood", "400000"]).output().unwrap();
    records.add("400 KB through both streams", (output.status, output.stdout.len(), output.stderr.len()));
    let mut flood = child(&["flood", "400000"]);
    let flood = flood.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    records.add("400 KB and wait_with_output", (flood.status, flood.stdout.len(), flood.stderr.len()));
    let output = child(&["flood", "4000"]).stderr(Stdio::null()).output().unwrap();
    records.add("output without standard error", (output.status, output.stdout.len(), output.stderr.len()));
    let output = Command::new("cat").output().unwrap();
    records.add("output of a child that reads", output);

    let mut echo = shell("echo text; echo error >&2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut text, mut error) = (String::new(), String::new());
    echo.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    echo.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    records.add("pipes read by the caller", (text, error, echo.wait().unwrap()));
    let mut end = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = end.stdin.take().unwrap();
    end.wait().unwrap();
    records.error("write to a child that has ended", stdin.write_all(b"x"));
}

fn ends(records: &mut Records) {
    let sleep = Command::new("sleep").arg("60").stdin(Stdio::piped()).spawn().unwrap();
    let number = pid(&sleep);
    drop(sleep);
    // SAFETY: the calls name a child of this process, which no other code reaps.
    let (alive, killed, reaped) = unsafe {
        let alive = libc::kill(number, 0);
        (alive, libc::kill(number, libc::SIGKILL), libc::waitpid(number, std::ptr::null_mut(), 0) == number)
    };
    records.add("a dropped child lives, and is no one's to reap but the process's", (alive, killed, reaped));

    // Another part of the process reaps the child.
    let mut gone = Command::new("true").spawn().unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::waitpid(pid(&gone), std::ptr::null_mut(), 0) }, pid(&gone));
    records.error("try_wait after a foreign reap", gone.try_wait());
    records.error("kill after a foreign reap", gone.kill());
    records.error("wait after a foreign reap", gone.wait());

    // SAFETY: the process has no handler of SIGCHLD, and this test has one thread.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    records.error("status with SIGCHLD ignored", Command::new("true").status());
    records.error("spawn error with SIGCHLD ignored", Command::new("/nope").status());
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };

    // A child's output is another child's input.
    let mut first = shell("echo from the first").stdout(Stdio::piped()).spawn().unwrap();
    let second = child(&["copy"]).stdin(first.stdout.take().unwrap()).output().unwrap();
    records.add("a child's output as input", (second, first.wait().unwrap()));
    let file = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: the number is that of the file, which is given away.
    let raw = unsafe { Stdio::from_raw_fd(std::os::fd::IntoRawFd::into_raw_fd(file)) };
    records.add("a source by its number", Command::new("cat").stdin(raw).status().unwrap());
}
