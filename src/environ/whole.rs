//! All entries of the environment, on Linux.

use super::merge::{has_odd_string, is_odd, is_settled, merge};
use super::own_memory::OwnMemory;
use crate::fd::standard::lock_stdio_numbers;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, retry_on_intr};
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// The entries of the environment, with those that are no variables. `None` if all are variables: then std has all of them.
///
/// The function may send an event of `tracing`, so the caller must not hold a lock.
pub(crate) fn whole_environment() -> Option<Vec<OsString>> {
    if !may_have_odd_entries() {
        return None;
    }
    let Ok(mut memory) = OwnMemory::open() else {
        warn_once();
        return None;
    };
    let environment = read_while_others_write(|| memory.environment().ok(), variables);
    if environment.is_none() {
        warn_once();
    }
    environment
}

/// Whether this process has entries that are no variables, as far as the library knows.
static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
const SOME_MAY_EXIST: u8 = 2;

/// Whether there may be entries that are no variables. The process can only have been started with them, since no function of libc
/// adds one. The first call finds that out.
fn may_have_odd_entries() -> bool {
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let found = look_for_odd_entries();
            KNOWN.store(if found { SOME_MAY_EXIST } else { NONE }, Ordering::Relaxed);
            found
        }
        known => known == SOME_MAY_EXIST,
    }
}

/// Looks for entries that are no variables, in the environment that the process was started with. The program may have written other
/// text to that place, such as a title for `ps`. Such text has most likely no `=`, or empty strings, so the function takes it for
/// entries that are no variables.
fn look_for_odd_entries() -> bool {
    if let Ok(bytes) = initial_environment() {
        return has_odd_string(&bytes);
    }
    match OwnMemory::open().map(|mut memory| memory.environment()) {
        Ok(Ok(entries)) => entries.iter().any(|entry| is_odd(entry)),
        Ok(Err(_)) => true,
        Err(_) => {
            warn_once();
            false
        }
    }
}

/// The strings that the process was started with. One system call reads them if they have less than 32 KiB.
fn initial_environment() -> Result<Vec<u8>, Errno> {
    let _guard = lock_stdio_numbers();
    let file = open("/proc/thread-self/environ", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut bytes, mut end) = (Vec::new(), 0);
    loop {
        bytes.resize(end + 32 * 1024, 0);
        let count = retry_on_intr(|| read(&file, &mut bytes[end..]))?;
        end += count;
        if end < bytes.len() {
            bytes.truncate(end);
            return Ok(bytes);
        }
    }
}

/// How often the function reads the environment again if other threads change it meanwhile.
const ATTEMPTS: usize = 10;

/// The entries that `read` and `variables` agree about. The function calls both again as long as other threads change the environment
/// between the calls, but at most [`ATTEMPTS`] times. After the last time, the entries that are no variables are those that the last two
/// reads have in common. `None` if no read has succeeded.
fn read_while_others_write(
    mut read: impl FnMut() -> Option<Vec<OsString>>,
    mut variables: impl FnMut() -> Vec<OsString>,
) -> Option<Vec<OsString>> {
    let mut before = Vec::new();
    let mut last = read();
    for _ in 0..ATTEMPTS {
        let variables = variables();
        let Some(after) = read() else { continue };
        before = last.replace(after).unwrap_or_default();
        match &last {
            Some(after) if is_settled(&before, &variables, after) => return last,
            _ => {}
        }
    }
    let mut last = last?;
    // If another thread frees a string during a read, the memory may look like an entry that is no variable.
    last.retain(|entry| !is_odd(entry) || before.contains(entry));
    Some(merge(&last, variables()))
}

/// The variables as std has them.
fn variables() -> Vec<OsString> {
    let string = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        name
    };
    std::env::vars_os().map(string).collect()
}

fn warn_once() {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "the kernel does not let this process read its memory: children do not inherit entries of the environment without a `=`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn environment_that_does_not_change_is_read_twice() {
        let mut reads = 0;
        let read = || {
            reads += 1;
            Some(strings(&["A=1", "odd", "B=2"]))
        };
        let environment = read_while_others_write(read, || strings(&["A=1", "B=2"]));
        assert_eq!(environment, Some(strings(&["A=1", "odd", "B=2"])));
        assert_eq!(reads, 2);
    }

    #[test]
    fn change_between_the_reads_makes_them_again() {
        let mut values = [1, 1, 2, 2].into_iter();
        let read = || Some(strings(&[&format!("A={}", values.next().unwrap()), "odd"]));
        assert_eq!(read_while_others_write(read, || strings(&["A=2"])), Some(strings(&["A=2", "odd"])));
        assert_eq!(values.next(), None);
    }

    #[test]
    fn reads_that_fail_are_made_again() {
        let mut reads = [None, Some(strings(&["odd"])), None, Some(strings(&["odd"]))].into_iter();
        assert_eq!(read_while_others_write(|| reads.next().unwrap(), Vec::new), Some(strings(&["odd"])));
        assert_eq!(read_while_others_write(|| None, || strings(&["A=1"])), None);
    }

    #[test]
    fn odd_entries_have_a_place_even_if_the_variables_never_settle() {
        let mut count = 0;
        let read = || {
            count += 1;
            // Each read finds another piece of freed memory.
            Some(strings(&["A=1", "odd", &format!("B={count}"), &format!("freed {count}"), "=x"]))
        };
        let environment = read_while_others_write(read, || strings(&["A=1", "B=0", "C=3"]));
        assert_eq!(environment, Some(strings(&["A=1", "odd", "B=0", "=x", "C=3"])));
        assert_eq!(count, ATTEMPTS + 1);
    }
}
