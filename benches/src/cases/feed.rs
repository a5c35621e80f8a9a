//! The part "feed": the input of a child from memory.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use super::transfer::{
    PIECE, duct_command, end, processkit_command, runtime, std_command, subprocess_command, tokio_command,
};
use crate::parts::SIZE;
use fdspawn::{Exchange, Stdio};
use std::io::{self, Write};
use std::sync::OnceLock;
use tokio::io::AsyncWriteExt;

/// What the child reads. All cases of a process write the same memory, if they can.
fn input() -> &'static [u8] {
    static INPUT: OnceLock<Vec<u8>> = OnceLock::new();
    INPUT.get_or_init(|| vec![1; SIZE])
}

pub fn raw(job: &Job) -> io::Result<Spawn> {
    let (mut command, input) = (std_command(job), input());
    command.stdin(std::process::Stdio::piped());
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        let stdin = end(&mut child.stdin)?;
        let mut rest = input;
        while !rest.is_empty() {
            let written = rustix::io::write(&stdin, &rest[..rest.len().min(PIECE)])?;
            rest = &rest[written..];
        }
        drop(stdin);
        succeeded(child.wait()?)
    }))
}

pub fn exchange(job: &Job) -> io::Result<Spawn> {
    let (mut command, input) = (command(job)?, input());
    command.stdin(Stdio::piped());
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        let mut exchange = Exchange::new();
        let flow = exchange.feed(end(&mut child.stdin)?, input);
        exchange.run()?;
        assert_eq!(exchange.unsent(flow), 0);
        succeeded(child.wait()?)
    }))
}

pub fn std(job: &Job) -> io::Result<Spawn> {
    let (mut command, input) = (std_command(job), input());
    command.stdin(std::process::Stdio::piped());
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        end(&mut child.stdin)?.write_all(input)?;
        succeeded(child.wait()?)
    }))
}

pub fn subprocess(job: &Job) -> io::Result<Spawn> {
    let (job, input) = (job.clone(), input());
    Ok(Box::new(move || {
        let exec = subprocess_command(&job).stdin(subprocess::InputData::from_bytes(input));
        exec.capture()?.check().map(drop)
    }))
}

/// The expression has a copy of the input, which is not measured.
pub fn duct(job: &Job) -> io::Result<Spawn> {
    let expression = duct_command(job).stdin_bytes(input());
    Ok(Box::new(move || expression.run().map(drop)))
}

pub fn tokio(job: &Job) -> io::Result<Spawn> {
    let (runtime, mut command, input) = (runtime()?, tokio_command(job), input());
    command.stdin(std::process::Stdio::piped());
    Ok(Box::new(move || {
        let status = runtime.block_on(async {
            let mut child = command.spawn()?;
            end(&mut child.stdin)?.write_all(input).await?;
            child.wait().await
        })?;
        succeeded(status)
    }))
}

/// Each spawn copies the input of the command.
pub fn processkit(job: &Job) -> io::Result<Spawn> {
    let (runtime, command) = (runtime()?, processkit_command(job).stdin(processkit::Stdin::from_bytes(input())));
    Ok(Box::new(move || runtime.block_on(command.run_unit()).map_err(io::Error::other)))
}
