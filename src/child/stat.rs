//! `Stat`: fields of `/proc/PID/stat` (`proc_pid_stat(5)`).

use rustix::io::Errno;

/// Some fields of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    state: u8,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// 0 on systems that imitate Linux.
    pub(super) flags: u64,
    /// How many threads the process has. One that has ended as a whole has at most one.
    threads: u32,
    /// In clock ticks since boot. Two processes that have had the same number differ in it.
    pub(super) start_time: u64,
}

impl Stat {
    /// Reads the file of a process; `None` if there is no such process, or if `/proc` hides it. Fails if this process cannot open the file,
    /// for example because it is at its limit of descriptors.
    pub(super) fn read(pid: i32) -> Result<Option<Self>, Errno> {
        match std::fs::read(format!("/proc/{pid}/stat")) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) => match Errno::from_io_error(&error) {
                // EACCES and EPERM: `/proc` hides the process.
                Some(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(None),
                errno => Err(errno.unwrap_or(Errno::IO)),
            },
        }
    }

    /// Reads the file of a thread of a process.
    pub(super) fn of_thread(pid: i32, thread: i32) -> Option<Self> {
        std::fs::read(format!("/proc/{pid}/task/{thread}/stat")).ok().and_then(|text| Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        // The name, which is before the fields, may have any bytes.
        let start = text.windows(2).rposition(|pair| pair == b") ")?;
        let mut fields = std::str::from_utf8(&text[start + 2..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let mut number = || fields.next()?.parse::<i32>().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        let flags = fields.nth(2)?.parse().ok()?;
        let threads = fields.nth(10)?.parse().ok()?;
        let start_time = fields.nth(1)?.parse().ok()?;
        Some(Self { state, parent, group, session, flags, threads, start_time })
    }

    /// Whether the process has ended, and is at most a zombie. A process whose main thread has ended runs on in its other threads.
    pub(super) fn has_ended(&self) -> bool {
        self.main_thread_has_ended() && self.threads <= 1
    }

    /// Whether the main thread has ended, and others run.
    pub(super) fn is_leaderless(&self) -> bool {
        self.main_thread_has_ended() && self.threads > 1
    }

    fn main_thread_has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether the process cannot start another one: a signal or a tracer has stopped its main thread, or it has ended. If a signal has
    /// stopped one thread, no other thread of the process can fork any more.
    pub(super) fn is_at_rest(&self) -> bool {
        self.has_ended() || self.is_stopped()
    }

    /// Whether a signal or a tracer has stopped the main thread, or the thread whose file it is.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_after_a_name_with_any_bytes() {
        let text = b"42 (a) b (\xff) c) S 7 8 -9 0 -1 4194304 93 0 0 0 1 0 0 0 20 0 1 0 12345 2232320 200\n";
        let (flags, threads, start_time) = (0x40_0000, 1, 12345);
        let stat = Stat { state: b'S', parent: 7, group: 8, session: -9, flags, threads, start_time };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse(b"42 (sh) S 7"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn own_process_is_found_and_has_not_ended() {
        let pid = std::process::id().cast_signed();
        let own = Stat::read(pid).unwrap().unwrap();
        assert!(!own.has_ended() && !own.is_at_rest());
        assert_eq!(Stat::read(pid).unwrap().unwrap().start_time, own.start_time);
        assert_eq!(Stat::read(i32::MAX), Ok(None));
    }

    #[test]
    fn processes_at_rest_are_stopped_or_have_ended() {
        let stat = |state| Stat { state, parent: 1, group: 1, session: 1, flags: 0, threads: 1, start_time: 0 };
        assert!(b"TtZXx".iter().all(|&state| stat(state).is_at_rest()));
        assert!(b"RSDI".iter().all(|&state| !stat(state).is_at_rest()));
        assert!(b"TtRSDI".iter().all(|&state| !stat(state).has_ended()));
    }

    #[test]
    fn process_whose_main_thread_has_ended_has_not_ended() {
        let stat = Stat { state: b'Z', parent: 1, group: 1, session: 1, flags: 0, threads: 2, start_time: 0 };
        assert!(!stat.has_ended() && !stat.is_at_rest() && stat.is_leaderless());
        let stat = Stat { threads: 1, ..stat };
        assert!(stat.has_ended() && stat.is_at_rest() && !stat.is_leaderless());
    }
}
