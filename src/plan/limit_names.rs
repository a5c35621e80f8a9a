//! How limits are printed.

use rustix::process::Resource;
use std::fmt;

/// The name of a resource, as `setrlimit(2)` has it.
pub(super) struct ResourceName(pub(super) Resource);

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RLIMIT_{}", format!("{:?}", self.0).to_uppercase())
    }
}

/// The value of a limit. `None` is no limit.
pub(super) struct LimitValue(pub(super) Option<u64>);

impl LimitValue {
    /// The highest value stands for no limit.
    pub(super) fn of(value: u64) -> Self {
        Self((value != u64::MAX).then_some(value))
    }
}

impl fmt::Display for LimitValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}
