//! Raw system calls: clone3, execve and waitid. The C library has no function for clone3, so this file calls it with a
//! few lines of assembly.
#![allow(unsafe_code, reason = "raw system calls have no safe interface")]

use super::job::{FIRST_TARGET, Job, Spawn};
use super::wait::wait;
use crate::parts::Work;
use rustix::event::{PollFd, PollFlags, poll};
use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::fs::File;
use std::io::{self, PipeReader, pipe};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The size of the kernel's signal set, in bytes.
pub const SIGNAL_SET_SIZE: usize = 8;

/// How many bytes of the output the raw cases read at a time.
const OUTPUT_PIECE: usize = 8 << 10;

/// Only clone3, execve and waitid.
pub fn limit(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// Also makes the pipes, maps the descriptors and closes all others, with the fewest possible system calls.
pub fn same_work(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    let sources = job.sources()?;
    let end = FIRST_TARGET + sources.len() as c_int;
    spawner.child.close_from = Some(end);
    let mapped = sources.iter().map(AsRawFd::as_raw_fd).zip(FIRST_TARGET..).collect::<Vec<_>>();
    if job.work != Work::Pipes {
        spawner.child.duplicates = mapped;
        return Ok(Box::new(move || {
            let _held = &sources;
            spawner.spawn().and_then(wait)
        }));
    }
    Ok(Box::new(move || {
        let _held = &sources;
        let (input, output, error) = (pipe()?, pipe()?, pipe()?);
        let ends = [input.0.as_raw_fd(), output.1.as_raw_fd(), error.1.as_raw_fd()];
        spawner.child.duplicates.clear();
        spawner.child.duplicates.extend(ends.into_iter().zip(0..));
        spawner.child.duplicates.extend(&mapped);
        let pid = spawner.spawn()?;
        drop((input, output, error));
        wait(pid)
    }))
}

/// Also makes two pipes, which the child gets at 1 and 2, and reads one after the other to the end. A child that writes
/// much to the second pipe would wait for ever.
pub fn two_pipes(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    let mut buffer = vec![0; OUTPUT_PIECE];
    Ok(Box::new(move || {
        let (output, error) = (pipe()?, pipe()?);
        spawner.child.duplicates.clear();
        spawner.child.duplicates.extend([(output.1.as_raw_fd(), 1), (error.1.as_raw_fd(), 2)]);
        let pid = spawner.spawn()?;
        drop((output.1, error.1));
        for reader in [output.0, error.0] {
            while rustix::io::read(&reader, &mut buffer)? > 0 {}
        }
        wait(pid)
    }))
}

/// Also gives the child `/dev/null` at 0 and two pipes at 1 and 2, closes all other descriptors, and reads both pipes as
/// each is ready.
pub fn output(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::new(&job.path)?;
    spawner.child.close_from = Some(FIRST_TARGET);
    let mut buffer = vec![0; OUTPUT_PIECE];
    Ok(Box::new(move || {
        let null = File::open("/dev/null")?;
        let (output, error) = (pipe()?, pipe()?);
        let ends = [null.as_raw_fd(), output.1.as_raw_fd(), error.1.as_raw_fd()];
        spawner.child.duplicates.clear();
        spawner.child.duplicates.extend(ends.into_iter().zip(0..));
        let pid = spawner.spawn()?;
        drop((null, output.1, error.1));
        let last = read_one(output.0, error.0, &mut buffer)?;
        while rustix::io::read(&last, &mut buffer)? > 0 {}
        wait(pid)
    }))
}

/// Reads two pipes until one of them is at its end, and returns the other one.
fn read_one(first: PipeReader, second: PipeReader, buffer: &mut [u8]) -> io::Result<PipeReader> {
    loop {
        let mut polls = [&first, &second].map(|reader| PollFd::new(reader, PollFlags::IN));
        poll(&mut polls, None)?;
        let [is_first, is_second] = polls.map(|poll| !poll.revents().is_empty());
        if is_first && rustix::io::read(&first, &mut *buffer)? == 0 {
            return Ok(second);
        }
        if is_second && rustix::io::read(&second, &mut *buffer)? == 0 {
            return Ok(first);
        }
    }
}

/// Spawns one program repeatedly.
pub struct Spawner {
    pub child: RawChild,
    /// The flags of clone3.
    pub flags: u64,
    /// The pidfd of the last spawn, if the flags include `CLONE_PIDFD`, until `take_pidfd` takes it; otherwise -1.
    pidfd: c_int,
    /// The stack of the child. `u128` aligns it to 16 bytes, as the calling conventions demand.
    stack: Box<[u128]>,
}

/// What the child reads and writes. The child shares the parent's memory.
pub struct RawChild {
    /// The path, and the arguments after it.
    _strings: Vec<CString>,
    /// The addresses of the strings, and a null pointer.
    argv: Vec<*const c_char>,
    pub duplicates: Vec<(c_int, c_int)>,
    pub close_from: Option<c_int>,
    /// If the child shares the parent's descriptor table: the lowest number that it leaves out when it unshares the
    /// table.
    pub unshare_from: Option<c_int>,
    pub default_sigpipe: bool,
    /// Further system calls, in the order in which the child makes them.
    pub calls: Vec<Call>,
    /// The signal mask that the child sets before execve, if any.
    pub mask: Option<u64>,
    /// The environment of the program, which ends in a null pointer; if it is empty, the child passes `environ`.
    pub environment: Vec<*const c_char>,
    /// The error number of the system call that failed in the child, or 0.
    error: AtomicI32,
}

/// A system call that the child makes.
pub struct Call {
    number: c_long,
    arguments: [usize; 4],
}

impl Call {
    /// # Safety
    ///
    /// The call is sound in a process that shares this one's memory. Its addresses are valid as long as the call exists.
    pub unsafe fn new(number: c_long, arguments: [usize; 4]) -> Self {
        Self { number, arguments }
    }
}

impl Spawner {
    pub fn new(path: &Path) -> io::Result<Self> {
        Self::with_arguments(path, &[])
    }

    pub fn with_arguments(path: &Path, arguments: &[String]) -> io::Result<Self> {
        let strings = [path.as_os_str().as_bytes()].into_iter().chain(arguments.iter().map(String::as_bytes));
        let strings: Vec<CString> = strings.map(CString::new).collect::<Result<_, _>>()?;
        let argv = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        let child = RawChild {
            _strings: strings,
            argv,
            duplicates: Vec::new(),
            close_from: None,
            unshare_from: None,
            default_sigpipe: false,
            calls: Vec::new(),
            mask: None,
            environment: Vec::new(),
            error: AtomicI32::new(0),
        };
        let flags = (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
        Ok(Self { child, flags, pidfd: -1, stack: vec![0; 1024].into() })
    }

    pub fn spawn(&mut self) -> io::Result<libc::pid_t> {
        let args = libc::clone_args {
            flags: self.flags,
            exit_signal: libc::SIGCHLD as u64,
            stack: self.stack.as_mut_ptr() as u64,
            stack_size: size_of_val(&*self.stack) as u64,
            pidfd: (&raw mut self.pidfd) as u64,
            child_tid: 0,
            parent_tid: 0,
            tls: 0,
            set_tid: 0,
            set_tid_size: 0,
            cgroup: 0,
        };
        // SAFETY: this call borrows the spawner, and with it the stack, until the child has executed the program or
        // exited. `run` takes a `RawChild` and makes only system calls.
        let pid = unsafe { clone3(&args, run, (&raw const self.child).cast_mut().cast()) }?;
        match self.child.error.swap(0, Ordering::Relaxed) {
            0 => Ok(pid),
            errno => {
                let _ = wait(pid);
                drop(self.take_pidfd());
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }

    /// The pidfd of the last spawn.
    pub fn take_pidfd(&mut self) -> Option<OwnedFd> {
        let number = std::mem::replace(&mut self.pidfd, -1);
        // SAFETY: the kernel has opened the pidfd for the last spawn, and only this value has owned it until now.
        (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
    }
}

/// The function that the child runs.
extern "C" fn run(child: *mut c_void) -> ! {
    // SAFETY: `spawn` passes a `RawChild`, which lives until the child has executed the program or exited. The system
    // calls take numbers, and strings that end in NUL. No thread changes `environ` during a spawn.
    unsafe {
        let child = &*child.cast::<RawChild>();
        let unshared = child.unshare_from.is_none_or(|first| {
            let flags = libc::CLOSE_RANGE_UNSHARE;
            libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, flags) == 0
        });
        let default = [0_usize; 8]; // at least as large as the kernel's struct on each architecture
        let reset = !child.default_sigpipe
            || libc::syscall(libc::SYS_rt_sigaction, libc::SIGPIPE, default.as_ptr(), 0, SIGNAL_SET_SIZE) == 0;
        let called = child.calls.iter().all(|call| {
            let [first, second, third, fourth] = call.arguments;
            libc::syscall(call.number, first, second, third, fourth) >= 0
        });
        let masked = child.mask.as_ref().is_none_or(|mask| {
            let mask = std::ptr::from_ref(mask);
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, 0, SIGNAL_SET_SIZE) == 0
        });
        let duplicated = child.duplicates.iter().all(|&(source, target)| libc::dup2(source, target) == target);
        let closed = child
            .close_from
            .is_none_or(|first| libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0) == 0);
        if unshared && reset && called && masked && duplicated && closed {
            let environment = if child.environment.is_empty() { environ } else { child.environment.as_ptr() };
            libc::execve(*child.argv.as_ptr(), child.argv.as_ptr(), environment);
        }
        child.error.store(*libc::__errno_location(), Ordering::Relaxed);
        libc::_exit(127)
    }
}

/// `clone3(2)` for a child that shares the parent's memory. The child runs `run` on the stack that `args` names.
///
/// # Safety
///
/// No other thread or process uses the stack, and `run` may run with `data` while this thread waits for the child.
unsafe fn clone3(
    args: &libc::clone_args,
    run: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
) -> io::Result<libc::pid_t> {
    let result: isize;
    // SAFETY: the child continues on its own stack and never returns to this frame. In the parent, the system call
    // changes only the registers that are named here.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") args,
            in("rsi") size_of::<libc::clone_args>(),
            in("r8") run,
            in("r9") data,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as for x86-64.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x3",
            "blr x2",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") args => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x2") run,
            in("x3") data,
        );
    }
    match result {
        ..0 => Err(io::Error::from_raw_os_error(-result as i32)),
        pid => Ok(pid as libc::pid_t),
    }
}
