//! The options that set what the program starts with besides its descriptors: one function for each.
//!
//! A function reads the value of its option, and passes a change of the command to [`Stage::change`]. fdrun makes the changes
//! in the order of the command line, after it has read the whole of it.

mod ids;
mod limits;
pub mod parsers;
mod places;
mod scheduling;
mod sessions;
mod signal_lists;

pub use ids::*;
pub use limits::*;
pub use places::*;
pub use scheduling::*;
pub use sessions::*;
pub use signal_lists::*;

use crate::stage::Stage;
use crate::values::{Parsed, split, wrong};
use std::ffi::OsString;

pub fn variable(stage: &mut Stage, value: OsString) -> Parsed {
    let (name, value) = split(&value, b'=').ok_or_else(|| wrong("--env takes NAME=VALUE", &value))?;
    let (name, value) = (name.to_owned(), value.to_owned());
    stage.change(|command| command.env(name, value))
}

pub fn name(stage: &mut Stage, value: OsString) -> Parsed {
    stage.change(|command| command.arg0(value))
}
