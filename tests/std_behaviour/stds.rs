//! The walk through std.

pub use std as library;

#[path = "walk/mod.rs"]
pub mod walk;
