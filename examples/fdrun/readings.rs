//! `--pipe-from`, `--limit`, `--capture` and `--lines`: which descriptors of the program fdrun reads, and what it does with the bytes.

use crate::request::Request;
use crate::values::{Parsed, split, wrong};
use lexopt::ValueExt;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// What the command line says about all descriptors that fdrun reads.
#[derive(Default)]
pub struct Readings {
    list: Vec<Reading>,
    /// Whether `--lines` is given.
    pub lines: bool,
}

/// What the command line says about one descriptor.
#[derive(Default)]
pub struct Reading {
    pub number: RawFd,
    pub limit: Option<u64>,
    pub capture: Option<PathBuf>,
    pub pipe_from: bool,
}

pub fn pipe_from(request: &mut Request, value: OsString) -> Parsed {
    request.readings.of(value.parse()?, |reading| reading.pipe_from).pipe_from = true;
    Ok(())
}

pub fn limit(request: &mut Request, value: OsString) -> Parsed {
    let rule = "--limit takes N=BYTES";
    let (number, bytes) = number_and(rule, &value)?;
    let digits = bytes.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let bytes = digits.and_then(|text| text.parse().ok()).ok_or_else(|| wrong(rule, &value))?;
    request.readings.of(number, |reading| reading.limit.is_some()).limit = Some(bytes);
    Ok(())
}

pub fn capture(request: &mut Request, value: OsString) -> Parsed {
    let (number, path) = number_and("--capture takes N=FILE", &value)?;
    request.readings.of(number, |reading| reading.capture.is_some()).capture = Some(path.into());
    Ok(())
}

/// Splits a value at its first `=`, which follows a number.
fn number_and<'a>(rule: &str, value: &'a OsStr) -> Result<(RawFd, &'a OsStr), Box<dyn Error>> {
    let parts = split(value, b'=').and_then(|(number, rest)| Some((number.to_str()?.parse().ok()?, rest)));
    parts.ok_or_else(|| wrong(rule, value))
}

impl Readings {
    /// The reading of a number. If the same option has been given for that number, this is a second reading, and the library refuses two
    /// pipes at one number.
    fn of(&mut self, number: RawFd, has_option: impl Fn(&Reading) -> bool) -> &mut Reading {
        let index = self.list.iter().position(|reading| reading.number == number && !has_option(reading));
        let index = index.unwrap_or_else(|| {
            self.list.push(Reading { number, ..Reading::default() });
            self.list.len() - 1
        });
        &mut self.list[index]
    }

    /// The options that are given, in the order of `--help`.
    pub fn options(&self) -> impl Iterator<Item = &'static str> {
        let has = |has_option: fn(&Reading) -> bool| self.list.iter().any(has_option);
        [
            ("--pipe-from", has(|reading| reading.pipe_from)),
            ("--limit", has(|reading| reading.limit.is_some())),
            ("--capture", has(|reading| reading.capture.is_some())),
            ("--lines", self.lines),
        ]
        .into_iter()
        .filter_map(|(option, is_given)| is_given.then_some(option))
    }

    /// All readings. `--lines` adds those of 1 and 2, unless another option connects them.
    pub fn into_list(mut self, connected: &[RawFd]) -> Vec<Reading> {
        for number in [1, 2] {
            if self.lines && !connected.contains(&number) {
                self.of(number, |_| false);
            }
        }
        self.list
    }
}

/// Opens the files of `--capture`. Readings with the same path share one file and its offset, so that none overwrites another's bytes.
pub fn open(list: &[Reading]) -> Result<Vec<Option<File>>, Box<dyn Error>> {
    let mut files: Vec<Option<File>> = Vec::with_capacity(list.len());
    for Reading { number, capture, .. } in list {
        let failed = |path: &PathBuf, error: io::Error| {
            format!("cannot open `{}` for descriptor {number}: {error}", path.display())
        };
        let same = list.iter().zip(&files).find(|(other, _)| other.capture == *capture);
        let file = match (capture, same) {
            (None, _) => None,
            (Some(path), Some((_, Some(file)))) => Some(file.try_clone().map_err(|error| failed(path, error))?),
            (Some(path), _) => Some(File::create(path).map_err(|error| failed(path, error))?),
        };
        files.push(file);
    }
    Ok(files)
}
