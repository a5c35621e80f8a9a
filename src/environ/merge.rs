//! Decides which entries the environment has, from the kernel's reads and from std's variables.

use super::name::name_of;
use std::ffi::{OsStr, OsString};

/// Whether one of the strings in `bytes` is no variable. Each ends in a NUL, as in `/proc/PID/environ`.
pub(super) fn has_odd_string(bytes: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    !bytes.is_empty() && bytes.split(|&byte| byte == 0).any(|string| is_odd(OsStr::from_bytes(string)))
}

/// Whether std skips an entry.
pub(super) fn is_odd(string: &OsStr) -> bool {
    name_of(string).is_none()
}

/// The environment if no thread has changed it meanwhile: the entries that were read before and after std's look at the variables are
/// the same, and the variables among them are std's.
pub(super) fn is_settled(before: &[OsString], variables: &[OsString], after: &[OsString]) -> bool {
    before == after && after.iter().filter(|string| !is_odd(string)).eq(variables)
}

/// The environment if other threads change it all the time: std's variables, and the entries that are no variables. Each such
/// entry comes after the nearest variable before it in `entries` that std still has. If there is none, the entry comes first.
pub(super) fn merge(entries: &[OsString], variables: Vec<OsString>) -> Vec<OsString> {
    // The odd entries that come before each variable, and those after the last one.
    let mut odd: Vec<Vec<&OsString>> = vec![Vec::new(); variables.len() + 1];
    let mut place = 0;
    for entry in entries {
        match name_of(entry) {
            None => odd[place].push(entry),
            Some(name) => place = place_after(name, &variables, place).unwrap_or(place),
        }
    }
    let mut odd = odd.into_iter().map(|entries| entries.into_iter().cloned());
    let mut merged: Vec<OsString> = odd.next().into_iter().flatten().collect();
    for (variable, after) in variables.into_iter().zip(odd) {
        merged.push(variable);
        merged.extend(after);
    }
    merged
}

/// The index after the variable of this name. If there are several, that of the first one from `place` on.
fn place_after(name: &OsStr, variables: &[OsString], place: usize) -> Option<usize> {
    let is_it = |variable: &OsString| name_of(variable) == Some(name);
    let next = variables[place..].iter().position(is_it).map(|index| place + index);
    next.or_else(|| variables.iter().position(is_it)).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn odd_strings_are_those_that_std_skips() {
        for bytes in ["", "\0A=1\0B=\0".trim_start_matches('\0'), "A=1\0=x=y\0", "==\0", "A=1"] {
            assert!(!has_odd_string(bytes.as_bytes()), "{bytes:?}");
        }
        for bytes in
            ["odd\0", "A=1\0odd\0B=2\0", "=\0", "=x\0", "\0\0", "A=1\0\0", "A=1\0\0B=2\0", "title\0\0\0", "odd"]
        {
            assert!(has_odd_string(bytes.as_bytes()), "{bytes:?}");
        }
    }

    #[test]
    fn environment_is_settled_if_both_reads_and_std_say_the_same() {
        let (entries, variables) = (strings(&["A=1", "odd", "B=2", "=x"]), strings(&["A=1", "B=2"]));
        assert!(is_settled(&entries, &variables, &entries));
        assert!(!is_settled(&entries, &strings(&["B=2", "A=1"]), &entries), "another order");
        assert!(!is_settled(&entries, &strings(&["A=1"]), &entries));
        assert!(!is_settled(&entries, &variables, &strings(&["A=1", "B=2"])), "an odd entry has gone");
        assert!(is_settled(&[], &[], &[]));
    }

    #[test]
    fn odd_entries_come_after_the_variables_that_they_came_after() {
        for (entries, variables, expected) in [
            (&["A=1", "odd", "B=2"][..], &["A=1", "B=2"][..], &["A=1", "odd", "B=2"][..]),
            // A value has changed, and a variable is new.
            (&["A=1", "odd", "B=2"], &["A=3", "B=2", "C=1"], &["A=3", "odd", "B=2", "C=1"]),
            // The nearest variable has gone.
            (&["A=1", "B=2", "odd", "C=3"], &["A=1", "C=3"], &["A=1", "odd", "C=3"]),
            (&["A=1", "odd", "B=2"], &["B=2"], &["odd", "B=2"]),
            (&["one", "", "A=1", "=", "two"], &["A=1"], &["one", "", "A=1", "=", "two"]),
            (&["one", "A=1", "two"], &[], &["one", "two"]),
            // Two variables of one name.
            (&["A=1", "A=2", "odd", "B=3"], &["A=1", "A=2", "B=3"], &["A=1", "A=2", "odd", "B=3"]),
            // Another order.
            (&["A=1", "odd", "B=2", "even"], &["B=2", "A=1"], &["B=2", "even", "A=1", "odd"]),
            (&[], &["A=1"], &["A=1"]),
        ] {
            assert_eq!(merge(&strings(entries), strings(variables)), strings(expected), "{entries:?} {variables:?}");
        }
    }
}
