//! A fork bomb of a bounded number of processes.

use std::sync::atomic::{AtomicU32, Ordering};

/// Each process of a bomb ends after this many seconds, if a failed test has left it.
const SECONDS: u32 = 30;

/// One of this many processes forks again and again, and ends each time, so that it never has one number for long.
const HOPS: u32 = 10;

/// Starts `count` processes by double forks, each in a session of its own, and writes `ready` to 1 when they run. They ignore SIGTERM and hold
/// 1 open. Each tenth one hops: it forks a process that takes its place, and ends. This process waits for a signal.
pub fn explode(count: u32) -> ! {
    // SAFETY: this process has one thread. The memory is a number that all processes share.
    unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        let page = libc::mmap(std::ptr::null_mut(), 4096, access, kind, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        let started = &*page.cast::<AtomicU32>();
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
        libc::alarm(SECONDS);
        for number in 0..count {
            let between = libc::fork();
            assert!(between >= 0);
            if between == 0 {
                libc::setsid();
                if libc::fork() == 0 {
                    libc::setsid();
                    started.fetch_add(1, Ordering::Relaxed);
                    if number % HOPS == 0 { hop() } else { wait() }
                }
                libc::_exit(0);
            }
            libc::waitpid(between, std::ptr::null_mut(), 0);
        }
        while started.load(Ordering::Relaxed) < count {
            libc::usleep(1000);
        }
        libc::write(1, c"ready\n".as_ptr().cast(), 6);
        wait()
    }
}

fn wait() -> ! {
    // SAFETY: only numbers are passed.
    unsafe {
        libc::alarm(SECONDS);
        loop {
            libc::pause();
        }
    }
}

fn hop() -> ! {
    // SAFETY: this process has one thread. The kernel writes one structure.
    unsafe {
        let now = || {
            let mut time = std::mem::zeroed::<libc::timespec>();
            libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
            time.tv_sec
        };
        let end = now() + i64::from(SECONDS);
        while now() < end {
            libc::usleep(3000);
            match libc::fork() {
                0 => _ = libc::setsid(),
                -1 => {}
                _ => libc::_exit(0),
            }
        }
        libc::_exit(0)
    }
}
