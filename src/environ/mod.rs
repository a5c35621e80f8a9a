//! The environment of this process, with the entries that [`std::env::vars_os`] does not have.
//!
//! std skips entries without a `=`. libc's `environ` has them, and `execve(2)` passes them on. But callers of `set_var` promise only that
//! other threads read the environment through std, so this library may not read `environ` itself: another thread may change it, and free
//! the array. So the library lets the kernel read `environ`: for a bad address the kernel returns an error. If another thread changes the
//! environment meanwhile, the result may have old and new entries. So it counts only if std reports the same variables.
//!
//! An ordinary process has no such entries. The first call finds that out by a look at `/proc`, and later calls make no
//! system call.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod merge;
mod name;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod own_memory;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "whole_unsupported.rs")]
mod whole;

pub(crate) use self::name::name_of;
pub(crate) use self::whole::whole_environment;
