//! System calls of a thread that a test looks at, and answers.
//!
//! A seccomp filter of the thread sends its calls to a supervisor. That is another thread, which shares the table but
//! not the filter. So it can make closes fail as those of a network file system do: the supervisor closes the number,
//! and answers with any error.

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

/// Runs `body` in a thread. `close` makes that thread's closes of `numbers`, and returns the errno with which each
/// ends.
///
/// Returns what the body returned, and the numbers of its closes, in their order. If the body closes a number twice,
/// the second close is in the list too, and closes what has the number by then. `None`, with a message, if the kernel
/// cannot do this.
pub fn run<T: Send>(
    numbers: &[RawFd],
    mut close: impl FnMut(RawFd) -> i32,
    body: impl FnOnce() -> T + Send,
) -> Option<(T, Vec<RawFd>)> {
    // A panic of `close` drops the listener, which ends the supervised close too.
    let mut seen = Vec::new();
    let each = |request: &libc::seccomp_notif| {
        let number = request.data.args[0] as RawFd;
        let errno = if seen.contains(&number) { close_again(number) } else { close(number) };
        seen.push(number);
        Answer::Made(errno)
    };
    let returned = supervise(libc::SYS_close, numbers, each, body)?;
    Some((returned, seen))
}

/// Runs `body` in a thread. Before the kernel makes one of the thread's calls of this kind, or of those of its children,
/// `each` gets the number of the process or thread that makes it. If `each` returns an errno, the call fails with that.
///
/// If `first_argument` is there, it is only about calls with that argument. `None`, with a message, if the kernel cannot
/// do this.
pub fn calls<T: Send>(
    call: i64,
    first_argument: Option<i32>,
    mut each: impl FnMut(u32) -> Option<i32>,
    body: impl FnOnce() -> T + Send,
) -> Option<T> {
    let each = |request: &libc::seccomp_notif| each(request.pid).map_or(Answer::GoOn, Answer::Made);
    supervise(call, first_argument.as_slice(), each, body)
}

/// The answer to a call.
enum Answer {
    /// The supervisor has made the call, which ends with this errno, or 0.
    Made(i32),
    /// The kernel makes the call.
    GoOn,
}

/// Runs `body` in a thread, and `each` for each of its calls of this kind whose first argument is one of these. Without
/// arguments, for all of them.
fn supervise<T: Send>(
    call: i64,
    arguments: &[i32],
    mut each: impl FnMut(&libc::seccomp_notif) -> Answer,
    body: impl FnOnce() -> T + Send,
) -> Option<T> {
    thread::scope(|scope| {
        let (over, running) = io::pipe().unwrap();
        let (sender, receiver) = mpsc::channel();
        let supervised = thread::Builder::new().spawn_scoped(scope, move || {
            // This end is closed when the body has ended, by a panic too.
            let _running = running;
            let installed = install(call, arguments);
            let goes_on = installed.is_ok();
            sender.send(installed).unwrap();
            goes_on.then(body)
        });
        let Ok(supervised) = supervised else {
            return unavailable("a thread cannot be started"); // some reruns refuse clone3
        };
        let Ok(listener) = receiver.recv().unwrap() else {
            return unavailable("system calls cannot be supervised");
        };
        while let Some(request) = next(&listener, &over) {
            answer(&listener, request.id, each(&request));
        }
        supervised.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Closes a number again, and returns the kernel's answer.
fn close_again(number: RawFd) -> i32 {
    // SAFETY: this closes the descriptor that has the number by now, and the test that does so fails.
    match unsafe { libc::close(number) } {
        0 => 0,
        _ => io::Error::last_os_error().raw_os_error().unwrap(),
    }
}

fn unavailable<T>(reason: &str) -> Option<T> {
    eprintln!("skipped: {reason}");
    None
}

/// Installs the filter, which sends this thread's calls with these first arguments, or with any if there are none, to
/// the holder of the returned descriptor.
fn install(call: i64, arguments: &[i32]) -> io::Result<OwnedFd> {
    /// Offsets in the kernel's `seccomp_data`. That of the argument is of its low half, on these little-endian
    /// architectures.
    const CALL: u32 = 0;
    const ARCH: u32 = 4;
    const ARGUMENT: u32 = 16;
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let equal = |value, yes, no| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, yes, no);
    let end = |action| instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0);

    // A jump gives the count of instructions that it passes over.
    let count = u8::try_from(arguments.len()).unwrap();
    let mut program = vec![load(ARCH), equal(ARCHITECTURE, 0, count + 3)];
    program.extend([load(CALL), equal(call as u32, u8::from(count == 0) * 2, count + 1), load(ARGUMENT)]);
    program.extend((0..count).map(|index| equal(arguments[usize::from(index)] as u32, count - index, 0)));
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

/// The next call that waits for an answer. `None` if the body has ended.
fn next(listener: &OwnedFd, over: &io::PipeReader) -> Option<libc::seccomp_notif> {
    let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    loop {
        let mut polls = [poll(listener.as_raw_fd()), poll(over.as_raw_fd())];
        // SAFETY: the kernel reads and writes the structures, and wants them all zeros.
        unsafe {
            assert!(libc::poll(polls.as_mut_ptr(), 2, -1) > 0, "{}", io::Error::last_os_error());
            // The thread has ended. Another process may still have a copy of the pipe's end; then the listener tells.
            if polls[1].revents != 0 || polls[0].revents & libc::POLLIN == 0 {
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

fn answer(listener: &OwnedFd, id: u64, answer: Answer) {
    let (error, flags) = match answer {
        Answer::Made(errno) => (-errno, 0),
        Answer::GoOn => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: the structure is read.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// A new file at the given number, which must be the lowest free one.
pub fn taking(number: RawFd) -> File {
    let file = super::sources::memory("other");
    assert_eq!(file.as_raw_fd(), number, "the number is free, and the lowest that is");
    file
}
