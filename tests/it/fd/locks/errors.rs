//! Errors of locks: each says why, and gives the file back.

use super::{KINDS, Kind, Target};
use super::{is_locked, record_lock};
use crate::own_process;
use crate::support::seccomp::refuse_if;
use fdspawn::fd::{Lock, LockError, RangeLock, TryLockError, lock, try_lock};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

#[test]
fn error_says_what_the_descriptor_is_not_open_for_and_gives_the_file_back() {
    let target = Target::new();
    let reader = File::open(target.path()).unwrap();
    let number = reader.as_raw_fd();
    let error = lock(reader, RangeLock::exclusive(3..10)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot take an exclusive lock of bytes 3..10 on descriptor {number}: it is not open for writing, which an \
             exclusive lock of bytes needs: Bad file descriptor"
        )
    );
    // The error gives the same descriptor back, and it is open.
    let reader = error.into_inner();
    assert_eq!(reader.as_raw_fd(), number);
    let guard = lock(reader, RangeLock::shared(3..10)).unwrap();
    assert_eq!((&*guard).read(&mut [0]).unwrap(), 0);

    let writer = File::options().write(true).open(target.path()).unwrap();
    let Err(TryLockError::Failed(error)) = try_lock(writer, RangeLock::shared(20..)) else { panic!() };
    assert!(error.to_string().contains("bytes 20.. ") && error.to_string().contains("not open for reading"), "{error}");
    let mut writer = try_lock(error.into_inner(), Lock::exclusive()).unwrap().into_inner();
    writer.write_all(b"text").unwrap();

    let nothing = File::options().read(true).custom_flags(libc::O_PATH).open(target.path()).unwrap();
    let error = try_lock(&nothing, Lock::shared()).unwrap_err();
    assert!(error.to_string().contains("O_PATH"), "{error}");
}

#[test]
fn range_that_cannot_be_is_refused_without_a_lock_of_anything() {
    let target = Target::new();
    let largest = i64::MAX as u64;
    for (range, text) in [
        (RangeLock::exclusive(..0), "bytes ..0 "),
        (RangeLock::exclusive(7..7), "the range has no bytes"),
        (RangeLock::shared(7..=largest + 1), "the range goes beyond the largest offset of a file, 9223372036854775807"),
        (RangeLock::shared(u64::MAX..), "largest offset"),
    ] {
        let error = lock(target.open(), range).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
        let Err(TryLockError::Failed(error)) = try_lock(error.into_inner(), range) else { panic!("{range:?}") };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(Kind::Bytes.is_free(&target));
    }
}

#[test]
fn errors_become_io_errors_of_their_kind() {
    fn locked(target: &Target, kind: Kind) -> std::io::Result<()> {
        drop(kind.try_lock(&target.open())?);
        Ok(())
    }
    fn refused(target: &Target) -> std::io::Result<()> {
        drop(lock(target.open(), RangeLock::shared(1..1))?);
        Ok(())
    }
    for kind in KINDS {
        let target = Target::new();
        locked(&target, kind).unwrap();
        let file = target.open();
        let _guard = kind.try_lock(&file).unwrap();
        let error = locked(&target, kind).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(error.to_string(), "the file is locked through another description");
        let inner = error.get_ref().unwrap().downcast_ref::<TryLockError<()>>();
        assert!(matches!(inner, Some(TryLockError::Held(()))));
        let error = refused(&target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let inner = error.get_ref().unwrap().downcast_ref::<LockError<()>>().unwrap();
        assert!(inner.to_string().starts_with("cannot take a shared lock of bytes 1..1 on descriptor "), "{inner}");
    }
}

#[test]
fn file_that_was_held_elsewhere_is_given_back() {
    for kind in KINDS {
        let target = Target::new();
        let guard = kind.try_lock(target.open()).unwrap();
        let file = target.open();
        let number = file.as_raw_fd();
        let error = kind.try_lock(file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let file = error.into_inner();
        assert_eq!(file.as_raw_fd(), number);
        drop(guard);
        drop(kind.try_lock(file).unwrap());
    }
}

own_process! {
    fn where_locks_of_bytes_are_missing_no_record_lock_takes_their_place() {
        // A kernel before 3.15 gives this answer, and so does gVisor.
        let commands = [libc::F_OFD_SETLK, libc::F_OFD_SETLKW].map(|command| {
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, command as u64).unwrap()
        });
        if !refuse_if(libc::SYS_fcntl, commands, libc::EINVAL) {
            return;
        }
        let target = Target::new();
        let (file, probe) = (target.open(), target.open());
        let error = lock(&file, RangeLock::exclusive(..)).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Unsupported, Some(libc::EINVAL)));
        assert!(error.to_string().contains("record locks are no replacement"), "{error}");
        let error = try_lock(&file, RangeLock::shared(5..)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(!is_locked(&probe));
        record_lock(&file);
        assert!(is_locked(&probe), "it would have been seen");
        drop(try_lock(&file, Lock::exclusive()).unwrap());
    }
}
