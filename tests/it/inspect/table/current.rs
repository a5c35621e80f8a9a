//! Which table a listing shows, and that the listing leaves no trace of itself in it.

use super::{current, entry, numbers};
use crate::own_process;
use crate::spawn::beside::children_have_null_beside;
use crate::support::forked::Forked;
use crate::support::sources::{close, memory, memory_at};
use crate::support::table::open_numbers;
use crate::support::tools::skip;
use crate::support::{Over, rounds};
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::Kind;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

fn thread_id() -> u32 {
    // SAFETY: the call only returns a number.
    unsafe { libc::gettid() }.unsigned_abs()
}

fn memory_kind(name: &str) -> Kind {
    Kind::Memory { name: PathBuf::from(name) }
}

own_process! {
    fn listings_own_descriptors_are_in_no_table() {
        let expected = open_numbers();
        let me = std::process::id();
        // The first listing opens more than later ones do: addresses of sockets, drivers of terminals.
        let (_socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let expected_now = open_numbers();
        assert_eq!(expected_now.len(), expected.len() + 2);
        for _ in 0..3 {
            for table in [current(), DescriptorTable::of(me).unwrap(), DescriptorTable::of(thread_id()).unwrap()] {
                assert_eq!(numbers(&table), expected_now);
            }
        }
        assert_eq!(current(), current());
        assert_eq!(open_numbers(), expected_now);
    }
}

own_process! {
    fn process_with_the_same_table_does_not_show_the_listing_either() {
        // The child shares the table and is no thread, so what a listing opens is open in the child too.
        let mut stack = vec![0_u64; 8192];
        extern "C" fn child(_: *mut libc::c_void) -> libc::c_int {
            loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            }
        }
        // SAFETY: the stack is large enough for a child that calls one function.
        let pid = unsafe {
            let top = stack.as_mut_ptr().add(stack.len()).cast();
            libc::clone(child, top, libc::CLONE_FILES | libc::SIGCHLD, std::ptr::null_mut())
        };
        assert!(pid > 0);
        let _child = Forked(pid.unsigned_abs());
        let table = DescriptorTable::of(pid.unsigned_abs()).unwrap();
        assert_eq!(numbers(&table), open_numbers());
        let _more = memory("more");
        assert_eq!(DescriptorTable::of(pid.unsigned_abs()).unwrap().len(), table.len() + 1, "the table is shared");
    }
}

own_process! {
    fn thread_with_a_private_table_sees_its_own() {
        let _common: Vec<_> = (3..=50).map(|number| memory_at(number, "common", true)).collect();
        let ((ready, is_ready), (go_on, may_go_on)) = (channel(), channel());
        let (me, expected) = (std::process::id(), open_numbers());
        let before = &expected;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // SAFETY: this thread's table becomes a copy.
                assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
                let _private = memory_at(60, "private", true);
                close(50);
                let table = current();
                assert_eq!(numbers(&table), open_numbers());
                assert!(table.get(60).is_some() && table.get(50).is_none());
                assert_eq!(*entry(&table, &60).kind(), memory_kind("source"));
                // This listing's numbers are closed in the thread's table, and open in the process's first table.
                for number in 3..=50 {
                    close(number);
                }
                assert_eq!(numbers(&DescriptorTable::of(me).unwrap()), *before);
                ready.send(thread_id()).unwrap();
                may_go_on.recv().unwrap();
            });
            let thread = is_ready.recv().unwrap();
            let table = current();
            assert_eq!(numbers(&table), expected);
            assert_eq!(DescriptorTable::of(me).unwrap().entries(), table.entries());
            let private = DescriptorTable::of(thread).unwrap();
            assert!(private.get(60).is_some() && private.get(50).is_none(), "{private}");
            assert_eq!(private.pid(), thread);
            go_on.send(()).unwrap();
        });
    }
}

own_process! {
    fn closed_standard_streams_stay_closed() {
        for number in [0, 1, 2] {
            close(number);
        }
        let expected = open_numbers();
        assert!(!expected.contains(&0));
        assert_eq!(numbers(&current()), expected);
        assert_eq!(numbers(&DescriptorTable::of(std::process::id()).unwrap()), expected);
        let child = Forked::new(|| {});
        assert_eq!(numbers(&DescriptorTable::of(child.0).unwrap()), expected);
        assert_eq!(open_numbers(), expected);
    }
}

own_process! {
    fn table_that_changes_meanwhile_has_what_stays() {
        // Another thread opens, closes and replaces descriptors as fast as it can.
        let kept: Vec<_> = (0..50).map(|number| memory_at(100 + 2 * number, "kept", true)).collect();
        let over = AtomicBool::new(false);
        let child = Forked::new(|| {});
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (reader, writer) = std::io::pipe().unwrap();
                    for number in 0..50 {
                        // SAFETY: no other code uses these numbers.
                        assert!(unsafe { libc::dup2(reader.as_raw_fd(), 101 + 2 * number) } >= 0);
                    }
                    drop((reader, writer));
                    for number in 0..50 {
                        close(101 + 2 * number);
                    }
                }
            });
            let _over = Over(&over);
            for round in 0..rounds(60, 200) {
                let table = if round % 2 == 0 { current() } else { DescriptorTable::of(std::process::id()).unwrap() };
                for memory in &kept {
                    assert_eq!(*entry(&table, memory).kind(), memory_kind("source"));
                }
                for entry in &table {
                    assert!(!matches!(entry.kind(), Kind::Unreadable { .. }), "{entry}");
                    assert!(entry.access().is_some() && entry.locks().is_some(), "{entry}");
                }
            }
        });
        drop(child);
    }
}

own_process! {
    fn processes_that_are_not_there_are_not_found() {
        let child = Forked::new(|| {});
        let pid = child.0;
        child.kill();
        assert!(DescriptorTable::of(pid).unwrap().is_empty(), "it has ended and is not reaped");
        drop(child);
        for pid in [pid, 0, u32::MAX, i32::MAX as u32] {
            let error = DescriptorTable::of(pid).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_eq!(error.to_string(), format!("there is no process {pid}"));
        }
    }
}

own_process! {
    fn process_of_an_inner_namespace_is_found_by_its_number_here() {
        // SAFETY: later children are in a namespace of their own.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            skip("a PID namespace cannot be made");
            return;
        }
        let child = Forked::new(|| {});
        let table = DescriptorTable::of(child.0).unwrap();
        assert_eq!(numbers(&table), open_numbers());
    }
}

own_process! {
    fn listing_does_not_pass_for_a_closed_standard_stream() {
        let (own, of_process) = (|| drop(current()), || drop(DescriptorTable::of(std::process::id()).unwrap()));
        children_have_null_beside(&[&own, &of_process]);
    }
}
