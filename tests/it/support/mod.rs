//! What the tests share.

pub mod forked;
pub mod fuse;
pub mod helper;
pub mod mounts;
pub mod own_process;
pub mod random;
pub mod seccomp;
pub mod sources;
pub mod supervised;
pub mod table;
pub mod tiny;
pub mod tools;

use fdspawn::{Command, Launcher, Rest};
use std::ffi::OsStr;

/// Both launchers: every test of a spawn runs on each.
pub const LAUNCHERS: [Launcher; 2] = [Launcher::Clone, Launcher::Fork];

/// A command that is launched as this run of the suite says: every spawn of a test that is not about one way of launching
/// goes through here, so that a rerun of the suite by another way is a rerun of all of them.
pub fn command<'fd>(program: impl AsRef<OsStr>) -> Command<'fd> {
    let mut command = Command::new(program);
    if let Some(launcher) = launcher() {
        command.launcher(launcher);
    }
    if let Some(isolated) = isolated() {
        command.isolated(isolated);
    }
    command
}

/// A command for the test binary itself, in the role of `helper`'s `mode`.
///
/// In every mode the helper first looks at what is open, and fails if that is not what was planned. A helper that lists
/// its table leaves that to the test; others have 0 to 2, or what [`Planned::planned`] says.
pub fn helper<'fd>(mode: &str) -> Command<'fd> {
    let mut command = command(std::env::args_os().next().unwrap());
    command.args([helper::MARK, mode]);
    if !mode.starts_with("table") {
        command.env(helper::PLANNED, "0 1 2");
    }
    command
}

/// Set for the whole suite, which takes minutes: all 3,125 maps of five targets to five sources, and the heavy tests in
/// each rerun. Without it, a test of these runs its small version.
pub const EXHAUSTIVE: &str = "FDSPAWN_TEST_EXHAUSTIVE";

/// Whether this run is of the whole suite.
pub fn exhaustive() -> bool {
    std::env::var_os(EXHAUSTIVE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Set to `fork` where that is the launcher of all commands that choose none.
pub const LAUNCHER: &str = "FDSPAWN_TEST_LAUNCHER";

/// The launcher of this run, where there is to be one.
fn launcher() -> Option<Launcher> {
    assert_eq!(std::env::var_os(LAUNCHER)?, "fork", "{LAUNCHER}");
    Some(Launcher::Fork)
}

/// Set where all commands are to be launched by an isolated thread.
pub const ISOLATED: &str = "FDSPAWN_TEST_ISOLATED";

/// The thread of this process, where there is to be one.
pub fn isolated() -> Option<&'static fdspawn::Isolated> {
    static THREAD: std::sync::OnceLock<Option<fdspawn::Isolated>> = std::sync::OnceLock::new();
    let start = || {
        std::env::var_os(ISOLATED)?;
        // In a test's own process its socket has to be where the test has nothing. Elsewhere other tests need the numbers.
        let most = if std::env::var_os(own_process::VARIABLE).is_some() { 4100 } else { 0 };
        let crowd: Vec<_> = (0..most).map_while(|_| std::fs::File::open("/dev/null").ok()).collect();
        let isolated = fdspawn::Isolated::new().unwrap();
        drop(crowd);
        Some(isolated)
    };
    THREAD.get_or_init(start).as_ref()
}

/// What can become of the rest: an isolated thread has none that a child could inherit.
pub fn rests() -> &'static [Rest] {
    const BOTH: &[Rest] = &[Rest::Close, Rest::Inherit];
    if isolated().is_some() { &BOTH[..1] } else { BOTH }
}

/// For helpers whose plan is not 0 to 2.
pub trait Planned {
    /// Tells the helper what the plan is now.
    fn planned(&mut self) -> &mut Self;
}

impl Planned for Command<'_> {
    fn planned(&mut self) -> &mut Self {
        let targets: Vec<String> = self.explain().targets().iter().map(i32::to_string).collect();
        self.env(helper::PLANNED, targets.join(" "))
    }
}

/// Says that something is over when it is dropped, by a panic too: threads that wait for that must not wait for ever.
pub struct Over<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Whether the kernel's major version is below `major`.
pub fn kernel_is_older_than(major: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    release.split('.').next().unwrap().parse::<u32>().unwrap() < major
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
