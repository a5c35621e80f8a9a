//! Starts child processes with exactly the descriptors that you name: not one more, not one less.
//!
//! `fdspawn` is `std::process` for code that depends on descriptors. A [`Command`] connects any number of the child, not only
//! 0, 1 and 2. The child closes every other descriptor.
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
//! The types of [`process`] have std's names, signatures and errors: a program is switched to this library by its `use` lines.
//!
//! # Words
//!
//! A *descriptor* is a number in a process's table. It refers to a *description*: the open file, with its offset, its
//! status flags and its `flock` locks, which all duplicates share. *Close-on-exec* is a flag of a descriptor, not of a
//! description.
//!
//! A *source* is a descriptor of the parent. A *target* is the number that it gets in the child. The *keep list* names
//! descriptors that have the same number in both. The *map* ([`FdMap`]) has all of these. The *rest* is every descriptor that
//! the map does not name.
//!
//! A spawn makes a [`plan`] from the map and compiles it to *steps*. To *launch* is to make the child process. The child does
//! the steps; the last one is *exec*, which executes the program. To *reap* is to wait for an ended child, so that it does not
//! stay a zombie.
//!
//! # What is promised
//!
//! - The program starts with the descriptors of the map, and with no others ([`Rest::Close`]). If the library cannot do that,
//!   the spawn fails. The program never starts with more.
//! - The descriptors that the parent has, and their flags, do not change, not for a moment. When the spawn has succeeded, the
//!   command closes the descriptors that were moved into it.
//! - The error of a spawn names the step that failed. A failed spawn leaves nothing behind: no zombie, no descriptor, no changed
//!   signal mask.
//! - On Linux the cost does not depend on the parent's memory, nor on the count of descriptors above those of the map.

#![deny(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
mod cgroup;
mod child;
mod command;
mod driven;
mod environ;
mod error;
mod escape;
mod exchange;
pub mod fd;
mod flow;
mod graph;
mod group;
pub mod inspect;
mod isolated;
mod launch;
pub mod os;
pub mod plan;
mod platform;
pub mod process;
mod spawn;
mod sys;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use self::cgroup::{Cgroup, CgroupKill};
pub use self::child::{Change, Child, Ended, Ending, Handle, Process, Reached, Usage};
pub use self::command::{Args, Command, Environment, FdMap, IsolatedRef, Kept, Lend, Slot, Stdio, Variables};
pub use self::driven::{Driven, block_on};
pub use self::error::{Error, Failure, Result, Stage, Text};
pub use self::exchange::{Capture, Captured, Capturing, Children, Exchange, Finished, Member};
pub use self::flow::{Flow, Keep, Stop};
pub use self::graph::{Graph, GraphCaptured, GraphExplanation, Running, StageFd, StageId, StageStatus, Statuses};
pub use self::group::Group;
pub use self::isolated::Isolated;
pub use self::plan::{OnDrop, Reach, Rest, Scheduler, Teardown};
#[doc(hidden)]
pub use self::platform::Features;
pub use self::platform::Launcher;
pub use self::spawn::{Explanation, fork_run};
pub use rustix::process::{Resource, Rlimit, Signal};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use rustix::thread::CpuSet;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/from-std.md")]
struct FromStdPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/running.md")]
struct RunningPage;

#[cfg(doctest)]
#[doc = include_str!("../docs/exchange.md")]
struct ExchangePage;

#[cfg(doctest)]
#[doc = include_str!("../docs/pipelines.md")]
struct PipelinesPage;
