//! The parts "line" and "stages": a line of stages, each of which reads what the one before writes.

use super::job::{Job, Spawn};
use super::library::succeeded;
use super::raw::Spawner;
use super::shells::{quoted, shell};
use super::transfer::end;
use super::wait::wait;
use crate::parts::{GRAPH_PIECE, Work};
use fdspawn::{Environment, Graph, StageId};
use std::fs::File;
use std::io::{self, pipe};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

/// How many stages move bytes.
const MOVING: usize = 4;

/// The capacity of large pipes.
const LARGE: usize = 1 << 20;

/// The first stage of a line that moves bytes reads this file, and the last one writes to `NULL`.
const ZERO: &str = "/dev/zero";
const NULL: &str = "/dev/null";

/// The stages of a line.
struct Line {
    program: PathBuf,
    /// The arguments of each stage.
    stages: Vec<Vec<String>>,
    /// Whether the stages move bytes, from [`ZERO`] to [`NULL`]. If not, the first and the last one inherit their ends.
    is_moving: bool,
}

impl Line {
    fn new(job: &Job) -> Self {
        let program = job.path.clone();
        if job.work != Work::Line {
            return Self { program, stages: vec![Vec::new(); job.children], is_moving: false };
        }
        let stage = |work: &str| vec![work.to_owned(), GRAPH_PIECE.to_string(), (job.size / GRAPH_PIECE).to_string()];
        // The first stage ends itself: the file has no end.
        let stages = (0..MOVING).map(|index| stage(if index == 0 { "head" } else { "copy" })).collect();
        Self { program, stages, is_moving: true }
    }

    /// Opens the input of the first stage and the output of the last one.
    fn open_ends(&self) -> io::Result<Option<(OwnedFd, OwnedFd)>> {
        let open = || Ok::<_, io::Error>((File::open(ZERO)?.into(), File::options().write(true).open(NULL)?.into()));
        self.is_moving.then(open).transpose()
    }
}

/// Only the pipes, clone3, `dup2(2)`, execve and waitid. The pipes have close-on-exec set.
pub fn raw(job: &Job) -> io::Result<Spawn> {
    with_system_calls(job, None, false)
}

/// Each child also closes all other descriptors.
pub fn same_work(job: &Job) -> io::Result<Spawn> {
    with_system_calls(job, Some(3), false)
}

/// Makes a pidfd for each child, too, and closes it after the waits.
pub fn with_pidfds(job: &Job) -> io::Result<Spawn> {
    with_system_calls(job, Some(3), true)
}

fn with_system_calls(job: &Job, close_from: Option<i32>, makes_pidfds: bool) -> io::Result<Spawn> {
    let line = Line::new(job);
    let spawner = |arguments: &Vec<String>| {
        let mut spawner = Spawner::with_arguments(&line.program, arguments)?;
        spawner.child.close_from = close_from;
        if makes_pidfds {
            spawner.flags |= libc::CLONE_PIDFD as u64;
        }
        Ok(spawner)
    };
    let mut spawners: Vec<Spawner> = line.stages.iter().map(spawner).collect::<io::Result<_>>()?;
    let mut pids = Vec::with_capacity(spawners.len());
    let mut pidfds = Vec::new();
    let last = spawners.len() - 1;
    Ok(Box::new(move || {
        let (mut input, last_output) = line.open_ends()?.unzip();
        let mut last_output = last_output;
        for (index, spawner) in spawners.iter_mut().enumerate() {
            let (next, output) = match index == last {
                true => (None, last_output.take()),
                false => {
                    let (reader, writer) = pipe()?;
                    (Some(OwnedFd::from(reader)), Some(OwnedFd::from(writer)))
                }
            };
            let duplicates = &mut spawner.child.duplicates;
            duplicates.clear();
            duplicates.extend(input.as_ref().map(|input| (input.as_raw_fd(), 0)));
            duplicates.extend(output.as_ref().map(|output| (output.as_raw_fd(), 1)));
            pids.push(spawner.spawn()?);
            pidfds.extend(spawner.take_pidfd());
            input = next;
        }
        let result = pids.drain(..).try_for_each(wait);
        pidfds.clear();
        result
    }))
}

