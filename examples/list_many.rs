//! Measures how long `DescriptorTable::current` takes in a process with many descriptors.
//!
//! ```text
//! cargo run --release --example list_many -- 19000
//! ```

use fdspawn::inspect::DescriptorTable;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::time::Instant;

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1000);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let _open: Vec<File> = (0..count).map(|_| File::open("/dev/null")).collect::<Result<_, _>>()?;

    let mut times = Vec::new();
    for _ in 0..7 {
        let start = Instant::now();
        let table = DescriptorTable::current()?;
        times.push(start.elapsed());
        assert!(table.len() >= count);
    }
    times.sort_unstable();
    println!("{count} descriptors: {} ms, the median of {}", times[times.len() / 2].as_millis(), times.len());
    Ok(())
}
