//! What the tests share.

pub mod helper;
pub mod own_process;
pub mod sources;
pub mod table;
pub mod tools;

use fdspawn::{Command, Launcher};

/// Both launchers: every test of a spawn runs on each.
pub const LAUNCHERS: [Launcher; 2] = [Launcher::Clone, Launcher::Fork];

/// A command for the test binary itself, in the role of `helper`'s `mode`.
pub fn helper<'fd>(mode: &str) -> Command<'fd> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([helper::MARK, mode]);
    command
}

/// How many processes have this one as their parent, zombies included.
pub fn children() -> usize {
    let me = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path().join("stat");
        std::fs::read_to_string(path).ok()
    });
    // pid (name) state parent ...; the name may have spaces and parentheses.
    stats.filter(|stat| stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&me)).count()
}
