//! How the stages have ended: which of them have failed, and which one an error names.

use super::{Files, LONG, shell, shell_with, tool, ways};
use crate::own_process;
use crate::support::table::open_numbers;
use crate::support::{LAUNCHERS, children, kernel_is_at_least};
use fdspawn::{Failure, Graph, Launcher, Signal, Stdio, Teardown};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;

fn failed(statuses: &fdspawn::Statuses) -> Vec<usize> {
    statuses.failed().map(|stage| stage.stage.index()).collect()
}

#[test]
fn writer_whose_reader_has_had_enough_has_not_failed() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["yes"]), tool(way, &["head", "-1"])]);
        let stages: Vec<_> = graph.stages().collect();
        let output = graph.output().unwrap();
        assert_eq!(output.statuses.of(stages[0]).signal(), Some(libc::SIGPIPE));
        assert!(output.statuses.last().success() && failed(&output.statuses).is_empty());
        assert_eq!(output.check().unwrap().stdout, b"y\n");
        // Through stages between them.
        let line = [&["yes"][..], &["cat"], &["cat"], &["head", "-1"]].map(|words| tool(way, words));
        let output = Graph::pipeline(line).output().unwrap();
        assert!(failed(&output.statuses).is_empty());
        output.statuses.check().unwrap();
    }
}

#[test]
fn writer_whose_reader_has_failed_is_not_the_one_to_blame() {
    for way in ways() {
        let line = [tool(way, &["yes"]), tool(way, &["cat"]), shell(way, "read line; echo broken >&2; exit 3")];
        let output = Graph::pipeline(line).output().unwrap();
        assert_eq!(failed(&output.statuses), [0, 1, 2]);
        let error = output.check().unwrap_err();
        assert_eq!(error.to_string(), "stage 2, `/bin/sh`: exit status: 3: broken");
        let Failure::Status { status, stderr } = error.failure() else { panic!("{error:?}") };
        assert_eq!((status.code(), stderr.as_str()), (Some(3), "broken"));
    }
}

#[test]
fn reader_of_a_socket_that_has_had_enough_forgives_its_writer() {
    for way in ways() {
        let mut graph = Graph::new();
        // The first write after the end of the reader has ECONNRESET, and the shell goes on; the next one has EPIPE.
        let yes = graph.stage(shell(way, "while :; do echo y; done 2>/dev/null"));
        let head = graph.stage(tool(way, &["head", "-1"]));
        graph.socket(yes.stdout(), head.stdin());
        let output = graph.output().unwrap();
        assert_eq!(output.statuses.of(yes).signal(), Some(libc::SIGPIPE));
        output.statuses.check().unwrap();
        assert_eq!(output.stdout, b"y\n");
    }
}

#[test]
fn end_of_this_process_that_is_dropped_is_no_failure_of_the_writer() {
    for way in ways() {
        // By a link.
        let mut graph = Graph::new();
        let yes = graph.stage(tool(way, &["yes"]));
        let slot = graph.reader([yes.stdout()]);
        let mut running = graph.spawn().unwrap();
        let mut end = running.take(slot).unwrap();
        end.read_exact(&mut [0; 4]).unwrap();
        drop(end);
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        assert_eq!(statuses.of(yes).signal(), Some(libc::SIGPIPE));
        statuses.check().unwrap();
        // By a slot of the command, which is documented to be the same.
        let mut graph = Graph::new();
        let yes = graph.stage(tool(way, &["yes"]));
        let slot = graph.command(yes).reader(1);
        let mut running = graph.spawn().unwrap();
        let mut end = running.take(slot).unwrap();
        end.read_exact(&mut [0; 4]).unwrap();
        drop(end);
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        assert_eq!(statuses.of(yes).signal(), Some(libc::SIGPIPE));
        statuses.check().unwrap();
        // By a piped stream.
        let mut graph = Graph::new();
        let yes = graph.stage(tool(way, &["yes"]));
        graph.command(yes).stdout(Stdio::piped());
        let mut running = graph.spawn().unwrap();
        drop(running.take_stdout(yes));
        running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
    }
}

