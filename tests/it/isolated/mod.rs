//! `Isolated`: launches from a thread with a descriptor table of its own.

mod children;
mod failures;
mod shared;
mod thread;
