//! Tees and spools: their bytes, ends of readers, and what is left after a failure.

use super::{Files, shell, tool, ways};
use crate::own_process;
use crate::support::children;
use crate::support::sources::{close, hard_limit, set_limit};
use crate::support::table::open_numbers;
use crate::support::threads::{threads, wait_for_threads};
use fdspawn::{Command, Failure, Graph, Launcher};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A graph with a tee to two branches that come together again, one of them by a spool.
pub fn graph<'fd>(way: (Launcher, bool), source: Command<'fd>) -> Graph<'fd> {
    let mut graph = Graph::new();
    let source = graph.stage(source);
    let (one, other) = (graph.stage(tool(way, &["cat"])), graph.stage(tool(way, &["cat"])));
    let join = graph.stage(shell(way, "cat <&5; cat"));
    graph.tee(source.stdout(), [one.stdin(), other.stdin()]).pipe([one.stdout()], [join.fd(5)]);
    graph.spool(other.stdout(), join.stdin());
    graph
}

#[test]
fn branches_of_a_tee_have_all_bytes_and_a_spool_lets_them_come_together() {
    let text: String = (0..300_000).map(|number| format!("{number}\n")).collect();
    for way in ways() {
        let output = graph(way, tool(way, &["seq", "0", "299999"])).output().unwrap().check().unwrap();
        assert!(output.stdout == [text.as_bytes(), text.as_bytes()].concat());
    }
}

#[test]
fn reader_that_ends_does_not_stop_the_others_unless_asked() {
    for way in ways() {
        for stops in [false, true] {
            let mut graph = Graph::new();
            let source = graph.stage(tool(way, &["seq", "1000000"]));
            let (early, all) = (graph.stage(tool(way, &["true"])), graph.stage(tool(way, &["wc", "-l"])));
            let ends = [early.stdin(), all.stdin()];
            if stops {
                graph.tee_until_first(source.stdout(), ends)
            } else {
                graph.tee(source.stdout(), ends)
            };
            let output = graph.output().unwrap();
            output.statuses.check().unwrap();
            let lines: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            assert_eq!(lines < 1_000_000, stops, "{lines}");
            assert_eq!(output.statuses.of(source).signal(), stops.then_some(libc::SIGPIPE));
        }
    }
}

#[test]
fn writer_gets_sigpipe_when_the_last_reader_has_ended() {
    for way in ways() {
        let mut graph = Graph::new();
        let yes = graph.stage(tool(way, &["yes"]));
        let readers = [(); 3].map(|()| graph.stage(tool(way, &["head", "-n", "1"])).stdin());
        graph.tee(yes.stdout(), readers);
        let statuses = graph.spawn().unwrap().wait_timeout(LONG).unwrap().expect("all end");
        assert_eq!(statuses.of(yes).signal(), Some(libc::SIGPIPE));
        statuses.check().unwrap();
    }
}

own_process! {
    fn failed_start_leaves_no_thread_no_descriptor_and_no_child() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let (before, started, count) = (open_numbers(), children(), threads());
        for way in ways() {
            let error = graph(way, tool(way, &[script.to_str().unwrap()])).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Interpreter { .. }), "{error}");
            assert_eq!((open_numbers(), children()), (before.clone(), started));
            wait_for_threads(count);
        }
    }
}

own_process! {
    fn full_table_leaves_no_thread_no_descriptor_and_no_child() {
        let (before, started, count, hard) = (open_numbers(), children(), threads(), hard_limit());
        for way in ways() {
            let (mut errors, mut runs) = (0, 0);
            for limit in (3..60).step_by(if crate::support::exhaustive() { 1 } else { 3 }) {
                set_limit(before.len() as u64 + limit, hard);
                let output = graph(way, tool(way, &["echo", "text"])).output();
                set_limit(hard, hard);
                match output {
                    Err(error) => {
                        errors += 1;
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                    }
                    Ok(output) => {
                        runs += 1;
                        assert_eq!(output.check().unwrap().stdout, b"text\ntext\n");
                    }
                }
                assert_eq!((open_numbers(), children()), (before.clone(), started), "a limit of {limit}");
                wait_for_threads(count);
            }
            assert!(errors > 5 && runs > 5, "{errors} errors, {runs} runs");
        }
    }
}

own_process! {
    fn closed_standard_streams_are_null_in_the_stages_of_tees_and_spools() {
        for way in ways() {
            for closed in [0, 2] {
                // SAFETY: the test has the process to itself.
                let copy = unsafe { libc::fcntl(closed, libc::F_DUPFD_CLOEXEC, 1000) };
                close(closed);
                let mut graph = Graph::new();
                let script = format!("readlink /proc/self/fd/{closed} >&5; cat <&6 >&7");
                let source = graph.stage(shell(way, "readlink /proc/self/fd/0 >&6; readlink /proc/self/fd/2 >&6"));
                let [first, second] = [0; 2].map(|_| graph.stage(shell(way, &script)));
                graph.tee(source.fd(6), [first.fd(6), second.fd(9)]).spool(first.fd(7), second.fd(6));
                let [one, two] = [first, second].map(|stage| graph.reader([stage.fd(5)]));
                let texts = graph.reader([second.fd(7)]);
                let mut running = graph.spawn().unwrap();
                let found = [one, two, texts].map(|slot| {
                    let mut text = String::new();
                    running.take(slot).unwrap().read_to_string(&mut text).unwrap();
                    text
                });
                let statuses = running.wait().unwrap();
                // SAFETY: as above.
                unsafe { libc::dup2(copy, closed) };
                close(copy);
                statuses.check().unwrap();
                assert_eq!(found[..2], ["/dev/null\n", "/dev/null\n"], "{closed}");
                assert!(found[2].lines().all(|line| !line.contains("anon_inode") && !line.contains("memfd")), "{found:?}");
            }
        }
    }
}
