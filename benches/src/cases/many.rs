//! The part "many": children that all live at the same time, each with a pipe at 1 whose other end the parent keeps.

use super::job::{Job, Spawn};
use super::library::{command, succeeded};
use super::raw::Spawner;
use super::transfer::{end, std_command};
use super::wait::wait;
use fdspawn::{Capture, Children, Stdio};
use std::io::{self, PipeReader, PipeWriter, pipe};
use std::os::fd::AsRawFd;

/// The children read this pipe, and end when its writer is closed.
fn gate() -> io::Result<(PipeReader, Option<PipeWriter>)> {
    pipe().map(|(reader, writer)| (reader, Some(writer)))
}

/// For each child `pipe2`, clone3 with a pidfd, two `dup2(2)`, `close_range`, execve and waitid.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    let mut spawner = Spawner::with_arguments(&job.path, &job.arguments)?;
    spawner.child.close_from = Some(3);
    spawner.flags |= libc::CLONE_PIDFD as u64;
    let count = job.children;
    Ok(Box::new(move || {
        let (reader, mut writer) = gate()?;
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            let (output, childs) = pipe()?;
            let duplicates = &mut spawner.child.duplicates;
            duplicates.clear();
            duplicates.extend([(reader.as_raw_fd(), 0), (childs.as_raw_fd(), 1)]);
            let pid = spawner.spawn()?;
            children.push((pid, output, spawner.take_pidfd()));
        }
        drop(end(&mut writer)?);
        children.into_iter().try_for_each(|(pid, ..)| wait(pid))
    }))
}

/// `Command::spawn` for each child.
pub fn spawn(job: &Job) -> io::Result<Spawn> {
    let job = job.clone();
    Ok(Box::new(move || {
        let (reader, mut writer) = gate()?;
        let mut command = command(&job)?;
        command.stdin(&reader).stdout(Stdio::piped());
        let children: Vec<_> = (0..job.children).map(|_| command.spawn()).collect::<fdspawn::Result<_>>()?;
        drop(end(&mut writer)?);
        children.into_iter().try_for_each(|mut child| succeeded(child.wait()?))
    }))
}

/// `Children::capture` for each child, which also reads the pipes. Each child has one at 2, too.
pub fn set(job: &Job) -> io::Result<Spawn> {
    let job = job.clone();
    Ok(Box::new(move || {
        let (reader, mut writer) = gate()?;
        let mut command = command(&job)?;
        command.stdin(&reader);
        let mut set = Children::new();
        for _ in 0..job.children {
            set.capture(&mut command, &Capture::new(), ())?;
        }
        drop(end(&mut writer)?);
        while let Some(finished) = set.next()? {
            succeeded(finished.status?)?;
        }
        Ok(())
    }))
}

/// std, which makes no pidfd.
pub fn std(job: &Job) -> io::Result<Spawn> {
    let mut command = std_command(job);
    command.stdout(std::process::Stdio::piped());
    let count = job.children;
    Ok(Box::new(move || {
        let (reader, mut writer) = gate()?;
        let spawn = |_| command.stdin(reader.try_clone()?).spawn();
        let children: Vec<_> = (0..count).map(spawn).collect::<io::Result<_>>()?;
        drop(end(&mut writer)?);
        children.into_iter().try_for_each(|mut child| succeeded(child.wait()?))
    }))
}
