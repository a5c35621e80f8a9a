//! How long a lock lives: until it is released, or until the last duplicate of its description is closed.

use super::record_lock;
use super::{KINDS, Target};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::running::Running;
use crate::support::sources::leaky;
use crate::support::{LAUNCHERS, Planned, helper};
use fdspawn::Rest;
use fdspawn::fd::{Lock, LockGuard, RangeLock, TryLockError, lock, try_lock};
use std::fs::File;
use std::os::fd::AsRawFd;

own_process! {
    fn lock_lives_until_the_last_close_which_is_the_childs() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                let target = Target::new();
                // The parent lends the file to the child, and then closes it.
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Running::spawn(helper("wait").launcher(launcher).fd(9, &guard).planned());
                drop(guard.into_inner());
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                kind.wait_until_free(&target);

                // The parent moves the file into the child.
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Running::spawn(helper("wait").launcher(launcher).fd(9, guard.into_inner()).planned());
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                kind.wait_until_free(&target);

                // Two children have the file, and the lock ends with the last of them.
                let guard = kind.try_lock(target.open()).unwrap();
                let children = [9, 10]
                    .map(|fd| Running::spawn(helper("wait").launcher(launcher).keep(&guard).fd(fd, &guard).planned()));
                drop(guard.into_inner());
                for child in children {
                    assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                    child.end();
                }
                kind.wait_until_free(&target);
            }
        }
    }
}

own_process! {
    fn duplicate_in_the_process_is_the_same_description() {
        for kind in KINDS {
            let target = Target::new();
            let file = kind.try_lock(target.open()).unwrap().into_inner();
            let duplicate = file.try_clone().unwrap();
            drop(file);
            assert!(!kind.is_free(&target));
            drop(duplicate);
            kind.wait_until_free(&target);
        }
    }
}

own_process! {
    fn child_that_was_not_given_the_descriptor_does_not_hold_the_lock() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                for careless in [false, true] {
                    let target = Target::new();
                    let file = if careless { leaky(target.open()) } else { target.open() };
                    let guard = kind.try_lock(file).unwrap();
                    let child = Running::spawn(helper("wait").launcher(launcher));
                    assert!(!kind.is_free(&target));
                    drop(guard.into_inner());
                    kind.wait_until_free(&target);
                    child.end();
                }
            }
        }
    }
}

own_process! {
    fn child_that_inherits_a_leaky_descriptor_holds_the_lock() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                let target = Target::new();
                let guard = kind.try_lock(leaky(target.open())).unwrap();
                let child = Running::spawn(
                    helper("wait").launcher(launcher).rest(Rest::Inherit).env_remove(crate::support::helper::PLANNED),
                );
                drop(guard.into_inner());
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                kind.wait_until_free(&target);
            }
        }
    }
}

#[test]
fn release_unlocks_for_the_childs_duplicate_too() {
    for launcher in LAUNCHERS {
        for kind in KINDS {
            let releases: [fn(LockGuard<File>); 2] = [drop, |guard| drop(guard.unlock().unwrap())];
            for release in releases {
                let target = Target::new();
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Running::spawn(helper("wait").launcher(launcher).fd(9, &guard).planned());
                assert!(!kind.is_free(&target));
                release(guard);
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
            }
        }
    }
}

own_process! {
    fn guard_dropped_in_a_forked_child_releases_nothing_and_its_unlock_does() {
        for kind in KINDS {
            let target = Target::new();
            let mut guard = Some(kind.try_lock(target.open()).unwrap());
            assert_eq!(status_of(|| drop(guard.take())), 0);
            assert!(guard.is_some() && !kind.is_free(&target), "{kind:?}");
            assert_eq!(status_of(|| drop(guard.take().unwrap().into_inner())), 0);
            assert!(!kind.is_free(&target), "{kind:?}");
            assert_eq!(status_of(|| drop(guard.take().unwrap().unlock())), 0);
            assert!(kind.is_free(&target), "{kind:?}");
        }
    }
}

#[test]
fn record_lock_is_lost_at_any_close_of_the_file_where_others_stay() {
    let target = Target::new();
    let closes: [fn(&Target, &File); 2] = [
        |target, _| drop(target.open()), // as a library would, to read the file
        |_, file| drop(file.try_clone().unwrap()),
    ];
    for close in closes {
        let (file, probe) = (target.open(), target.open());
        record_lock(&file);
        // Locks of bytes exclude record locks, those of the same process too.
        assert!(matches!(try_lock(&probe, RangeLock::shared(..)), Err(TryLockError::Held(_))));
        close(&target, &file);
        assert!(try_lock(&probe, RangeLock::exclusive(..)).is_ok(), "the close has lost the record lock");

        for kind in KINDS {
            let guard = kind.try_lock(&file).unwrap();
            close(&target, &file);
            assert!(kind.try_lock(&probe).is_err(), "{kind:?}");
            drop(guard);
        }
    }
}

#[test]
fn record_lock_survives_the_closes_of_a_child() {
    for launcher in LAUNCHERS {
        let target = Target::new();
        let (file, probe) = (target.open(), target.open());
        record_lock(&file);
        let mut command = helper("exit");
        assert!(command.arg("0").launcher(launcher).fd(9, &file).planned().status().unwrap().success());
        assert!(matches!(try_lock(&probe, RangeLock::shared(..)), Err(TryLockError::Held(_))));
    }
}

own_process! {
    fn release_that_fails_gives_the_file_back_and_a_drop_does_not_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let guard = lock(File::create(&path).unwrap(), Lock::exclusive()).unwrap();
        let dropped = lock(File::create(directory.path().join("other")).unwrap(), Lock::exclusive()).unwrap();
        if crate::support::seccomp::refuse(&[libc::SYS_flock], libc::EIO) {
            let error = guard.unlock().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
            assert!(error.to_string().starts_with("cannot release the lock"), "{error}");
            let file = error.into_inner();
            // The file is still locked. Its last close will end the lock.
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
            assert!(info.contains("FLOCK"), "{info}");
            drop(dropped);
        }
    }
}
