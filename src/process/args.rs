//! `CommandArgs`, `CommandEnvs` and `CommandResolvedEnvs`, the iterators of std's getters.

use crate::command::{Args, Variables};
use std::collections::{BTreeMap, btree_map};
use std::ffi::{OsStr, OsString};
use std::fmt;

/// The arguments of a [`Command`](super::Command), from [`Command::get_args`](super::Command::get_args).
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct CommandArgs<'a> {
    pub(super) inner: Args<'a>,
}

impl<'a> Iterator for CommandArgs<'a> {
    type Item = &'a OsStr;

    fn next(&mut self) -> Option<&'a OsStr> {
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl ExactSizeIterator for CommandArgs<'_> {}

impl fmt::Debug for CommandArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandArgs").field("inner", &self.inner).finish()
    }
}

/// The changes of the environment, from [`Command::get_envs`](super::Command::get_envs), sorted by name. A variable without a value is
/// removed.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct CommandEnvs<'a> {
    pub(super) iter: Variables<'a>,
}

impl<'a> Iterator for CommandEnvs<'a> {
    type Item = (&'a OsStr, Option<&'a OsStr>);

    fn next(&mut self) -> Option<Self::Item> {
        self.iter.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

impl ExactSizeIterator for CommandEnvs<'_> {}

impl fmt::Debug for CommandEnvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandEnvs").field("iter", &self.iter.0).finish()
    }
}

/// The environment of a child, from [`Command::get_resolved_envs`](super::Command::get_resolved_envs), sorted by name.
#[must_use = "iterators are lazy and do nothing unless consumed"]
#[derive(Debug)]
pub struct CommandResolvedEnvs {
    inner: btree_map::IntoIter<OsString, OsString>,
}

impl CommandResolvedEnvs {
    pub(super) fn new(variables: BTreeMap<OsString, OsString>) -> Self {
        Self { inner: variables.into_iter() }
    }
}

impl Iterator for CommandResolvedEnvs {
    type Item = (OsString, OsString);

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl ExactSizeIterator for CommandResolvedEnvs {}
