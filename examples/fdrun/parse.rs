//! The parser of the command line, which reads the table of options.

use crate::options::{Action, Row, row_of};
use crate::request::Request;
use crate::stage::Stage;
use fdspawn::inspect::DescriptorTable;
use lexopt::Parser;
use lexopt::prelude::*;
use std::error::Error;
use std::ffi::OsString;
use std::rc::Rc;

/// Reads the command line.
pub fn parse(mut parser: Parser) -> Result<Request, Box<dyn Error>> {
    let mut request = Request::default();
    // fdrun reads this table before it opens a descriptor, which could get a number that the command line names. Rust's runtime has already
    // opened 0, 1 and 2 if they were closed.
    let open = Rc::new(DescriptorTable::current()?);
    loop {
        let number = request.stages.len();
        let mut stage = Stage::new(Rc::clone(&open));
        let program = match options(&mut parser, &mut request, &mut stage) {
            Err(error) if number > 0 => return Err(format!("stage {number}: {error}").into()),
            program => program?,
        };
        if request.help {
            return Ok(request);
        }
        let separator = request.separator.clone();
        let Some(program) = program.filter(|program| *program != separator) else {
            return without_program(request, stage, parser);
        };
        let mut args: Vec<OsString> = parser.raw_args()?.collect();
        let next = args.iter().position(|arg| *arg == separator);
        let rest = next.map(|next| args.split_off(next));
        (stage.program, stage.args) = (program, args);
        request.stages.push(stage);
        match rest {
            Some(rest) => parser = Parser::from_args(rest.into_iter().skip(1)),
            None => return Ok(request),
        }
    }
}

/// A stage whose options no program follows. --table needs none.
fn without_program(mut request: Request, stage: Stage, mut parser: Parser) -> Result<Request, Box<dyn Error>> {
    let number = request.stages.len();
    let is_last = parser.raw_args()?.next().is_none();
    if number == 0 && is_last && request.table {
        request.stages.push(stage);
        return Ok(request);
    }
    Err(match number {
        0 if is_last => "no PROGRAM is given; see --help".into(),
        _ => format!("stage {number} has no PROGRAM; see --help").into(),
    })
}

/// Reads the options of a stage, and the name of its program, if there is one.
fn options(parser: &mut Parser, request: &mut Request, stage: &mut Stage) -> Result<Option<OsString>, Box<dyn Error>> {
    while let Some(argument) = parser.next()? {
        let row = match argument {
            Long(name) => row_of(name),
            Value(program) => return Ok(Some(program)),
            Short(_) => None,
        };
        let Some(Row(usage, _, action)) = row else { return Err(argument.unexpected().into()) };
        if action.is_for_all() && !request.stages.is_empty() {
            let name = usage.split([' ', '[']).next().unwrap_or(usage);
            return Err(format!("{name} is for all stages, and has to stand before the first PROGRAM").into());
        }
        match action {
            Action::Flag(action) => action(stage),
            Action::Takes(action) => action(stage, parser.value()?)?,
            Action::May(action) => action(stage, parser.optional_value())?,
            Action::FlagForAll(action) => action(request),
            Action::TakesForAll(action) => action(request, parser.value()?)?,
            Action::MayForAll(action) => action(request, parser.optional_value())?,
        }
        if request.help {
            break;
        }
    }
    Ok(None)
}
