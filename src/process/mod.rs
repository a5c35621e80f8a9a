//! `std::process`, with this library under it: a program is switched by its `use` lines.
//!
//! The names, the signatures and the behaviour are std's. The page `docs/from-std.md` lists each difference with its reason. The types of std that
//! start no child are std's own: [`ExitStatus`], [`Output`], [`ChildStdin`] and so on.
//!
//! [`Command`] here has no lifetime, and returns `std::io::Result`. Its default is [`Rest::Inherit`](crate::Rest::Inherit), as with std: a
//! program under `make` passes the descriptors of a jobserver on without knowing it. [`CommandFdExt`] adds what std has no words for, one
//! call at a time: descriptors at any number, and [`Rest::Close`](crate::Rest::Close).
//!
//! ```
//! use fdspawn::process::{Command, Stdio}; // was: std::process
//! use std::io::Write;
//!
//! let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//! child.stdin.take().expect("piped").write_all(b"b\na\n")?;
//! assert_eq!(child.wait_with_output()?.stdout, b"a\nb\n");
//! # Ok::<(), std::io::Error>(())
//! ```

mod args;
mod child;
mod command;
mod debug;
mod error;
mod fd_ext;
#[cfg(target_os = "linux")]
pub(crate) mod linux;
mod raw;
mod stdio;
pub(crate) mod unix;

pub use self::args::{CommandArgs, CommandEnvs, CommandResolvedEnvs};
pub use self::child::Child;
pub use self::command::Command;
pub use self::fd_ext::{ChildFdExt, CommandFdExt};
pub use self::stdio::Stdio;
pub use std::process::{
    ChildStderr, ChildStdin, ChildStdout, ExitCode, ExitStatus, Output, Termination, abort, exit, id,
};
