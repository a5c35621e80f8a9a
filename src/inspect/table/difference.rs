//! Compares two tables.

use super::descriptor_table::DescriptorTable;
use super::display::{access, flag_words};
use super::entry::Entry;
use super::kind::Kind;
use crate::inspect::access::EntryFlags;
use std::cmp::Ordering;
use std::fmt;

/// The differences between two tables, from [`DescriptorTable::diff`]. `Display` prints a line for each entry that
/// differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    opened: Vec<Entry>,
    closed: Vec<Entry>,
    changed: Vec<(Entry, Entry)>,
}

impl Difference {
    pub(super) fn new(before: &[Entry], after: &[Entry]) -> Self {
        let mut difference = Self { opened: Vec::new(), closed: Vec::new(), changed: Vec::new() };
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return difference,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.number.cmp(&new.number),
            };
            match order {
                Ordering::Less => difference.closed.extend(before.next().cloned()),
                Ordering::Greater => difference.opened.extend(after.next().cloned()),
                Ordering::Equal => {
                    let pair = before.next().zip(after.next());
                    let changed = pair.filter(|(old, new)| !same_file(old, new) || !same_flags(old, new));
                    difference.changed.extend(changed.map(|(old, new)| (old.clone(), new.clone())));
                }
            }
        }
    }

    /// The descriptors that only the later table has.
    pub fn opened(&self) -> &[Entry] {
        &self.opened
    }

    /// The descriptors that only the earlier table has.
    pub fn closed(&self) -> &[Entry] {
        &self.closed
    }

    /// The descriptors that both tables have and that differ: each as in the earlier and as in the later table.
    pub fn changed(&self) -> &[(Entry, Entry)] {
        &self.changed
    }

    /// Whether the tables do not differ.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.closed.is_empty() && self.changed.is_empty()
    }
}

/// Whether both may refer to the same file. A fact that only one of them has decides nothing.
fn same_file(old: &Entry, new: &Entry) -> bool {
    if !both(old.file, new.file, |old, new| old.may_be(new)) {
        return false;
    }
    let same_kind = match (&old.kind, &new.kind) {
        (Kind::Event { .. }, Kind::Event { .. }) => both(old.id, new.id, |old, new| old == new),
        // A reaped process has no pid.
        (Kind::Pidfd { pid: old }, Kind::Pidfd { pid: new }) => both(*old, *new, |old, new| old == new),
        (Kind::Pipe { inode: old }, Kind::Pipe { inode: new })
        | (Kind::Socket { inode: old, .. }, Kind::Socket { inode: new, .. })
        | (Kind::Namespace { inode: old, .. }, Kind::Namespace { inode: new, .. }) => old == new,
        _ => true,
    };
    // Descriptors of many kinds have one and the same file.
    same_kind && both(old.kind.anonymous_name(), new.kind.anonymous_name(), |old, new| old == new)
}

/// Whether both may have the same flags.
fn same_flags(old: &Entry, new: &Entry) -> bool {
    both(old.flags, new.flags, |old, new| old == new)
}

