//! The child's environment: a base (the parent's environment, a prepared one, or none) and the command's changes to it.

use super::c_strings::{CStrings, PtrArray};
use crate::environ::{name_of, whole_environment};
use crate::error::{Failure, Problem, Result, Subject, Text};
use std::collections::{BTreeMap, btree_map};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// An environment in the form that `execve(2)` takes.
#[derive(Debug, Default)]
pub(crate) struct EnvBlock {
    /// Each is `NAME=value`, or what [`Environment::from_strings`] got.
    strings: CStrings,
    pointers: PtrArray,
}

impl EnvBlock {
    /// Sets the addresses. The strings have no NUL inside, and do not change after this.
    fn finish(&mut self) {
        self.pointers.set([&self.strings]);
    }

    /// Adds the entries of this process's environment, as copies: `set_var` in another thread may free `environ` itself.
    fn push_parents(&mut self, skip: impl Fn(&OsStr) -> bool) {
        if let Some(strings) = whole_environment() {
            strings
                .iter()
                .filter(|string| !name_of(string).is_some_and(&skip))
                .for_each(|string| self.strings.push(string));
            return;
        }
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
        self.strings.iter().find_map(|string| {
            let value = string.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            (name_of(string) == Some(name)).then_some(OsStr::from_bytes(value))
        })
    }
}

/// A prepared environment, which many commands can share: see [`Command::environment`].
///
/// Later changes of this process's environment do not change it. A clone shares the memory. `Debug` shows only the count of
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
    /// Copies the environment of this process as it is now, in its order. On Linux that includes entries without a `=`, as
    /// [`Command::env`] says.
    ///
    /// [`Command::env`]: crate::Command::env
    #[doc(alias = "environ")]
    pub fn capture() -> Self {
        let mut block = EnvBlock::default();
        block.push_parents(|_| false);
        block.finish();
        Self(Arc::new(block))
    }

    /// Makes an environment of these strings, in their order. By convention each is `NAME=value`. The program gets others, too, as they
    /// are: without a `=`, or with the name of a string before.
    ///
    /// On Linux, this copies the environment that this process was started with, without the changes since then:
    ///
    /// ```
    /// use fdspawn::{Command, Environment};
    /// use std::ffi::OsStr;
    /// use std::os::unix::ffi::OsStrExt;
    ///
    /// let bytes = std::fs::read("/proc/self/environ")?;
    /// let strings = bytes.split(|&byte| byte == 0).filter(|string| !string.is_empty()).map(OsStr::from_bytes);
    /// let environment = Environment::from_strings(strings)?;
    /// assert!(Command::new("true").environment(&environment).status()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Failure::NulByte`], if a string has a NUL byte inside.
    pub fn from_strings<S: AsRef<OsStr>>(strings: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut list = CStrings::default();
        strings.into_iter().for_each(|string| list.push(string.as_ref()));
        Self::of_strings(list)
    }

    /// Makes an environment of these pairs of a name and a value, in their order, also those with the same name. A copy of
    /// this process's variables is `Environment::from_pairs(std::env::vars_os())`.
    ///
    /// A name may start with a `=`, as [`std::env::vars_os`] reads some of Windows' variables in Wine. ([`Command::env`] refuses such a
    /// name.)
    ///
    /// [`Command::env`]: crate::Command::env
    ///
    /// # Errors
    ///
    /// - [`Failure::VariableName`], if a name is empty or has a `=` after its first byte: a program would read another name than this one.
    /// - [`Failure::NulByte`], if a name or a value has a NUL byte inside.
    ///
    /// Both are `EINVAL`.
    ///
    /// ```
    /// use fdspawn::{Command, Environment};
    ///
    /// let environment = Environment::from_pairs([("B", "2"), ("A", "1")])?;
    /// let output = Command::new("/usr/bin/env").environment(&environment).output()?;
    /// assert_eq!(output.stdout, b"B=2\nA=1\n");
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn from_pairs<N: AsRef<OsStr>, V: AsRef<OsStr>>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self> {
        let mut strings = CStrings::default();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            strings.push_parts([name.as_bytes(), b"=", value.as_bytes()]);
            let string = strings.get(strings.len() - 1).unwrap_or_default();
            if name_of(string) != Some(name) {
                return Err(Problem::from(Failure::VariableName(name.to_owned())).of(Subject::Environment));
            }
        }
        Self::of_strings(strings)
    }

    /// Refuses strings with a NUL inside.
    fn of_strings(strings: CStrings) -> Result<Self> {
        if strings.nul_inside().is_some() {
            return Err(Problem::from(Failure::NulByte(Text::Variable)).of(Subject::Environment));
        }
        let mut block = EnvBlock { strings, pointers: PtrArray::default() };
        block.finish();
        Ok(Self(Arc::new(block)))
    }

    pub(crate) fn block(&self) -> &EnvBlock {
        &self.0
    }

    /// The value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref())
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.strings.len()
    }

    /// Whether there are no entries.
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
    /// A copy of the parent's environment, in the place of one that [`Changes::build`] makes. The start of a graph sets it, so that all stages
    /// share one copy.
    parents: Option<Environment>,
    /// Whether names that no variable can have are passed on, as std does.
    any_name: bool,
}

