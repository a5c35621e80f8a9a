//! Child processes whose descriptor table is exactly what you planned: not one descriptor more, not one less.
//!
//! `fdspawn` is `std::process` for code that cares about descriptors. A [`Command`] connects any number of the child,
//! not only 0, 1 and 2, and closes everything that it does not name.
//!
//! ```
//! use fdspawn::{Command, Stdio};
//! use std::io::{Read, Write};
//!
//! let mut command = Command::new("sh");
//! command.args(["-c", "read secret <&5; echo status >&7; echo \"got $secret\""]);
//! let secret = command.writer(5);
//! let status = command.reader(7);
//! let mut child = command.stdout(Stdio::piped()).spawn()?;
//!
//! writeln!(child.take(secret).expect("taken once"), "hush")?;
//! let mut text = String::new();
//! child.take(status).expect("taken once").read_to_string(&mut text)?;
//! assert_eq!(text, "status\n");
//! assert_eq!(child.wait_with_output()?.stdout, b"got hush\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Words
//!
//! A *descriptor* is a number in a process's table. It refers to a *description*: the open file, with its offset, its
//! status flags and its `flock` locks, which all duplicates share. A *source* is a descriptor of the parent, a *target*
//! the number that it gets in the child. The *keep list* names descriptors that have the same number in both. The
//! *rest* is all that the plan does not name. *Close-on-exec* is a flag of a descriptor, not of a description. A *plan*
//! compiles to *steps*, which the child runs between *launch* and *exec*. To *reap* is to wait for an ended child.
//!
//! # What is promised
//!
//! - The program starts with the descriptors of the plan, and nothing else: [`Rest::Close`]. If that cannot be done,
//!   the spawn fails; it never runs the program with more.
//! - The parent's table and its flags do not change, not for a moment; only what was moved into the command is closed
//!   when the spawn has succeeded.
//! - A spawn that fails says which step failed, and leaves nothing behind: no zombie, no descriptor, no changed mask.
//! - On Linux the cost does not depend on the parent's memory, nor on the number of descriptors above the plan's.

#![deny(unsafe_code)]

mod child;
mod command;
mod error;
pub mod fd;
pub mod inspect;
mod isolated;
mod launch;
pub mod plan;
mod platform;
mod spawn;
mod sys;

pub use self::child::{Child, Handle};
pub use self::command::{Args, Command, Environment, FdMap, Lend, Slot, Stdio, Variables};
pub use self::error::{Error, Failure, Result, Text};
pub use self::isolated::Isolated;
pub use self::plan::Rest;
#[doc(hidden)]
pub use self::platform::Features;
pub use self::platform::Launcher;
pub use self::spawn::{Explanation, fork_run};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
