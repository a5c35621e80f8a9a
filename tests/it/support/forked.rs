//! Children that are forks of the test's process, which tests look at from outside.

use std::os::fd::RawFd;

/// Runs `body` in a forked child of a test that has a process of its own. Returns the child's status: 0 if `body`
/// returned.
pub fn status_of(body: impl FnOnce()) -> i32 {
    // SAFETY: the other thread of the test's process only waits; the child ends here.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            body();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        assert!(libc::WIFEXITED(status), "{status:#x}");
        libc::WEXITSTATUS(status)
    }
}

/// A fork of a test that has a process of its own. The drop kills and reaps it.
pub struct Forked(pub u32);

impl Forked {
    /// Forks, runs `prepare` in the child, and returns when that is done. The child then waits to be killed.
    ///
    /// The child has all of the parent's descriptors, and no other when `prepare` is done.
    pub fn new(prepare: impl FnOnce()) -> Self {
        // SAFETY: the descriptors are new; the child runs what the test says, and nothing after that.
        unsafe {
            let mut ends: [RawFd; 2] = [-1; 2];
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            let pid = libc::fork();
            assert!(pid >= 0);
            if pid == 0 {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::close(ends[0]);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(prepare));
                libc::write(ends[1], c"r".as_ptr().cast(), usize::from(result.is_ok()));
                libc::close(ends[1]);
                loop {
                    libc::pause();
                }
            }
            libc::close(ends[1]);
            let this = Self(pid.unsigned_abs());
            let mut bytes = [0_u8; 2];
            // The reads end when the child has closed its end.
            let first = libc::read(ends[0], bytes.as_mut_ptr().cast(), 1);
            let second = libc::read(ends[0], bytes.as_mut_ptr().cast(), 1);
            libc::close(ends[0]);
            assert_eq!((first, second), (1, 0), "the child prepared itself");
            this
        }
    }

    /// Kills the child, and waits until it has ended, but does not reap it.
    pub fn kill(&self) {
        // SAFETY: the child belongs to this value, and is not reaped yet.
        unsafe {
            libc::kill(self.0.cast_signed(), libc::SIGKILL);
            let mut info = std::mem::zeroed();
            assert_eq!(libc::waitid(libc::P_PID, self.0, &raw mut info, libc::WEXITED | libc::WNOWAIT), 0);
        }
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        // SAFETY: the child belongs to this value.
        unsafe {
            // A test that has given up its rights may not kill the child. Then the child ends with the test.
            if libc::kill(self.0.cast_signed(), libc::SIGKILL) == 0 {
                libc::waitpid(self.0.cast_signed(), std::ptr::null_mut(), 0);
            }
        }
    }
}
