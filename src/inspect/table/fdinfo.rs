//! The text of `/proc/PID/fdinfo/N`.

use super::entry::EntryFlags;
use super::lock::HeldLock;
use std::os::fd::RawFd;

/// What is known of a descriptor besides its name and its file. A field is `None` where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    /// The offset, which the kernel tells also where it has no meaning.
    pub(super) offset: Option<u64>,
    pub(super) flags: Option<EntryFlags>,
    pub(super) locks: Option<Vec<HeldLock>>,
    /// An eventfd's count.
    pub(super) count: Option<u64>,
    /// An eventfd's number in the kernel.
    pub(super) id: Option<u64>,
    /// A pidfd's process.
    pub(super) pid: Option<u32>,
    /// What an epoll watches.
    pub(super) watched: Vec<RawFd>,
}

impl Info {
    /// Reads the lines that matter here, and passes over those of drivers and of later kernels.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut info = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match name {
                // Signed, since some devices have offsets beyond the signed numbers.
                "pos" => info.offset = info.offset.or(value.parse::<i64>().ok().map(i64::cast_unsigned)),
                "flags" => info.flags = info.flags.or(i32::from_str_radix(value, 8).ok().map(EntryFlags::from_fdinfo)),
                "lock" => info.locks.get_or_insert_default().push(HeldLock::parse(value)),
                "eventfd-count" => info.count = u64::from_str_radix(value, 16).ok(),
                "eventfd-id" => info.id = value.parse().ok(),
                // -1 once it is reaped, 0 where it has no number in the namespace of this /proc.
                "Pid" => info.pid = value.parse().ok().filter(|&pid| pid != 0),
                "tfd" => info.watched.extend(value.split(' ').next().and_then(|number| number.parse::<RawFd>().ok())),
                _ => {}
            }
        }
        info.watched.sort_unstable();
        // Linux begins with the offset, and tells of all locks; kernels that stand for it (gVisor) tell of neither.
        if info.offset.is_some() {
            info.locks.get_or_insert_default();
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::table::Access;

    #[test]
    fn offset_flags_and_locks_are_read() {
        let text = b"pos:\t12\nflags:\t02102001\nmnt_id:\t27\nino:\t106\n\
                     lock:\t1: FLOCK  ADVISORY  WRITE 31 fe:00:106 0 EOF\nlock:\t2: POSIX  ADVISORY  READ 31 fe:00:106 1 1\n";
        let info = Info::parse(text);
        assert_eq!(info.offset, Some(12));
        let flags = info.flags.unwrap();
        assert_eq!((flags.access(), flags.close_on_exec), (Access::Write, true));
        #[cfg(target_arch = "x86_64")]
        assert!(flags.append() && !flags.nonblocking());
        let locks: Vec<String> = info.locks.unwrap().iter().map(HeldLock::to_string).collect();
        assert_eq!(locks, ["exclusive flock", "shared record 1..2"]);
    }

    #[test]
    fn kinds_tell_their_own() {
        let info = Info::parse(b"pos:\t0\nflags:\t02\neventfd-count:               ff\neventfd-id: 7\n");
        assert_eq!((info.count, info.id), (Some(255), Some(7)));
        assert_eq!(Info::parse(b"Pid:\t42\nNSpid:\t42\n").pid, Some(42));
        assert_eq!(Info::parse(b"Pid:\t-1\nNSpid:\t-1\n").pid, None);
        assert_eq!(Info::parse(b"Pid:\t0\n").pid, None);
        let info = Info::parse(
            b"tfd:       14 events:       19 data:                e  pos:0 ino:c6 sdev:f\ntfd:        3 events: 1 data: 3\n",
        );
        assert_eq!(info.watched, [3, 14]);
        assert_eq!(info.offset, None, "the offset of a watched file is not the epoll's");
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        let info = Info::parse(b"");
        assert_eq!(info, Info::default());
        assert_eq!(Info::parse(b"pos:\nflags:\t09\n\xff: 1\npos"), info);
        assert_eq!(Info::parse(b"pos:\t0\n").locks, Some(vec![]));
        assert_eq!(Info::parse(b"flags:\t02\n").locks, None, "of locks nothing is said");
        assert_eq!(Info::parse(b"pos:\t-1\n").offset, Some(u64::MAX));
    }
}
