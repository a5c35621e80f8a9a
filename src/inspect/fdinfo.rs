//! `FdInfo`: the text of `/proc/PID/fdinfo/N` (`proc_pid_fdinfo(5)`).

use super::access::EntryFlags;
use super::held_lock::HeldLock;
use crate::fd::fdinfo::fdinfo_lines;
use std::os::fd::RawFd;

/// The lines of fdinfo that the library uses. A field is `None` if the text does not have its line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FdInfo {
    /// The offset. The kernel prints one also for kinds that have none.
    pub(super) offset: Option<u64>,
    pub(super) flags: Option<EntryFlags>,
    /// The kernel's own inode number, since Linux 5.14. Some file systems return another one by `stat(2)`.
    pub(super) inode: Option<u64>,
    pub(super) locks: Option<Vec<HeldLock>>,
    /// The count of an eventfd.
    pub(super) count: Option<u64>,
    /// The kernel's number of an eventfd.
    pub(super) id: Option<u64>,
    /// The process of a pidfd.
    pub(super) pid: Option<u32>,
    /// The numbers that an epoll watches.
    pub(super) watched: Vec<RawFd>,
}

impl FdInfo {
    /// Parses the text, or its beginning. Skips lines that it does not know, such as those of drivers.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut info = Self::default();
        for (name, value) in fdinfo_lines(text) {
            match name {
                // The kernel prints a signed number. Some devices have offsets above the largest signed one.
                "pos" => info.offset = info.offset.or(value.parse::<i64>().ok().map(i64::cast_unsigned)),
                "flags" => {
                    let flags = u32::from_str_radix(value, 8).ok().map(u32::cast_signed);
                    info.flags = info.flags.or(flags.map(EntryFlags::from_fdinfo));
                }
                "ino" => info.inode = info.inode.or(value.parse().ok()),
                "lock" => info.locks.get_or_insert_default().push(HeldLock::parse(value)),
                "eventfd-count" => info.count = u64::from_str_radix(value, 16).ok(),
                "eventfd-id" => info.id = value.parse().ok(),
                // -1 if the process has been reaped, 0 if it has no pid in the PID namespace of this /proc.
                "Pid" => info.pid = value.parse().ok().filter(|&pid| pid != 0),
                "tfd" => info.watched.extend(value.split(' ').next().and_then(|number| number.parse::<RawFd>().ok())),
                _ => {}
            }
        }
        info.watched.sort_unstable();
        // Linux prints an offset and all locks. Kernels that emulate Linux (gVisor) print neither.
        if info.offset.is_some() {
            info.locks.get_or_insert_default();
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::access::Access;

    #[test]
    fn offset_flags_and_locks_are_read() {
        let text = b"pos:\t12\nflags:\t02102001\nmnt_id:\t27\nino:\t106\n\
                     lock:\t1: FLOCK  ADVISORY  WRITE 31 fe:00:106 0 EOF\nlock:\t2: POSIX  ADVISORY  READ 31 fe:00:106 1 1\n";
        let info = FdInfo::parse(text);
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
        let info = FdInfo::parse(b"pos:\t0\nflags:\t02\neventfd-count:               ff\neventfd-id: 7\n");
        assert_eq!((info.count, info.id), (Some(255), Some(7)));
        assert_eq!(FdInfo::parse(b"Pid:\t42\nNSpid:\t42\n").pid, Some(42));
        assert_eq!(FdInfo::parse(b"Pid:\t-1\nNSpid:\t-1\n").pid, None);
        assert_eq!(FdInfo::parse(b"Pid:\t0\n").pid, None);
        let info = FdInfo::parse(
            b"tfd:       14 events:       19 data:                e  pos:0 ino:c6 sdev:f\ntfd:        3 events: 1 data: 3\n",
        );
        assert_eq!(info.watched, [3, 14]);
        assert_eq!(info.offset, None, "the offset of a watched file is not the epoll's");
    }

    #[test]
    fn flags_and_inode_are_read_from_the_first_lines() {
        let cases = [
            ("pos:\t0\nflags:\t02000000\nmnt_id:\t15\nino:\t7\n", Access::Read, Some(7)),
            ("pos:\t0\nflags:\t0100001\nmnt_id:\t15\n", Access::Write, None),
            ("pos:\t0\nflags:\t02004002\nmnt_id:\t15\nino:\t7\nlock:\t1: flags:\t01\n", Access::ReadWrite, Some(7)),
            ("flags:\t02\nino:\t18446744073709551615\n", Access::ReadWrite, Some(u64::MAX)),
        ];
        for (text, access, inode) in cases {
            let info = FdInfo::parse(text.as_bytes());
            assert_eq!((info.flags.map(EntryFlags::access), info.inode), (Some(access), inode), "{text}");
        }
        #[cfg(target_arch = "x86_64")]
        assert_eq!(FdInfo::parse(b"flags:\t012000000\n").flags.map(EntryFlags::access), Some(Access::Path));
        for text in ["", "pos:\t0\n", "flags:\t8\n", "flags:\n", "flags:\t-1\n"] {
            assert_eq!(FdInfo::parse(text.as_bytes()).flags, None, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_known() {
        let info = FdInfo::parse(b"");
        assert_eq!(info, FdInfo::default());
        assert_eq!(FdInfo::parse(b"pos:\nflags:\t09\n\xff: 1\npos"), info);
        assert_eq!(FdInfo::parse(b"pos:\t0\n").locks, Some(vec![]));
        assert_eq!(FdInfo::parse(b"flags:\t02\n").locks, None, "the text does not say whether there are locks");
        assert_eq!(FdInfo::parse(b"pos:\t-1\n").offset, Some(u64::MAX));
    }
}