impl Changes {
    pub(super) fn set_base(&mut self, environment: &Environment) {
        self.base = Base::Prepared(environment.clone());
    }

    pub(super) fn set(&mut self, name: &OsStr, value: &OsStr) {
        self.variables.insert(name.to_owned(), Some(value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        // No variable has such a name, so only a variable that this command has set is removed. std also lists the name.
        let is_name = self.any_name
            || name.as_bytes().split_first().is_some_and(|(_, rest)| !rest.contains(&b'='))
                && !name.as_bytes().contains(&0);
        if self.is_cleared() || !is_name {
            self.variables.remove(name);
        } else {
            self.variables.insert(name.to_owned(), None);
        }
    }

    pub(super) fn clear(&mut self) {
        self.base = Base::Empty;
        self.variables.clear();
    }

    /// Passes names on that no variable can have: an empty one, or one with a `=` inside.
    pub(crate) fn allow_any_name(&mut self) {
        self.any_name = true;
    }

    /// The changes of single variables; `None` removes the variable.
    pub(crate) fn variables(&self) -> &BTreeMap<OsString, Option<OsString>> {
        &self.variables
    }

    pub(crate) fn is_cleared(&self) -> bool {
        matches!(self.base, Base::Empty)
    }

    pub(super) fn iter(&self) -> Variables<'_> {
        Variables(self.variables.iter())
    }

    /// Whether the child's environment is made from this process's.
    pub(crate) fn is_from_parents(&self) -> bool {
        matches!(self.base, Base::Parent)
    }

    /// Sets or removes the copy of this process's environment that [`Changes::build`] uses.
    pub(crate) fn set_parents(&mut self, environment: Option<Environment>) {
        self.parents = environment;
    }

    /// Whether the child gets this process's environment as it is.
    pub(crate) fn is_inherited(&self) -> bool {
        matches!(self.base, Base::Parent) && self.variables.is_empty()
    }

    /// Whether that is the environment at the spawn, and not a copy that the start of a graph has made for all stages.
    pub(crate) fn is_own(&self) -> bool {
        self.is_inherited() && self.parents.is_none()
    }

    /// Builds the environment of a child in `block`, which is empty. If the command uses a prepared environment without changes,
    /// it returns that one instead.
    pub(crate) fn build(&self, block: &mut EnvBlock) -> std::result::Result<Option<Environment>, Failure> {
        let changed = |name: &OsStr| !self.variables.is_empty() && self.variables.contains_key(name);
        let prepared = match &self.base {
            Base::Prepared(environment) => Some(environment),
            Base::Parent => self.parents.as_ref(),
            Base::Empty => None,
        };
        match prepared {
            Some(environment) if self.variables.is_empty() => return Ok(Some(environment.clone())),
            Some(environment) => {
                for string in environment.0.strings.iter() {
                    if !name_of(string).is_some_and(changed) {
                        block.strings.push(string);
                    }
                }
            }
            None if self.is_from_parents() => block.push_parents(changed),
            None => {}
        }
        for (name, value) in &self.variables {
            let Some(value) = value else { continue };
            if !self.any_name && (name.is_empty() || name.as_bytes().contains(&b'=')) {
                return Err(Failure::VariableName(name.clone()));
            }
            block.strings.push_parts([name.as_bytes(), b"=", value.as_bytes()]);
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
pub struct Variables<'a>(pub(crate) btree_map::Iter<'a, OsString, Option<OsString>>);

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
    fn build(changes: &Changes) -> std::result::Result<EnvBlock, Failure> {
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
    fn copy_of_the_parents_environment_is_only_used_in_its_place() {
        let parents = prepared(&["A=1", "B=2"]);
        let mut changes = Changes::default();
        changes.set_parents(Some(parents.clone()));
        assert!(changes.is_inherited() && !changes.is_own());
        let shared = changes.build(&mut EnvBlock::default()).unwrap().unwrap();
        assert!(std::ptr::eq(shared.block(), parents.block()));
        changes.set("B".as_ref(), "new".as_ref());
        assert_eq!(build(&changes).unwrap().strings.iter().collect::<Vec<_>>(), ["A=1", "B=new"]);
        changes.clear();
        assert_eq!(build(&changes).unwrap().strings.len(), 0);
        changes.set_base(&prepared(&["C=3"]));
        let shared = changes.build(&mut EnvBlock::default()).unwrap().unwrap();
        assert_eq!(shared.get("C"), Some("3".as_ref()));
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
    fn names_that_no_variable_has_remove_nothing_but_what_the_command_has_set() {
        let environment = prepared(&["A=B=1", "JUNK", "=C:=\\", "=", "", "C=2"]);
        for name in ["", "A=B", "=", "JUNK", "A\0", "==", "=C:=", "B"] {
            let mut changes = Changes::default();
            changes.set_base(&environment);
            changes.set(name.as_ref(), "value".as_ref());
            changes.remove(name.as_ref());
            changes.set("D".as_ref(), "3".as_ref());
            let strings: Vec<OsString> = build(&changes).unwrap().strings.iter().map(OsStr::to_owned).collect();
            assert_eq!(strings, ["A=B=1", "JUNK", "=C:=\\", "=", "", "C=2", "D=3"], "{name:?}");
        }
        let mut changes = Changes::default();
        changes.set_base(&environment);
        changes.remove("=C:".as_ref());
        changes.remove("A".as_ref());
        assert_eq!(build(&changes).unwrap().strings.iter().collect::<Vec<_>>(), ["JUNK", "=", "", "C=2"]);
        assert_eq!(environment.get("=C:"), Some("\\".as_ref()));
        assert_eq!(environment.get("A"), Some("B=1".as_ref()));
        assert_eq!((environment.get(""), environment.get("A=B"), environment.get("JUNK")), (None, None, None));
    }

    #[test]
    fn any_names_are_passed_on_if_the_command_says_so() {
        let mut changes = Changes::default();
        changes.allow_any_name();
        changes.clear();
        for name in ["", "A=B", "=C"] {
            changes.set(name.as_ref(), "value".as_ref());
        }
        let strings: Vec<OsString> = build(&changes).unwrap().strings.iter().map(OsStr::to_owned).collect();
        assert_eq!(strings, ["=value", "=C=value", "A=B=value"]);
        changes.set("N\0".as_ref(), "value".as_ref());
        assert!(matches!(build(&changes), Err(Failure::NulByte(Text::Variable))));
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
