//! The descriptors that a hook finds, and those that the program gets after it.

use crate::own_process;
use crate::support;
use crate::support::helper;
use crate::support::sources::{memory, memory_at};
use crate::support::table::Table;
use std::io;

own_process! {
    fn hook_finds_the_parents_descriptors_open_and_the_program_does_not_get_them() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&writer);
        for rest in support::rests() {
            let mut command = helper("table");
            command.arg(&out).fd(5, memory("five")).rest(*rest);
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(move || {
                    let wrote = libc::write(number, c"x".as_ptr().cast(), 1) == 1;
                    if wrote && libc::dup2(1, 9) == 9 { Ok(()) } else { Err(io::Error::last_os_error()) }
                })
            };
            if support::isolated().is_some() {
                // The thread's table has no other descriptors of the parent.
                assert_eq!(command.status().unwrap_err().raw_os_error(), Some(libc::EBADF));
                return;
            }
            assert!(command.status().unwrap().success());
            let mut byte = [0];
            io::Read::read_exact(&mut reader, &mut byte).unwrap();
            assert_eq!(&byte, b"x");
            let numbers = Table::read(&out).numbers();
            match rest {
                fdspawn::Rest::Close => assert_eq!(numbers, [0, 1, 2, 5]),
                fdspawn::Rest::Inherit => assert_eq!(numbers, [0, 1, 2, 5, 9], "without close-on-exec"),
            }
        }
    }
}

own_process! {
    fn cycle_in_a_spawn_with_a_hook_replaces_no_descriptor_that_the_hook_may_use() {
        let (five, six) = (memory_at(5, "five", true), memory_at(6, "six", true));
        // 3, 4 and 7 to 9 are the smallest numbers that a cycle could use for its scratch number.
        let others = [3, 4, 7, 8, 9].map(|number| memory_at(number, "other", true));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let mut command = helper("table");
        command.arg(&out).fd(5, &six).fd(6, &five);
        if support::isolated().is_none() {
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(|| {
                    for number in [3, 4, 7, 8, 9] {
                        let mut bytes = [0_u8; 5];
                        if libc::pread(number, bytes.as_mut_ptr().cast(), 5, 0) != 5 || &bytes != b"other" {
                            return Err(io::Error::from_raw_os_error(libc::EXDEV));
                        }
                    }
                    Ok(())
                })
            };
        }
        assert!(command.status().unwrap().success());
        assert_eq!(Table::read(&out).contents()[3..], [(5, "six"), (6, "five")]);
        drop(others);
    }
}

own_process! {
    fn number_of_the_working_directory_is_closed_after_a_hook_has_opened_something_there() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let root = std::fs::File::open("/").unwrap();
        let mut command = helper("table");
        // SAFETY: the hook makes system calls only.
        unsafe {
            command.arg(&out).current_dir_fd(&root).pre_exec(|| {
                for number in 3..100 {
                    libc::close(number);
                }
                for _ in 3..20 {
                    libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                }
                Ok(())
            })
        };
        assert!(command.status().unwrap().success());
        assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
    }
}

own_process! {
    fn two_free_numbers_are_enough_for_a_spawn_with_a_hook() {
        let mut command = support::command("true");
        // SAFETY: the hook makes no call.
        unsafe { command.pre_exec(|| Ok(())) };
        crate::support::sources::set_limit(64, 20_000);
        let full: Vec<std::fs::File> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        assert!(command.status().unwrap().success(), "the library needs no number at all");
        drop(full);
    }
}
