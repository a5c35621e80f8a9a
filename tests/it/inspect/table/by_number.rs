//! The caller's own table if /proc does not show it, or if the process can open nothing.

use super::every_kind::{EveryKind, stat};
use super::{current, entry, numbers};
use crate::own_process;
use crate::support::exhaustive;
use crate::support::mounts::unmount_proc;
use crate::support::sources::{hard_limit, memory_at, set_limit};
use crate::support::table::open_numbers;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::Kind;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What remains of a kind without the link and the fdinfo.
pub fn by_number(number: RawFd, kind: &Kind) -> Kind {
    let stat = stat(number);
    match kind {
        Kind::File { deleted, .. } => Kind::File { path: None, deleted: *deleted && stat.st_nlink == 0 },
        Kind::Directory { .. } => Kind::Directory { path: None, deleted: stat.st_nlink == 0 },
        Kind::Terminal { deleted, .. } => Kind::Terminal { path: None, deleted: *deleted },
        &Kind::CharacterDevice { deleted, major, minor, .. } => {
            Kind::CharacterDevice { path: None, deleted, major, minor }
        }
        &Kind::BlockDevice { deleted, major, minor, .. } => Kind::BlockDevice { path: None, deleted, major, minor },
        &Kind::Fifo { deleted, .. } => Kind::Fifo { path: None, deleted },
        &Kind::SymbolicLink { deleted, .. } => Kind::SymbolicLink { path: None, deleted },
        &Kind::SocketFile { deleted, .. } => Kind::SocketFile { path: None, deleted },
        Kind::Queue { .. } => Kind::Queue { name: None },
        Kind::Memory { .. } | Kind::SecretMemory => Kind::File { path: None, deleted: stat.st_nlink == 0 },
        &Kind::Namespace { inode, .. } => Kind::Namespace { name: None, inode },
        Kind::Pipe { .. } | Kind::Socket { .. } => kind.clone(),
        Kind::Pidfd { .. } if stat.st_dev != stat_of_shared_file() => Kind::Pidfd { pid: None },
        _ => Kind::Anonymous { name: None },
    }
}

/// The device of files that have no file system of their own. Older kernels have pidfds there.
fn stat_of_shared_file() -> u64 {
    // SAFETY: the descriptor is new.
    let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
    stat(event.as_raw_fd()).st_dev
}

pub fn same_kind(found: &Kind, expected: &Kind) -> bool {
    match (found, expected) {
        (Kind::Socket { inode: found, .. }, Kind::Socket { inode: expected, .. }) => found == expected,
        _ => found == expected,
    }
}

/// Opens duplicates until the process can open only `left` more descriptors.
fn fill_but(left: usize) -> Vec<OwnedFd> {
    let mut fillers = Vec::new();
    loop {
        // SAFETY: the call returns a new descriptor or an error.
        unsafe {
            match libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 0) {
                -1 => break,
                number => fillers.push(OwnedFd::from_raw_fd(number)),
            }
        }
    }
    fillers.truncate(fillers.len() - left);
    fillers
}

own_process! {
    fn own_table_is_complete_without_proc() {
        let every = EveryKind::new();
        let with_proc = current();
        let expected: Vec<Kind> = every.held.iter().map(|held| by_number(held.number, &held.kind)).collect();
        if !unmount_proc() {
            return;
        }
        let table = current();
        assert_eq!(numbers(&table), open_numbers());
        for (held, expected) in every.held.iter().zip(expected) {
            let entry = entry(&table, &held.number);
            assert!(same_kind(entry.kind(), &expected), "{entry} is not {expected}");
            assert_eq!(entry.locks(), None);
            assert_eq!(entry.offset(), held.offset, "{entry}");
            every.check_flags(&table, held.number);
        }
        let difference = DescriptorTable::diff(&with_proc, &table);
        assert!(difference.is_empty(), "{difference}");
        let error = DescriptorTable::of(std::process::id()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().ends_with("there is no /proc that tells of them"), "{error}");
    }
}

own_process! {
    fn own_table_is_complete_at_the_limit_of_descriptors() {
        let every = EveryKind::new();
        let before = current();
        // A full table is full at any limit, and the whole suite has the highest one.
        set_limit(if exhaustive() { hard_limit() } else { 300 }, hard_limit());
        // With no descriptor left, the library can only read links. With one or more, it can read everything.
        for left in [0, 1, 2, 3, 4] {
            let fillers = fill_but(left);
            let table = current();
            let opened = open_numbers();
            assert_eq!(numbers(&table), opened, "{left} left");
            assert_eq!(opened.len(), before.len() + fillers.len());
            if left > 0 {
                every.check(&table);
            }
            for held in &every.held {
                let entry = entry(&table, &held.number);
                let shown = match &held.kind {
                    // These details are only in fdinfo.
                    Kind::Event { .. } if left == 0 => Kind::Event { count: None },
                    Kind::Epoll { .. } if left == 0 => Kind::Epoll { watched: vec![] },
                    Kind::Pidfd { .. } if left == 0 => Kind::Pidfd { pid: None },
                    kind => kind.clone(),
                };
                assert!(same_kind(entry.kind(), &shown), "{entry} is not {shown}");
                assert_eq!(entry.offset(), held.offset, "{entry}");
                every.check_flags(&table, held.number);
            }
            // A table of another process needs descriptors of this one.
            let other = DescriptorTable::of(std::process::id());
            match other {
                Ok(table) => assert!(left >= 3 && numbers(&table) == opened),
                Err(error) => {
                    assert!(left < 3, "{error}");
                    assert!(error.to_string().contains("Too many open files"), "{error}");
                }
            }
            drop(fillers);
            let difference = DescriptorTable::diff(&before, &current());
            assert!(difference.is_empty(), "{difference}");
        }
    }
}

own_process! {
    fn numbers_beyond_a_lowered_limit_are_listed() {
        let hard = hard_limit();
        let number = hard as RawFd - 1;
        let _high = memory_at(number, "high", true);
        let expected = open_numbers();
        set_limit(5, hard);
        let table = current();
        assert_eq!(numbers(&table), expected);
        assert_eq!(*entry(&table, &number).kind(), Kind::Memory { name: "source".into() });
        // The process can open nothing now.
        set_limit(0, 0);
        assert_eq!(numbers(&current()), expected);
    }
}
