//! Ranges of descriptors, closed or marked by number, by each of the library's fallbacks.

use crate::own_process;
use crate::support::exhaustive;
use crate::support::mounts::unmount_proc;
use crate::support::seccomp::refuse;
use crate::support::sources::{close, hard_limit, memory_at};
use crate::support::table::{close_on_exec, is_open, open_numbers};
use fdspawn::fd::{CloseRange, Flags, close_from, close_ranges_except, set_close_on_exec_from};
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};

/// Numbers on both sides of the limits at which implementations change, and above a lowered limit.
const NUMBERS: [RawFd; 12] = [3, 4, 50, 63, 64, 65, 127, 128, 700, 3999, 4999, 15_000];

/// Opens all of them, without close-on-exec. No value owns them.
fn open_all() -> Vec<RawFd> {
    let numbers = NUMBERS.into_iter().filter(|&number| (number as u64) < hard_limit());
    numbers.map(|number| memory_at(number, "open", false).into_raw_fd()).collect()
}

/// Defines three tests: one with `close_range`, one with the list of `/proc`, and one with a search of all numbers.
macro_rules! by_all_means {
    ($($name:ident, $proc:ident, $search:ident: $body:path;)*) => {$(
        own_process! {
            fn $name() {
                $body();
            }
        }

        own_process! {
            fn $proc() {
                if refuse(&[libc::SYS_close_range], libc::EPERM) {
                    $body();
                }
            }
        }

        own_process! {
            fn $search() {
                if refuse(&[libc::SYS_close_range], libc::ENOSYS) && unmount_proc() {
                    $body();
                }
            }
        }
    )*};
}

by_all_means! {
    close_from_closes_all, close_from_closes_all_by_the_list, close_from_closes_all_by_a_search: closes_all_from;
    keep_list_is_kept, keep_list_is_kept_by_the_list, keep_list_is_kept_by_a_search: keeps_what_is_listed;
    close_on_exec_is_set_from_a_number, close_on_exec_is_set_by_the_list, close_on_exec_is_set_by_a_search: sets_from;
    private_table_is_the_threads, private_table_is_closed_by_the_list, private_table_is_closed_by_a_search: unshares;
    private_table_is_marked, private_table_is_marked_by_the_list, private_table_is_marked_by_a_search: unshares_and_marks;
}

/// All of them, or in the plain run two of them, and one if there is no /proc: each search asks for a million numbers.
fn some<T>(all: &[T]) -> &[T] {
    let searches = !std::path::Path::new("/proc/self").exists();
    if exhaustive() { all } else { &all[..if searches { 1 } else { 2 }] }
}

fn closes_all_from() {
    for &first in some(&[128, 3, 1 << 14, 64, 5]) {
        open_all();
        // SAFETY: no value owns what is closed, except the descriptor of the panic hook.
        unsafe { close_from(first).unwrap() };
        let left: Vec<RawFd> =
            [0, 1, 2].into_iter().chain(NUMBERS.into_iter().filter(|&number| number < first)).collect();
        // The panic hook has a descriptor at 4000, until this test closes that too.
        assert_eq!(open_numbers().into_iter().filter(|&number| number != 4000).collect::<Vec<_>>(), left, "{first}");
    }
}

fn keeps_what_is_listed() {
    let keeps: [&[RawFd]; 5] = [
        &[0, 1, 2, 4000],
        &[2, 15_000, 4000, 11, 4999, 64, 64, 63],
        &[4000, 2, 1, 0, 64, 64, 3],
        &[0, 1, 2, 15_000, 4000, 63, 65],
        &[4000],
    ];
    for &keep in some(&keeps) {
        let opened = open_all();
        for number in 0..=2 {
            if !is_open(number) {
                let _ = memory_at(number, "open", false).into_raw_fd();
            }
        }
        let mut expected: Vec<RawFd> = keep.iter().copied().filter(|number| is_open(*number)).collect();
        expected.sort_unstable();
        expected.dedup();
        // SAFETY: no value owns what is closed.
        unsafe { close_ranges_except(keep.iter().copied(), CloseRange::empty()).unwrap() };
        assert_eq!(open_numbers(), expected, "{keep:?} of {opened:?}");
    }
}

