//! Differences between two tables, with real descriptors.

use super::current;
use super::every_kind::{EveryKind, open};
use crate::own_process;
use crate::support::forked::Forked;
use crate::support::panics::panic_of;
use crate::support::sources::memory;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::{Difference, Kind};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The difference that `change` makes. What it returns is still open in the second table.
fn difference<T>(change: impl FnOnce() -> T) -> Difference {
    let before = current();
    let _kept = change();
    DescriptorTable::diff(&before, &current())
}

fn set_descriptor_flags(fd: &impl AsRawFd, flags: i32) {
    // SAFETY: flags of an own descriptor.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, flags) }, 0);
}

fn set_status_flags(fd: &impl AsRawFd, flags: i32) {
    // SAFETY: flags of an own descriptor.
    assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) }, 0);
}

/// Makes `target` refer to what `source` refers to.
fn replace(target: &impl AsRawFd, source: &impl AsRawFd) {
    // SAFETY: both descriptors are the test's own, and the target keeps its owner.
    assert_eq!(unsafe { libc::dup3(source.as_raw_fd(), target.as_raw_fd(), libc::O_CLOEXEC) }, target.as_raw_fd());
}

fn numbers<'a>(entries: impl IntoIterator<Item = &'a fdspawn::inspect::Entry>) -> Vec<RawFd> {
    entries.into_iter().map(fdspawn::inspect::Entry::number).collect()
}

own_process! {
    fn descriptor_that_is_opened_or_closed_is_found() {
        let mut leaked = None;
        let opened = difference(|| leaked = Some(memory("leaked")));
        let number = leaked.as_ref().unwrap().as_raw_fd();
        assert_eq!(numbers(opened.opened()), [number]);
        assert!(opened.closed().is_empty() && opened.changed().is_empty() && !opened.is_empty());
        assert_eq!(opened.to_string(), format!("opened {number}: memfd source, read-write, close-on-exec\n"));

        let closed = difference(|| drop(leaked));
        assert_eq!(numbers(closed.closed()), [number]);
        assert!(closed.opened().is_empty() && closed.changed().is_empty());
        assert_eq!(closed.to_string(), format!("closed {number}: memfd source, read-write, close-on-exec\n"));
    }
}

own_process! {
    fn descriptor_that_is_replaced_is_found() {
        let (first, second) = (memory("first"), memory("second"));
        let (reader, writer) = std::io::pipe().unwrap();
        let target = first.try_clone().unwrap();
        let number = target.as_raw_fd();
        assert!(difference(|| replace(&target, &first)).is_empty(), "it is the same again");
        for source in [OwnedFd::from(second), reader.into(), writer.into(), File::open("/dev/null").unwrap().into()] {
            let change = difference(|| replace(&target, &source));
            assert_eq!(change.changed().len(), 1, "{change}");
            let (old, new) = &change.changed()[0];
            assert_eq!((old.number(), new.number()), (number, number));
            assert!(change.opened().is_empty() && change.closed().is_empty());
        }
        assert!(current().get(number).is_some_and(|entry| matches!(entry.kind(), Kind::CharacterDevice { .. })));
    }
}

own_process! {
    fn file_that_took_the_inode_of_a_deleted_one_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let make = || open(&path, libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC);
        let mut file = Some(make());
        let number = file.as_ref().unwrap().as_raw_fd();
        let before = current();
        drop(file.take());
        std::fs::remove_file(&path).unwrap();
        next_tick();
        let file = make();
        assert_eq!(file.as_raw_fd(), number);
        let after = current();
        let change = DescriptorTable::diff(&before, &after);
        let inode = |table: &DescriptorTable| table.get(number).unwrap().device_and_inode();
        let born = file_is_dated(&file);
        println!("the same inode: {}; dated: {born}", inode(&before) == inode(&after));
        assert!(inode(&before) == inode(&after) || change.changed().len() == 1);
        assert!(!born || change.changed().len() == 1, "{change}");
        if born {
            let path = path.canonicalize().unwrap();
            assert_eq!(change.to_string(), format!("changed {number}: file {0} -> another file {0}\n", path.display()));
        }
    }
}

/// Waits for the next tick of the clock from which file systems take their times.
fn next_tick() {
    let now = || {
        // SAFETY: all zeros is valid, and one time is written.
        unsafe {
            let mut time: libc::timespec = std::mem::zeroed();
            assert_eq!(libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut time), 0);
            (time.tv_sec, time.tv_nsec)
        }
    };
    let start = now();
    while now() == start {
        std::thread::yield_now();
    }
}

/// Whether the file system records when a file was made.
fn file_is_dated(file: &OwnedFd) -> bool {
    File::from(file.try_clone().unwrap()).metadata().unwrap().created().is_ok()
}