/// A graph that is made once, and started repeatedly.
pub fn graph(job: &Job) -> io::Result<Spawn> {
    with_graph(job, |_| {})
}

/// With an `Environment` that the parent captures once.
pub fn shared_environment(job: &Job) -> io::Result<Spawn> {
    let environment = Environment::capture();
    with_graph(job, |graph| graph.commands().for_each(|command| _ = command.environment(&environment)))
}

pub fn large_pipes(job: &Job) -> io::Result<Spawn> {
    with_graph(job, |graph| _ = graph.pipe_capacity(LARGE))
}

fn with_graph(job: &Job, set: impl FnOnce(&mut Graph<'static>)) -> io::Result<Spawn> {
    let line = Line::new(job);
    let mut graph = Graph::pipeline(line.stages.iter().map(|arguments| {
        let mut command = fdspawn::Command::new(&line.program);
        command.args(arguments);
        command
    }));
    if let Some((input, output)) = line.open_ends()? {
        let stages: Vec<StageId> = graph.stages().collect();
        graph.command(stages[0]).stdin(Arc::new(input));
        graph.command(stages[stages.len() - 1]).stdout(Arc::new(output));
    }
    set(&mut graph);
    Ok(Box::new(move || Ok(graph.status()?.check()?)))
}

/// std, with the output of each child as the input of the next one.
pub fn std(job: &Job) -> io::Result<Spawn> {
    let line = Line::new(job);
    let last = line.stages.len() - 1;
    Ok(Box::new(move || {
        let (mut first_input, mut last_output) = line.open_ends()?.unzip();
        let mut children: Vec<std::process::Child> = Vec::with_capacity(line.stages.len());
        for (index, arguments) in line.stages.iter().enumerate() {
            let mut command = Command::new(&line.program);
            command.args(arguments);
            match children.last_mut() {
                Some(before) => _ = command.stdin(end(&mut before.stdout)?),
                None => first_input.take().into_iter().for_each(|input| _ = command.stdin(input)),
            }
            if index < last {
                command.stdout(std::process::Stdio::piped());
            } else if let Some(output) = last_output.take() {
                command.stdout(output);
            }
            children.push(command.spawn()?);
        }
        children.into_iter().try_for_each(|mut child| succeeded(child.wait()?))
    }))
}

pub fn subprocess(job: &Job) -> io::Result<Spawn> {
    let line = Line::new(job);
    Ok(Box::new(move || {
        let mut pipeline = subprocess::Pipeline::new();
        for arguments in &line.stages {
            pipeline = pipeline.pipe(subprocess::Exec::cmd(&line.program).args(arguments));
        }
        if line.is_moving {
            pipeline = pipeline.stdin(File::open(ZERO)?).stdout(subprocess::Redirection::Null);
        }
        pipeline.checked().join().map(drop)
    }))
}

/// `run` returns an error if the status of any stage is not 0.
pub fn duct(job: &Job) -> io::Result<Spawn> {
    let line = Line::new(job);
    let stages = line.stages.iter().map(|arguments| duct::cmd(&line.program, arguments));
    let expression = stages.reduce(|line, stage| line.pipe(stage)).ok_or(io::ErrorKind::InvalidInput)?;
    let expression = if line.is_moving { expression.stdin_path(ZERO).stdout_null() } else { expression };
    Ok(Box::new(move || expression.run().map(drop)))
}

pub fn bash(job: &Job) -> io::Result<Spawn> {
    shell("bash", &format!("set -o pipefail; {}", script(job)), &job.path)
}

/// dash tells only the status of the last stage, which counts the bytes.
pub fn dash(job: &Job) -> io::Result<Spawn> {
    shell("dash", &script(job), &job.path)
}

fn script(job: &Job) -> String {
    let line = Line::new(job);
    let stages: Vec<String> = line.stages.iter().map(|arguments| quoted(arguments)).collect();
    let redirections = if line.is_moving { [format!("<{ZERO} "), format!(" >{NULL}")] } else { Default::default() };
    let [input, output] = redirections;
    format!("{input}{}{output}", stages.join(" | "))
}
