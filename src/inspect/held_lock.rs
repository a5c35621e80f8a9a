//! Locks, as `/proc/PID/fdinfo` tells of them.

use std::fmt;

/// A lock that is held through a descriptor.
///
/// A lock of the description ([`HeldLockKind::Flock`], [`HeldLockKind::Description`], [`HeldLockKind::Lease`]) shows at each
/// descriptor that refers to it, in whichever process. A record lock belongs to the process, and shows at the
/// descriptors of the description through which it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldLock {
    pub(super) kind: HeldLockKind,
    pub(super) exclusive: bool,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

/// The kinds of locks, which know nothing of each other but for the two that lock ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeldLockKind {
    /// A lock of the whole file that lives as long as the description: `flock(2)`.
    #[doc(alias = "LOCK_EX")]
    Flock,
    /// A lock of a range of bytes that belongs to the process: `fcntl(2)` with `F_SETLK`, `lockf(3)`.
    #[doc(alias = "F_SETLK")]
    Record,
    /// A lock of a range of bytes that lives as long as the description: `fcntl(2)` with `F_OFD_SETLK`.
    #[doc(alias = "F_OFD_SETLK")]
    Description,
    /// A lease: `fcntl(2)` with `F_SETLEASE`. Where another process waits for its end, this tells what it is to become.
    #[doc(alias = "F_SETLEASE")]
    Lease,
    /// A delegation: a lease that an NFS server has given to a client.
    Delegation,
    /// One that this library does not know.
    Unknown,
}

impl HeldLock {
    /// What kind of lock it is.
    pub fn kind(&self) -> HeldLockKind {
        self.kind
    }

    /// Whether it keeps all others out (a write lock), or only writers (a shared or read lock).
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// The first byte that is locked; 0 for a lock of the whole file.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The byte after the last that is locked. `None` where there is no last: the lock goes to the end of the file,
    /// wherever that will be.
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// One line of fdinfo without its `lock:`, such as `1: POSIX  ADVISORY  WRITE 123 fe:00:7 5 14`. A line that is
    /// not understood is a lock all the same.
    pub(super) fn parse(line: &str) -> Self {
        Self::parse_known(line).unwrap_or(Self { kind: HeldLockKind::Unknown, exclusive: false, start: 0, end: None })
    }

    fn parse_known(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip(1);
        let kind = match words.next()? {
            "FLOCK" => HeldLockKind::Flock,
            "POSIX" => HeldLockKind::Record,
            "OFDLCK" => HeldLockKind::Description,
            "LEASE" => HeldLockKind::Lease,
            "DELEG" => HeldLockKind::Delegation,
            _ => return None,
        };
        // Advisory or not, and whether a lease is active: neither changes what is locked.
        let exclusive = words.nth(1)? == "WRITE";
        // The process that took the lock, and the file.
        let start = words.nth(2)?.parse().ok()?;
        let end = match words.next()? {
            "EOF" => None,
            last => Some(last.parse::<u64>().ok()?.checked_add(1)?),
        };
        Some(Self { kind, exclusive, start, end })
    }
}

/// `exclusive flock`, `shared record 5..15`, `exclusive description 3..`.
impl fmt::Display for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            HeldLockKind::Flock => "flock",
            HeldLockKind::Record => "record",
            HeldLockKind::Description => "description",
            HeldLockKind::Lease => "lease",
            HeldLockKind::Delegation => "delegation",
            HeldLockKind::Unknown => return f.write_str("unknown lock"),
        };
        write!(f, "{} {kind}", if self.exclusive { "exclusive" } else { "shared" })?;
        match (self.kind, self.end) {
            (HeldLockKind::Record | HeldLockKind::Description, Some(end)) => write!(f, " {}..{end}", self.start),
            (HeldLockKind::Record | HeldLockKind::Description, None) => write!(f, " {}..", self.start),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> String {
        HeldLock::parse(line).to_string()
    }

    #[test]
    fn each_kind_is_told_with_its_mode_and_range() {
        assert_eq!(text("1: FLOCK  ADVISORY  WRITE 31569 fe:00:10633570 0 EOF"), "exclusive flock");
        assert_eq!(text("1: FLOCK  ADVISORY  READ 31569 00:0f:13021676 0 EOF"), "shared flock");
        assert_eq!(text("1: POSIX  ADVISORY  WRITE 31569 fe:00:10633586 5 14"), "exclusive record 5..15");
        assert_eq!(text("12: POSIX  MANDATORY READ 0 <none>:0 0 EOF"), "shared record 0..");
        assert_eq!(text("1: OFDLCK ADVISORY  WRITE -1 fe:00:10633602 3 EOF"), "exclusive description 3..");
        assert_eq!(text("2: LEASE  ACTIVE    WRITE 31569 fe:00:10633586 0 EOF"), "exclusive lease");
        assert_eq!(text("2: LEASE  BREAKING  UNLCK 31569 fe:00:10633586 0 EOF"), "shared lease");
        assert_eq!(text("2: DELEG  ACTIVE    READ 31569 fe:00:10633586 0 EOF"), "shared delegation");
        let lock = HeldLock::parse("1: POSIX  ADVISORY  WRITE 31569 fe:00:10633586 5 14");
        assert_eq!(
            (lock.kind(), lock.is_exclusive(), lock.start(), lock.end()),
            (HeldLockKind::Record, true, 5, Some(15))
        );
    }

    #[test]
    fn line_that_is_not_understood_is_a_lock_all_the_same() {
        for line in ["", "1: UNKNOWN UNKNOWN  READ 1 fe:00:1 0 EOF", "1: POSIX  ADVISORY  WRITE 1 fe:00:1 x EOF", "1:"]
        {
            assert_eq!(HeldLock::parse(line).kind(), HeldLockKind::Unknown, "{line}");
        }
    }
}
