//! Other programs and rights that some tests need.

/// Set in CI: a test that lacks what it needs fails.
pub const DEMAND: &str = "FDSPAWN_TEST_DEMAND_TOOLS";

/// Whether `program` is installed. If not, the test says that it is skipped, or fails if CI demands the program.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    found || skip(&format!("{program} is not installed"))
}

/// Says that the test is skipped, or fails if CI demands what the test needs. Returns false.
pub fn skip(reason: &str) -> bool {
    assert!(std::env::var_os(DEMAND).is_none(), "{DEMAND} is set, but {reason}");
    eprintln!("skipped: {reason}");
    false
}
