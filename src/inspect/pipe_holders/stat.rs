//! The texts of `stat` and `status` in `/proc/PID`.

/// Whether a thread has no descriptors, from the text of its `stat`: it has ended, or it is a kernel thread.
pub(super) fn has_no_descriptors(stat: &[u8]) -> bool {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    // The state follows the thread's name, which may contain blanks and parentheses.
    let Some(end) = stat.iter().rposition(|&byte| byte == b')') else { return false };
    let mut words = stat[end + 1..].split(|&byte| byte == b' ').skip(1);
    let ended = matches!(words.next(), Some(b"Z" | b"X" | b"x"));
    let flags = words.nth(5).and_then(|word| str::from_utf8(word).ok()?.parse::<u64>().ok());
    ended || flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// Whether `/proc` shows the pids of the caller's own PID namespace, from the text of the caller's `status`. Its line
/// `NSpid` has the caller's pid in each namespace from that of `/proc` to the caller's own.
pub(super) fn shows_pids_of(pid: u32, status: &[u8]) -> bool {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    line.is_some_and(|pids| pids.trim_ascii() == pid.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ended_threads_and_the_kernels_own_have_no_descriptors() {
        let rest = "0 0 0 0 -1";
        let cases = [
            (format!("1 (init) S {rest} 4194560 1"), false),
            (format!("2 (kthreadd) S {rest} 2129984 0"), true),
            (format!("9 (a) Z (b) S {rest} 4194560 1"), false),
            (format!("9 (a) S (b) Z {rest} 4194560 1"), true),
            (format!("9 (a\nb) X {rest} 4194560 1"), true),
            ("9 (a".to_owned(), false),
            (String::new(), false),
        ];
        for (stat, expected) in cases {
            assert_eq!(has_no_descriptors(stat.as_bytes()), expected, "{stat}");
        }
    }

    #[test]
    fn pids_are_the_callers_if_it_has_only_one() {
        assert!(shows_pids_of(42, b"Name:\tx\nNSpid:\t42\nNSsid:\t1\n"));
        for status in [&b"NSpid:\t42\t42\n"[..], b"NSpid:\t7\t42\n", b"NSpid:\t421\n", b"Pid:\t42\n", b""] {
            assert!(!shows_pids_of(42, status));
        }
    }
}
