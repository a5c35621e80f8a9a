//! The environment of this process, with the entries that [`std::env::vars_os`] does not have.
//!
//! std skips entries without a `=`, which a program started by `env -i` and the like passes on. libc's `environ` has them. But callers of
//! `set_var` promise only that other threads read the environment through std, so this library may not read `environ` itself: another
//! thread may change it, and free the array. The kernel may read it: a bad address is then an error number. What it has read may be a
//! mixture of before and after a change, so it counts only if std says the same.
//!
//! An ordinary process has no such entries. The first look at `/proc` finds that out, and later looks make no system call.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod merge;
mod name;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod own_memory;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "whole_unsupported.rs")]
mod whole;

pub(crate) use self::name::name_of;
pub(crate) use self::whole::whole_environment;
