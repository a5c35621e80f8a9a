//! The builder: it holds what the caller wants. It makes no system call itself: `environ` does, for the parent's environment.

mod attributes;
mod builder;
mod c_strings;
mod debug;
mod environment;
mod fd_map;
mod hooks;
mod lend;
mod settings;
mod slot;
mod stdio;

pub use self::builder::{Args, Command};
pub(crate) use self::builder::{Directory, Hook};
pub(crate) use self::c_strings::{CStrings, PtrArray};
pub(crate) use self::environment::EnvBlock;
pub use self::environment::{Environment, Variables};
pub use self::fd_map::FdMap;
pub use self::lend::Lend;
pub(crate) use self::settings::Settings;
pub use self::slot::Slot;
pub(crate) use self::slot::SlotKind;
pub use self::stdio::Stdio;
pub(crate) use self::stdio::{Opened, Source};
