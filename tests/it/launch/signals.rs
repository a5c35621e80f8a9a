//! The child's signal mask and dispositions, and handlers, which must not run in a child.

use crate::own_process;
use crate::support;
use crate::support::{LAUNCHERS, children, helper, rounds};
use fdspawn::Features;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

fn handle(signal: i32, handler: usize) {
    // SAFETY: no other code in the process uses these signals, and their handlers change only atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
    }
}

fn block(signals: &[i32]) {
    // SAFETY: as above.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

extern "C" fn nothing(_: i32) {}

own_process! {
    fn child_has_the_callers_mask_defaults_for_handlers_and_what_was_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("signals");
        handle(libc::SIGUSR1, nothing as *const () as usize);
        handle(libc::SIGTERM, nothing as *const () as usize);
        handle(libc::SIGHUP, libc::SIG_IGN);
        handle(libc::SIGPIPE, libc::SIG_IGN);
        block(&[libc::SIGUSR2, libc::SIGWINCH]);
        for launcher in LAUNCHERS {
            for missing in [Features::empty(), Features::CLONE3] {
                assert!(helper("signals").arg(&out).launcher(launcher).missing(missing).status().unwrap().success());
                // The program that started this process may have ignored real-time signals.
                let ordinary = |line: &&str| line.split(' ').next().unwrap().parse::<i32>().unwrap() < 32;
                let text = fs::read_to_string(&out).unwrap();
                let mut lines: Vec<String> = text.lines().filter(ordinary).map(str::to_owned).collect();
                lines.sort();
                let mut expected = vec![
                    format!("{} ignored", libc::SIGHUP),
                    format!("{} default blocked", libc::SIGUSR2),
                    format!("{} default blocked", libc::SIGWINCH),
                ];
                expected.sort();
                assert_eq!(lines, expected, "{launcher:?}, {missing:?}");
            }
        }
    }
}

own_process! {
    fn sigpipe_is_default_in_the_child() {
        for launcher in LAUNCHERS {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = support::command("/bin/sh");
            command.args(["-c", "while :; do echo text; done"]).launcher(launcher).stdout(writer);
            let status = command.status().unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGPIPE));
        }
    }
}

static PARENT: AtomicI32 = AtomicI32::new(0);
static ELSEWHERE: AtomicUsize = AtomicUsize::new(0);
static HERE: AtomicUsize = AtomicUsize::new(0);

/// The event counter on which the sender of the storm waits. A sender that spins would take the processor from the
/// children.
static HANDLED: AtomicI32 = AtomicI32::new(-1);

fn wake_sender() {
    // SAFETY: the call is async-signal-safe, and reads eight bytes.
    unsafe { libc::write(HANDLED.load(Ordering::Relaxed), (&raw const ONE).cast(), 8) };
}

static ONE: u64 = 1;

/// Sends signals until the storm is over, each after the handler of the one before.
fn send(over: &AtomicBool, mut signal: impl FnMut(usize)) {
    let mut count = 0_u64;
    for sent in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        signal(sent);
        // SAFETY: the call writes eight bytes.
        unsafe { libc::read(HANDLED.load(Ordering::Relaxed), (&raw mut count).cast(), 8) };
    }
}

/// Ends a storm when it is dropped, by a panic too.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        wake_sender();
    }
}

/// Counts in which process it runs. If it runs in a child that shares this memory, the counter shows it; if it runs in
/// a forked child, the child's exit status does.
extern "C" fn storm(_: i32) {
    // SAFETY: the calls are async-signal-safe.
    unsafe {
        if libc::syscall(libc::SYS_getpid) as i32 == PARENT.load(Ordering::Relaxed) {
            HERE.fetch_add(1, Ordering::Relaxed);
            wake_sender();
        } else {
            ELSEWHERE.fetch_add(1, Ordering::Relaxed);
            libc::_exit(99);
        }
    }
}

/// Prepares this process for a storm of `signals`.
fn expect_storm(signals: &[i32]) {
    PARENT.store(std::process::id() as i32, Ordering::Relaxed);
    // SAFETY: only numbers are passed.
    HANDLED.store(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }, Ordering::Relaxed);
    for &signal in signals {
        handle(signal, storm as *const () as usize);
    }
}

own_process! {
    fn storm_of_signals_during_spawns_runs_no_handler_in_a_child() {
        const SIGNALS: [i32; 3] = [libc::SIGUSR1, libc::SIGALRM, libc::SIGIO];
        expect_storm(&SIGNALS);
        let state = || {
            fs::read_to_string("/proc/thread-self/status")
                .unwrap()
                .lines()
                .filter(|line| ["SigBlk", "SigIgn", "SigCgt"].iter().any(|name| line.starts_with(name)))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let before = state();
        // SAFETY: the call returns this thread's number.
        let thread = unsafe { libc::syscall(libc::SYS_gettid) };
        let over = AtomicBool::new(false);
        // The program ends at once, and gets no signal of the storm: the signals go to this thread.
        let tiny = crate::support::tiny::tiny_program();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: the signals have handlers.
                send(&over, |sent| unsafe {
                    libc::syscall(libc::SYS_tgkill, PARENT.load(Ordering::Relaxed), thread, SIGNALS[sent % 3]);
                });
            });
            let _calm = Calm(&over);
            for launcher in LAUNCHERS {
                let mut command = support::command(&tiny);
                command.launcher(launcher);
                for _ in 0..rounds(400, 5000) {
                    let status = command.status().unwrap();
                    assert!(status.success(), "{status}");
                }
            }
        });
        assert_eq!(state(), before);
        assert_eq!(ELSEWHERE.load(Ordering::Relaxed), 0);
        assert!(HERE.load(Ordering::Relaxed) > rounds(400, 1000), "the storm did not come: {}", HERE.load(Ordering::Relaxed));
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn signals_to_the_whole_group_run_no_handler_in_a_child() {
        expect_storm(&[libc::SIGURG]);
        // SAFETY: the group is this process's own, so that no other process gets a signal.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        let over = AtomicBool::new(false);
        let tiny = crate::support::tiny::tiny_program();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // A child gets the signal too. Its default action is to ignore it, but a handler that was not reset
                // would run.
                // SAFETY: the group is this test's own.
                send(&over, |_| unsafe {
                    libc::kill(0, libc::SIGURG);
                });
            });
            let _calm = Calm(&over);
            for launcher in LAUNCHERS {
                for missing in [Features::empty(), Features::CLONE3] {
                    let mut command = support::command(&tiny);
                    command.launcher(launcher).missing(missing);
                    for _ in 0..rounds(60, 1000) {
                        let status = command.status().unwrap();
                        assert!(status.success(), "{launcher:?}, {missing:?}: {status}");
                    }
                }
            }
        });
        assert_eq!(ELSEWHERE.load(Ordering::Relaxed), 0);
        assert!(HERE.load(Ordering::Relaxed) > 100);
    }
}
