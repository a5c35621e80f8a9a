//! The child's environment: a base (the parent's environment, a prepared one, or none) and the command's changes to it.

use super::c_strings::{CStrings, PtrArray};
use crate::error::{Failure, Text};
use std::collections::{BTreeMap, btree_map};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// An environment in the form that `execve(2)` takes.
#[derive(Debug, Default)]
pub(crate) struct EnvBlock {
    /// Each is `NAME=value`.
    strings: CStrings,
    pointers: PtrArray,
}

impl EnvBlock {
    /// Sets the addresses. The strings have no NUL inside, and do not change after this.
    fn finish(&mut self) {
        self.pointers.set([&self.strings]);
    }

    /// Adds the variables of this process, as copies: `set_var` in another thread may free `environ` itself.
    fn push_parents(&mut self, skip: impl Fn(&OsStr) -> bool) {
        for (name, value) in std::env::vars_os() {
            if !skip(&name) {
                self.strings.push_variable(name.as_bytes(), value.as_bytes());
            }
        }
    }

    /// Removes all variables, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.strings.clear();
    }

    /// How many bytes of memory it has.
    pub(crate) fn size(&self) -> usize {
        self.strings.size() + self.pointers.size()
    }

    pub(crate) fn pointers(&self) -> &PtrArray {
        &self.pointers
    }

    pub(crate) fn get(&self, name: &OsStr) -> Option<&OsStr> {
        self.strings.iter().find_map(|variable| {
            let value = variable.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }
}

/// A prepared environment, which many commands can share: see [`Command::environment`].
///
/// It does not follow later changes of this process's environment. A clone shares the memory. `Debug` shows only the count of
/// variables, since their values may be secret.
///
/// [`Command::environment`]: crate::Command::environment
///
/// ```
/// use fdspawn::Environment;
///
/// let environment = Environment::capture();
/// assert_eq!(environment.get("PATH"), std::env::var_os("PATH").as_deref());
/// ```
#[derive(Clone)]
pub struct Environment(Arc<EnvBlock>);

impl Environment {
    /// Copies the environment of this process as it is now.
    #[doc(alias = "environ")]
    pub fn capture() -> Self {
        let mut block = EnvBlock::default();
        block.push_parents(|_| false);
        block.finish();
        Self(Arc::new(block))
    }

    pub(crate) fn block(&self) -> &EnvBlock {
        &self.0
    }

    /// The value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref())
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.0.strings.len()
    }

    /// Whether there are no variables.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("variables", &self.len()).finish_non_exhaustive()
    }
}

/// The environment that the changes apply to.
#[derive(Clone, Debug, Default)]
enum Base {
    #[default]
    Parent,
    Empty,
    Prepared(Environment),
}

/// A base, and the command's changes to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    base: Base,
    /// `None` removes the variable.
    variables: BTreeMap<OsString, Option<OsString>>,
}

impl Changes {
    pub(super) fn set_base(&mut self, environment: &Environment) {
        self.base = Base::Prepared(environment.clone());
    }

