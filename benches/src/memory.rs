//! How much memory a call needs.
#![allow(unsafe_code, reason = "std cannot give the heap's free memory back")]

use std::{fs, io};

/// How far the resident memory of this process grows at most during a call, in bytes.
pub fn growth(call: &mut impl FnMut() -> io::Result<()>) -> io::Result<u64> {
    trim();
    fs::write("/proc/self/clear_refs", "5")?; // The peak starts from what is resident now.
    let before = status("VmRSS:")?;
    call()?;
    Ok(status("VmHWM:")?.saturating_sub(before))
}

/// Gives free memory of the heap back to the kernel, so that the call cannot use it.
#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: the call changes only memory that the heap does not use.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}

/// A size in /proc/self/status, in bytes.
fn status(name: &str) -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.map(|kibibytes| kibibytes << 10).ok_or_else(|| io::Error::other(format!("/proc has no {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs in a process of its own: other tests use memory at the same time.
    #[test]
    fn growth_is_that_of_the_peak() {
        const OWN: &str = "FDSPAWN_BENCHES_TEST_OWN_PROCESS";
        if std::env::var_os(OWN).is_none() {
            let name = "memory::tests::growth_is_that_of_the_peak";
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            let status = command.args([name, "--exact", "--test-threads=1"]).env(OWN, "1").status();
            assert!(status.unwrap().success());
            return;
        }
        let grown = growth(&mut || {
            drop(vec![1_u8; 64 << 20]);
            Ok(())
        });
        let grown = grown.unwrap();
        assert!((63 << 20..80 << 20).contains(&grown), "{grown}");
    }
}