fn sets_from() {
    let opened = open_all();
    set_close_on_exec_from(64).unwrap();
    for &number in &opened {
        assert_eq!(close_on_exec(number), Some(number >= 64), "{number}");
    }
    set_close_on_exec_from(0).unwrap();
    assert!(opened.iter().chain(&[0, 1, 2]).all(|&number| close_on_exec(number) == Some(true)));
    set_close_on_exec_from(RawFd::MAX).unwrap();
    assert!(opened.iter().all(|&number| close_on_exec(number) == Some(true)));
}

/// Runs `change` in a thread, and returns what that thread finds afterwards. This thread must find no change.
fn in_a_thread(change: fn()) -> Vec<(RawFd, Option<bool>)> {
    open_all();
    let found = || -> Vec<(RawFd, Option<bool>)> {
        open_numbers().into_iter().map(|number| (number, close_on_exec(number))).collect()
    };
    let before = found();
    let thread = std::thread::spawn(move || {
        change();
        found()
    });
    let theirs = thread.join().unwrap();
    assert_eq!(found(), before);
    theirs
}

fn unshares() {
    let theirs = in_a_thread(|| {
        // SAFETY: the thread uses none of these.
        unsafe { close_ranges_except([2, 64, 4000, 4999], CloseRange::UNSHARE).unwrap() };
    });
    let open: Vec<RawFd> = theirs.iter().map(|&(number, _)| number).collect();
    assert_eq!(open, [2, 64, 4000, 4999]);

    // The fallbacks list and search the table of the thread, not that of the process: a descriptor that only the thread has is not in the
    // process's list.
    let theirs = in_a_thread(|| {
        // SAFETY: the thread uses none of these.
        unsafe {
            close_ranges_except(0..20_000, CloseRange::UNSHARE).unwrap();
            let _ = memory_at(16_000, "the thread's own", false).into_raw_fd();
            close_from(65).unwrap();
        };
    });
    assert_eq!(theirs.last().unwrap().0, 64);
}

fn unshares_and_marks() {
    let theirs = in_a_thread(|| {
        // SAFETY: nothing is closed.
        unsafe { close_ranges_except([0, 1, 2, 64, 4999], CloseRange::UNSHARE | CloseRange::CLOEXEC).unwrap() };
    });
    let expected = |number: RawFd| Some(![0, 1, 2, 64, 4999].contains(&number));
    assert!(theirs.iter().all(|&(number, flag)| flag == expected(number)), "{theirs:?}");
    assert!(theirs.len() > NUMBERS.len());
}

#[test]
fn numbers_below_zero_and_unknown_flags_are_refused() {
    let invalid = |result: std::io::Result<()>| assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    // SAFETY: the library refuses all of these.
    unsafe {
        invalid(close_from(-1));
        invalid(close_from(RawFd::MIN));
        invalid(close_ranges_except([0; 0], CloseRange::from_bits_retain(8)));
        invalid(close_ranges_except([0; 0], CloseRange::from_bits_retain(1 | 2)));
    }
    invalid(set_close_on_exec_from(-1));
}

own_process! {
    fn marked_descriptors_are_not_in_a_program_that_std_executes() {
        let numbers = open_all();
        set_close_on_exec_from(4).unwrap();
        let output = std::process::Command::new("sh").args(["-c", "ls /proc/self/fd | tr '\\n' ' '"]).output().unwrap();
        // `ls` itself has opened 4.
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 1 2 3 4 ");
        numbers.into_iter().for_each(close);
    }
}

own_process! {
    fn private_table_that_is_refused_is_an_error_and_closes_nothing() {
        let opened = open_all();
        if refuse(&[libc::SYS_unshare], libc::EPERM) {
            // SAFETY: the kernel refuses the private table, and nothing is closed.
            let error = unsafe { close_ranges_except([0, 1, 2], CloseRange::UNSHARE) }.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            assert!(opened.iter().all(|&number| close_on_exec(number) == Some(false)));
        }
    }
}

own_process! {
    fn owners_that_are_kept_go_on() {
        let kept = memory_at(70, "kept", false);
        open_all();
        // SAFETY: no value owns what is closed.
        unsafe { close_ranges_except([std::os::fd::AsFd::as_fd(&kept)], CloseRange::empty()).unwrap() };
        assert_eq!(open_numbers(), [70]);
        // SAFETY: the number is open.
        assert_eq!(Flags::of(unsafe { BorrowedFd::borrow_raw(70) }).unwrap(), Flags::empty());
    }
}