    pub(super) fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.variables.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        if self.is_cleared() {
            self.variables.remove(name);
        } else {
            self.variables.insert(name.to_owned(), None);
        }
    }

    pub(super) fn clear(&mut self) {
        self.base = Base::Empty;
        self.variables.clear();
    }

    pub(super) fn is_cleared(&self) -> bool {
        matches!(self.base, Base::Empty)
    }

    pub(super) fn iter(&self) -> Variables<'_> {
        Variables(self.variables.iter())
    }

    /// Whether the child gets this process's environment as it is.
    pub(crate) fn is_inherited(&self) -> bool {
        matches!(self.base, Base::Parent) && self.variables.is_empty()
    }

    /// Builds the environment of a child in `block`, which is empty. If the command uses a prepared environment without changes,
    /// it returns that one instead.
    pub(crate) fn build(&self, block: &mut EnvBlock) -> Result<Option<Environment>, Failure> {
        let changed = |name: &OsStr| !self.variables.is_empty() && self.variables.contains_key(name);
        match &self.base {
            Base::Prepared(environment) if self.variables.is_empty() => return Ok(Some(environment.clone())),
            Base::Prepared(environment) => {
                for variable in environment.0.strings.iter() {
                    let name = variable.as_bytes().splitn(2, |&byte| byte == b'=').next();
                    if !name.is_some_and(|name| changed(OsStr::from_bytes(name))) {
                        block.strings.push(variable);
                    }
                }
            }
            Base::Empty => {}
            Base::Parent => block.push_parents(changed),
        }
        for (name, value) in &self.variables {
            if name.is_empty() || name.as_bytes().contains(&b'=') {
                return Err(Failure::VariableName(name.clone()));
            }
            if name.as_bytes().contains(&0) {
                return Err(Failure::NulByte(Text::Variable));
            }
            if let Some(value) = value {
                block.strings.push_parts([name.as_bytes(), b"=", value.as_bytes()]);
            }
        }
        if block.strings.nul_inside().is_some() {
            return Err(Failure::NulByte(Text::Variable));
        }
        block.finish();
        Ok(None)
    }
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

    /// The block of changes that do not share a prepared environment.
    fn build(changes: &Changes) -> Result<EnvBlock, Failure> {
        let mut block = EnvBlock::default();
        assert!(changes.build(&mut block)?.is_none());
        Ok(block)
    }

    #[test]
    fn clear_removes_variables_set_before_it_and_keeps_those_set_after_it() {
        let mut changes = Changes::default();
        changes.set("BEFORE".as_ref(), "1".as_ref());
        changes.clear();
        changes.set("AFTER".as_ref(), "2".as_ref());
        changes.set("GONE".as_ref(), "3".as_ref());
        changes.remove("GONE".as_ref());
        let environment = build(&changes).unwrap();
        assert_eq!(environment.strings.iter().collect::<Vec<_>>(), ["AFTER=2"]);
        assert_eq!(environment.get("AFTER".as_ref()), Some("2".as_ref()));
        assert_eq!(environment.get("AFTE".as_ref()), None);
    }

    fn prepared(variables: &[&str]) -> Environment {
        let mut block = EnvBlock::default();
        variables.iter().for_each(|variable| block.strings.push(variable.as_ref()));
        block.finish();
        Environment(Arc::new(block))
    }

    #[test]
    fn prepared_environment_without_changes_is_not_copied() {
        let environment = prepared(&["A=1", "B=2"]);
        let mut changes = Changes::default();
        changes.clear();
        changes.set_base(&environment);
        let shared = changes.build(&mut EnvBlock::default()).unwrap().unwrap();
        assert!(std::ptr::eq(shared.block(), environment.block()));
    }

    #[test]
    fn changes_are_applied_to_a_copy_of_a_prepared_environment() {
        let environment = prepared(&["A=1", "B=2", "BB=3", "C=4=5"]);
        let mut changes = Changes::default();
        changes.set("C".as_ref(), "new".as_ref());
        changes.set_base(&environment);
        changes.remove("B".as_ref());
        let built = build(&changes).unwrap();
        assert_eq!(built.strings.iter().collect::<Vec<_>>(), ["A=1", "BB=3", "C=new"]);
        assert_eq!(environment.get("B"), Some("2".as_ref()));
        changes.clear();
        assert_eq!(build(&changes).unwrap().strings.len(), 0);
    }

    #[test]
    fn names_that_getenv_cannot_find_and_strings_with_a_nul_are_refused() {
        for name in ["", "A=B", "=A"] {
            let mut changes = Changes::default();
            changes.set(name.as_ref(), "value".as_ref());
            assert!(matches!(build(&changes), Err(Failure::VariableName(refused)) if refused == name));
        }
        for (name, value) in [("A\0", "b"), ("A", "b\0")] {
            let mut changes = Changes::default();
            changes.set(name.as_ref(), value.as_ref());
            assert!(matches!(build(&changes), Err(Failure::NulByte(Text::Variable))));
        }
    }
}