#[test]
fn signal_pipe_of_a_stage_that_nobody_reads_is_a_failure() {
    for way in ways() {
        let output = Graph::pipeline([shell(way, "kill -PIPE $$"), shell(way, "exit 1")]).output().unwrap();
        assert_eq!(failed(&output.statuses), [0, 1]);
        assert!(output.check().unwrap_err().to_string().starts_with("stage 1, `/bin/sh`: exit status: 1"));
        let statuses = Graph::pipeline([shell(way, "kill -PIPE $$")]).status().unwrap();
        let error = statuses.check().unwrap_err();
        assert_eq!(error.to_string(), "stage 0, `/bin/sh`: signal: 13 (SIGPIPE)");
    }
}

#[test]
fn allowed_codes_are_no_failure() {
    for way in ways() {
        let mut graph =
            Graph::pipeline([tool(way, &["echo", "text"]), tool(way, &["grep", "nothing"]), tool(way, &["cat"])]);
        let grep = graph.stages().nth(1).unwrap();
        let error = graph.status().unwrap().check().unwrap_err();
        assert_eq!(error.to_string(), "stage 1, `grep`: exit status: 1");
        graph.allow(grep, &[1]);
        let statuses = graph.status().unwrap();
        assert!(statuses.last().success() && statuses.of(grep).code() == Some(1));
        statuses.check().unwrap();
        // Of this stage alone, and these codes alone.
        let mut graph = Graph::pipeline([shell(way, "exit 1"), shell(way, "exit 2"), shell(way, "exit 3")]);
        let stages: Vec<_> = graph.stages().collect();
        graph.allow(stages[0], &[2]).allow(stages[0], &[1]).allow(stages[1], &[1]);
        assert_eq!(failed(&graph.status().unwrap()), [1, 2]);
        assert_eq!(graph.status().unwrap().check().unwrap_err().to_string(), "stage 1, `/bin/sh`: exit status: 2");
        assert_eq!(graph.status().unwrap().last().code(), Some(3));
    }
}

#[test]
fn error_has_the_standard_error_of_the_failing_stage() {
    for way in ways() {
        let long = "x".repeat(10_000);
        let noisy = |text: &str, code: u32| shell(way, &format!("cat; echo {text} >&2; exit {code}"));
        let output =
            Graph::pipeline([noisy("zero", 0), noisy("one", 4), noisy("two", 0), noisy("three", 5)]).output().unwrap();
        let stages: Vec<_> = output.statuses.iter().map(|status| status.stage).collect();
        for (stage, text) in stages.iter().zip(["zero\n", "one\n", "two\n", "three\n"]) {
            assert_eq!(output.stderr(*stage), text.as_bytes());
        }
        assert_eq!(output.check().unwrap_err().to_string(), "stage 1, `/bin/sh`: exit status: 4: one");
        let output = Graph::pipeline([noisy(&long, 1), noisy("reader", 0)]).output().unwrap();
        let text = output.check().unwrap_err().to_string();
        assert!(text.len() < 5_000 && text.ends_with("xxxx"), "the end of it is enough");
        // A stage that sends its standard error elsewhere has none.
        let mut graph = Graph::pipeline([noisy("elsewhere", 1), noisy("reader", 0)]);
        let first = graph.stages().next().unwrap();
        graph.command(first).stderr(Stdio::null());
        let output = graph.output().unwrap();
        assert_eq!(output.stderr(first), b"");
        assert_eq!(output.check().unwrap_err().to_string(), "stage 0, `/bin/sh`: exit status: 1");
    }
}

#[test]
fn each_stage_has_its_usage_and_program() {
    for way in ways() {
        let work = "i=0; while test $i -lt 20000; do i=$((i+1)); done";
        let statuses = Graph::pipeline([shell(way, work), tool(way, &["cat"])]).status().unwrap();
        let stages: Vec<_> = statuses.iter().collect();
        let usage = |stage: usize| stages[stage].usage.as_ref().expect("no other code reaps it");
        assert!(usage(0).user_time + usage(0).system_time > usage(1).user_time / 2 && usage(1).max_rss > 0);
        assert_eq!(
            (stages[0].program.as_os_str(), stages[1].program.as_os_str()),
            ("/bin/sh".as_ref(), "cat".as_ref())
        );
        assert_eq!((stages[0].stage.index(), stages[1].stage.index()), (0, 1));
    }
}

