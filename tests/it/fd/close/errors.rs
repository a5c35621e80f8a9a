//! Errors of a close that a supervisor injects (`support::supervised`).

use super::{CAUSES, assert_is};
use crate::own_process;
use crate::support::sources::{close as close_number, memory};
use crate::support::supervised::{self, taking};
use crate::support::table::Table;
use fdspawn::fd::{close, close_all, sync_and_close};
use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::os::fd::{AsRawFd, RawFd};

own_process! {
    fn each_error_of_a_close_comes_through_from_one_close_and_the_number_is_free() {
        for (errno, _) in CAUSES {
            let file = memory("written");
            let number = file.as_raw_fd();
            let fail = |number| {
                close_number(number);
                errno
            };
            let Some((result, closes)) = supervised::run(&[number], fail, || close(file)) else { return };
            assert_is(&result.unwrap_err(), number, errno);
            assert_eq!(closes, [number], "one close");
            taking(number);
        }
    }
}

own_process! {
    fn close_that_the_supervisor_lets_pass_is_no_error() {
        // The supervisor itself changes nothing: what the other tests see is its answer.
        let file = memory("written");
        let number = file.as_raw_fd();
        let pass = |number| {
            close_number(number);
            0
        };
        let Some((result, closes)) = supervised::run(&[number], pass, || close(file)) else { return };
        result.unwrap();
        assert_eq!(closes, [number]);
    }
}

own_process! {
    fn interrupted_close_does_not_close_what_has_the_number_by_then() {
        for (errno, _) in CAUSES {
            let file = memory("ours");
            let number = file.as_raw_fd();
            let mut other = None;
            let fail = |number| {
                close_number(number);
                other = Some(taking(number));
                errno
            };
            let Some((result, closes)) = supervised::run(&[number], fail, || close(file)) else { return };
            assert_is(&result.unwrap_err(), number, errno);
            assert_eq!(closes, [number], "one close");
            let mut text = String::new();
            let mut other = other.unwrap();
            other.rewind().unwrap();
            other.read_to_string(&mut text).unwrap();
            assert_eq!(text, "other", "the other thread's file is open");
        }
    }
}

own_process! {
    fn all_are_closed_and_all_errors_come_back_in_order_with_their_numbers() {
        let before = Table::current();
        // Every second close succeeds.
        let files: Vec<File> = (0..2 * CAUSES.len()).map(|_| memory("written")).collect();
        let numbers: Vec<RawFd> = files.iter().rev().map(File::as_raw_fd).collect();
        let errno = |number| {
            let index = numbers.iter().position(|each| *each == number).unwrap();
            if index % 2 == 0 { 0 } else { CAUSES[index / 2].0 }
        };
        let answer = |number| {
            close_number(number);
            errno(number)
        };
        let all = || close_all(files.into_iter().rev());
        let Some((result, closes)) = supervised::run(&numbers, answer, all) else { return };
        assert_eq!(closes, numbers, "one close each");
        let errors = result.unwrap_err();
        let failed: Vec<RawFd> = numbers.iter().copied().filter(|number| errno(*number) != 0).collect();
        assert_eq!(errors.errors().len(), failed.len());
        for (error, number) in errors.iter().zip(failed) {
            assert_is(error, number, errno(number));
        }
        assert_eq!(errors.source().unwrap().downcast_ref(), errors.errors().first());
        assert_eq!(errors.to_string().lines().count(), CAUSES.len());
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn sync_and_close_distinguishes_a_failed_sync_from_a_failed_close() {
        for (errno, _) in CAUSES {
            let fail = |number| {
                close_number(number);
                errno
            };
            // A file can be synced.
            let file = tempfile::tempfile().unwrap();
            let number = file.as_raw_fd();
            let Some((result, closes)) = supervised::run(&[number], fail, || sync_and_close(file)) else { return };
            let error = result.unwrap_err();
            assert_eq!(error.number(), number);
            assert!(error.sync_error().is_none());
            assert_is(&error.close_error().unwrap(), number, errno);
            assert_eq!(closes, [number], "one close");
            taking(number);

            // A pipe cannot be synced.
            let (_reader, writer) = io::pipe().unwrap();
            let number = writer.as_raw_fd();
            let (result, closes) = supervised::run(&[number], fail, || sync_and_close(writer)).unwrap();
            let error = result.unwrap_err();
            assert_eq!(error.sync_error().unwrap().raw_os_error(), Some(libc::EINVAL));
            assert_is(&error.close_error().unwrap(), number, errno);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(closes, [number], "one close");
            taking(number);
        }
    }
}
