//! The signals that end programs: fdrun passes them on to its program, and ends by the signal that has ended the program.
//!
//! A handler only notes a signal and its sender. `wait` passes on what has been noted. So a signal that arrives before the
//! spawn has returned is not lost, although no signal is blocked for the program: the program gets the mask of the thread that
//! spawns it.

use crate::timeout::Clock;
use crate::tree::Tree;
use fdspawn::{Child, Signal};
use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{mem, ptr};

/// The signals that fdrun passes on.
const PASSED_ON: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The noted signals that a process has sent, as a set of bits.
static BY_PROCESS: AtomicU32 = AtomicU32::new(0);
/// The noted signals that the kernel has sent, for example for ^C in a terminal.
static BY_KERNEL: AtomicU32 = AtomicU32::new(0);

/// The handler of the signals in [`PASSED_ON`]. It makes no system call, so `errno` stays as it is.
extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system passes a valid structure to a handler with SA_SIGINFO.
    let by_kernel = FROM_KERNEL == Some(unsafe { (*info).si_code });
    let noted = if by_kernel { &BY_KERNEL } else { &BY_PROCESS };
    noted.fetch_or(1 << signal, Ordering::Relaxed);
}

/// The code of a signal from the kernel, which only Linux tells from others. Elsewhere all signals are passed on.
const FROM_KERNEL: Option<c_int> = {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let code = Some(libc::SI_KERNEL);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let code = None;
    code
};

/// The handler of SIGCHLD. The signal ends the `pselect` of `wait`, so the handler has nothing to do.
extern "C" fn child_has_changed(_: c_int) {}

/// Notes signals from now on. A signal that fdrun was started with as ignored stays ignored, in the program too. The library
/// gives handled signals their default dispositions in the program.
pub fn note_signals() {
    for signal in PASSED_ON {
        if !is_ignored(signal) {
            set_handler(signal, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
        }
    }
    // If SIGCHLD were ignored, the system would discard the status of the program.
    let flags = libc::SA_NOCLDSTOP | libc::SA_RESTART;
    set_handler(libc::SIGCHLD, child_has_changed as *const () as usize, flags);
}

/// Blocks the signals in this thread, and in the threads that it starts from now on. Only `wait` lets them in.
pub struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    pub fn new() -> Self {
        let mut signals = empty_set();
        for signal in PASSED_ON.into_iter().chain([libc::SIGCHLD]) {
            // SAFETY: the set is initialized, and the number is that of a signal.
            unsafe { libc::sigaddset(&raw mut signals, signal) };
        }
        Self { before: change_mask(libc::SIG_BLOCK, &signals) }
    }

    /// Waits for the end of the program. Until then it passes signals on, and sends those of the clock. The signals stay blocked.
    ///
    /// Returns whether fdrun was asked to end: a signal that asks for that was passed on, or has ended the program, or the time is over.
    pub fn wait(&self, child: &Child, tree: &mut Tree, clock: &mut Clock) -> fdspawn::Result<bool> {
        let mut waiting = self.before;
        // fdrun may have been started with SIGCHLD blocked.
        // SAFETY: the set is initialized.
        unsafe { libc::sigdelset(&raw mut waiting, libc::SIGCHLD) };
        let mut passed_on = Vec::new();
        loop {
            let noted = Noted::take();
            if noted.has_any() {
                clock.signalled();
            }
            passed_on.extend(pass_on(child, tree, &noted));
            if let Some(status) = tree.status(child)? {
                // A program may take SIGHUP for a request to read its configuration again.
                let asks = |signal: &c_int| PASSED_ON.contains(signal) && *signal != libc::SIGHUP;
                let ended_by_it = status.signal().is_some_and(|signal| PASSED_ON.contains(&signal));
                return Ok(ended_by_it || clock.code(status).is_some() || passed_on.iter().any(asks));
            }
            while let Some(signal) = clock.due() {
                tree.signal(child, signal);
            }
            // The handlers run only in this call, so no signal is missed between the checks above and the wait.
            sleep_until(clock.next(), &waiting);
        }
    }

    /// Lets the signals end fdrun itself, as they would without `note_signals`.
    pub fn end_by_signals(self) {
        for signal in PASSED_ON {
            if !is_ignored(signal) {
                set_handler(signal, libc::SIG_DFL, 0);
            }
        }
        change_mask(libc::SIG_SETMASK, &self.before);
    }
}

/// The noted signals, as two sets of bits.
struct Noted {
    by_process: u32,
    by_kernel: u32,
}

impl Noted {
    fn take() -> Self {
        Self { by_process: BY_PROCESS.swap(0, Ordering::Relaxed), by_kernel: BY_KERNEL.swap(0, Ordering::Relaxed) }
    }

