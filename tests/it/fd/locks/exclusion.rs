//! Which descriptions, threads and processes a lock excludes.

use super::{KINDS, Kind, Target};
use crate::support::{LAUNCHERS, helper};
use fdspawn::Stdio;
use fdspawn::fd::{Lock, RangeLock, TryLockError, lock, try_lock};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

/// The kernel's list of the locks of a description: kind, mode, range. `None` without /proc.
fn listed(file: &File) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    // lock: number: kind ADVISORY mode pid device:inode start end
    let locks = text.lines().filter_map(|line| line.strip_prefix("lock:"));
    let words = locks.map(|line| line.split_whitespace().collect::<Vec<_>>());
    Some(words.map(|words| [words[1], words[3], words[6], words[7]].join(" ")).collect())
}

#[test]
fn exclusive_lock_excludes_every_other_description_in_the_process() {
    for kind in KINDS {
        let target = Target::new();
        let guard = kind.try_lock(target.open()).unwrap();
        assert!(matches!(kind.try_lock(target.open()), Err(TryLockError::Held(_))), "{kind:?}");
        assert!(matches!(kind.try_shared(target.open()), Err(TryLockError::Held(_))), "{kind:?}");
        drop(guard);
        drop(kind.try_lock(target.open()).unwrap());
    }
}

#[test]
fn shared_locks_coexist_and_exclude_exclusive_ones() {
    for kind in KINDS {
        let target = Target::new();
        let guards = [(); 3].map(|()| kind.try_shared(target.open()).unwrap());
        for guard in guards {
            assert!(!kind.is_free(&target), "{kind:?}");
            drop(guard);
        }
        assert!(kind.is_free(&target));
    }
}

#[test]
fn lock_excludes_another_process_and_ends_with_it() {
    for launcher in LAUNCHERS {
        for kind in KINDS {
            let target = Target::new();
            let child_says = || {
                let mut command = helper("try-lock");
                command.arg(format!("{kind:?}")).arg(target.path()).launcher(launcher);
                String::from_utf8(command.output().unwrap().stdout).unwrap()
            };
            assert_eq!(child_says(), "free");
            let guard = kind.try_lock(target.open()).unwrap();
            assert_eq!(child_says(), "held");
            drop(guard);
            assert_eq!(child_says(), "free");

            let mut command = helper("lock");
            command.arg(format!("{kind:?}")).arg(target.path()).launcher(launcher);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut said = [0; 7];
            child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
            assert_eq!(&said, b"locked\n");
            assert!(!kind.is_free(&target));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(kind.is_free(&target));
        }
    }
}

#[test]
fn kinds_do_not_see_each_other() {
    let target = Target::new();
    let _whole = lock(target.open(), Lock::exclusive()).unwrap();
    let _bytes = try_lock(target.open(), RangeLock::exclusive(..)).unwrap();
}

#[test]
fn ranges_exclude_each_other_if_they_overlap() {
    let target = Target::new(); // The file is empty: bytes beyond its end can be locked.
    let _held = lock(target.open(), RangeLock::exclusive(100..200)).unwrap();
    let free = |range: RangeLock| match try_lock(target.open(), range) {
        Ok(_) => true,
        Err(TryLockError::Held(_)) => false,
        Err(error) => panic!("{error}"),
    };
    let largest = i64::MAX as u64;
    for range in [RangeLock::exclusive(0..100), RangeLock::exclusive(..=99), RangeLock::exclusive(200..)] {
        assert!(free(range), "{range:?}");
    }
    assert!(free(RangeLock::exclusive(largest..)) && free(RangeLock::exclusive(200..=largest)));
    for range in [RangeLock::shared(0..101), RangeLock::shared(199..200), RangeLock::shared(150..=150)] {
        assert!(!free(range), "{range:?}");
    }
    assert!(!free(RangeLock::shared(..)) && !free(RangeLock::exclusive(0..largest)));

    let to_the_end = lock(target.open(), RangeLock::shared(300..)).unwrap();
    assert!(!free(RangeLock::exclusive(largest..)) && !free(RangeLock::exclusive(1 << 40..(1 << 40) + 1)));
    assert!(free(RangeLock::exclusive(200..300)) && free(RangeLock::shared(largest..)));
    drop(to_the_end);
    assert!(free(RangeLock::exclusive(largest..)));
}

