//! The parsers of values: pure functions. Their unit tests are in `tests/fdrun/values.rs`.

use fdspawn::Resource;
#[cfg(any(target_os = "linux", target_os = "android"))]
use fdspawn::{CpuSet, Scheduler};
use std::ffi::c_int;
use std::time::Duration;

/// An octal number, as `umask` takes it.
pub fn mask(text: &str) -> Option<u32> {
    u32::from_str_radix(digits(text)?, 8).ok().filter(|mask| *mask <= 0o777)
}

/// One bound of a limit: `None` keeps the bound as it is, `Some(None)` is no limit.
pub type Bound = Option<Option<u64>>;

/// `RESOURCE=LIMIT`, with a limit as `prlimit` takes it: `SOFT:HARD`, `SOFT:`, `:HARD`, or one value for both.
pub fn limit(text: &str) -> Option<(Resource, Bound, Bound)> {
    let (name, limit) = text.split_once('=')?;
    let (_, resource) = RESOURCES.iter().find(|(each, _)| *each == name)?;
    let (soft, hard) = match limit.split_once(':') {
        Some(("", "")) => return None,
        Some(("", hard)) => (None, Some(bound(hard)?)),
        Some((soft, "")) => (Some(bound(soft)?), None),
        Some((soft, hard)) => (Some(bound(soft)?), Some(bound(hard)?)),
        None => (Some(bound(limit)?), Some(bound(limit)?)),
    };
    Some((*resource, soft, hard))
}

fn bound(text: &str) -> Option<Option<u64>> {
    match text {
        "unlimited" | "-1" => Some(None),
        _ => digits(text)?.parse().ok().map(Some),
    }
}

/// The resources by the names that `prlimit` gives them.
const RESOURCES: &[(&str, Resource)] = &[
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("memlock", Resource::Memlock),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("stack", Resource::Stack),
    #[cfg(not(target_os = "openbsd"))]
    ("as", Resource::As),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("locks", Resource::Locks),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("msgqueue", Resource::Msgqueue),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("nice", Resource::Nice),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("rtprio", Resource::Rtprio),
    #[cfg(target_os = "linux")]
    ("rttime", Resource::Rttime),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("sigpending", Resource::Sigpending),
];

/// A list of CPUs, as `taskset --cpu-list` takes it: numbers, ranges, and ranges with a stride, such as `0,2-3,8-14:2`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn cpus(text: &str) -> Option<CpuSet> {
    let number = |text| digits(text)?.parse::<usize>().ok();
    let mut cpus = CpuSet::new();
    for part in text.split(',') {
        let (first, last, stride) = match part.split_once('-') {
            None => (number(part)?, number(part)?, 1),
            Some((first, rest)) => {
                let (last, stride) = rest.split_once(':').unwrap_or((rest, "1"));
                (number(first)?, number(last)?, number(stride)?)
            }
        };
        if first > last || last >= CpuSet::MAX_CPU || stride == 0 {
            return None;
        }
        (first..=last).step_by(stride).for_each(|cpu| cpus.set(cpu));
    }
    Some(cpus)
}

/// A scheduling policy by the name that `chrt` gives it. The real-time policies have a priority.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn scheduler(text: &str) -> Option<Scheduler> {
    let priority = |text| digits(text)?.parse().ok().filter(|priority| (1..=99).contains(priority));
    Some(match text.split_once(':') {
        None if text == "other" => Scheduler::Other,
        None if text == "batch" => Scheduler::Batch,
        None if text == "idle" => Scheduler::Idle,
        Some(("fifo", text)) => Scheduler::Fifo(priority(text)?),
        Some(("rr", text)) => Scheduler::RoundRobin(priority(text)?),
        _ => return None,
    })
}

/// The number of a signal, as `env` takes it: a number, or a name with or without `SIG`, in upper or lower case.
pub fn signal(text: &str) -> Option<c_int> {
    if digits(text).is_some() {
        return text.parse().ok();
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = SIGNALS.iter().find(|(each, _)| *each == name).map(|(_, number)| *number);
    named.or_else(|| real_time(name))
}

/// `RTMIN`, `RTMAX`, `RTMIN+N` or `RTMAX-N`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn real_time(name: &str) -> Option<c_int> {
    let (least, most) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let distance = |text| digits(text)?.parse::<c_int>().ok().filter(|distance| *distance <= most - least);
    match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) => Some(least),
        (_, Some("")) => Some(most),
        (Some(rest), _) => Some(least + distance(rest.strip_prefix('+')?)?),
        (_, Some(rest)) => Some(most - distance(rest.strip_prefix('-')?)?),
        _ => None,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn real_time(_: &str) -> Option<c_int> {
    None
}

/// The signals by name.
const SIGNALS: &[(&str, c_int)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGIO),
    ("SYS", libc::SIGSYS),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("STKFLT", libc::SIGSTKFLT),
    #[cfg(any(target_os = "linux", target_os = "android"))]
    ("PWR", libc::SIGPWR),
];

/// A time, as `timeout` takes it: a number of seconds, or of the unit behind it, with or without a fraction. A time that is too long for
/// the type is the longest.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 60 * 60),
        b'd' => (&text[..text.len() - 1], 24 * 60 * 60),
        _ => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let seconds = number.parse::<f64>().ok()? * f64::from(unit);
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    // 0 is no limit, so a time that is above it must not become it.
    Some(if seconds > 0.0 { time.max(Duration::from_nanos(1)) } else { time })
}

/// The text, if it has digits and nothing else. `str::parse` also takes a `+` in front.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}
