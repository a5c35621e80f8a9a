//! What hooks may do to descriptors, and which descriptors the program then has.

use super::{Way, done, expect, file_of, hook};
use crate::own_process;
use crate::support::sources::{close, memory_at, set_limit};
use crate::support::table::{Table, is_open};
use crate::support::tiny::tiny_program;
use crate::support::tools::skip;
use crate::support::{Over, command, helper, rests};
use fdspawn::{Features, Rest, Stdio};
use std::fs::{File, read_to_string};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process has no child, not even a zombie.
fn has_no_child() -> bool {
    // SAFETY: the status is not asked for.
    unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) == -1 }
}

own_process! {
    fn what_a_hook_duplicates_to_any_number_is_closed_after_it_and_what_it_closes_stays_closed() {
        const NUMBERS: [i32; 9] = [3, 4, 7, 8, 50, 63, 64, 900, 3999];
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _parents = [4, 50, 900].map(|number| memory_at(number, "parent", false));
        let (five, six) = (memory_at(20, "five", true), memory_at(21, "six", true));
        for &way in Way::all() {
            for &rest in rests().iter().filter(|&&rest| rest == Rest::Close || way != Way::Isolated) {
                for missing in [Features::empty(), Features::CLOSE_RANGE] {
                    let mut command = way.launches(helper("table"));
                    command.arg(&out).rest(rest).missing(missing);
                    command.fd(5, &five).fd(6, &six).fd(7, Stdio::closed());
                    // SAFETY: the hook makes system calls only.
                    hook(&mut command, || unsafe {
                        NUMBERS.iter().try_for_each(|&number| done(libc::dup2(5, number)))?;
                        done(libc::close(6))
                    });
                    assert!(command.status().unwrap().success());
                    let mut expected = vec![0, 1, 2, 5];
                    if rest == Rest::Inherit {
                        expected.extend(NUMBERS.iter().filter(|&&number| number != 7));
                        expected.sort_unstable();
                    }
                    assert_eq!(Table::read(&out).numbers(), expected, "{way:?}, {rest:?}, {missing:?}");
                }
            }
        }
    }
}

own_process! {
    fn descriptors_are_closed_though_a_hook_lowers_their_limit_to_zero() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _parents = [3, 70, 700].map(|number| memory_at(number, "parent", false));
        let tiny = tiny_program();
        for &way in Way::all() {
            // With a limit that is reached there is no list of /proc, and so the child tries a million numbers.
            for &missing in &[Features::empty(), Features::CLOSE_RANGE][..1 + usize::from(way == Way::Fork)] {
                // A program with shared libraries needs one number, and a static one needs none.
                for limit in [0, 4] {
                    let mut command = way.launches(if limit == 0 { command(&tiny) } else { helper("table") });
                    hook(command.arg(&out).missing(missing), move || {
                        let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
                        // SAFETY: the limit is read.
                        done(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })
                    });
                    assert!(command.status().unwrap().success(), "{way:?}");
                }
                assert_eq!(Table::read(&out).numbers(), [0, 1, 2], "{way:?}");
            }
        }
    }
}

own_process! {
    fn failed_hook_closes_its_pipes_once_and_no_descriptor_of_another_thread() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let files = [(); 8].map(|()| File::open("/dev/null").unwrap());
                    std::thread::yield_now();
                    assert!(files.into_iter().all(|file| fdspawn::fd::close(file).is_ok()));
                }
            });
            let _over = Over(&over);
            for index in 0..crate::support::rounds(200, 600) {
                let mut command = Way::all()[index % Way::all().len()].launches(command("true"));
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                hook(&mut command, || Err(io::Error::from_raw_os_error(libc::EXDEV)));
                assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(libc::EXDEV));
            }
        });
    }
}

own_process! {
    fn thousands_of_hooks_that_fail_and_that_succeed_leak_nothing_near_the_limit_of_descriptors() {
        let tiny = tiny_program();
        let mappings = || read_to_string("/proc/self/maps").map_or(0, |text| text.lines().count());
        Way::all().iter().for_each(|way| drop(way.launches(command("true"))));
        set_limit(200, 20_000);
        let mut full: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        full.truncate(full.len() - 24);
        let round = |count: usize| {
            for index in 0..count {
                for &way in Way::all() {
                    let mut command =
                        way.launches(command(if index % 4 == 3 { "/no/such".as_ref() } else { tiny.as_os_str() }));
                    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    hook(&mut command, move || match index % 4 {
                        0 => Err(io::Error::from_raw_os_error(libc::EXDEV)),
                        1 => Err(io::ErrorKind::TimedOut.into()),
                        _ => Ok(()),
                    });
                    match command.spawn() {
                        Ok(mut child) => assert!(index % 4 == 2 && child.wait().unwrap().success()),
                        Err(error) => assert!(index % 4 != 2, "{error}"),
                    }
                }
            }
        };
        round(20);
        let before = (Table::current(), mappings());
        round(crate::support::rounds(60, 500));
        assert_eq!((Table::current(), mappings()), before);
        assert!(has_no_child());
    }
}

own_process! {
    fn hook_and_program_find_null_at_closed_standard_streams_and_no_pipe_of_the_library() {
        let null = file_of(c"/dev/null");
        for closed in 1..8 {
            (0..3).filter(|number| closed >> number & 1 == 1).for_each(close);
            for &way in Way::all() {
                let mut command = way.launches(helper("exit"));
                command.arg("0");
                hook(&mut command, move || {
                    (0..3).filter(|number| closed >> number & 1 == 1).try_for_each(|number| {
                        // SAFETY: all zeros is a valid stat, which the call writes.
                        unsafe {
                            let mut stat: libc::stat = std::mem::zeroed();
                            done(libc::fstat(number, &raw mut stat))?;
                            expect((stat.st_dev, stat.st_ino) == null)
                        }
                    })
                });
                assert!(command.status().unwrap().success(), "{closed:#b}, {way:?}");
                assert!((0..3).all(|number| is_open(number) != (closed >> number & 1 == 1)), "{closed:#b}, {way:?}");
            }
            (0..3).filter(|&number| !is_open(number)).for_each(|number| std::mem::forget(memory_at(number, "", false)));
        }
    }
}

own_process! {
    fn hook_may_give_up_the_rights_of_root_and_the_rest_is_closed_all_the_same() {
        // SAFETY: the call only asks.
        if unsafe { libc::geteuid() } != 0 {
            skip("only root can give up its rights");
            return;
        }
        let _parents = memory_at(70, "parent", false);
        for &way in Way::all() {
            for missing in [Features::empty(), Features::CLOSE_RANGE] {
                for regain in [false, true] {
                    let mut command = way.launches(command("sh"));
                    command.missing(missing).args(["-c", "test \"$(id -u)\" = 65534 && ! test -e /dev/fd/70"]);
                    // SAFETY: the hooks make system calls only: libc's functions would also stop other threads.
                    hook(&mut command, || unsafe {
                        done(libc::syscall(libc::SYS_setgroups, 0, 0) as i32)?;
                        done(libc::syscall(libc::SYS_setgid, 65534) as i32)?;
                        done(libc::syscall(libc::SYS_setuid, 65534) as i32)
                    });
                    hook(&mut command, move || {
                        // SAFETY: as above.
                        if regain { done(unsafe { libc::syscall(libc::SYS_setuid, 0) } as i32) } else { Ok(()) }
                    });
                    match command.status() {
                        Ok(status) => assert!(status.success() && !regain, "{status}, {way:?}"),
                        Err(error) => assert!(regain && error.raw_os_error() == Some(libc::EPERM), "{error}"),
                    }
                }
            }
        }
    }
}
