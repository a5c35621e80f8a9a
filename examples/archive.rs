//! Packs a directory, and finds out the size and the checksum of the archive, in one pass: `tar | tee >(sha256sum) >(wc -c) | gzip`.
//!
//! Usage: `archive DIRECTORY FILE`. A program that is missing or that fails is an error that names it.

use fdspawn::{Command, Graph};
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: archive DIRECTORY FILE".into());
    };
    let mut graph = Graph::new();
    let tar = graph.stage(Command::new("tar").args(["-c", "--sort=name", "-C"]).arg(directory).arg(".").take());
    let gzip = graph.stage(Command::new("gzip").stdout(File::create(file)?).take());
    let checksum = graph.stage(Command::from(["sha256sum"]));
    let count = graph.stage(Command::from(["wc", "-c"]));
    graph.tee(tar.stdout(), [gzip.stdin(), checksum.stdin(), count.stdin()]);
    let (sum, size) = (graph.reader([checksum.stdout()]), graph.reader([count.stdout()]));
    if std::env::var_os("EXPLAIN").is_some() {
        print!("{}", graph.explain());
    }
    let output = graph.output()?.check()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).split_whitespace().next().unwrap_or_default().to_owned();
    println!("{} bytes, SHA-256 {}", text(output.bytes(size)), text(output.bytes(sum)));
    for stage in output.statuses.iter() {
        let time = stage.usage.map(|usage| usage.user_time + usage.system_time).unwrap_or_default();
        eprintln!("{}: {}, {time:?} of CPU time", stage.program.display(), stage.status);
    }
    Ok(())
}