#[test]
fn guards_of_disjoint_ranges_of_one_description_release_their_own() {
    let target = Target::new();
    let file = target.open();
    let one = lock(&file, RangeLock::exclusive(0..10)).unwrap();
    let two = lock(&file, RangeLock::exclusive(10..20)).unwrap();
    drop(one);
    drop(try_lock(target.open(), RangeLock::exclusive(0..10)).unwrap());
    assert!(matches!(try_lock(target.open(), RangeLock::exclusive(10..11)), Err(TryLockError::Held(_))));
    drop(two);
    drop(try_lock(target.open(), RangeLock::exclusive(..)).unwrap());
}

#[test]
fn two_guards_of_one_description_are_one_lock() {
    for kind in KINDS {
        let target = Target::new();
        let file = target.open();
        let one = kind.try_lock(&file).unwrap();
        let two = kind.try_lock(&file).unwrap();
        drop(two);
        assert!(kind.is_free(&target));
        drop(one);
    }
}

#[test]
fn failed_conversion_loses_a_flock_lock_and_leaves_one_of_bytes() {
    for (kind, lost) in [(Kind::Whole, true), (Kind::Bytes, false)] {
        let target = Target::new();
        let other = kind.try_shared(target.open()).unwrap();
        let mine = kind.try_shared(target.open()).unwrap();
        let Err(TryLockError::Held(mine)) = kind.try_lock(mine.into_inner()) else { panic!("{kind:?}") };
        drop(other);
        assert_eq!(kind.is_free(&target), lost, "{kind:?}");

        // No other lock is in the way now.
        let mine = kind.try_lock(mine).unwrap();
        assert!(kind.try_shared(target.open()).is_err(), "{kind:?}");
        let mine = kind.try_shared(mine.into_inner()).unwrap();
        drop(kind.try_shared(target.open()).unwrap());
        drop(mine);
        assert!(kind.is_free(&target));
    }
}

#[test]
fn kernel_lists_what_is_locked() {
    let target = Target::new();
    let one = try_lock(target.open(), Lock::shared()).unwrap();
    if listed(&one).is_none() {
        eprintln!("skipped: the kernel does not list locks");
        return;
    }
    // The kernel calls the locks FLOCK and OFDLCK, and there are no POSIX locks.
    assert_eq!(listed(&one).unwrap(), ["FLOCK READ 0 EOF"]);
    let one = try_lock(one.into_inner(), Lock::exclusive()).unwrap();
    assert_eq!(listed(&one).unwrap(), ["FLOCK WRITE 0 EOF"]);
    let file = one.unlock().unwrap();
    assert_eq!(listed(&file).unwrap(), [""; 0]);

    let low = try_lock(&file, RangeLock::shared(7..=9)).unwrap();
    assert_eq!(listed(&file).unwrap(), ["OFDLCK READ 7 9"]);
    let high = try_lock(&file, RangeLock::exclusive(1 << 33..)).unwrap();
    assert_eq!(listed(&file).unwrap(), ["OFDLCK READ 7 9", "OFDLCK WRITE 8589934592 EOF"]);
    drop(low);
    assert_eq!(listed(&file).unwrap(), ["OFDLCK WRITE 8589934592 EOF"]);
    drop(high);
    assert_eq!(listed(&file).unwrap(), [""; 0]);
}

#[test]
fn whatever_has_a_descriptor_can_be_locked_and_used_through_the_guard() {
    for kind in KINDS {
        let target = Target::new();
        drop(kind.try_lock(OwnedFd::from(target.open())).unwrap());
        drop(kind.try_lock(target.open().as_fd()).unwrap());
        drop(kind.try_lock(Arc::new(target.open())).unwrap());

        let file = target.open();
        let guard = kind.try_lock(&file).unwrap();
        assert_eq!(guard.as_fd().as_raw_fd(), file.as_raw_fd());
        (&file).write_all(b"text").unwrap();
        drop(guard);
        assert!(kind.is_free(&target));

        let guard = kind.try_lock(file).unwrap();
        let mut text = String::new();
        (&*guard).rewind().unwrap();
        (&*guard).read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert!(format!("{guard:?}").starts_with("LockGuard { file: File"), "{guard:?}");
        assert!(!kind.is_free(&target));
        let file = guard.unlock().unwrap();
        assert!(kind.is_free(&target));
        // A directory and a pipe have descriptions too.
        drop((file, kind.try_lock(std::io::pipe().unwrap().1).unwrap()));
        drop(try_lock(File::open(target.directory.path()).unwrap(), Lock::exclusive()).unwrap());
    }
}