/// Whether two facts are the same, or one is unknown.
fn both<T>(old: Option<T>, new: Option<T>, same: impl FnOnce(T, T) -> bool) -> bool {
    old.zip(new).is_none_or(|(old, new)| same(old, new))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changed");
        }
        for entry in &self.opened {
            writeln!(f, "opened {entry}")?;
        }
        for entry in &self.closed {
            writeln!(f, "closed {entry}")?;
        }
        for (old, new) in &self.changed {
            write!(f, "changed {}: ", old.number)?;
            if same_file(old, new) {
                write!(f, "{}", old.kind)?;
            } else {
                let (was, is) = (old.kind.to_string(), new.kind.to_string());
                let another = if was == is { "another " } else { "" };
                write!(f, "{was} -> {another}{is}")?;
            }
            if let Some((old, new)) = old.flags.zip(new.flags).filter(|(old, new)| old != new) {
                write!(f, ", {} -> {}", flags_text(old, new), flags_text(new, old))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The access mode and the flags. If these words are the same for `other`, the number of the flags too.
fn flags_text(flags: EntryFlags, other: EntryFlags) -> String {
    let words = |flags: EntryFlags| {
        let mut words = vec![access(Some(flags.access()))];
        words.extend(flag_words(flags));
        words.join(" ")
    };
    match words(flags) {
        text if text == words(other) => format!("{text} ({:#o})", flags.status),
        text => text,
    }
}

impl DescriptorTable {
    /// Compares a table with a later table of the same process.
    ///
    /// A descriptor has changed if its number refers to another file or another kernel object than before, or if its
    /// access mode, its status flags or its close-on-exec differ. Two files are the same if they have the same device,
    /// inode number and time of birth (a file system may give the inode number of a deleted file to a new one, and not
    /// every file system stores the time of birth). The paths do not matter.
    ///
    /// Offsets, locks, the count of an eventfd, the numbers that an epoll watches, and the path of a renamed file may
    /// change in a process that leaks nothing; the comparison ignores them. It also ignores what one of the tables does
    /// not know.
    ///
    /// # Platform notes
    ///
    /// On Linux, objects of some kinds have no identity that a process could read. If the process closes an epoll, a
    /// timer, a signalfd or an inotify, and another of that kind gets its number, the comparison finds no difference.
    ///
    /// ```
    /// use fdspawn::inspect::DescriptorTable;
    /// # // A doctest has a process of its own, so no other test opens descriptors at the same time.
    /// let before = DescriptorTable::current()?;
    /// let file = std::fs::File::open("/dev/null")?;
    /// let difference = DescriptorTable::diff(&before, &DescriptorTable::current()?);
    /// assert_eq!(difference.opened().len(), 1);
    /// assert!(difference.closed().is_empty() && difference.changed().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn diff(before: &Self, after: &Self) -> Difference {
        Difference::new(&before.entries, &after.entries)
    }

    /// Runs `f`, and panics with the [`Difference`] if the calling thread's table has changed. Use it in tests of code
    /// that must not leak a descriptor.
    ///
    /// Other threads share the table, so what they open and close counts too: run such a test in a process of its own,
    /// or with `--test-threads=1`. The tables are compared before the result of `f` is dropped: a descriptor in it
    /// counts as opened. If `f` panics, the panic continues, and the tables are not compared.
    ///
    /// ```
    /// use fdspawn::inspect::DescriptorTable;
    ///
    /// let line = DescriptorTable::assert_unchanged(|| std::fs::read_to_string("/dev/null"));
    /// assert_eq!(line?, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the table has changed, or if it cannot be listed.
    #[track_caller]
    pub fn assert_unchanged<T>(f: impl FnOnce() -> T) -> T {
        let list = |when| match Self::current() {
            Ok(table) => table,
            Err(error) => panic!("cannot list the descriptors {when}: {error}"),
        };
        let before = list("before");
        let result = f();
        let difference = Self::diff(&before, &list("after"));
        assert!(difference.is_empty(), "the descriptors are not the same as before:\n{difference}");
        result
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::FileId;
    use super::*;

    fn entry(number: i32, inode: u64, path: &str) -> Entry {
        Entry {
            number,
            kind: Kind::File { path: Some(path.into()), deleted: false },
            flags: Some(EntryFlags { status: libc::O_RDONLY, close_on_exec: true }),
            offset: Some(0),
            locks: Some(vec![]),
            file: Some(FileId { device: 1, inode, born: Some((9, 0)) }),
            id: None,
        }
    }

    fn shared(kind: Kind, id: Option<u64>) -> Entry {
        Entry { kind, id, ..entry(3, 1, "") }
    }

    fn text(before: &[Entry], after: &[Entry]) -> String {
        let difference = Difference::new(before, after);
        assert_eq!(difference.is_empty(), difference.to_string() == "nothing changed\n");
        difference.to_string()
    }

    const NOTHING: &str = "nothing changed\n";

    #[test]
    fn opened_and_closed_and_replaced_numbers_are_found() {
        let before = [entry(0, 10, "/a"), entry(3, 13, "/d"), entry(4, 14, "/e"), entry(9, 19, "/j")];
        let after = [entry(0, 10, "/a"), entry(2, 12, "/c"), entry(4, 24, "/x"), entry(5, 15, "/f")];
        let expected = "\
opened 2: file /c, read, close-on-exec
opened 5: file /f, read, close-on-exec
closed 3: file /d, read, close-on-exec
closed 9: file /j, read, close-on-exec
changed 4: file /e -> file /x
";
        assert_eq!(text(&before, &after), expected);
        assert_eq!(text(&before, &before), NOTHING);
        assert_eq!(text(&[], &[]), NOTHING);
    }

    #[test]
    fn other_flags_are_a_change() {
        let before = entry(3, 13, "/d");
        let with =
            |status, close_on_exec| Entry { flags: Some(EntryFlags { status, close_on_exec }), ..before.clone() };
        let change = |after: Entry| text(std::slice::from_ref(&before), &[after]);
        assert_eq!(change(with(libc::O_RDONLY, false)), "changed 3: file /d, read close-on-exec -> read\n");
        assert_eq!(
            change(with(libc::O_RDWR, true)),
            "changed 3: file /d, read close-on-exec -> read-write close-on-exec\n"
        );
        assert_eq!(
            change(with(libc::O_APPEND, true)),
            "changed 3: file /d, read close-on-exec -> read close-on-exec append\n"
        );
        let unnamed = change(with(libc::O_SYNC, true));
        assert_eq!(
            unnamed,
            format!("changed 3: file /d, read close-on-exec (0o0) -> read close-on-exec ({:#o})\n", libc::O_SYNC)
        );
    }

    #[test]
    fn offset_and_locks_and_path_are_no_change() {
        let moved = Entry { offset: Some(7), locks: None, ..entry(3, 13, "/renamed") };
        assert_eq!(text(&[entry(3, 13, "/d")], &[moved]), NOTHING);
    }

    #[test]
    fn file_with_the_number_of_one_that_is_gone_is_another() {
        let born = |born| Entry { file: Some(FileId { device: 1, inode: 13, born }), ..entry(3, 13, "/d") };
        assert_eq!(text(&[born(Some((9, 0)))], &[born(Some((9, 1)))]), "changed 3: file /d -> another file /d\n");
        assert_eq!(text(&[born(Some((9, 0)))], &[born(None)]), NOTHING);
    }

    #[test]
    fn what_is_not_known_is_no_change() {
        let unreadable = Entry {
            kind: Kind::Unreadable { link: None, error: 13 },
            flags: None,
            offset: None,
            locks: None,
            file: None,
            ..entry(3, 13, "/d")
        };
        assert_eq!(text(&[entry(3, 13, "/d")], &[unreadable]), NOTHING);
    }

    #[test]
    fn kinds_that_share_a_file_are_told_apart_by_what_is_known_of_them() {
        let event = |id, count| shared(Kind::Event { count: Some(count) }, Some(id));
        let pidfd = |pid| shared(Kind::Pidfd { pid }, None);
        let named = |name: &str| shared(Kind::Anonymous { name: Some(name.to_owned()) }, None);
        assert_eq!(text(&[event(1, 0)], &[event(1, 5)]), NOTHING);
        assert_eq!(
            text(&[event(1, 0)], &[event(2, 0)]),
            "changed 3: eventfd of count 0 -> another eventfd of count 0\n"
        );
        assert_eq!(text(&[event(1, 0)], &[shared(Kind::Timer, None)]), "changed 3: eventfd of count 0 -> timerfd\n");
        assert_eq!(text(&[pidfd(Some(5))], &[pidfd(None)]), NOTHING, "it was reaped");
        assert_eq!(text(&[pidfd(Some(5))], &[pidfd(Some(6))]), "changed 3: pidfd of process 5 -> pidfd of process 6\n");
        assert_eq!(
            text(&[named("io_uring")], &[named("bpf-map")]),
            "changed 3: anonymous io_uring -> anonymous bpf-map\n"
        );
        let epoll = |watched| shared(Kind::Epoll { watched }, None);
        assert_eq!(text(&[epoll(vec![])], &[epoll(vec![5])]), NOTHING);
        let unnamed = shared(Kind::Anonymous { name: None }, None);
        assert_eq!(text(&[unnamed], &[epoll(vec![])]), NOTHING);
    }
}
