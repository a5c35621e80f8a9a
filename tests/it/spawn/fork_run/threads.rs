//! Functions that are launched while other threads print or launch.

use crate::own_process;
use fdspawn::{FdMap, Rest, fork_run};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

own_process! {
    fn other_threads_that_print_do_not_hold_the_childs_standard_output() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        // SAFETY: 1 may be replaced in this process.
        unsafe { libc::dup2(null.as_raw_fd(), 1) };
        static OVER: AtomicBool = AtomicBool::new(false);
        let printing = std::thread::spawn(|| {
            while !OVER.load(Ordering::Relaxed) {
                println!("{:1000}", "a long line");
            }
        });
        for _ in 0..crate::support::rounds(80, 200) {
            // SAFETY: printing takes the lock of standard output, which is free in the child, and allocates nothing.
            let child = unsafe {
                fork_run(&mut FdMap::new(), || {
                    println!("a line");
                    7
                })
            };
            assert_eq!(child.unwrap().wait().unwrap().code(), Some(7));
        }
        OVER.store(true, Ordering::Relaxed);
        printing.join().unwrap();
    }
}

own_process! {
    fn launch_does_not_wait_for_another_threads_function() {
        // A child that inherits the rest has a copy of the errpipe of another thread's launch.
        // SAFETY: the signal ends this process, should it hang.
        unsafe { libc::alarm(60) };
        let (mut gate, open) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            let functions = scope.spawn(|| {
                let mut map = FdMap::new();
                map.rest(Rest::Inherit);
                let wait = || {
                    // SAFETY: as above; it is not passed on by fork.
                    unsafe { libc::alarm(60) };
                    let _ = rustix::io::read(&gate, &mut [0; 1]);
                    0
                };
                // SAFETY: the function only reads a descriptor that it inherits.
                (0..200).map(|_| unsafe { fork_run(&mut map, wait) }.unwrap()).collect::<Vec<_>>()
            });
            while !functions.is_finished() {
                // SAFETY: the function does nothing.
                assert!(unsafe { fork_run(&mut FdMap::new(), || 0) }.unwrap().wait().unwrap().success());
            }
            let functions = functions.join().unwrap();
            (&open).write_all(&[0; 200]).unwrap();
            for mut child in functions {
                assert!(child.wait().unwrap().success());
            }
        });
        drop(open);
        assert_eq!(gate.read(&mut [0]).unwrap(), 0);
    }
}
