//! What the tests share.

pub mod forked;
pub mod fuse;
pub mod helper;
pub mod mounts;
pub mod own_process;
pub mod sources;
pub mod supervised;
pub mod table;
pub mod tools;

use fdspawn::{Command, Launcher};

/// Both launchers: every test of a spawn runs on each.
pub const LAUNCHERS: [Launcher; 2] = [Launcher::Clone, Launcher::Fork];

/// A command for the test binary itself, in the role of `helper`'s `mode`.
///
/// In every mode the helper first looks at what is open, and fails if that is not what was planned. A helper that lists
/// its table leaves that to the test; others have 0 to 2, or what [`Planned::planned`] says.
pub fn helper<'fd>(mode: &str) -> Command<'fd> {
    let mut command = Command::new(std::env::args_os().next().unwrap());
    command.args([helper::MARK, mode]);
    if !mode.starts_with("table") {
        command.env(helper::PLANNED, "0 1 2");
    }
    if let Some(isolated) = isolated() {
        command.isolated(isolated);
    }
    command
}

/// Set where all helpers are to be spawned by an isolated thread.
pub const ISOLATED: &str = "FDSPAWN_TEST_ISOLATED";

/// The thread of this process, where there is to be one.
pub fn isolated() -> Option<&'static fdspawn::Isolated> {
    static THREAD: std::sync::OnceLock<Option<fdspawn::Isolated>> = std::sync::OnceLock::new();
    THREAD
        .get_or_init(|| {
            std::env::var_os(ISOLATED)?;
            // Its socket has to be where no test has anything.
            let crowd: Vec<_> = (0..4100).map_while(|_| std::fs::File::open("/dev/null").ok()).collect();
            let isolated = fdspawn::Isolated::new().unwrap();
            drop(crowd);
            Some(isolated)
        })
        .as_ref()
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
