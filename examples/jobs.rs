//! Runs the commands of a file, or of standard input, some at a time: `xargs -P` and a test runner in one.
//!
//! Usage: `jobs [-j COUNT] [-t SECONDS] [-x] [FILE]`. Each line is a command for the shell. `-j` is how many run at a time (2), `-t` how long
//! each may run, and `-x` lets the first failure end the others. The output of each command comes as a whole, in the order of the file.

use fdspawn::{Capture, Children, Command, Finished, Reach, Stdio, Stop, Teardown};
use indicatif::{ProgressBar, ProgressStyle};
use lexopt::{Arg, Parser, ValueExt};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

struct Options {
    at_once: usize,
    time: Option<Duration>,
    stops: bool,
    text: String,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let (mut at_once, mut time, mut stops, mut file) = (2, None, false, None);
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('j') => at_once = parser.value()?.parse::<std::num::NonZero<usize>>()?.get(),
            Arg::Short('t') => time = Some(Duration::try_from_secs_f64(parser.value()?.parse()?)?),
            Arg::Short('x') => stops = true,
            Arg::Value(path) if file.is_none() => file = Some(path),
            argument => return Err(argument.unexpected().into()),
        }
    }
    let mut text = String::new();
    match file {
        Some(file) => text = std::fs::read_to_string(file)?,
        None => _ = std::io::stdin().read_to_string(&mut text)?,
    }
    Ok(Options { at_once, time, stops, text })
}

/// What a command was started with: its number, its line, and when.
type Tag<'a> = (usize, &'a str, Instant);

/// How a command has ended, and what it has written. The first value is whether it has succeeded.
fn report(finished: Finished<'_, Tag<'_>>, is_stopping: bool) -> (bool, Vec<u8>) {
    let (_, line, start) = finished.tag;
    let (is_good, result) = match (&finished.status, finished.stop, &finished.ended) {
        (Err(error), ..) => (false, error.to_string()),
        (_, Stop::Deadline, _) => (false, "time is over".to_owned()),
        (_, _, Some(_)) if is_stopping => (false, "stopped".to_owned()),
        (Ok(status), ..) if status.success() => (true, "ok".to_owned()),
        (Ok(status), ..) => (false, status.to_string()),
    };
    let mut text = format!("{result} after {:.1} s: {line}\n", start.elapsed().as_secs_f64()).into_bytes();
    text.extend(finished.captured.map(|captured| captured.stdout).unwrap_or_default());
    (is_good, text)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = options()?;
    let lines: Vec<&str> = options.text.lines().filter(|line| !line.trim().is_empty()).collect();
    // The bar draws only if standard error is a terminal.
    let bar = ProgressBar::new(lines.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos} of {len}, {elapsed}")?);
    let teardown = Teardown::term(Duration::from_secs(1)).reach(Reach::Descendants);
    let mut how = Capture::new().end(teardown.clone());
    if let Some(time) = options.time {
        how = how.timeout(time);
    }

    let mut children = Children::new();
    let mut rest = lines.iter().enumerate();
    let mut reports = BTreeMap::new();
    let (mut failures, mut printed, mut is_stopping) = (0, 0, false);
    loop {
        while children.len() < options.at_once && !is_stopping {
            let Some((number, line)) = rest.next() else { break };
            // One pipe for both streams keeps their order.
            let mut command = Command::new("sh");
            command.args(["-c", line]).stderr(Stdio::same_as(1));
            children.capture(&mut command, &how, (number, *line, Instant::now()))?;
        }
        let Some(finished) = children.next()? else { break };
        bar.inc(1);
        let number = finished.tag.0;
        let (is_good, text) = report(finished, is_stopping);
        reports.insert(number, text);
        if !is_good {
            failures += 1;
            if options.stops && !is_stopping {
                is_stopping = true;
                children.end_all(&teardown)?;
            }
        }
        while let Some(text) = reports.remove(&printed) {
            bar.suspend(|| stdout().write_all(&text))?;
            printed += 1;
        }
    }
    bar.finish_and_clear();
    println!("{failures} of {printed} failed, {} not started", rest.len());
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
