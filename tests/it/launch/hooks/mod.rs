//! `pre_exec` hooks.

mod descriptors;
mod errors;
mod outcome;
mod process;
