//! The options: one table of them, and the parser that reads it.

use crate::request::Request;
use crate::values::Parsed;
use crate::{attributes, help, sources};
use fdspawn::Rest;
use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;

/// An option: its name and the name of its value, its help text, and what it does.
struct Row(&'static str, &'static str, Action);

enum Action {
    /// For an option without a value.
    Flag(fn(&mut Request)),
    /// For an option with a value.
    Takes(fn(&mut Request, OsString) -> Parsed),
}

use Action::{Flag, Takes};

/// All options, in the order of `--help`. A new option is one more row. Its function is in the file that the comment names.
const OPTIONS: &[Row] = &[
    // The child's descriptors: `sources.rs`.
    Row("--fd N=SPEC", help::FD, Takes(sources::connect)),
    Row("--keep N", "descriptor N of fdrun, under the same number", Takes(sources::keep)),
    Row("--pipe-from N", help::PIPE_FROM, Takes(sources::pipe_from)),
    Row("--inherit-rest", help::INHERIT_REST, Flag(|request| request.rest = Rest::Inherit)),
    // How fdrun makes the child: `request.rs`.
    Row("--launcher NAME", "auto, clone or fork", Takes(Request::choose_launcher)),
    // What the program starts with besides descriptors: `attributes.rs`.
    Row("--cwd DIR", help::CWD, Takes(attributes::directory)),
    Row("--env NAME=VALUE", "set a variable", Takes(attributes::variable)),
    Row("--clear-env", "pass no variables but those of --env", Flag(|request| request.clear_env = true)),
    Row("--arg0 NAME", help::ARG0, Takes(attributes::name)),
    // What fdrun does: `run.rs`.
    Row("--exec", help::EXEC, Flag(|request| request.exec = true)),
    Row("--explain", help::EXPLAIN, Flag(|request| request.explain = true)),
    Row("--table", help::TABLE, Flag(|request| request.table = true)),
    Row("--help", "print this", Flag(|request| request.help = true)),
];

/// The text of `--help`.
pub fn help() -> String {
    help::text(OPTIONS.iter().map(|Row(usage, help, _)| (*usage, *help)))
}

/// Reads the command line.
pub fn parse(mut parser: lexopt::Parser) -> Result<Request, Box<dyn Error>> {
    let mut request = Request::new()?;
    while let Some(argument) = parser.next()? {
        let row = match argument {
            Long(name) => OPTIONS.iter().find(|Row(usage, ..)| usage[2..].split(' ').next() == Some(name)),
            Value(program) => {
                let args = parser.raw_args()?.collect();
                return Ok(Request { program, args, ..request });
            }
            Short(_) => None,
        };
        match row {
            Some(Row(_, _, Flag(action))) => action(&mut request),
            Some(Row(_, _, Takes(action))) => action(&mut request, parser.value()?)?,
            None => return Err(argument.unexpected().into()),
        }
        if request.help {
            return Ok(request);
        }
    }
    if request.table {
        return Ok(request);
    }
    Err("no PROGRAM is given; see --help".into())
}
