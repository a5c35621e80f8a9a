//! Locks of each kind, in tables.

use super::every_kind::open;
use super::{current, entry};
use crate::own_process;
use crate::support::forked::Forked;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::{HeldLock, HeldLockKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Takes a lock of a range, or fails at once.
fn lock_range(fd: &OwnedFd, command: i32, kind: i32, start: i64, length: i64) {
    // SAFETY: all zeros is valid, and one is read.
    unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        (lock.l_type, lock.l_whence) = (kind as i16, libc::SEEK_SET as i16);
        (lock.l_start, lock.l_len) = (start, length);
        let result = libc::fcntl(fd.as_raw_fd(), command, &raw const lock);
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }
}

fn flock(fd: &impl AsRawFd, operation: i32) {
    // SAFETY: only numbers are passed.
    assert_eq!(unsafe { libc::flock(fd.as_raw_fd(), operation | libc::LOCK_NB) }, 0);
}

fn shown(table: &DescriptorTable, fd: &impl AsRawFd) -> Vec<String> {
    entry(table, fd).locks().unwrap().iter().map(HeldLock::to_string).collect()
}

own_process! {
    fn locks_of_each_kind_are_shown_at_the_descriptors_that_hold_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = || open(&path, libc::O_CREAT | libc::O_RDWR);
        let none: [&str; 0] = [];

        let (whole, other) = (file(), file());
        let duplicate = whole.try_clone().unwrap();
        flock(&whole, libc::LOCK_EX);
        let table = current();
        assert_eq!(shown(&table, &whole), ["exclusive flock"]);
        assert_eq!(shown(&table, &duplicate), ["exclusive flock"], "the description has it");
        assert_eq!(shown(&table, &other), none);
        flock(&whole, libc::LOCK_SH);
        flock(&other, libc::LOCK_SH);
        assert_eq!(shown(&current(), &other), ["shared flock"]);
        flock(&whole, libc::LOCK_UN);
        assert_eq!(shown(&current(), &duplicate), none);

        let ranges = file();
        lock_range(&ranges, libc::F_SETLK, libc::F_WRLCK, 10, 5);
        lock_range(&ranges, libc::F_SETLK, libc::F_RDLCK, 100, 0);
        let descriptions = file();
        lock_range(&descriptions, libc::F_OFD_SETLK, libc::F_RDLCK, 20, 1);
        lock_range(&descriptions, libc::F_OFD_SETLK, libc::F_WRLCK, 0, 3);
        let table = current();
        assert_eq!(shown(&table, &ranges), ["exclusive record 10..15", "shared record 100.."]);
        assert_eq!(shown(&table, &descriptions), ["exclusive description 0..3", "shared description 20..21"]);
        assert_eq!(shown(&table, &other), ["shared flock"], "each lock is shown once");
        let lock = entry(&table, &ranges).locks().unwrap()[0];
        assert_eq!(
            (lock.kind(), lock.is_exclusive(), lock.start(), lock.end()),
            (HeldLockKind::Record, true, 10, Some(15))
        );

        // A pipe and a directory can be locked too.
        let (reader, _writer) = std::io::pipe().unwrap();
        flock(&reader, libc::LOCK_EX);
        let place = open(directory.path(), libc::O_RDONLY);
        flock(&place, libc::LOCK_SH);
        let table = current();
        assert_eq!(shown(&table, &reader), ["exclusive flock"]);
        assert_eq!(shown(&table, &place), ["shared flock"]);

        let lonely = open(&directory.path().join("lonely"), libc::O_CREAT | libc::O_RDWR);
        // SAFETY: only numbers are passed.
        let leased = unsafe { libc::fcntl(lonely.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
        if leased == 0 {
            assert_eq!(shown(&current(), &lonely), ["exclusive lease"]);
        } else {
            println!("not here: leases: {}", std::io::Error::last_os_error());
        }
    }
}

own_process! {
    fn child_holds_the_locks_of_its_descriptions_and_not_the_record_locks() {
        let file = |name: &str| {
            let path = std::env::temp_dir().join(format!("fdspawn-{}-{name}", std::process::id()));
            let file = open(Path::new(&path), libc::O_CREAT | libc::O_RDWR);
            std::fs::remove_file(path).unwrap();
            file
        };
        let (flocked, record, description, its_own) = (file("a"), file("b"), file("c"), file("d"));
        flock(&flocked, libc::LOCK_EX);
        lock_range(&record, libc::F_SETLK, libc::F_WRLCK, 0, 0);
        lock_range(&description, libc::F_OFD_SETLK, libc::F_WRLCK, 7, 2);
        let child = Forked::new(|| lock_range(&its_own, libc::F_SETLK, libc::F_RDLCK, 1, 1));
        let (mine, childs) = (current(), DescriptorTable::of(child.0).unwrap());
        for table in [&mine, &childs] {
            assert_eq!(shown(table, &flocked), ["exclusive flock"]);
            assert_eq!(shown(table, &description), ["exclusive description 7..9"]);
        }
        assert_eq!((shown(&mine, &record).len(), shown(&childs, &record).len()), (1, 0));
        assert_eq!((shown(&mine, &its_own).len(), shown(&childs, &its_own).len()), (0, 1));
        assert_eq!(shown(&childs, &its_own), ["shared record 1..2"]);
    }
}
