//! What the tests share.

pub mod cgroup;
pub mod families;
pub mod forked;
pub mod fuse;
pub mod helper;
pub mod last_close;
pub mod memory;
pub mod mounts;
pub mod own_process;
pub mod panics;
pub mod parent_state;
pub mod random;
pub mod running;
pub mod seccomp;
pub mod sources;
pub mod state;
pub mod supervised;
pub mod table;
pub mod terminal;
pub mod threads;
pub mod tiny;
pub mod tools;
pub mod ways;

use fdspawn::{Command, Launcher, Rest};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// The launchers. Every test of a spawn uses both.
pub const LAUNCHERS: [Launcher; 2] = [Launcher::Clone, Launcher::Fork];

/// A command that is launched as this run of the suite demands. A test that is not about one way of launching makes its
/// commands here, so that a rerun by another way includes them.
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

/// The path of the test binary, by its argument 0: not every test has /proc.
pub fn test_binary() -> PathBuf {
    std::path::absolute(std::env::args_os().next().unwrap()).unwrap()
}

/// A command that runs the test binary itself, as the helper `mode`.
///
/// A helper first looks at its open numbers, and fails if they are not those planned: 0 to 2, or those of
/// [`Planned::planned`]. A helper `table` leaves that comparison to the test.
pub fn helper<'fd>(mode: &str) -> Command<'fd> {
    let mut command = command(test_binary());
    command.args([helper::MARK, mode]);
    if !mode.starts_with("table") {
        command.env(helper::PLANNED, "0 1 2");
    }
    command
}

/// Set to run the whole suite, which takes minutes: all 3,125 maps of five targets to five sources, and the heavy tests
/// in each rerun. Without it, these tests run their small versions.
pub const EXHAUSTIVE: &str = "FDSPAWN_TEST_EXHAUSTIVE";

/// Whether this run is of the whole suite.
pub fn exhaustive() -> bool {
    std::env::var_os(EXHAUSTIVE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The count of rounds in the plain run, or in that of the whole suite.
pub fn rounds(plain: usize, whole: usize) -> usize {
    if exhaustive() { whole } else { plain }
}

/// All of them, or in the plain run the one whose turn it is.
pub fn by_turns<T>(all: impl IntoIterator<Item = T>, turn: usize) -> Vec<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    if exhaustive() { all } else { vec![all.swap_remove(turn % all.len())] }
}

/// Calls `run` with this time, and with longer times while `run` returns false. A test passes its deadline so, if processes have to do something
/// before the deadline: on a machine that has much to do, no fixed time is enough.
pub fn with_longer_times(first: Duration, mut run: impl FnMut(Duration) -> bool) {
    let mut time = first;
    while !run(time) {
        assert!(time < Duration::from_secs(30), "what has to come before the deadline has not come");
        time *= 4;
    }
}

/// Set to `fork` to launch all commands by fork that choose no launcher.
pub const LAUNCHER: &str = "FDSPAWN_TEST_LAUNCHER";

/// The launcher that this run demands.
fn launcher() -> Option<Launcher> {
    assert_eq!(std::env::var_os(LAUNCHER)?, "fork", "{LAUNCHER}");
    Some(Launcher::Fork)
}

/// Set to let an isolated thread launch all commands.
pub const ISOLATED: &str = "FDSPAWN_TEST_ISOLATED";

/// The isolated thread of this process, if this run demands one.
pub fn isolated() -> Option<&'static fdspawn::Isolated> {
    static THREAD: std::sync::OnceLock<Option<fdspawn::Isolated>> = std::sync::OnceLock::new();
    let start = || {
        std::env::var_os(ISOLATED)?;
        // In a test's own process the socket must have a number that no test uses. In the shared process other tests
        // need the low numbers, and the socket may have any.
        let most = if std::env::var_os(own_process::VARIABLE).is_some() { 4100 } else { 0 };
        let crowd: Vec<_> = (0..most).map_while(|_| std::fs::File::open("/dev/null").ok()).collect();
        let isolated = fdspawn::Isolated::new().unwrap();
        drop(crowd);
        Some(isolated)
    };
    THREAD.get_or_init(start).as_ref()
}

/// What a command can do with the rest. An isolated thread has no rest that a child could inherit.
pub fn rests() -> &'static [Rest] {
    const BOTH: &[Rest] = &[Rest::Close, Rest::Inherit];
    if isolated().is_some() { &BOTH[..1] } else { BOTH }
}

/// Commands whose plan is not 0 to 2.
pub trait Planned {
    /// Gives the helper the numbers of the plan, as it is now.
    fn planned(&mut self) -> &mut Self;
}

impl Planned for Command<'_> {
    fn planned(&mut self) -> &mut Self {
        let targets: Vec<String> = self.explain().targets().iter().map(i32::to_string).collect();
        self.env(helper::PLANNED, targets.join(" "))
    }
}

/// Sets a flag when it is dropped, by a panic too. Threads that wait for the flag would wait for ever otherwise.
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

/// Whether the kernel's version is this one or a later one.
pub fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    // SAFETY: the kernel writes one structure with strings that end, for which all zeros are valid.
    let release = unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        assert_eq!(libc::uname(&raw mut names), 0);
        std::ffi::CStr::from_ptr(names.release.as_ptr()).to_str().unwrap().to_owned()
    };
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (major, minor)
}

/// How many processes have this one as their parent, zombies included. Those that the kernel is reaping itself, since this process ignores SIGCHLD,
/// are none: a wait already says that there is no such child.
pub fn children() -> usize {
    let me = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path().join("stat");
        std::fs::read_to_string(path).ok()
    });
    // pid (name) state parent ...; the name may have spaces and parentheses.
    let is_child = |stat: &String| {
        let mut rest = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        rest.next() != Some("X") && rest.next() == Some(&me)
    };
    stats.filter(is_child).count()
}
