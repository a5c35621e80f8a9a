//! The options that connect descriptors of the child, and the sources of these descriptors.

use crate::stage::{Source, Stage};
use crate::values::{Parsed, parsed, split, wrong};
use fdspawn::Stdio;
use fdspawn::inspect::DescriptorTable;
use fdspawn::plan::Refusal;
use lexopt::ValueExt;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub fn connect(stage: &mut Stage, value: OsString) -> Parsed {
    let (target, source) = connection(&value, &stage.open)?;
    if let Source::Variable(name) = &source {
        stage.moved_variables.push(name.clone());
    }
    stage.connections.push((target, source));
    Ok(())
}

pub fn keep(stage: &mut Stage, value: OsString) -> Parsed {
    let number = value.parse()?;
    stage.connections.push((number, Source::Ready(parents(number, number, &stage.open)?)));
    Ok(())
}

/// Parses the `N=SPEC` of `--fd`.
fn connection(text: &OsStr, open: &DescriptorTable) -> Result<(RawFd, Source), Box<dyn Error>> {
    let wrong = || wrong("--fd takes N=SPEC", text);
    let number = |text: &OsStr| text.to_str().and_then(|text| text.parse().ok()).ok_or_else(wrong);
    let file = |options: &mut OpenOptions, path: &OsStr| Source::File(options.clone(), path.into());
    let (target, spec) = split(text, b'=').ok_or_else(wrong)?;
    let target = number(target)?;
    let (kind, operand) = split(spec, b':').map_or((spec, None), |(kind, operand)| (kind, Some(operand)));
    let source = match (kind.as_bytes(), operand) {
        (b"read", Some(path)) => file(File::options().read(true), path),
        (b"write", Some(path)) => file(File::options().write(true).create(true).truncate(true), path),
        (b"append", Some(path)) => file(File::options().append(true).create(true), path),
        (b"rw", Some(path)) => file(File::options().read(true).write(true).create(true), path),
        (b"parent", Some(source)) => Source::Ready(parents(number(source)?, target, open)?),
        (b"same", Some(other)) => Source::Ready(Stdio::same_as(number(other)?)),
        (b"data", Some(text)) => Source::Ready(Stdio::data(text.as_bytes())),
        (b"data-from", Some(path)) => Source::DataFrom(path.into()),
        (b"env", Some(name)) => Source::Variable(name.to_owned()),
        (b"null", None) => Source::Ready(Stdio::null()),
        (b"closed", None) => Source::Ready(Stdio::closed()),
        _ => return Err(wrong()),
    };
    Ok((target, source))
}

/// The descriptor `source` of fdrun, if it was open when fdrun started.
///
/// Only here and in [`lent`], fdrun uses a descriptor by its number alone. The number comes from the command line, and the
/// descriptor from the process that started fdrun. No part of fdrun owns it, so it stays open until the spawn or the exec.
fn parents(source: RawFd, target: RawFd, open: &DescriptorTable) -> Result<Stdio<'static>, Refusal> {
    match open.get(source) {
        // SAFETY: the number was open when fdrun started, and fdrun closes no descriptor that it was started with.
        Some(_) => Ok(unsafe { Stdio::inherit_from(source) }),
        None => Err(Refusal::SourceNotOpen { target, source }),
    }
}

/// The descriptor of fdrun whose number is the value of an option, for an attribute of the child. The same as in [`parents`] holds.
pub fn lent(option: &str, value: &OsStr, open: &DescriptorTable) -> Result<BorrowedFd<'static>, Box<dyn Error>> {
    let rule = format!("{option} takes the number of a descriptor of fdrun");
    let number = parsed(&rule, value, |text| text.parse().ok())?;
    match open.get(number) {
        // SAFETY: the number was open when fdrun started, and fdrun closes no descriptor that it was started with.
        Some(_) => Ok(unsafe { BorrowedFd::borrow_raw(number) }),
        None => Err(format!("descriptor {number}, the value of {option}, is not open in fdrun").into()),
    }
}

/// Opens the directory of a cgroup. It stays open as long as fdrun runs.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn cgroup(path: PathBuf) -> Result<&'static File, Box<dyn Error>> {
    let opened = File::open(&path).map_err(|error| format!("cannot open the cgroup `{}`: {error}", path.display()))?;
    Ok(Box::leak(Box::new(opened)))
}

/// Opens or reads the source of a descriptor.
pub fn open(source: Source, target: RawFd, explain: bool) -> Result<Stdio<'static>, Box<dyn Error>> {
    let failed = |verb: &str, path: &PathBuf, error: io::Error| {
        format!("cannot {verb} `{}` for descriptor {target}: {error}", path.display())
    };
    Ok(match source {
        Source::Ready(stdio) => stdio,
        // With --explain, /dev/null replaces the file, since opening the file could create or truncate it.
        Source::File(..) if explain => File::open("/dev/null")?.into(),
        Source::File(options, path) => options.open(&path).map_err(|error| failed("open", &path, error))?.into(),
        Source::DataFrom(_) if explain => Stdio::data(""),
        Source::DataFrom(path) => {
            let mut bytes = Vec::new();
            let read = match path.as_os_str().as_bytes() {
                b"-" => io::stdin().read_to_end(&mut bytes),
                _ => File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)),
            };
            read.map_err(|error| failed("read", &path, error))?;
            Stdio::data(bytes)
        }
        Source::Variable(name) => match std::env::var_os(&name) {
            Some(value) => Stdio::data(value.as_bytes()),
            None => return Err(format!("the variable `{}` for descriptor {target} is not set", name.display()).into()),
        },
    })
}
