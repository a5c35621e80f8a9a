//! The getters, and `Debug`.

use super::super::library::os::unix::process::CommandExt;
use super::super::library::process::{Command, Stdio};
use crate::records::Records;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// A text without the numbers of descriptors.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split("fd: ");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        result += "fd: N";
        result += part.trim_start_matches(|each: char| each.is_ascii_digit());
    }
    result
}

pub fn walk(records: &mut Records) {
    let mut command = Command::new("program");
    records.add("debug of a name", format!("{command:?}"));
    records.add("pretty debug of a name", format!("{command:#?}"));
    command.arg("one").args(["two words", "", "it's", "tab\t", "caf\u{e9}"]).arg(OsStr::from_bytes(b"\xff"));
    records.add("program", command.get_program());
    records.add("arguments", command.get_args().collect::<Vec<_>>());
    records.add("count of arguments", (command.get_args().len(), command.get_args().size_hint()));
    records.add("debug of arguments that are no ASCII", format!("{command:?}"));
    records.add("pretty debug of arguments that are no ASCII", format!("{command:#?}"));
    records.add("directory without a call", command.get_current_dir());
    let mut plain = Command::new("ls");
    plain.args(["-l", "a b"]);
    records.add("debug of get_args", format!("{:?}", plain.get_args()));

    command.env("B", "2").env("A", "1 \"x\"").env_remove("C").env_remove("A=B");
    records.add("environment", command.get_envs().collect::<Vec<_>>());
    records.add("count of variables", (command.get_envs().len(), command.get_envs().size_hint()));
    records.add("debug of get_envs", format!("{:?}", command.get_envs()));
    records.add("debug with an environment", format!("{command:?}"));
    records.add("pretty debug with an environment", format!("{command:#?}"));
    command.env_clear().env("D", "4").env_remove("D").env("E", "5");
    records.add("environment after a clear", command.get_envs().collect::<Vec<_>>());
    records.add("debug after a clear", format!("{command:?}"));
    records.add("pretty debug after a clear", format!("{command:#?}"));

    command.current_dir("/a dir").arg0("-name").uid(1).gid(2).process_group(3);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    records.add("directory", command.get_current_dir());
    records.add("debug with all settings", format!("{command:?}"));
    records.add("pretty debug with all settings", format!("{command:#?}"));
    command.stdin(std::fs::File::open("/dev/null").unwrap()).stdout(std::io::stdout());
    records.add("pretty debug with descriptors", without_numbers(&format!("{command:#?}")));

    let mut strange = Command::new("a\0b");
    strange.arg("c\0d").current_dir("e\0f");
    records.add("get_program with a NUL", strange.get_program());
    records.add("get_args with a NUL", strange.get_args().collect::<Vec<_>>());
    records.add("get_current_dir with a NUL", strange.get_current_dir());
    records.add("pretty debug with a NUL", format!("{strange:#?}"));

    records.add("debug of Stdio", format!("{:?}", Stdio::piped()));
}
