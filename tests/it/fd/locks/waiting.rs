//! Locks that wait: for a release, in several threads, and through signal handlers.

use super::{KINDS, Kind, Target};
use crate::own_process;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The kernel's number of the calling thread.
fn thread_number() -> i64 {
    // SAFETY: asks for a number.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// Whether the thread waits in the system call of the kind. `None` if the kernel does not show that.
fn waits(thread: i64, kind: Kind) -> Option<bool> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let call = match kind {
        Kind::Whole => libc::SYS_flock,
        Kind::Bytes => libc::SYS_fcntl,
    };
    Some(text.split(' ').next() == Some(&call.to_string()))
}

/// Returns when the thread waits for the lock, as far as the kernel shows that. Panics if the thread has `ended`.
fn until_it_waits(thread: i64, kind: Kind, mut ended: impl FnMut() -> Option<String>) {
    loop {
        let waits = waits(thread, kind);
        if let Some(what) = ended() {
            panic!("it did not wait: {what}");
        }
        if waits != Some(false) {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn lock_that_waits_is_granted_after_the_release() {
    for kind in KINDS {
        let (target, released) = (&Target::new(), &AtomicUsize::new(0));
        let guard = kind.try_lock(target.open()).unwrap();
        std::thread::scope(|scope| {
            let (sender, outcome) = mpsc::channel();
            let (begin, begun) = mpsc::channel();
            scope.spawn(move || {
                let file = target.open();
                begin.send(thread_number()).unwrap();
                let result = kind.lock(file).map(drop).map_err(|error| error.to_string());
                sender.send((result, released.load(Ordering::SeqCst))).unwrap();
            });
            until_it_waits(begun.recv().unwrap(), kind, || {
                outcome.try_recv().ok().map(|outcome| format!("{outcome:?}"))
            });
            released.store(1, Ordering::SeqCst);
            drop(guard);
            assert_eq!(outcome.recv().unwrap(), (Ok(()), 1), "{kind:?}");
        });
    }
}

#[test]
fn threads_with_descriptions_of_their_own_exclude_each_other() {
    const THREADS: usize = 4;
    const TURNS: usize = 200;
    for kind in KINDS {
        let target = Target::new();
        let (inside, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut file = target.open();
                    for _ in 0..TURNS {
                        let guard = kind.lock(file).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "{kind:?}");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        total.fetch_add(1, Ordering::SeqCst);
                        file = guard.unlock().unwrap();
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), THREADS * TURNS);
    }
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Sends the thread a signal, and returns when its handler has run.
fn interrupt(thread: libc::pthread_t) {
    let before = HANDLED.load(Ordering::SeqCst);
    // SAFETY: the signal has a handler, and the thread is alive.
    assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
    while HANDLED.load(Ordering::SeqCst) == before {
        std::thread::yield_now();
    }
}

own_process! {
    fn signal_handler_does_not_end_the_wait_of_another_thread() {
        // SAFETY: the handler changes only an atomic. Without SA_RESTART, a call that it interrupts fails with EINTR.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
        for kind in KINDS {
            let target = &Target::new();
            let guard = kind.try_lock(target.open()).unwrap();
            std::thread::scope(|scope| {
                let (begin, begun) = mpsc::channel();
                // SAFETY: the call only returns the thread's own handle.
                let me = || (unsafe { libc::pthread_self() }, thread_number());

                // A plain system call fails with EINTR. The test needs the kernel to show that the call has begun.
                if waits(thread_number(), kind).is_some() {
                    let begin = begin.clone();
                    let plain = scope.spawn(move || {
                        let file = target.open();
                        begin.send(me()).unwrap();
                        // SAFETY: all zeros is a valid value, and only one record is read.
                        let result = unsafe {
                            let mut record: libc::flock = std::mem::zeroed();
                            record.l_type = libc::F_WRLCK as i16;
                            match kind {
                                Kind::Whole => libc::flock(file.as_raw_fd(), libc::LOCK_EX),
                                Kind::Bytes => libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw mut record),
                            }
                        };
                        (result, std::io::Error::last_os_error().kind())
                    });
                    let (thread, number) = begun.recv().unwrap();
                    until_it_waits(number, kind, || None);
                    interrupt(thread);
                    assert_eq!(plain.join().unwrap(), (-1, ErrorKind::Interrupted));
                }

                let (sender, outcome) = mpsc::channel();
                scope.spawn(move || {
                    let file = target.open();
                    begin.send(me()).unwrap();
                    sender.send(kind.lock(file).map(drop).map_err(|error| error.to_string())).unwrap();
                });
                let (thread, number) = begun.recv().unwrap();
                for _ in 0..100 {
                    until_it_waits(number, kind, || outcome.try_recv().ok().map(|outcome| format!("{outcome:?}")));
                    interrupt(thread);
                }
                assert_eq!(outcome.try_recv(), Err(mpsc::TryRecvError::Empty));
                drop(guard);
                assert_eq!(outcome.recv().unwrap(), Ok(()), "{kind:?}");
            });
        }
    }
}
