//! The processes that hold the ends of a pipe.

mod find;
mod holders;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod pipe;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod proc_file;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod search;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod thread_table;

pub use self::find::pipe_holders;
pub use self::holders::{PipeHolder, PipeHolders, Unreadable};
