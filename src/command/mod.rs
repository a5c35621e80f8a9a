//! The builder: it holds what the caller wants. It makes no system call itself: `environ` does, for the parent's environment.

mod attributes;
mod builder;
mod c_strings;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod child_cgroup;
mod child_function;
mod copy;
mod debug;
mod environment;
mod fd_map;
mod function;
mod hooks;
mod isolated_ref;
mod kept;
mod lend;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux_attributes;
mod not_inherited;
mod on_drop;
mod settings;
mod slot;
mod source;
mod stdio;

pub use self::builder::{Args, Command};
pub(crate) use self::builder::{Directory, Hook};
pub(crate) use self::c_strings::{CStrings, PtrArray};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::child_cgroup::ChildCgroup;
pub(crate) use self::environment::EnvBlock;
pub use self::environment::{Environment, Variables};
pub use self::fd_map::FdMap;
pub use self::isolated_ref::IsolatedRef;
pub use self::kept::Kept;
pub use self::lend::Lend;
pub(crate) use self::not_inherited::NotInherited;
pub(crate) use self::settings::Settings;
pub use self::slot::Slot;
pub(crate) use self::slot::SlotKind;
pub(crate) use self::source::{Given, Opened, Source};
pub use self::stdio::Stdio;
