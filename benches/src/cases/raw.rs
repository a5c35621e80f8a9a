//! The kernel's limit: clone3, execve and waitid, written with libc and a few instructions for what libc has no
//! function for.
#![allow(unsafe_code, reason = "the raw limit is what the kernel offers, and nothing safe around it")]

use super::job::{FIRST_TARGET, Job, Run};
use super::wait::wait;
use crate::parts::Work;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{self, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The size of the kernel's set of signals.
pub const SIGNAL_SET_SIZE: usize = 8;

/// Nothing but a program.
pub fn limit(job: &Job) -> io::Result<Run> {
    let mut spawner = Spawner::new(&job.path)?;
    Ok(Box::new(move || spawner.spawn().and_then(wait)))
}

/// The pipes, the mapped descriptors and the closed rest, with no more calls than they take.
pub fn same_work(job: &Job) -> io::Result<Run> {
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

/// A child, and what it needs.
pub struct Spawner {
    pub child: Child,
    /// Those of clone3.
    pub flags: u64,
    /// The number of the last pidfd, where the flags ask for one.
    pub pidfd: c_int,
    /// Aligned to 16 bytes, as the top of a stack has to be.
    stack: Box<[u128]>,
}

/// What the child reads and writes, in the memory that it shares.
pub struct Child {
    path: CString,
    duplicates: Vec<(c_int, c_int)>,
    close_from: Option<c_int>,
    /// The first number that a private table does not have.
    pub leave_table: Option<c_int>,
    pub default_sigpipe: bool,
    /// The signal mask of the program.
    pub mask: Option<u64>,
    /// The array of the environment, where it is not this process's own: then it ends in a null.
    pub environment: Vec<*const c_char>,
    /// Why it could not become the program.
    error: AtomicI32,
}

impl Spawner {
    pub fn new(path: &Path) -> io::Result<Self> {
        let child = Child {
            path: CString::new(path.as_os_str().as_bytes())?,
            duplicates: Vec::new(),
            close_from: None,
            leave_table: None,
            default_sigpipe: false,
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
        // SAFETY: the stack is this spawner's, which is borrowed until the child has left it; `run` takes a `Child` and
        // makes nothing but system calls.
        let pid = unsafe { clone3(&args, run, (&raw const self.child).cast_mut().cast()) }?;
        match self.child.error.swap(0, Ordering::Relaxed) {
            0 => Ok(pid),
            errno => {
                let _ = wait(pid);
                Err(io::Error::from_raw_os_error(errno))
            }
        }
    }
}

/// What the child does.
extern "C" fn run(child: *mut c_void) -> ! {
    // SAFETY: `spawn` passes a `Child`, which it keeps until this one has execed or ended. The calls take numbers and
    // strings ended by NUL; `environ` changes only while nothing spawns.
    unsafe {
        let child = &*child.cast::<Child>();
        let argv = [child.path.as_ptr(), std::ptr::null()];
        let left = child.leave_table.is_none_or(|first| {
            let flags = libc::CLOSE_RANGE_UNSHARE;
            libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, flags) == 0
        });
        let default = [0_usize; 8]; // as large as any architecture's
        let reset = !child.default_sigpipe
            || libc::syscall(libc::SYS_rt_sigaction, libc::SIGPIPE, default.as_ptr(), 0, SIGNAL_SET_SIZE) == 0;
        let masked = child.mask.as_ref().is_none_or(|mask| {
            let mask = std::ptr::from_ref(mask);
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, mask, 0, SIGNAL_SET_SIZE) == 0
        });
        let duplicated = child.duplicates.iter().all(|&(source, target)| libc::dup2(source, target) == target);
        let closed = child
            .close_from
            .is_none_or(|first| libc::syscall(libc::SYS_close_range, first as libc::c_uint, libc::c_uint::MAX, 0) == 0);
        if left && reset && masked && duplicated && closed {
            let environment = if child.environment.is_empty() { environ } else { child.environment.as_ptr() };
            libc::execve(child.path.as_ptr(), argv.as_ptr(), environment);
        }
        child.error.store(*libc::__errno_location(), Ordering::Relaxed);
        libc::_exit(127)
    }
}

/// `clone3(2)` for a child that shares this memory and runs on the stack that `args` names.
///
/// # Safety
///
/// Nobody else uses the stack, and `run` is sound to run with `data` while this thread stands still.
unsafe fn clone3(
    args: &libc::clone_args,
    run: extern "C" fn(*mut c_void) -> !,
    data: *mut c_void,
) -> io::Result<libc::pid_t> {
    let result: isize;
    // SAFETY: the child leaves this frame at once for a stack of its own; the parent gets back all registers but those
    // that are named.
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
    // SAFETY: as above.
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
