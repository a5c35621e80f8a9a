//! A line with a status descriptor: the data flows from stage to stage, and beside it each stage reports on descriptor 5 what it does. This
//! process reads the reports while the line runs. (gpg has such a descriptor, with `--status-fd`.)
//!
//! `status_line` packs text and unpacks it again: `generate | gzip | gunzip | wc -c`, and prints the reports and the result.

use fdspawn::{Command, Exchange, Graph};
use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let shell = |script: &str| Command::from(["sh", "-c", script]);
    let mut graph = Graph::new();
    let generate = "for part in 1 2 3; do head -c 100000 /dev/zero; echo \"generate: part $part\" >&5; done";
    let generate = graph.stage(shell(generate));
    let pack = graph.stage(shell("gzip -c && echo 'pack: done' >&5"));
    let unpack = graph.stage(shell("gzip -dc && echo 'unpack: done' >&5"));
    let count = graph.stage(Command::from(["wc", "-c"]));
    graph.pipe([generate.stdout()], [pack.stdin()]);
    graph.pipe([pack.stdout()], [unpack.stdin()]);
    graph.pipe([unpack.stdout()], [count.stdin()]);
    // One pipe for the reports of three stages. `wc` does not have it.
    let reports = graph.reader([generate.fd(5), pack.fd(5), unpack.fd(5)]);
    let size = graph.reader([count.stdout()]);

    let mut running = graph.spawn()?;
    let mut exchange = Exchange::new();
    let reports = running.take(reports).expect("taken once");
    exchange.lines(reports, 4096, |line| {
        print!("{}", String::from_utf8_lossy(line)); // with its newline
        ControlFlow::Continue(())
    });
    let size = exchange.drain(running.take(size).expect("taken once"), fdspawn::Keep::All);
    for process in graph.stages().filter_map(|stage| running.process(stage)) {
        exchange.process(process, Duration::from_secs(1)); // so that the reading ends even if another process holds the pipes
    }
    exchange.run()?;
    println!("{} bytes", String::from_utf8_lossy(&exchange.bytes(size)).trim());
    running.wait()?.check()?;
    Ok(())
}
