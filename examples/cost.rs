//! What a spawn costs as the parent grows: `status()` of `true` by each launcher and by std, in one run.
//!
//! ```text
//! cargo run --release --example cost
//! ```
//!
//! The launchers take turns and the medians are compared, so that a noisy machine disturbs all of them alike. Each line is
//! one parent: its open descriptors and its touched memory. The ratios are to the first line of the same launcher.

use fdspawn::{Command, Launcher};
use std::fs::File;
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const BLOCK: usize = 20;

type Case = (&'static str, Box<dyn FnMut()>);

fn main() -> std::io::Result<()> {
    let program = std::env::args_os().nth(1).unwrap_or_else(|| "/bin/true".into());
    let mut by_clone = Command::new(&program);
    by_clone.launcher(Launcher::Clone);
    let mut by_fork = Command::new(&program);
    by_fork.launcher(Launcher::Fork);
    let mut by_std = std::process::Command::new(&program);
    let mut cases: Vec<Case> = vec![
        ("clone", Box::new(move || assert!(by_clone.status().expect("spawned").success()))),
        ("fork", Box::new(move || assert!(by_fork.status().expect("spawned").success()))),
        ("std", Box::new(move || assert!(by_std.status().expect("spawned").success()))),
    ];

    let mut descriptors: Vec<File> = Vec::new();
    let mut memory: Vec<u8> = Vec::new();
    let mut first: Option<Vec<Duration>> = None;
    for (open, mebibytes) in [(0, 0), (1_000, 0), (15_000, 0), (0, 256), (0, 1024)] {
        descriptors.truncate(open);
        while descriptors.len() < open {
            descriptors.push(File::open("/dev/null")?);
        }
        memory.resize(mebibytes << 20, 1);
        black_box(&memory);
        let medians = medians(&mut cases);
        let base = first.get_or_insert_with(|| medians.clone());
        print!("{open:>6} descriptors {mebibytes:>5} MiB");
        for ((name, _), (median, base)) in cases.iter().zip(medians.iter().zip(base.iter())) {
            let ratio = median.as_secs_f64() / base.as_secs_f64();
            print!("  {name} {:>6} us ({ratio:.2})", median.as_micros());
        }
        println!();
    }
    Ok(())
}

/// The median time of each case. The cases take turns in blocks: a fork leaves work behind, for the kernel and for the
/// parent whose pages it has write-protected, which must not fall on the next case.
fn medians(cases: &mut [Case]) -> Vec<Duration> {
    let mut times = vec![Vec::with_capacity(ROUNDS * BLOCK); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, case), times) in cases.iter_mut().zip(&mut times) {
            case();
            for _ in 0..BLOCK {
                let start = Instant::now();
                case();
                times.push(start.elapsed());
            }
        }
    }
    times.iter_mut().for_each(|times| times.sort_unstable());
    times.iter().map(|times| times[times.len() / 2]).collect()
}
