//! `ChildFunction`: what a child runs in place of a program.

use std::fmt;

/// The function that the child runs in place of a program.
pub(crate) struct ChildFunction(pub(crate) Box<dyn FnMut() -> i32 + Send + Sync>);

impl fmt::Debug for ChildFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildFunction")
    }
}
