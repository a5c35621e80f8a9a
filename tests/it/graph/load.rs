//! Many bytes and many lines: memory, descriptors and processes stay as they are.

use super::{LONG, tool, ways};
use crate::own_process;
use crate::support::memory::own_pages;
use crate::support::table::open_numbers;
use crate::support::threads::{threads, wait_for_threads};
use crate::support::tiny::tiny_program;
use crate::support::{LAUNCHERS, children, exhaustive};
use fdspawn::{Capture, Command, Graph, Keep, Launcher, OnDrop, Stdio, Stop, Teardown};
use std::time::Instant;

own_process! {
    fn line_of_four_moves_any_number_of_bytes_with_the_same_memory() {
        // By the first way all of them, and by the others enough to fill any buffer many times.
        let [most, others]: [u64; 2] = if exhaustive() { [10 << 30, 512 << 20] } else { [32 << 20; 2] };
        for (index, way) in ways().enumerate() {
            let bytes = if index == 0 { most } else { others };
            let cat = || tool(way, &["cat"]);
            let line = |bytes: u64| {
                let mut first = tool(way, &["head", "-c", &bytes.to_string(), "/dev/zero"]);
                first.stdin(Stdio::null());
                Graph::pipeline([first, cat(), cat(), cat(), cat()])
            };
            // Once for the memory that stays, and once to compare.
            Graph::pipeline([tool(way, &["echo"]), cat(), cat(), cat()]).output().unwrap().check().unwrap();
            let before = own_pages();
            // This process reads the end, and keeps the last bytes alone.
            let captured = line(bytes).capture(&Capture::new().keep(Keep::Last(10))).unwrap();
            assert_eq!((captured.stop, captured.stdout.as_slice()), (Stop::Done, &[0; 10][..]));
            captured.check().unwrap();
            assert!(own_pages() < before + 256, "{before} pages have become {}", own_pages());
            // The stages alone.
            let mut graph = line(others);
            graph.command(graph.stages().last().unwrap()).stdout(Stdio::null());
            graph.status().unwrap().check().unwrap();
            assert!(own_pages() < before + 256, "{before} pages have become {}", own_pages());
        }
    }
}

own_process! {
    fn tee_and_spool_move_any_number_of_bytes_with_the_same_memory() {
        let bytes: u64 = if exhaustive() { 1 << 30 } else { 16 << 20 };
        for way in ways() {
            graph_with_both(way, tool(way, &["echo"])).output().unwrap().check().unwrap();
            let before = own_pages();
            let mut source = tool(way, &["head", "-c", &bytes.to_string(), "/dev/zero"]);
            source.stdin(Stdio::null());
            let captured = graph_with_both(way, source).capture(&Capture::new().keep(Keep::Last(10))).unwrap();
            assert_eq!(captured.stdout, [0; 10]);
            captured.check().unwrap();
            assert!(own_pages() < before + 256, "{before} pages have become {}", own_pages());
        }
    }
}

/// A tee to a stage that counts, and to a spool before the last stage.
fn graph_with_both<'fd>(way: (Launcher, bool), source: Command<'fd>) -> Graph<'fd> {
    let mut graph = Graph::new();
    let source = graph.stage(source);
    let [one, count, last] = [&["cat"][..], &["wc", "-c"], &["cat"]].map(|words| graph.stage(tool(way, words)));
    graph.command(count).stdout(Stdio::null());
    graph.tee(source.stdout(), [one.stdin(), count.stdin()]).spool(one.stdout(), last.stdin());
    graph
}

own_process! {
    fn hundreds_of_tees_and_spools_leave_nothing() {
        let count = if exhaustive() { 3_000 } else { 60 };
        let (before, started, count_before) = (open_numbers(), children(), threads());
        let mut first_pages = 0;
        for round in 0..count {
            let way = (LAUNCHERS[usize::from(round % 8 == 0)], round % 3 != 0);
            let mut graph = graph_with_both(way, tool(way, &[if round % 5 == 0 { "yes" } else { "echo" }]));
            // A `yes` goes on until the drop, or until a limit.
            match (round % 5, round % 2) {
                (0, 0) => {
                    graph.command(graph.stages().last().unwrap()).stdout(Stdio::null());
                    drop(graph.on_drop(OnDrop::End(Teardown::kill())).spawn().unwrap());
                }
                (0, _) => {
                    let captured = graph.capture(&Capture::new().keep(Keep::AtMost(10_000))).unwrap();
                    assert!(matches!(captured.stop, Stop::Limit(_)));
                }
                (_, 0) => graph.status().unwrap().check().unwrap(),
                _ => graph.output().unwrap().check().map(drop).unwrap(),
            }
            if round == count / 4 {
                first_pages = own_pages();
            }
        }
        assert!(own_pages() <= first_pages + 64, "{first_pages} pages have become {}", own_pages());
        assert_eq!((open_numbers(), children()), (before, started));
        wait_for_threads(count_before);
    }
}

own_process! {
    fn thousands_of_lines_leave_nothing() {
        let count = if exhaustive() { 20_000 } else { 500 };
        let program = tiny_program();
        let program = program.to_str().unwrap();
        let (before, started) = (open_numbers(), children());
        let mut first_pages = 0;
        let start = Instant::now();
        for round in 0..count {
            let way = (LAUNCHERS[usize::from(round % 8 == 0)], round % 3 != 0);
            let mut graph = Graph::pipeline([tool(way, &[program]), tool(way, &[program])]);
            match round % 4 {
                0 => graph.output().unwrap().check().map(drop).unwrap(),
                1 => graph.status().unwrap().check().unwrap(),
                2 => {
                    let mut running = graph.spawn().unwrap();
                    running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
                }
                _ => fdspawn::block_on(&mut graph.spawn().unwrap()).unwrap().check().unwrap(),
            }
            if round == count / 4 {
                first_pages = own_pages();
            }
        }
        assert!(own_pages() <= first_pages + 64, "{first_pages} pages have become {}", own_pages());
        assert_eq!((open_numbers(), children()), (before, started));
        println!("{count} lines in {:?}", start.elapsed());
    }
}
