//! The part "keep": the parent reads all bytes of a child, and keeps the last ones or none.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use super::transfer::{end, moved, std_command};
use fdspawn::{Exchange, Flow, Keep, Stdio};
use std::io;
use std::os::fd::OwnedFd;

/// How many of the last bytes are kept.
const LAST: usize = 1 << 20;

pub fn last(job: &Job) -> io::Result<Spawn> {
    with(
        job,
        |exchange, stdout| exchange.drain(stdout, Keep::Last(LAST)),
        |exchange, flow| match exchange.bytes(flow).len() {
            LAST => Ok(()),
            length => Err(io::Error::other(format!("{length} bytes are kept"))),
        },
    )
}

pub fn discard(job: &Job) -> io::Result<Spawn> {
    with(
        job,
        |exchange, stdout| exchange.discard(stdout),
        |exchange, flow| {
            assert!(exchange.is_done(flow));
            Ok(())
        },
    )
}

fn with(
    job: &Job,
    add: fn(&mut Exchange<'_>, OwnedFd) -> Flow,
    check: fn(&mut Exchange<'_>, Flow) -> io::Result<()>,
) -> io::Result<Spawn> {
    let mut command = command(job)?;
    command.stdout(Stdio::piped());
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        let mut exchange = Exchange::new();
        let flow = add(&mut exchange, end(&mut child.stdout)?.into());
        exchange.run()?;
        check(&mut exchange, flow)?;
        succeeded(child.wait()?)
    }))
}

/// std has no call that keeps the last bytes.
pub fn std(job: &Job) -> io::Result<Spawn> {
    let mut command = std_command(job);
    command.stdout(std::process::Stdio::piped());
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        let length = io::copy(&mut end(&mut child.stdout)?, &mut io::sink())?;
        moved(usize::try_from(length).map_err(io::Error::other)?)?;
        succeeded(child.wait()?)
    }))
}
