//! The part "set": the wait for all of many children that end at once. Each preparation starts the children.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use super::transfer::{runtime, std_command, tokio_command};
use fdspawn::{Child, Children};
use rustix::process::{Pid, WaitOptions, WaitStatus, wait, waitpid};
use std::io::{self, PipeWriter, pipe};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::task::JoinSet;

/// The stack of a thread that only waits.
const STACK: usize = 64 << 10;

/// The most children of the cases whose start or wait takes more than twice as long for twice as many.
const FEW: usize = 5_000;

fn check_few(job: &Job) -> io::Result<()> {
    if job.children <= FEW {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::Unsupported, "one sample of so many children takes about 10 s"))
}

/// Starts the children with the library. They end when the writer is dropped.
fn start(job: &Job) -> io::Result<(Vec<Child>, PipeWriter)> {
    let (reader, writer) = pipe()?;
    let mut command = command(job)?;
    command.fd(0, Arc::new(OwnedFd::from(reader)));
    let children: fdspawn::Result<_> = (0..job.children).map(|_| command.spawn()).collect();
    Ok((children?, writer))
}

/// As [`start`], but the caller waits for the children by their process ids.
fn start_without_handles(job: &Job) -> io::Result<(Vec<Pid>, PipeWriter)> {
    let (children, writer) = start(job)?;
    let pid = |child: Child| Ok(Pid::from_raw(child.into_parts()?.0.cast_signed()).expect("not zero"));
    let pids: fdspawn::Result<_> = children.into_iter().map(pid).collect();
    Ok((pids?, writer))
}

/// waitpid(-1) in a loop. It takes the end of any child of the process.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    let (pids, writer) = start_without_handles(job)?;
    let mut writer = Some(writer);
    Ok(Box::new(move || {
        drop(writer.take());
        for _ in &pids {
            has_succeeded(wait(WaitOptions::empty())?)?;
        }
        Ok(())
    }))
}

/// The library's set. It watches the children before they end, as that of a program does that waits.
pub fn set(job: &Job) -> io::Result<Spawn> {
    let (children, writer) = start(job)?;
    let mut set = Children::new();
    for child in children {
        set.insert(child, ());
    }
    if set.next_timeout(Duration::ZERO)?.is_some() {
        return Err(io::Error::other("a child has ended before the pipe was closed"));
    }
    let mut writer = Some(writer);
    Ok(Box::new(move || {
        drop(writer.take());
        while let Some(finished) = set.next()? {
            succeeded(finished.status?)?;
        }
        Ok(())
    }))
}

/// A thread for each child, which has been started before.
pub fn threads(job: &Job) -> io::Result<Spawn> {
    check_few(job)?;
    let (pids, writer) = start_without_handles(job)?;
    let wait = |pid| {
        let waiting = move || has_succeeded(waitpid(Some(pid), WaitOptions::empty())?);
        thread::Builder::new().stack_size(STACK).spawn(waiting)
    };
    let mut ready = Some((pids.into_iter().map(wait).collect::<io::Result<Vec<_>>>()?, writer));
    Ok(Box::new(move || {
        let Some((threads, writer)) = ready.take() else { return Ok(()) };
        drop(writer);
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| io::Error::other("a thread panicked"))?)
    }))
}

/// std, one child after the other, in the order of their starts.
pub fn std(job: &Job) -> io::Result<Spawn> {
    let (reader, writer) = pipe()?;
    let mut command = std_command(job);
    let spawn = |_| command.stdin(reader.try_clone()?).spawn();
    let mut ready = Some(((0..job.children).map(spawn).collect::<io::Result<Vec<_>>>()?, writer));
    Ok(Box::new(move || {
        let Some((children, writer)) = ready.take() else { return Ok(()) };
        drop(writer);
        children.into_iter().try_for_each(|mut child| succeeded(child.wait()?))
    }))
}

/// tokio, with a task for each child.
pub fn tokio(job: &Job) -> io::Result<Spawn> {
    check_few(job)?;
    let (reader, writer) = pipe()?;
    let runtime = runtime()?;
    let mut command = tokio_command(job);
    let mut tasks = JoinSet::new();
    runtime.block_on(async {
        (0..job.children).try_for_each(|_| {
            let mut child = command.stdin(reader.try_clone()?).spawn()?;
            tasks.spawn(async move { succeeded(child.wait().await?) });
            Ok::<_, io::Error>(())
        })
    })?;
    let mut ready = Some((tasks, writer));
    Ok(Box::new(move || {
        let Some((mut tasks, writer)) = ready.take() else { return Ok(()) };
        drop(writer);
        runtime.block_on(async {
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        })
    }))
}

fn has_succeeded(ended: Option<(Pid, WaitStatus)>) -> io::Result<()> {
    match ended {
        Some((_, status)) if status.exit_status() == Some(0) => Ok(()),
        ended => Err(io::Error::other(format!("a child ended: {ended:?}"))),
    }
}
