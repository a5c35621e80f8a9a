//! `Command`, the builder: what a caller sets, and what the child gets of it.

mod copy;
mod environment;
mod keep;
pub mod odd_entries;
pub mod own_environment;
mod ownership;
mod stdio;
