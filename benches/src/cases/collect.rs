//! The parts "collect" and "output": the output of a child in memory.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use super::transfer::{
    Buffer, duct_command, end, moved, processkit_command, runtime, std_command, subprocess_command, tokio_command,
};
use crate::parts::{SIZE, Work};
use fdspawn::{Capture, Exchange, Stdio};
use std::io;
use subprocess::Redirection;

/// Reads into one buffer, and keeps nothing.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    let mut command = std_command(job);
    command.stdout(std::process::Stdio::piped());
    let mut buffer = Buffer::new();
    Ok(Box::new(move || {
        let mut child = command.spawn()?;
        let stdout = end(&mut child.stdout)?;
        let mut length = 0;
        loop {
            match rustix::io::read(&stdout, &mut buffer.0)? {
                0 => break,
                read => length += read,
            }
        }
        moved(length)?;
        succeeded(child.wait()?)
    }))
}

pub fn output(job: &Job) -> io::Result<Spawn> {
    let (mut command, size) = (command(job)?, size(job));
    Ok(Box::new(move || {
        let output = command.output()?;
        is_whole(&output.stdout, size)?;
        succeeded(output.status)
    }))
}

pub fn capture(job: &Job) -> io::Result<Spawn> {
    let (mut command, size) = (command(job)?, size(job));
    Ok(Box::new(move || {
        let captured = command.capture(&Capture::new())?.check()?;
        is_whole(&captured.stdout, size)
    }))
}

/// Collects the bytes in a vector whose memory has been used before.
pub fn drain_into(job: &Job) -> io::Result<Spawn> {
    let mut command = command(job)?;
    command.stdout(Stdio::piped());
    let mut bytes = vec![1; SIZE];
    Ok(Box::new(move || {
        bytes.clear();
        let mut child = command.spawn()?;
        let mut exchange = Exchange::new();
        exchange.drain_into(end(&mut child.stdout)?, &mut bytes);
        exchange.run()?;
        drop(exchange);
        moved(bytes.len())?;
        succeeded(child.wait()?)
    }))
}

pub fn std(job: &Job) -> io::Result<Spawn> {
    let (mut command, size) = (std_command(job), size(job));
    Ok(Box::new(move || {
        let output = command.output()?;
        is_whole(&output.stdout, size)?;
        succeeded(output.status)
    }))
}

pub fn subprocess(job: &Job) -> io::Result<Spawn> {
    let (job, size) = (job.clone(), size(job));
    Ok(Box::new(move || {
        let exec = subprocess_command(&job).stdout(Redirection::Pipe).stderr(Redirection::Pipe);
        let capture = exec.capture()?.check()?;
        is_whole(&capture.stdout, size)
    }))
}

pub fn duct(job: &Job) -> io::Result<Spawn> {
    let (expression, size) = (duct_command(job).stdout_capture().stderr_capture(), size(job));
    Ok(Box::new(move || is_whole(&expression.run()?.stdout, size)))
}

pub fn tokio(job: &Job) -> io::Result<Spawn> {
    let (runtime, mut command, size) = (runtime()?, tokio_command(job), size(job));
    Ok(Box::new(move || {
        let output = runtime.block_on(async { command.output().await })?;
        is_whole(&output.stdout, size)?;
        succeeded(output.status)
    }))
}

pub fn processkit(job: &Job) -> io::Result<Spawn> {
    let (runtime, command, size) = (runtime()?, processkit_command(job), size(job));
    Ok(Box::new(move || {
        let result = runtime.block_on(command.output_bytes()).and_then(|result| result.ensure_success());
        is_whole(result.map_err(io::Error::other)?.stdout(), size)
    }))
}

/// How many bytes the child writes.
fn size(job: &Job) -> usize {
    if job.work == Work::Collect { SIZE } else { 0 }
}

fn is_whole(bytes: &[u8], size: usize) -> io::Result<()> {
    if bytes.len() == size { Ok(()) } else { Err(io::Error::other(format!("the output has {} bytes", bytes.len()))) }
}
