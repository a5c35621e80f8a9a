//! A seccomp filter that hands system calls to a supervisor in another process, which answers them.

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The call by which a subject tells the supervisor how far it is. The library makes it, too, but with other arguments.
pub const MARKER: i64 = libc::SYS_getpgid;

/// What the filter hands to the supervisor, besides the markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    Call(i64),
    Every,
}

/// Filters this process and all that it starts, and sends the filter's listener over the socket at `channel`.
pub fn install(watched: Watched, channel: RawFd) -> io::Result<()> {
    let mut program = program(watched, channel);
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the kernel reads the program, and makes the descriptor for this caller.
    let listener = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        match libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) {
            -1 => return Err(io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd as RawFd),
        }
    };
    // SAFETY: the caller says that its socket is there.
    send(unsafe { BorrowedFd::borrow_raw(channel) }, listener.as_fd())
}

/// No subject has a descriptor of this number or above it. The filter itself says so of a `close`, since a search of all numbers
/// makes a million of them.
const HIGHEST: u32 = 4096;

/// The filter allows `sendmsg` on the channel, so that the listener can be sent.
fn program(watched: Watched, channel: RawFd) -> Vec<libc::sock_filter> {
    /// Offsets in the kernel's `seccomp_data`; the first argument's low half, on these little-endian architectures.
    const CALL: u32 = 0;
    const ARGUMENT: u32 = 16;
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let compare = |code, value, yes, no| instruction(libc::BPF_JMP | code | libc::BPF_K, value, yes, no);
    let equal = |value, yes, no| compare(libc::BPF_JEQ, value, yes, no);
    let end = |action| instruction(libc::BPF_RET | libc::BPF_K, action, 0, 0);
    let mut program = vec![
        load(CALL),
        equal(libc::SYS_sendmsg as u32, 0, 3),
        load(ARGUMENT),
        equal(channel as u32, 0, 1),
        end(libc::SECCOMP_RET_ALLOW),
        load(CALL),
        equal(libc::SYS_close as u32, 0, 4),
        load(ARGUMENT),
        compare(libc::BPF_JGE, HIGHEST, 0, 1),
        end(libc::SECCOMP_RET_ERRNO | libc::EBADF as u32),
        load(CALL),
    ];
    match watched {
        Watched::Every => program.push(end(libc::SECCOMP_RET_USER_NOTIF)),
        Watched::Call(call) => program.extend([
            equal(MARKER as u32, 2, 0),
            equal(call as u32, 1, 0),
            end(libc::SECCOMP_RET_ALLOW),
            end(libc::SECCOMP_RET_USER_NOTIF),
        ]),
    }
    program
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

fn send(channel: BorrowedFd<'_>, listener: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [listener];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    rustix::net::sendmsg(channel, &[IoSlice::new(b"f")], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Receives the listener; `None` if the subject has ended before.
pub fn receive(channel: impl AsFd) -> io::Result<Option<Listener>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(channel, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok(fds.last().map(Listener))
}

/// The supervisor's end of a filter.
pub struct Listener(pub OwnedFd);

/// A call that waits for its answer.
pub struct Request {
    id: u64,
    /// The number of the thread that makes the call.
    pub thread: i32,
    pub call: i64,
    pub arguments: [u64; 6],
}

impl Listener {
    /// The next call; `None` if its thread has ended meanwhile.
    pub fn next(&self) -> Option<Request> {
        // SAFETY: one structure is written; all zeros is what the kernel asks for.
        let request = unsafe {
            let mut request: libc::seccomp_notif = std::mem::zeroed();
            if libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut request) != 0 {
                return None;
            }
            request
        };
        let libc::seccomp_notif { id, pid, data, .. } = request;
        Some(Request { id, thread: pid.cast_signed(), call: i64::from(data.nr), arguments: data.args })
    }

    /// Lets the kernel make the call.
    pub fn allow(&self, request: &Request) {
        self.answer(libc::seccomp_notif_resp {
            id: request.id,
            val: 0,
            error: 0,
            flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        });
    }

    /// Answers the call with an error, or with 0.
    pub fn refuse(&self, request: &Request, errno: i32) {
        self.answer(libc::seccomp_notif_resp { id: request.id, val: 0, error: -errno, flags: 0 });
    }

    /// If the thread has ended meanwhile, there is nothing to answer.
    fn answer(&self, mut response: libc::seccomp_notif_resp) {
        // SAFETY: the structure is read.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
    }

    /// Puts `file` at a number of the caller's table, so that what was there is closed.
    pub fn replace(&self, request: &Request, number: u32, file: impl AsFd) {
        let mut place = libc::seccomp_notif_addfd {
            id: request.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
            srcfd: file.as_fd().as_raw_fd().cast_unsigned(),
            newfd: number,
            newfd_flags: libc::O_CLOEXEC as u32,
        };
        // SAFETY: the structure is read.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut place) };
    }
}
