//! Other programs and powers that some tests need.

use super::mounts;

/// Set in CI: what is missing there fails its tests.
const DEMAND: &str = "FDSPAWN_TEST_DEMAND_TOOLS";

/// Whether `program` is installed. If not, the test says that it is skipped, or fails where CI demands it.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    found || skip(&format!("{program} is not installed"))
}

/// Says that the test is skipped, or fails where CI demands what it needs. Returns false.
pub fn skip(reason: &str) -> bool {
    assert!(std::env::var_os(DEMAND).is_none(), "{DEMAND} is set, but {reason}");
    eprintln!("skipped: {reason}");
    false
}

/// Unmounts /proc, for this process only.
pub fn unmount_proc() -> bool {
    let proc = std::path::Path::new("/proc");
    let unmounted = mounts::private().and_then(|()| mounts::unmount(proc)).is_ok();
    assert!(!unmounted || !proc.join("self").exists());
    unmounted || skip("a mount namespace cannot be made")
}
