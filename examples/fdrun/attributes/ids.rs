//! Users and groups, by name or by number, and privileges.

use crate::stage::Stage;
use crate::values::{Parsed, wrong};
use std::error::Error;
use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::{io, ptr};

pub fn user(stage: &mut Stage, value: OsString) -> Parsed {
    let id = id("--uid takes the name or the number of a user", &value, user_named)?;
    stage.change(move |command| command.uid(id))
}

pub fn group(stage: &mut Stage, value: OsString) -> Parsed {
    let id = id("--gid takes the name or the number of a group", &value, group_named)?;
    stage.change(move |command| command.gid(id))
}

/// As with `chroot --groups`, an empty list removes all groups.
pub fn groups(stage: &mut Stage, value: OsString) -> Parsed {
    let rule = "--groups takes names or numbers of groups with commas between them";
    let mut ids = Vec::new();
    if !value.is_empty() {
        for name in value.as_bytes().split(|&byte| byte == b',') {
            // The error shows the whole list if one of its members is missing.
            let shown = if name.is_empty() { &value } else { OsStr::from_bytes(name) };
            ids.push(id(rule, shown, group_named)?);
        }
    }
    stage.change(move |command| command.groups(&ids))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn no_new_privs(stage: &mut Stage) {
    stage.set(|command| command.no_new_privs(true));
}

/// The id that the text names. As with `setpriv`, a name that consists of digits comes before the number.
fn id(rule: &str, text: &OsStr, named: fn(&CString) -> io::Result<Option<u32>>) -> Result<u32, Box<dyn Error>> {
    let name = CString::new(text.as_bytes())?;
    let found = named(&name).map_err(|error| format!("cannot look up `{}`: {error}", text.display()))?;
    // The highest number stands for "no change" in system calls, and is no id.
    let number = || text.to_str()?.parse().ok().filter(|&id| id != u32::MAX);
    found.or_else(number).ok_or_else(|| wrong(rule, text))
}

fn user_named(name: &CString) -> io::Result<Option<u32>> {
    look_up(
        |record: *mut libc::passwd, buffer, found| {
            // SAFETY: the name ends with a zero, and the call writes the record, the buffer up to its length, and `found`.
            unsafe { libc::getpwnam_r(name.as_ptr(), record, buffer.as_mut_ptr(), buffer.len(), found) }
        },
        |user| user.pw_uid,
    )
}

fn group_named(name: &CString) -> io::Result<Option<u32>> {
    look_up(
        |record: *mut libc::group, buffer, found| {
            // SAFETY: the name ends with a zero, and the call writes the record, the buffer up to its length, and `found`.
            unsafe { libc::getgrnam_r(name.as_ptr(), record, buffer.as_mut_ptr(), buffer.len(), found) }
        },
        |group| group.gr_gid,
    )
}

/// Looks a name up by the C library, which asks the sources of names that the system is configured for.
fn look_up<R>(
    call: impl Fn(*mut R, &mut [c_char], *mut *mut R) -> c_int,
    id: fn(&R) -> u32,
) -> io::Result<Option<u32>> {
    // A group with many members needs a longer buffer.
    let mut buffer = vec![0; 1024];
    loop {
        let mut record = MaybeUninit::uninit();
        let mut found = ptr::null_mut();
        match call(record.as_mut_ptr(), &mut buffer, &raw mut found) {
            // SAFETY: a pointer that the call has written refers to the record, which it has filled.
            0 => return Ok(unsafe { found.as_ref() }.map(id)),
            libc::ERANGE => buffer.resize(buffer.len() * 2, 0),
            libc::EINTR => {}
            // Some systems report with these numbers that they have no such name, or no file of names.
            libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(None),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}
