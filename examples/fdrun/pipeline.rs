//! Several programs: fdrun builds their graph, and explains or starts it.

use crate::child::{self, Output};
use crate::readings::{self, Reading};
use crate::request::{Picture, Request};
use crate::stage::Stage;
use crate::stages::Stages;
use crate::{explain, run, usage};
use fdspawn::{Failure, Graph, Group, OnDrop, Reach, Slot, StageFd, Statuses, Teardown};
use std::error::Error;
use std::ffi::OsString;
use std::io::PipeReader;
use std::os::fd::RawFd;
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

/// Builds the graph, and does with it what the command line asks for.
pub fn run(request: Request) -> Result<ExitCode, Box<dyn Error>> {
    let Request { stages, readings, times, tree, usage, pipefail, explain: picture, .. } = request;
    let all_lines = readings.lines;
    let readings = readings.into_list(&connected(&stages));
    let writers: Vec<_> = readings.iter().map(|reading| writers(reading, &stages)).collect::<Result<_, _>>()?;
    let mut graph = build(stages, picture.is_some())?;
    let slots = add_readers(&mut graph, &readings, &writers);
    match picture {
        Some(Picture::Text) => return explain::print_text(&graph),
        Some(Picture::Dot) => return explain::print_dot(&graph),
        None => {}
    }
    let output = Output { files: readings::open(&readings)?, readings, slots, all_lines };
    let begin = Instant::now();
    // The commands are dropped after the start: the data that they have may be secret.
    let start = move || start(graph, tree == Some(Reach::Group));
    let (job, code) = child::run(start, output, &times, None)?;
    let statuses = job.statuses.expect("all stages have ended");
    if usage {
        usage::print_stages(&statuses, begin.elapsed());
    }
    let status = if pipefail { first_failed(&statuses) } else { statuses.last() };
    code.map_or_else(|| run::end(status), |code| Ok(ExitCode::from(code)))
}

/// The status of the first stage that has failed by itself. If none has, all is well.
fn first_failed(statuses: &Statuses) -> ExitStatus {
    match statuses.check() {
        Ok(()) => ExitStatus::default(),
        Err(error) => match error.failure() {
            Failure::Status { status, .. } => *status,
            _ => statuses.last(),
        },
    }
}

/// Builds the commands of all stages, and connects them. A variable whose value goes to a descriptor of one stage may be secret, so that
/// no stage gets it.
fn build(stages: Vec<Stage>, explain: bool) -> Result<Graph<'static>, Box<dyn Error>> {
    let removed: Vec<OsString> = stages.iter().flat_map(|stage| stage.moved_variables.clone()).collect();
    let mut commands = Vec::with_capacity(stages.len());
    for (number, stage) in stages.into_iter().enumerate() {
        let path = stage.program.clone();
        let command = stage.build(&path, &removed, explain);
        commands.push(command.map_err(|error| format!("stage {number}: {error}"))?);
    }
    Ok(Graph::pipeline(commands))
}

/// Starts all stages or none.
fn start(graph: Graph<'static>, has_group: bool) -> Result<Stages, Box<dyn Error>> {
    let ids = graph.stages().collect();
    let mut graph: Graph<'_> = graph; // It borrows the group.
    let group = has_group.then(Group::new);
    let reach = if has_group { Reach::Group } else { Reach::Process };
    // After an error of fdrun, the stages do not go on alone.
    graph.on_drop(OnDrop::End(Teardown::kill().reach(reach)));
    if let Some(group) = &group {
        graph.group(group);
    }
    let running = graph.spawn()?;
    drop(graph);
    Ok(Stages::new(running, ids, group))
}

/// Whether the pipeline leaves the descriptor of a stage as it is.
fn is_free(number: RawFd, stage: usize, stages: &[Stage]) -> bool {
    let is_linked = number == 0 && stage > 0 || number == 1 && stage + 1 < stages.len();
    !is_linked && !stages[stage].connects(number)
}

/// The numbers that are connected in each stage.
fn connected(stages: &[Stage]) -> Vec<RawFd> {
    let is_connected = |number: &RawFd| (0..stages.len()).all(|stage| !is_free(*number, stage, stages));
    [1, 2].into_iter().filter(is_connected).collect()
}

/// The stages whose descriptor of this number fdrun reads.
fn writers(reading: &Reading, stages: &[Stage]) -> Result<Vec<usize>, String> {
    let number = reading.number;
    let writers: Vec<usize> = (0..stages.len()).filter(|stage| is_free(number, *stage, stages)).collect();
    if writers.is_empty() {
        return Err(format!("fdrun cannot read descriptor {number}: it is connected in each stage"));
    }
    Ok(writers)
}

/// Adds a pipe to fdrun for each reading.
fn add_readers(graph: &mut Graph<'_>, readings: &[Reading], writers: &[Vec<usize>]) -> Vec<Slot<PipeReader>> {
    let ids: Vec<_> = graph.stages().collect();
    let ends = |reading: &Reading, writers: &[usize]| -> Vec<StageFd> {
        writers.iter().map(|stage| ids[*stage].fd(reading.number)).collect()
    };
    readings.iter().zip(writers).map(|(reading, writers)| graph.reader(ends(reading, writers))).collect()
}