#[test]
fn stage_that_closes_its_output_first_goes_on() {
    for way in ways() {
        let files = Files::new();
        let early =
            shell_with(way, "echo last words; exec >&-; read line <&5; echo \"$line\" >\"$0\"", &files.path("out"));
        let mut graph = Graph::pipeline([early, shell(way, "cat >/dev/null; echo the reader has found the end >&6")]);
        let stages: Vec<_> = graph.stages().collect();
        // The second stage ends, and then tells the first one.
        graph.pipe([stages[1].fd(6)], [stages[0].fd(5)]);
        let mut running = graph.spawn().unwrap();
        running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
        assert_eq!(std::fs::read_to_string(files.path("out")).unwrap(), "the reader has found the end\n");
    }
}

#[test]
fn killed_stage_is_the_one_to_blame() {
    for way in ways() {
        for place in 0..3 {
            let mut graph = Graph::pipeline([(); 3].map(|()| tool(way, &["cat"])));
            let stages: Vec<_> = graph.stages().collect();
            let input = graph.writer([stages[0].stdin()]);
            let mut running = graph.spawn().unwrap();
            running.process(stages[place]).unwrap().signal(Signal::KILL).unwrap();
            running.process(stages[place]).unwrap().wait().unwrap();
            drop(running.take(input));
            let statuses = running.wait_timeout(LONG).unwrap().unwrap();
            assert_eq!(failed(&statuses), [place]);
            assert_eq!(statuses.check().unwrap_err().to_string(), format!("stage {place}, `cat`: signal: 9 (SIGKILL)"));
        }
    }
}

#[test]
fn stopped_stage_has_not_ended_and_can_be_ended() {
    for way in ways() {
        let mut graph = Graph::pipeline([tool(way, &["sleep", "1000"]), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        let mut running = graph.spawn().unwrap();
        let process = running.process(stages[0]).unwrap().clone();
        process.signal(Signal::STOP).unwrap();
        assert!(running.wait_timeout(super::SHORT / 4).unwrap().is_none());
        process.signal(Signal::KILL).unwrap();
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        assert_eq!((statuses.of(stages[0]).signal(), statuses.of(stages[1]).code()), (Some(libc::SIGKILL), Some(0)));
        // A stopped reader, whose writer waits for it.
        let mut graph = Graph::pipeline([tool(way, &["yes"]), tool(way, &["cat"])]);
        let stages: Vec<_> = graph.stages().collect();
        graph.command(stages[1]).stdout(Stdio::null());
        let mut running = graph.spawn().unwrap();
        running.process(stages[1]).unwrap().signal(Signal::STOP).unwrap();
        let statuses = running.end(&Teardown::term(LONG)).unwrap();
        assert!(statuses.iter().all(|stage| stage.status.signal().is_some()), "{statuses:?}");
    }
}

#[test]
fn stage_that_never_reads_ends_its_writer_when_it_ends() {
    for way in ways() {
        let files = Files::new();
        let mut graph = Graph::pipeline([
            shell(way, "yes; exit 7"),
            shell_with(way, "while ! test -e \"$0\"; do sleep 0.01; done", &files.path("go")),
        ]);
        let first = graph.stages().next().unwrap();
        graph.command(first).stderr(Stdio::null());
        let mut running = graph.spawn().unwrap();
        assert!(running.wait_timeout(super::SHORT).unwrap().is_none());
        std::fs::write(files.path("go"), "").unwrap();
        let statuses = running.wait_timeout(LONG).unwrap().unwrap();
        // The shell itself is not killed by SIGPIPE: its yes is.
        assert_eq!(failed(&statuses), [0]);
        assert_eq!(statuses.of(first).code(), Some(7));
    }
}

own_process! {
    fn statuses_are_told_though_the_kernel_reaps_the_stages_itself() {
        // SAFETY: no other code in this process uses the signal.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for launcher in LAUNCHERS {
            let way = (launcher, true);
            let is_told = {
                let mut child = tool(way, &["true"]).spawn().unwrap();
                let _ = child.wait();
                // By fork, the pidfd is opened when the child may have been reaped.
                child.launched_by() == Launcher::Clone && child.pidfd().is_some() && kernel_is_at_least(6, 15)
            };
            let before = open_numbers();
            let mut graph = Graph::pipeline([tool(way, &["true"]), tool(way, &["true"])]);
            let started = graph.spawn();
            for result in [graph.status(), started.and_then(|mut running| running.wait())] {
                match result {
                    Ok(statuses) => statuses.check().unwrap(),
                    Err(error) => {
                        assert!(!is_told, "{error}");
                        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                    }
                }
            }
            assert_eq!((open_numbers(), children()), (before, 0));
        }
    }
}
