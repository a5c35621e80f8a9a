//! The errors of a spawn.

use super::super::library::os::unix::process::CommandExt;
use super::super::library::process::{Command, Stdio};
use super::{reporter, shell};
use crate::records::Records;
use std::io;
use std::os::unix::fs::PermissionsExt;

fn file(path: &str, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub fn walk(records: &mut Records) {
    let error = Command::new("no-such-program").spawn().unwrap_err();
    records.add("text of an error", (error.to_string(), format!("{error:?}")));
    records.error("no such program", Command::new("no-such-program").spawn());
    records.error("no such path", Command::new("/nope/program").status());
    records.error("no such directory", Command::new("true").current_dir("nope").output());
    records.error("directory that is a file", Command::new("true").current_dir("/dev/null").spawn());
    records.error("program that is a directory", Command::new("/").spawn());
    records.error("empty name", Command::new("").spawn());
    file("plain", "text", 0o644);
    records.error("file that is no program", Command::new("./plain").spawn());
    records.error("path through a file", Command::new("./plain/program").spawn());
    file("lost", "#!/nope/interpreter\n", 0o755);
    records.error("script without its interpreter", Command::new("./lost").spawn());
    file("bare", "exit 5\n", 0o755);
    records.error("script without a first line, by posix_spawn", Command::new("./bare").status());
    // With a hook std forks, and calls execvp.
    let mut hooked = Command::new("./bare");
    // SAFETY: the hook makes no call.
    unsafe { hooked.pre_exec(|| Ok(())) };
    records.error("script without a first line, by fork", hooked.status());
    records.error("arguments that are too long", Command::new("true").arg("x".repeat(200_000)).spawn());
    records.error("program with a NUL", Command::new("tr\0ue").spawn());
    records.error("argument with a NUL", Command::new("true").arg("\0").spawn());
    records.error("directory with a NUL", Command::new("true").current_dir("\0").spawn());
    records.error("argument 0 with a NUL", Command::new("true").arg0("a\0").spawn());
    let mut command = Command::new("true");
    command.current_dir("a\0b").current_dir("/");
    records.error("directory with a NUL that is replaced", command.status());
    records.error("process group below zero", Command::new("true").process_group(-1).status());
    records.error("process group of no process", Command::new("true").process_group(i32::MAX).status());
    records.error("user that is no user", Command::new("true").uid(u32::MAX).status());

    let mut command = Command::new("true");
    // SAFETY: the errors need no memory.
    unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(42))) };
    records.error("hook with a number", command.status());
    let mut command = Command::new("true");
    // SAFETY: as above.
    unsafe { command.pre_exec(|| Err(io::ErrorKind::TimedOut.into())) };
    let error = command.status().unwrap_err();
    records.add("hook without a number, its kind", error.kind());
    records.add("hook without a number", (error.raw_os_error(), error.to_string()));

    // A command can be spawned again after an error.
    let mut command = reporter();
    command.current_dir("later");
    records.error("directory that comes later", command.status());
    std::fs::create_dir("later").unwrap();
    records.error("the same command again", command.status());
    let mut failing = shell("exit 3");
    let failing = failing.stdin(Stdio::piped()).stdout(Stdio::piped());
    records.add("two spawns of a command", (failing.status().unwrap(), failing.output().unwrap()));
}
