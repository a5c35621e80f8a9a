//! The machine that measured the results, without its host name and without paths.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

/// A machine, and the date of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    /// The processors that the driver may use.
    pub cores: usize,
    /// In MiB.
    pub memory: usize,
    pub kernel: String,
    /// The C library, which provides posix_spawn.
    pub libc: String,
    pub rustc: String,
    /// The compared packages and their versions.
    pub compared: String,
    /// In UTC.
    pub date: String,
}

impl Machine {
    /// This machine, and today's date.
    pub fn current() -> io::Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let memory = fs::read_to_string("/proc/meminfo")?;
        let memory = field(&memory, "MemTotal").and_then(|value| value.strip_suffix(" kB")?.parse::<usize>().ok());
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let cpu = field(&cpu, "model name").unwrap_or("unnamed");
        Ok(Self {
            cpu: format!("{cpu}, {}", std::env::consts::ARCH),
            cores: std::thread::available_parallelism()?.get(),
            memory: memory.unwrap_or(0) >> 10,
            kernel: format!("Linux {}", kernel.trim()),
            libc: libc(),
            rustc: env!("RUSTC_VERSION").to_owned(),
            compared: env!("COMPARED_VERSIONS").to_owned(),
            date: date(now.as_secs()),
        })
    }
}

/// The first value with this name in a file of `/proc` that has lines of the form `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start().strip_prefix(':')?.trim()))
}

#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "std has no function for the version of glibc")]
fn libc() -> String {
    // SAFETY: glibc returns a static string that ends in NUL.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    format!("glibc {}", version.to_string_lossy())
}

#[cfg(not(target_env = "gnu"))]
fn libc() -> String {
    "not glibc".to_owned()
}

/// The date of a time that is given in seconds since 1970-01-01.
fn date(seconds: u64) -> String {
    // The computation uses years that begin in March, so that a leap day is the last day of a year.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_at_the_turn_of_years() {
        let day = 86_400;
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(day * 11_016), "2000-02-29");
        assert_eq!(date(day * 11_017 - 1), "2000-02-29");
        assert_eq!(date(day * 11_017), "2000-03-01");
        assert_eq!(date(day * 20_453), "2025-12-31");
        assert_eq!(date(day * 20_454), "2026-01-01");
    }

    #[test]
    fn fields_are_found_with_spaces_or_tabs_before_the_colon() {
        let text = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nmodel\t\t: 7\n";
        assert_eq!(field(text, "model name"), Some("A CPU @ 2 GHz"));
        assert_eq!(field(text, "model"), Some("7"));
        assert_eq!(field("MemTotal:       100 kB\n", "MemTotal"), Some("100 kB"));
        assert_eq!(field(text, "flags"), None);
    }
}
