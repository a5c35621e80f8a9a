//! Descriptors themselves: closing them, their flags.

mod flags;
pub(crate) mod ladder;

pub(crate) use self::flags::{close_on_exec, set_close_on_exec};