    fn has_any(&self) -> bool {
        self.by_process | self.by_kernel != 0
    }
}

/// Passes the noted signals on to the program, which this thread has not reaped yet, and with --tree to the others. Returns them.
fn pass_on(child: &Child, tree: &mut Tree, noted: &Noted) -> Vec<c_int> {
    let pid = child.id().cast_signed();
    let is_to_pass = |signal: &c_int| {
        noted.by_process >> signal & 1 == 1
            || (noted.by_kernel >> signal & 1 == 1 && !has_got_from_kernel(pid, *signal))
    };
    let signals: Vec<c_int> = PASSED_ON.into_iter().filter(is_to_pass).collect();
    for signal in signals.iter().filter_map(|&signal| Signal::from_named_raw(signal)) {
        if tree.is_process() {
            // The call fails if the program runs as another user. Then the program may not be signalled by this user at all.
            let _ = child.signal(signal);
        } else {
            tree.signal(child, signal);
        }
    }
    signals
}

/// Waits for a signal that the mask lets in, at most until the time. It may return earlier.
fn sleep_until(time: Option<Instant>, mask: &libc::sigset_t) {
    /// Systems refuse times that are too long for them.
    const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
    let left = time.map(|time| time.saturating_duration_since(Instant::now()).min(LONGEST));
    // SAFETY: all zeros is a valid value.
    let mut timespec: libc::timespec = unsafe { mem::zeroed() };
    if let Some(left) = left {
        // The conversions are exact: both numbers are small.
        timespec.tv_sec = left.as_secs() as libc::time_t;
        timespec.tv_nsec = left.subsec_nanos() as _;
    }
    let limit = if left.is_some() { &raw const timespec } else { ptr::null() };
    // SAFETY: the call reads the time and the initialized set, and looks at no descriptor.
    unsafe { libc::pselect(0, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), limit, mask) };
}

/// Whether the kernel has sent the program a signal that it has sent to fdrun. A terminal sends its signals to all processes of
/// the foreground group. But if a terminal hangs up, only the leader of the session gets SIGHUP.
fn has_got_from_kernel(pid: c_int, signal: c_int) -> bool {
    // SAFETY: only numbers are passed.
    let (own_group, group, own_pid, session) =
        unsafe { (libc::getpgrp(), libc::getpgid(pid), libc::getpid(), libc::getsid(0)) };
    group == own_group && !(signal == libc::SIGHUP && session == own_pid)
}

/// Ends fdrun by the signal that has ended the program, so that the caller of fdrun learns about it. Returns only if the signal
/// does not end fdrun: the first process of a PID namespace can ignore signals of its own.
pub fn end_by(signal: c_int) {
    // The program may have dumped its core; fdrun must not. A limit of 0 does not hold if a program takes the dumps.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: only numbers are passed.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    let no_core = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: one structure is read.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) };
    set_handler(signal, libc::SIG_DFL, 0);
    let mut signals = empty_set();
    // SAFETY: the set is initialized, and the number is that of a signal.
    unsafe { libc::sigaddset(&raw mut signals, signal) };
    change_mask(libc::SIG_UNBLOCK, &signals);
    // SAFETY: the signal has its default disposition.
    unsafe { libc::raise(signal) };
}

/// Ignores the signal from now on.
pub fn ignore(signal: c_int) {
    set_handler(signal, libc::SIG_IGN, 0);
}

/// Whether this thread blocks the signal.
pub fn is_blocked(signal: c_int) -> bool {
    let blocked = change_mask(libc::SIG_BLOCK, &empty_set());
    // SAFETY: the set is initialized.
    unsafe { libc::sigismember(&raw const blocked, signal) == 1 }
}

/// The signal that fdrun gets at the death of its own parent.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn own_parent_death_signal() -> Option<c_int> {
    let mut signal: c_int = 0;
    // SAFETY: the call writes one number.
    unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
    (signal != 0).then_some(signal)
}

/// From now on, the death of its own parent sends fdrun no signal.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn clear_parent_death_signal() {
    // SAFETY: only numbers are passed.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0) };
}

fn is_ignored(signal: c_int) -> bool {
    // SAFETY: all zeros is a valid value, and one action is written.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction == libc::SIG_IGN
    }
}

fn set_handler(signal: c_int, handler: usize, flags: c_int) {
    // SAFETY: all zeros is a valid value, and one action is read. The handlers of this file only change atomics.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}

fn empty_set() -> libc::sigset_t {
    // SAFETY: the call initializes the set.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}

/// Changes this thread's mask. Returns the mask before.
fn change_mask(how: c_int, signals: &libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: one set is read, and one is written.
    unsafe { libc::pthread_sigmask(how, signals, &raw mut before) };
    before
}
