//! Signals: fdrun notes those that it passes on to its program, and ends by the signal that has ended the program.
//!
//! A handler only notes a signal and its sender, and wakes the thread that moves the program's output: the handler writes a byte to a pipe that
//! the exchange reads. So a signal that arrives before the spawn has returned is not lost, although no signal is blocked for the program: the
//! program gets the mask of the thread that spawns it.

use crate::dispositions::{is_ignored, set_handler, unblock};
use std::ffi::{c_int, c_void};
use std::io::{self, PipeReader};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// The signals that fdrun passes on.
pub const PASSED_ON: [c_int; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// The noted signals that a process has sent, as a set of bits.
static BY_PROCESS: AtomicU32 = AtomicU32::new(0);
/// The noted signals that the kernel has sent, for example for ^C in a terminal.
static BY_KERNEL: AtomicU32 = AtomicU32::new(0);

/// Whether a signal has come since the last question.
static HAS_COME: AtomicBool = AtomicBool::new(false);
/// Whether the pipe has a byte.
static HAS_BYTE: AtomicBool = AtomicBool::new(false);
/// The write end of the pipe. It is never closed.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The handler of the signals in [`PASSED_ON`].
extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system passes a valid structure to a handler with SA_SIGINFO.
    let by_kernel = FROM_KERNEL == Some(unsafe { (*info).si_code });
    let noted = if by_kernel { &BY_KERNEL } else { &BY_PROCESS };
    noted.fetch_or(1 << signal, Ordering::SeqCst);
    wake();
}

/// The handler of SIGCHLD.
extern "C" fn child_has_changed(_: c_int) {
    wake();
}

/// Writes a byte to the pipe, unless it has one. So the write has room, and `errno` stays as it is.
fn wake() {
    HAS_COME.store(true, Ordering::SeqCst);
    if !HAS_BYTE.swap(true, Ordering::SeqCst) {
        // SAFETY: one byte is read, and the descriptor stays open.
        unsafe { libc::write(PIPE.load(Ordering::SeqCst), b"x".as_ptr().cast(), 1) };
    }
}

/// The code of a signal from the kernel, which only Linux tells from others. Elsewhere all signals are passed on.
const FROM_KERNEL: Option<c_int> = {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let code = Some(libc::SI_KERNEL);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let code = None;
    code
};

/// Notes signals from now on. Returns the pipe that has a byte after each signal. A signal that fdrun was started with as ignored stays
/// ignored, in the program too. The library gives handled signals their default dispositions in the program.
pub fn note_signals() -> io::Result<PipeReader> {
    let (reader, writer) = io::pipe()?;
    PIPE.store(writer.into_raw_fd(), Ordering::SeqCst);
    for signal in PASSED_ON {
        if !is_ignored(signal) {
            set_handler(signal, note as *const () as usize, libc::SA_SIGINFO | libc::SA_RESTART);
        }
    }
    // If SIGCHLD were ignored, the system would discard the status of the program.
    let flags = libc::SA_NOCLDSTOP | libc::SA_RESTART;
    set_handler(libc::SIGCHLD, child_has_changed as *const () as usize, flags);
    Ok(reader)
}

/// Lets SIGCHLD in, which fdrun may have been started with as blocked. The program has got its mask before.
pub fn unblock_child_signal() {
    unblock(libc::SIGCHLD);
}

/// Whether a signal has come since the last question.
pub fn has_come() -> bool {
    HAS_COME.swap(false, Ordering::SeqCst)
}

/// Tells that the byte has been read.
pub fn pipe_is_read() {
    HAS_BYTE.store(false, Ordering::SeqCst);
}

/// Writes no bytes any more: the read end of the pipe may be closed then.
pub fn stop_waking() {
    HAS_BYTE.store(true, Ordering::SeqCst);
}

/// Lets the signals end fdrun itself, as they would without `note_signals`. One that is noted ends it now.
pub fn end_by_signals() {
    for signal in PASSED_ON {
        if !is_ignored(signal) {
            set_handler(signal, libc::SIG_DFL, 0);
        }
    }
    let noted = Noted::take();
    PASSED_ON.into_iter().filter(|signal| noted.all() >> signal & 1 == 1).for_each(end_by);
}

/// The noted signals, as two sets of bits.
pub struct Noted {
    pub by_process: u32,
    pub by_kernel: u32,
}

impl Noted {
    /// Takes them, so that each is passed on once.
    pub fn take() -> Self {
        Self { by_process: BY_PROCESS.swap(0, Ordering::SeqCst), by_kernel: BY_KERNEL.swap(0, Ordering::SeqCst) }
    }

    pub fn all(&self) -> u32 {
        self.by_process | self.by_kernel
    }
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
    unblock(signal);
    // SAFETY: the signal has its default disposition.
    unsafe { libc::raise(signal) };
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