own_process! {
    fn descriptor_whose_flags_change_is_found() {
        let file = memory("file");
        let (reader, _writer) = std::io::pipe().unwrap();
        let number = file.as_raw_fd();
        let change = difference(|| set_descriptor_flags(&file, 0));
        let expected = format!("changed {number}: memfd source, read-write close-on-exec -> read-write\n");
        assert_eq!(change.to_string(), expected);
        assert_eq!(change.changed()[0].1.close_on_exec(), Some(false));
        let change = difference(|| set_status_flags(&file, libc::O_APPEND));
        assert_eq!(change.to_string(), format!("changed {number}: memfd source, read-write -> read-write append\n"));
        let change = difference(|| set_status_flags(&reader, libc::O_NONBLOCK));
        assert_eq!(numbers(change.changed().iter().map(|(old, _)| old)), [reader.as_raw_fd()]);
        // `Difference` has no name for this flag.
        let change = difference(|| set_status_flags(&file, libc::O_APPEND | libc::O_NOATIME));
        assert_eq!(change.changed().len(), 1);
        assert!(change.to_string().contains("read-write append (0o"), "{change}");
    }
}

own_process! {
    fn use_of_descriptors_is_no_change() {
        let every = EveryKind::new();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut file = File::create(&path).unwrap();
        // SAFETY: an own descriptor.
        let event = unsafe { std::os::fd::FromRawFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
        let mut event: File = event;
        let child = Forked::new(|| {});
        // SAFETY: only numbers are passed.
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.0, 0) };
        let change = difference(|| {
            file.write_all(b"text").unwrap();
            file.seek(std::io::SeekFrom::Start(1)).unwrap();
            // SAFETY: only numbers are passed.
            assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
            std::fs::rename(&path, directory.path().join("renamed")).unwrap();
            event.write_all(&7_u64.to_ne_bytes()).unwrap();
            drop(child);
            for held in &every.held {
                if let Kind::Epoll { watched } = &held.kind {
                    for number in watched {
                        let none = std::ptr::null_mut();
                        // SAFETY: the call gets numbers, and a pointer that it does not read.
                        let result = unsafe { libc::epoll_ctl(held.number, libc::EPOLL_CTL_DEL, *number, none) };
                        assert_eq!(result, 0);
                    }
                }
            }
            std::fs::remove_file(directory.path().join("renamed")).unwrap();
        });
        assert!(change.is_empty(), "{change}");
        assert_eq!(change.to_string(), "nothing changed\n");
        assert!(pidfd < 0 || current().get(pidfd as RawFd).unwrap().kind() == &Kind::Pidfd { pid: None });
    }
}

own_process! {
    fn anonymous_descriptors_that_are_replaced_are_found_as_far_as_they_can_be() {
        let make = |event: bool| -> OwnedFd {
            // SAFETY: the descriptors are new.
            unsafe {
                let new =
                    if event { libc::eventfd(0, libc::EFD_CLOEXEC) } else { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
                std::os::fd::FromRawFd::from_raw_fd(new)
            }
        };
        let (event, epoll) = (make(true), make(false));
        let numbered =
            std::fs::read_to_string(format!("/proc/self/fdinfo/{}", event.as_raw_fd())).unwrap().contains("eventfd-id");
        let change = difference(|| replace(&event, &make(true)));
        assert_eq!(change.changed().len(), usize::from(numbered), "{change}");
        let change = difference(|| replace(&epoll, &make(false)));
        assert!(change.is_empty(), "an epoll has no identity: {change}");
        let change = difference(|| replace(&epoll, &make(true)));
        assert_eq!(change.to_string(), format!("changed {}: epoll -> eventfd of count 0\n", epoll.as_raw_fd()));
    }
}

own_process! {
    fn nothing_that_leaks_passes_and_the_value_is_returned() {
        let value = DescriptorTable::assert_unchanged(|| {
            let file = memory("gone before the end");
            file.as_raw_fd() > 0
        });
        assert!(value);
        let every = EveryKind::new();
        DescriptorTable::assert_unchanged(|| every.check(&current()));
    }
}

own_process! {
    fn leak_is_a_panic_that_names_it() {
        let number = memory("number").as_raw_fd();
        let line = format!("opened {number}: memfd source, read-write, close-on-exec\n");
        let message = format!("the descriptors are not the same as before:\n{line}");
        assert_eq!(panic_of(|| DescriptorTable::assert_unchanged(|| std::mem::forget(memory("leaked")))), message);
        crate::support::sources::close(number);
        // `assert_unchanged` still has the returned file when it compares.
        assert_eq!(panic_of(|| DescriptorTable::assert_unchanged(|| memory("returned"))), message);

        let file = memory("file");
        let message = panic_of(|| DescriptorTable::assert_unchanged(|| set_descriptor_flags(&file, 0)));
        assert!(message.contains("changed "), "{message}");
        let message = panic_of(|| DescriptorTable::assert_unchanged(|| drop(file)));
        assert!(message.contains("closed "), "{message}");
    }
}

own_process! {
    fn panic_of_the_closure_goes_through() {
        let message = panic_of(|| {
            DescriptorTable::assert_unchanged(|| {
                std::mem::forget(memory("leaked"));
                panic!("the closure's own")
            })
        });
        assert_eq!(message, "the closure's own");
    }
}

own_process! {
    fn other_tables_can_be_compared_too() {
        let shared = memory("shared");
        let child = Forked::new(|| {});
        let before = DescriptorTable::of(child.0).unwrap();
        set_status_flags(&shared, libc::O_APPEND); // This flag belongs to the description, which the child has too.
        let change = DescriptorTable::diff(&before, &DescriptorTable::of(child.0).unwrap());
        assert_eq!(numbers(change.changed().iter().map(|(_, new)| new)), [shared.as_raw_fd()]);
    }
}
