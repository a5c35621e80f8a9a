//! What a spawn costs with fdspawn, with its peers, and at the kernel's limit, all measured in one run.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml
//! ```
//!
//! From parts to report: `parts` says what is measured and in which states of the parent; `driver` starts a process for
//! each state and lets the `cases` of all states take turns by `schedule`; each of these processes is in `state` and
//! `serve`s; `statistics` and `goals` judge the `results`; `report` and `plot` show them.

#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("the raw limit is written for Linux on x86-64 and AArch64");

mod arguments;
mod busy;
mod cases;
mod driver;
mod files;
mod goals;
mod machine;
mod parts;
mod plot;
mod progress;
mod protocol;
mod report;
mod results;
mod schedule;
mod serve;
mod state;
mod statistics;
mod worker;

use arguments::{Action, Run};
use files::Files;
use machine::Machine;
use progress::Progress;
use results::Results;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, io};

fn main() -> ExitCode {
    let done = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Action::Run(run)) => perform(&run),
        Ok(Action::Work { part, point, files }) => {
            serve::serve(part, point, &Files::at(files)).map(|()| ExitCode::SUCCESS)
        }
        Ok(Action::List) => {
            parts::PARTS.iter().for_each(|part| println!("{:<18} {}", part.name, part.title));
            Ok(ExitCode::SUCCESS)
        }
        Ok(Action::Help) => {
            print!("{}", arguments::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}\n\n{}", arguments::HELP);
            Ok(ExitCode::from(2))
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("fdspawn-benches: {error}");
        ExitCode::from(2)
    })
}

fn perform(run: &Run) -> io::Result<ExitCode> {
    let mut results = match &run.from {
        Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
        None => measure(run)?,
    };
    results.goals = goals::judge(&results);
    let text = report::markdown(&results);
    println!("{text}");
    if let Some(directory) = run.directory() {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("report.md"), text)?;
        fs::write(directory.join("results.json"), serde_json::to_string_pretty(&results)? + "\n")?;
        for part in &results.parts {
            fs::write(directory.join(report::plot_name(part)), plot::svg(part)?)?;
        }
    }
    let missed = results.goals.iter().any(|goal| goal.is_met() == Some(false));
    Ok(if run.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(run: &Run) -> io::Result<Results> {
    let (start, parts) = (Instant::now(), run.parts());
    let progress = Progress::new(parts.iter().map(|part| driver::budget(part, run.quick)).sum::<Duration>());
    let files = Files::create()?;
    let measured: io::Result<Vec<_>> =
        parts.iter().map(|part| driver::measure(part, run.quick, &files, &progress)).collect();
    progress.finish();
    files.remove()?;
    let (machine, seconds) = (Machine::current()?, start.elapsed().as_secs());
    Ok(Results { machine, quick: run.quick, seconds, parts: measured?, goals: Vec::new() })
}
