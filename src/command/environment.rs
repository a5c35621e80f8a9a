//! The child's environment: the parent's, and the changes to it.

use super::strings::Strings;
use crate::error::{Failure, Text};
use std::collections::{BTreeMap, btree_map};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Changes to the environment that a child inherits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    clear: bool,
    /// `None` removes the variable.
    variables: BTreeMap<OsString, Option<OsString>>,
}

impl Changes {
    pub(super) fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.variables.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        if self.clear {
            self.variables.remove(name);
        } else {
            self.variables.insert(name.to_owned(), None);
        }
    }

    pub(super) fn clear(&mut self) {
        self.clear = true;
        self.variables.clear();
    }

    pub(super) fn is_cleared(&self) -> bool {
        self.clear
    }

    pub(super) fn iter(&self) -> Variables<'_> {
        Variables(self.variables.iter())
    }

    /// The whole environment of a child that is spawned now, as `NAME=value` strings.
    pub(crate) fn build(&self) -> Result<Strings, Failure> {
        let mut strings = Strings::default();
        if !self.clear {
            for (name, value) in std::env::vars_os() {
                if self.variables.is_empty() || !self.variables.contains_key(&name) {
                    strings.push_parts([name.as_bytes(), b"=", value.as_bytes()]);
                }
            }
        }
        for (name, value) in &self.variables {
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(Failure::VariableName(name.clone()));
            }
            if name.as_bytes().contains(&0) {
                return Err(Failure::NulByte(Text::Variable));
            }
            if let Some(value) = value {
                strings.push_parts([name.as_bytes(), b"=", value.as_bytes()]);
            }
        }
        match strings.nul_inside() {
            Some(_) => Err(Failure::NulByte(Text::Variable)),
            None => Ok(strings),
        }
    }
}

/// The value of a variable in a list of `NAME=value` strings.
pub(crate) fn value_of<'a>(environment: &'a Strings, name: &str) -> Option<&'a OsStr> {
    environment.iter().find_map(|variable| {
        let value = variable.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(OsStr::from_bytes(value))
    })
}

/// The changes to the environment, sorted by name, from [`Command::get_envs`]. A variable without a value is removed.
///
/// [`Command::get_envs`]: crate::Command::get_envs
#[derive(Clone, Debug)]
pub struct Variables<'a>(btree_map::Iter<'a, OsString, Option<OsString>>);

impl<'a> Iterator for Variables<'a> {
    type Item = (&'a OsStr, Option<&'a OsStr>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Variables<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_forgets_what_was_set_before_and_keeps_what_is_set_after() {
        let mut changes = Changes::default();
        changes.set("BEFORE".as_ref(), "1".as_ref());
        changes.clear();
        changes.set("AFTER".as_ref(), "2".as_ref());
        changes.set("GONE".as_ref(), "3".as_ref());
        changes.remove("GONE".as_ref());
        let environment = changes.build().unwrap();
        assert_eq!(environment.iter().collect::<Vec<_>>(), ["AFTER=2"]);
        assert_eq!(value_of(&environment, "AFTER"), Some("2".as_ref()));
        assert_eq!(value_of(&environment, "AFTE"), None);
    }

    #[test]
    fn names_that_no_program_could_look_up_are_refused() {
        for name in ["", "A=B", "=A"] {
            let mut changes = Changes::default();
            changes.set(name.as_ref(), "value".as_ref());
            assert!(matches!(changes.build(), Err(Failure::VariableName(refused)) if refused == name));
        }
        for (name, value) in [("A\0", "b"), ("A", "b\0")] {
            let mut changes = Changes::default();
            changes.set(name.as_ref(), value.as_ref());
            assert!(matches!(changes.build(), Err(Failure::NulByte(Text::Variable))));
        }
    }
}
