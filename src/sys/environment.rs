//! The environment of the calling process, as libc has it.

use std::ffi::c_char;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::sync::OnceLock;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(not(target_vendor = "apple"))]
unsafe extern "C" {
    static mut environ: *const *const c_char;
}

/// The address of the variable `environ`. Its value and what it points to are for [`read_own_memory`](super::read_own_memory):
/// another thread may change them at any time.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn environment_variable() -> usize {
    (&raw const environ) as usize
}

/// Whether this process has never had another thread, as glibc 2.32 and later tells. Without an answer it is false.
///
/// If it is true, only the code that the calling thread runs changes the environment.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn has_one_thread() -> bool {
    static FLAG: OnceLock<Option<&'static AtomicU8>> = OnceLock::new();
    let find = || {
        // SAFETY: the name is NUL-terminated.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        // SAFETY: glibc has the variable, a `char`, as long as the process lives. It writes to it when this thread starts another one.
        unsafe { address.cast::<AtomicU8>().as_ref() }
    };
    FLAG.get_or_init(find).is_some_and(|flag| flag.load(Ordering::Relaxed) != 0)
}

/// Other C libraries do not tell.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn has_one_thread() -> bool {
    false
}

/// The array of the variables, which a null pointer ends. It is null itself after clearenv(3).
///
/// In a forked child no other thread changes it. The kernel reads it during exec.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn environment() -> *const *const c_char {
    // SAFETY: libc defines the variable, and the calling process has one thread, or its caller answers for the others.
    unsafe { environ }
}

/// The array of the variables, which a null pointer ends.
#[cfg(target_vendor = "apple")]
pub(crate) fn environment() -> *const *const c_char {
    unsafe extern "C" {
        fn _NSGetEnviron() -> *mut *const *const c_char;
    }
    // SAFETY: the function returns the address of the variable.
    unsafe { *_NSGetEnviron() }
}
