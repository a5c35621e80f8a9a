//! `fdspawn::fd`: closes, ranges, flags and locks, with or without a child.

mod close;
mod flags;
mod locks;
mod ranges;
