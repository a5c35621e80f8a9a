//! What `/proc` says, read.

use super::Access;

/// The lines of `/proc/PID/fdinfo/N` that every descriptor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) access: Access,
    /// The kernel's own number of the inode, since Linux 5.14. Some file systems tell users another.
    pub(super) inode: Option<u64>,
}

impl Info {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let field = |name: &str, base| {
            let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
            u64::from_str_radix(str::from_utf8(line.trim_ascii()).ok()?, base).ok()
        };
        Some(Self { access: access(field("flags:", 8)?), inode: field("ino:", 10) })
    }
}

/// What a descriptor with these status flags is open for.
pub(super) fn access(flags: u64) -> Access {
    let has = |flag: i32| flags & u64::from(flag.unsigned_abs()) != 0;
    match () {
        () if has(libc::O_PATH) => Access::Neither,
        () if has(libc::O_RDWR) => Access::Both,
        () if has(libc::O_WRONLY) => Access::Write,
        () => Access::Read,
    }
}

/// Whether a link of `/proc/PID/fd` is to something that is in no file system, and so to no FIFO.
pub(super) fn is_in_no_file_system(link: &[u8]) -> bool {
    [&b"pipe:["[..], b"socket:[", b"anon_inode:"].iter().any(|kind| link.starts_with(kind))
}

/// Whether a thread, of which this is `stat`, has no descriptors: it has ended, or is the kernel's own.
pub(super) fn has_no_descriptors(stat: &[u8]) -> bool {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    // The name before it may have blanks and parentheses inside.
    let Some(end) = stat.iter().rposition(|&byte| byte == b')') else { return false };
    let mut words = stat[end + 1..].split(|&byte| byte == b' ').skip(1);
    let ended = matches!(words.next(), Some(b"Z" | b"X" | b"x"));
    let flags = words.nth(5).and_then(|word| str::from_utf8(word).ok()?.parse::<u64>().ok());
    ended || flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// Whether the pids that `/proc` shows are the caller's own, going by its `status` there: a process has one pid in each
/// PID namespace from that of `/proc` to its own.
pub(super) fn shows_pids_of(pid: u32, status: &[u8]) -> bool {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
    line.is_some_and(|pids| pids.trim_ascii() == pid.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_is_open_for_what_its_flags_say() {
        let cases = [
            ("pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t7\n", Access::Read, Some(7)),
            ("pos:\t0\nflags:\t0100001\nmnt_id:\t15\n", Access::Write, None),
            ("pos:\t0\nflags:\t02004002\nmnt_id:\t15\nino:\t7\nlock:\t1: flags:\t01\n", Access::Both, Some(7)),
            ("flags:\t012000000\nino:\t18446744073709551615\n", Access::Neither, Some(u64::MAX)),
        ];
        for (text, access, inode) in cases {
            assert_eq!(Info::parse(text.as_bytes()), Some(Info { access, inode }), "{text}");
        }
        for text in ["", "pos:\t0\n", "flags:\t8\n", "flags:\n", "flags:\t-1\n"] {
            assert_eq!(Info::parse(text.as_bytes()), None, "{text}");
        }
    }

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
    fn pids_are_the_callers_where_it_has_only_one() {
        assert!(shows_pids_of(42, b"Name:\tx\nNSpid:\t42\nNSsid:\t1\n"));
        for status in [&b"NSpid:\t42\t42\n"[..], b"NSpid:\t7\t42\n", b"NSpid:\t421\n", b"Pid:\t42\n", b""] {
            assert!(!shows_pids_of(42, status));
        }
    }

    #[test]
    fn pipes_and_sockets_are_in_no_file_system() {
        for link in [&b"pipe:[1]"[..], b"socket:[1]", b"anon_inode:[eventfd]", b"anon_inode:inotify"] {
            assert!(is_in_no_file_system(link));
        }
        for link in [&b"/tmp/fifo"[..], b"/pipe:[1] (deleted)", b"", b"/"] {
            assert!(!is_in_no_file_system(link));
        }
    }
}
