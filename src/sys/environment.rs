//! The environment of the calling process, as libc has it.

use std::ffi::c_char;

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

/// The array of the variables, which a null pointer ends.
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
