//! `Command`, the builder: what a caller sets, and what the child gets of it.

mod environment;
mod ownership;
mod stdio;
