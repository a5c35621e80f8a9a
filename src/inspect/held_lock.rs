//! Locks, as `/proc/PID/fdinfo/N` lists them.

use std::fmt;

/// A lock that is held through a descriptor.
///
/// A lock of the description ([`HeldLockKind::Flock`], [`HeldLockKind::Description`], [`HeldLockKind::Lease`]) is
/// listed at each descriptor of the description, in any process. A record lock belongs to the process, and is listed at
/// the descriptors of the description through which the process has taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeldLock {
    pub(super) kind: HeldLockKind,
    pub(super) exclusive: bool,
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

/// The kinds of locks. Locks of different kinds do not conflict, except record locks with locks of ranges that belong
/// to a description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeldLockKind {
    /// A lock of the whole file that belongs to the description: `flock(2)`.
    #[doc(alias = "LOCK_EX")]
    Flock,
    /// A lock of a range of bytes that belongs to the process: `fcntl(2)` with `F_SETLK`, `lockf(3)`.
    #[doc(alias = "F_SETLK")]
    Record,
    /// A lock of a range of bytes that belongs to the description: `fcntl(2)` with `F_OFD_SETLK`.
    #[doc(alias = "F_OFD_SETLK")]
    Description,
    /// A lease: `fcntl(2)` with `F_SETLEASE`. If another process waits for its end, [`HeldLock::is_exclusive`]
    /// describes the lease that the kernel has asked the holder to reduce it to.
    #[doc(alias = "F_SETLEASE")]
    Lease,
    /// A delegation: a lease that an NFS server has given to a client.
    Delegation,
    /// A kind that this library does not know.
    Unknown,
}

impl HeldLock {
    /// The kind of the lock.
    pub fn kind(&self) -> HeldLockKind {
        self.kind
    }

    /// Whether the lock is exclusive (a write lock). If not, it is shared (a read lock).
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// The first byte that is locked; 0 for a lock of the whole file.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The byte after the last locked byte. `None` if the lock has no end: it also covers the bytes by which the file
    /// grows later.
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// Parses one line of fdinfo without its `lock:`, such as `1: POSIX  ADVISORY  WRITE 123 fe:00:7 5 14`. If the line
    /// has another form, the result is a lock of unknown kind.
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
        // Skip a word: whether the lock is advisory, or whether the lease is active.
        let exclusive = words.nth(1)? == "WRITE";
        // Skip two words: the process that took the lock, and the file.
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
    fn each_kind_is_printed_with_its_mode_and_range() {
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
