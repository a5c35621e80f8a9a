//! The walk through this library.

pub use fdspawn as library;

#[allow(clippy::duplicate_mod, reason = "the same program is compiled against both")]
#[path = "walk/mod.rs"]
pub mod walk;
