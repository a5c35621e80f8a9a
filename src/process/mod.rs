//! The started child: its handles, waiting, and signals.

mod child;
mod handles;
mod wait;

pub use self::child::Child;
pub use self::handles::Handle;
pub(crate) use self::handles::{End, Handles};
pub(crate) use self::wait::Process;
