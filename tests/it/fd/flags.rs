//! Flags of descriptors, and duplicates.

use crate::own_process;
use crate::support;
use crate::support::sources::{memory, memory_at, set_limit};
use fdspawn::Stdio;
use fdspawn::fd::{Flags, duplicate_from, with_close_on_exec};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};

/// The flags that the kernel returns for a descriptor.
fn raw(fd: &impl AsRawFd) -> i32 {
    // SAFETY: the call only reads the flags.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }
}

#[test]
fn flags_are_read_and_set() {
    let file = memory("flags");
    assert_eq!(Flags::of(&file).unwrap(), Flags::CLOSE_ON_EXEC);
    Flags::empty().set_on(&file).unwrap();
    assert_eq!(raw(&file), 0);
    assert_eq!(Flags::of(file.as_fd()).unwrap(), Flags::empty());
    Flags::CLOSE_ON_EXEC.set_on(&file).unwrap();
    assert_eq!(raw(&file), libc::FD_CLOEXEC);
}

#[test]
fn close_on_exec_is_set_on_what_owns_and_on_what_borrows() {
    let file = with_close_on_exec(memory("owned"), false).unwrap();
    assert_eq!(raw(&file), 0);
    let borrowed = with_close_on_exec(&file, true).unwrap();
    assert_eq!(raw(borrowed), libc::FD_CLOEXEC);
    with_close_on_exec(file.as_fd(), true).unwrap();
    assert_eq!(raw(&file), libc::FD_CLOEXEC);
}

#[test]
fn close_on_exec_decides_what_a_careless_spawn_passes_on() {
    for close_on_exec in [true, false] {
        let file = with_close_on_exec(memory("passed"), close_on_exec).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg(format!("test -e /dev/fd/{}", file.as_raw_fd()));
        assert_eq!(shell.status().unwrap().success(), !close_on_exec);
        // A spawn by this library gives the same result with and without close-on-exec.
        let mut shell = support::command("sh");
        shell.arg("-c").arg(format!("test -e /dev/fd/{}", file.as_raw_fd())).stderr(Stdio::null());
        assert!(!shell.status().unwrap().success());
    }
}

own_process! {
    fn duplicates_get_the_lowest_free_number_from_the_one_asked_for() {
        let mut file = memory("shared");
        let _taken = memory_at(501, "taken", true);
        let first = duplicate_from(&file, 500, Flags::CLOSE_ON_EXEC).unwrap();
        let second = duplicate_from(&file, 500, Flags::empty()).unwrap();
        assert_eq!((first.as_raw_fd(), second.as_raw_fd()), (500, 502));
        assert_eq!((raw(&first), raw(&second)), (libc::FD_CLOEXEC, 0));
        // Both duplicates have one description, and so one offset.
        let mut second = File::from(second);
        second.seek(SeekFrom::Start(3)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "red");
        assert_eq!(second.stream_position().unwrap(), 6);
        // The description outlives the original descriptor.
        drop(file);
        second.write_all(b"!").unwrap();
        assert_eq!(second.stream_position().unwrap(), 7);
    }
}

own_process! {
    fn duplicates_beyond_the_limit_and_in_a_full_table_are_errors() {
        let file = memory("file");
        set_limit(100, 20_000);
        let errno = |first| duplicate_from(&file, first, Flags::CLOSE_ON_EXEC).unwrap_err().raw_os_error();
        assert_eq!(errno(100), Some(libc::EINVAL));
        assert_eq!(errno(i32::MAX), Some(libc::EINVAL));
        assert_eq!(errno(-1), Some(libc::EINVAL));
        let last = duplicate_from(&file, 99, Flags::CLOSE_ON_EXEC).unwrap();
        assert_eq!(last.as_raw_fd(), 99);
        assert_eq!(errno(99), Some(libc::EMFILE));
    }
}
