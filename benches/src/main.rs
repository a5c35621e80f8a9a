//! Measures in one run how long a spawn takes with fdspawn, with other crates, and with raw system calls.
//!
//! ```text
//! cargo run --release --manifest-path benches/Cargo.toml
//! ```
//!
//! `parts` lists what the benchmark measures, and in which states of the parent. For each state, `driver` starts a
//! worker process. The worker brings itself into the state (`state`) and answers the driver's requests (`serve`).
//! `driver` measures the `cases` of all states in turn, in the order that `schedule` gives. `statistics` and `goals`
//! evaluate the `results`; `report` and `plot` present them.

#![deny(unsafe_code)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("the raw system calls of this benchmark support only Linux on x86-64 and AArch64");

mod arguments;
mod busy;
mod cases;
mod driver;
mod files;
mod goals;
mod machine;
mod memory;
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

use arguments::{Action, Options};
use files::Files;
use machine::Machine;
use progress::Progress;
use results::Results;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, io};

fn main() -> ExitCode {
    let done = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Action::Run(options)) => perform(&options),
        Ok(Action::Work { part, point, files, graph_size }) => {
            serve::serve(part, point, &Files::at(files, graph_size)).map(|()| ExitCode::SUCCESS)
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

fn perform(options: &Options) -> io::Result<ExitCode> {
    let mut results = match &options.from {
        Some(file) => serde_json::from_str(&fs::read_to_string(file)?)?,
        None => measure(options)?,
    };
    results.goals = goals::judge(&results);
    let text = report::markdown(&results);
    println!("{text}");
    if let Some(directory) = options.directory() {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("report.md"), text)?;
        fs::write(directory.join("results.json"), serde_json::to_string(&results)? + "\n")?;
        for part in &results.parts {
            fs::write(directory.join(report::plot_name(part)), plot::svg(part)?)?;
        }
    }
    let missed = results.goals.iter().any(|goal| goal.is_met() == Some(false));
    Ok(if options.check && missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measure(options: &Options) -> io::Result<Results> {
    let (start, parts) = (Instant::now(), options.parts());
    let progress = Progress::new(parts.iter().map(|part| driver::budget(part, options.quick)).sum::<Duration>());
    let files = Files::create(options.graph_size)?;
    let measured: io::Result<Vec<_>> =
        parts.iter().map(|part| driver::measure(part, options.quick, &files, &progress)).collect();
    progress.finish();
    files.remove()?;
    let (machine, seconds) = (Machine::current()?, start.elapsed().as_secs());
    Ok(Results { machine, quick: options.quick, seconds, parts: measured?, goals: Vec::new() })
}
