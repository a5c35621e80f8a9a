//! Closes that fail as those of a network file system do: the number is free, and `close` returns an error.
//!
//! A seccomp filter of one thread hands its closes of some numbers to a supervisor, which is another thread: it shares
//! the table, but not the filter. So it can close the number and answer with any error.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

/// Runs `body` in a thread whose closes of `numbers` are made by `close`, which says with which error they end.
///
/// Returns what the body returned, and the numbers of the closes that it made, in their order. Another close of the same
/// number is in the list too, and closes what is there by then. `None`, with a message, where the kernel cannot do this.
pub fn run<T: Send>(
    numbers: &[RawFd],
    mut close: impl FnMut(RawFd) -> i32,
    body: impl FnOnce() -> T + Send,
) -> Option<(T, Vec<RawFd>)> {
    thread::scope(|scope| {
        let (over, running) = io::pipe().unwrap();
        let (sender, receiver) = mpsc::channel();
        let supervised = thread::Builder::new().spawn_scoped(scope, move || {
            // Closed at the end, by a panic too.
            let _running = running;
            let installed = install(numbers);
            let goes_on = installed.is_ok();
            sender.send(installed).unwrap();
            goes_on.then(body)
        });
        let Ok(supervised) = supervised else {
            return unavailable("a thread cannot be started"); // Where clone3 is refused, in some suites.
        };
        let Ok(listener) = receiver.recv().unwrap() else {
            return unavailable("closes cannot be supervised");
        };
        // A panic of `close` drops the listener, which ends the supervised close too.
        let mut seen = Vec::new();
        while let Some(request) = next(&listener, &over) {
            let number = request.data.args[0] as RawFd;
            let errno = if seen.contains(&number) { close_again(number) } else { close(number) };
            seen.push(number);
            answer(&listener, request.id, errno);
        }
        let returned = supervised.join().unwrap_or_else(|panic| resume_unwind(panic));
        returned.map(|returned| (returned, seen))
    })
}

/// What the kernel says of a number that has been closed.
fn close_again(number: RawFd) -> i32 {
    // SAFETY: not safe for what has the number by now; the test that sees this fails.
    match unsafe { libc::close(number) } {
        0 => 0,
        _ => io::Error::last_os_error().raw_os_error().unwrap(),
    }
}

fn unavailable<T>(reason: &str) -> Option<T> {
    eprintln!("skipped: {reason}");
    None
}

/// The filter: which closes of this thread go to whoever holds the descriptor that is returned.
fn install(numbers: &[RawFd]) -> io::Result<OwnedFd> {
    /// Offsets in the kernel's `seccomp_data`; the first argument's low half, on these little-endian architectures.
    const CALL: u32 = 0;
    const ARCH: u32 = 4;
    const ARGUMENT: u32 = 16;
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let equal = |value, yes, no| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, yes, no);
    let end = |action| instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0);

    // Jumps count the instructions that they pass over.
    let count = u8::try_from(numbers.len()).unwrap();
    let mut program = vec![load(ARCH), equal(ARCHITECTURE, 0, count + 3)];
    program.extend([load(CALL), equal(libc::SYS_close as u32, 0, count + 1), load(ARGUMENT)]);
    program.extend((0..count).map(|index| equal(numbers[usize::from(index)] as u32, count - index, 0)));
    program.extend([end(libc::SECCOMP_RET_ALLOW), end(libc::SECCOMP_RET_USER_NOTIF)]);

    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel reads the program, and makes the descriptor for this caller.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        match libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd as RawFd)),
        }
    }
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// The next close that waits for an answer; `None` once the body is over.
fn next(listener: &OwnedFd, over: &io::PipeReader) -> Option<libc::seccomp_notif> {
    let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    loop {
        let mut polls = [poll(listener.as_raw_fd()), poll(over.as_raw_fd())];
        // SAFETY: the structures are read and written; all zeros is what the kernel asks for.
        unsafe {
            assert!(libc::poll(polls.as_mut_ptr(), 2, -1) > 0, "{}", io::Error::last_os_error());
            if polls[1].revents != 0 {
                return None;
            }
            let mut request: libc::seccomp_notif = std::mem::zeroed();
            if libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut request) == 0 {
                return Some(request);
            }
        }
        let error = io::Error::last_os_error();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
    }
}

fn answer(listener: &OwnedFd, id: u64, errno: i32) {
    let mut response = libc::seccomp_notif_resp { id, val: 0, error: -errno, flags: 0 };
    // SAFETY: the structure is read.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// A file that takes the given number, which is free and the lowest.
pub fn taking(number: RawFd) -> File {
    let file = super::sources::memory("other");
    assert_eq!(file.as_raw_fd(), number, "the number is free, and the lowest that is");
    file
}
