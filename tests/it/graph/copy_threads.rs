//! The threads of tees and spools beside the program: its signals, its standard streams, its copies, its drops, and what stages leave behind.

use super::copiers::graph;
use super::plans::run_as_explained;
use super::{Files, LONG, SHORT, shell, shell_with, tool, ways};
use crate::own_process;
use crate::support::children;
use crate::support::forked::status_of;
use crate::support::own_process::passes_under_strace;
use crate::support::sources::close;
use crate::support::table::{is_open, open_numbers};
use crate::support::threads::{threads, wait_for_threads};
use fdspawn::{Graph, OnDrop, Running, Signal, Teardown};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What the kernel says of each thread of a tee or a spool.
fn named_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).ok());
    texts.filter(|text| text.starts_with("Name:\tfdspawn copy\n")).collect()
}

/// [`named_threads`], once there are so many of them.
fn copy_threads(count: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let found = named_threads();
        if found.len() == count {
            return found;
        }
        assert!(start.elapsed() < LONG, "{found:?}");
        std::thread::yield_now();
    }
}

/// The tee and the spool of [`graph`] with a source that waits for this process.
fn running_graph(way: (fdspawn::Launcher, bool)) -> (Running, std::io::PipeWriter) {
    let mut graph = graph(way, tool(way, &["cat"]));
    let source = graph.stages().next().unwrap();
    let input = graph.writer([source.stdin()]);
    graph.commands().for_each(|command| _ = command.stderr(fdspawn::Stdio::null()));
    let last = graph.stages().last().unwrap();
    graph.command(last).stdout(fdspawn::Stdio::piped());
    let mut running = graph.spawn().unwrap();
    let input = running.take(input).unwrap();
    (running, input)
}

/// A log that notes how many threads of tees and spools there were at the first step of the first launch.
#[derive(Clone, Default)]
struct ThreadsAtFirstStep(Arc<OnceLock<usize>>);

impl Write for ThreadsAtFirstStep {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if String::from_utf8_lossy(line).contains(" step index=0 ") {
            self.0.get_or_init(|| named_threads().len());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

own_process! {
    fn stages_are_launched_when_the_threads_have_started() {
        // libc may open a file in the start of a thread, which would take a number of the launches. With one processor, a thread that is not
        // waited for starts when the caller sleeps.
        let mut one = rustix::thread::CpuSet::new();
        one.set(rustix::thread::sched_getcpu());
        rustix::thread::sched_setaffinity(None, &one).unwrap();
        for way in ways() {
            let mut graph = Graph::new();
            for _ in 0..4 {
                let [source, first, second] = [(); 3].map(|()| graph.stage(tool(way, &["true"])));
                graph.tee(source.stdout(), [first.stdin(), second.stdin()]);
            }
            let log = ThreadsAtFirstStep::default();
            let writer = log.clone();
            let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
            let subscriber = builder.with_writer(move || writer.clone()).finish();
            let running = tracing::subscriber::with_default(subscriber, || graph.spawn());
            assert_eq!(log.0.get(), Some(&4));
            running.unwrap().wait_timeout(LONG).unwrap().unwrap().check().unwrap();
            copy_threads(0);
        }
    }
}

/// A graph with so many tees that libc reads the number of processors when their threads start.
fn launch_as_explained() {
    for way in ways() {
        let mut graph = Graph::new();
        for _ in 0..12 {
            let [source, first, second] = [(); 3].map(|()| graph.stage(tool(way, &["true"])));
            graph.tee(source.stdout(), [first.fd(5), second.fd(5)]);
        }
        run_as_explained(&mut graph);
        copy_threads(0);
    }
}

own_process! {
    fn graph_with_many_threads_is_launched_as_it_was_explained() {
        launch_as_explained();
    }
}

own_process! {
    fn graph_with_many_threads_is_launched_as_it_was_explained_without_standard_input() {
        close(0);
        launch_as_explained();
    }
}

/// The tests above, with a file of libc that stays open for longer.
#[test]
fn file_that_libc_opens_for_a_thread_takes_no_number_of_a_launch() {
    let slow = ["-P", "/sys/devices/system/cpu/online", "-e", "trace=openat", "-e", "inject=openat:delay_exit=20000"];
    let test = "graph::copy_threads::graph_with_many_threads_is_launched_as_it_was_explained";
    for end in ["", "_without_standard_input"] {
        passes_under_strace(&slow, &format!("{test}{end}"));
    }
}

own_process! {
    fn change_of_the_user_id_does_not_wait_for_the_threads() {
        // libc sends a signal of its own to each thread, and waits until all of them have handled it.
        for way in ways() {
            let (mut running, input) = running_graph(way);
            copy_threads(2);
            let (sender, changed) = channel();
            // SAFETY: the id stays as it is.
            std::thread::spawn(move || sender.send(unsafe { libc::setuid(libc::getuid()) }));
            assert_eq!(changed.recv_timeout(LONG / 4), Ok(0));
            drop(input);
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
        }
    }
}

own_process! {
    fn threads_take_no_signal_of_the_program() {
        let blocked = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            status.lines().find(|line| line.starts_with("SigBlk:")).unwrap().to_owned()
        };
        let before = blocked();
        for way in ways() {
            let (mut running, input) = running_graph(way);
            for status in copy_threads(2) {
                let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
                let blocked = u64::from_str_radix(line, 16).unwrap();
                let is_blocked = |signal: i32| blocked & (1 << (signal - 1)) != 0;
                let signals = [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGTERM, libc::SIGCHLD, libc::SIGUSR1, libc::SIGALRM];
                assert!(signals.into_iter().all(is_blocked), "{line}");
            }
            drop(input);
            running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
        }
        // The threads of the program have the signals as before.
        assert_eq!(blocked(), before);
    }
}

own_process! {
    fn wait_after_the_threads_have_ended_sends_no_sigpipe() {
        // As in a program that has set it, so that a pipe without a reader ends the program.
        // SAFETY: the process has one test, and no handler.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        for way in ways() {
            let before = open_numbers();
            let mut graph = graph(way, tool(way, &["echo", "text"]));
            let last = graph.stages().last().unwrap();
            graph.command(last).stdout(fdspawn::Stdio::null());
            let mut running = graph.spawn().unwrap();
            copy_threads(0);
            running.wait().unwrap().check().unwrap();
            drop(running);
            assert_eq!(open_numbers(), before);
        }
    }
}

own_process! {
    fn threads_take_no_number_of_a_closed_standard_stream() {
        for way in ways() {
            for closed in [vec![0], vec![1], vec![0, 1, 2]] {
                let saved: Vec<_> = closed
                    .iter()
                    .map(|&number| {
                        // SAFETY: the test has the process to itself.
                        let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 1000) };
                        close(number);
                        (number, copy)
                    })
                    .collect();
                let (mut running, input) = running_graph(way);
                let open: Vec<i32> = closed.iter().copied().filter(|&number| is_open(number)).collect();
                drop(input);
                let statuses = running.wait_timeout(LONG);
                for (number, copy) in saved {
                    // SAFETY: as above.
                    unsafe { libc::dup2(copy, number) };
                    close(copy);
                }
                statuses.unwrap().unwrap().check().unwrap();
                assert_eq!(open, []);
            }
        }
    }
}

own_process! {
    fn drop_that_ends_the_stages_waits_for_the_threads() {
        let (before, started, count) = (open_numbers(), children(), threads());
        for way in ways() {
            // No stage has a child of its own, which would have the ends for a moment more.
            let mut graph = Graph::new();
            let [yes, one, other] = ["yes", "cat", "cat"].map(|word| graph.stage(tool(way, &[word])));
            graph.tee(yes.stdout(), [one.stdin(), other.fd(5)]).spool(one.stdout(), other.stdin());
            graph.command(other).stdout(fdspawn::Stdio::null());
            let running = graph.on_drop(OnDrop::End(Teardown::kill())).spawn().unwrap();
            copy_threads(2);
            drop(running);
            assert_eq!((open_numbers(), children()), (before.clone(), started));
            wait_for_threads(count);
        }
    }
}

own_process! {
    fn threads_go_on_after_a_drop_until_their_pipes_end() {
        let (before, count) = (open_numbers(), threads());
        for way in ways() {
            let files = Files::new();
            let mut graph = graph(way, tool(way, &["cat"]));
            let stages: Vec<_> = graph.stages().collect();
            let input = graph.writer([stages[0].stdin()]);
            let out = std::fs::File::create(files.path("out")).unwrap();
            graph.command(stages[3]).stdout(out);
            let mut running = graph.spawn().unwrap();
            let mut end = running.take(input).unwrap();
            let processes: Vec<_> = stages.iter().map(|&stage| running.process(stage).unwrap().clone()).collect();
            drop((running, graph));
            end.write_all(b"after the drop\n").unwrap();
            drop(end);
            for process in processes {
                assert!(process.wait_timeout(LONG).unwrap().unwrap().success());
            }
            assert_eq!(std::fs::read_to_string(files.path("out")).unwrap(), "after the drop\nafter the drop\n");
            wait_for_threads(count);
            assert_eq!(open_numbers(), before);
        }
    }
}

own_process! {
    fn forked_copy_of_the_process_does_not_wait_for_the_threads() {
        for way in ways() {
            let (mut running, input) = running_graph(way);
            copy_threads(2);
            running.signal(Signal::KILL).unwrap();
            let start = Instant::now();
            let status = status_of(|| {
                // SAFETY: the copy ends if it hangs.
                unsafe { libc::alarm(30) };
                // The children are not the copy's, so this is an error, or the statuses by the pidfds.
                let _ = running.wait_timeout(LONG / 2);
            });
            assert_eq!(status, 0);
            assert!(start.elapsed() < LONG / 3);
            drop(input);
            let statuses = running.wait_timeout(LONG).unwrap().unwrap();
            // Others may have found the end of their inputs before the signal.
            assert_eq!(statuses.iter().next().unwrap().status.signal(), Some(libc::SIGKILL));
        }
    }
}

#[test]
fn process_that_a_stage_leaves_behind_gets_all_bytes() {
    for way in ways() {
        for is_spool in [true, false] {
            let files = Files::new();
            let (go, out) = (files.path("go"), files.path("out"));
            // The stage ends at once. What it leaves behind reads when the graph has ended.
            let script = "exec 5<&0; { while ! test -e \"$0.go\"; do sleep 0.01; done; cat <&5 >\"$0.part\"; mv \"$0.part\" \"$0\"; } >/dev/null 2>&1 &";
            std::fs::write(&go, "").unwrap();
            let mut graph = Graph::new();
            // A tee holds no more than its two pipes.
            let bytes = if is_spool { 3_000_000 } else { 100_000 };
            let source = graph.stage(tool(way, &["head", "-c", &bytes.to_string(), "/dev/zero"]));
            let reader = graph.stage(shell_with(way, script, &out));
            if is_spool {
                graph.spool(source.stdout(), reader.stdin());
            } else {
                graph.tee(source.stdout(), [reader.stdin()]);
            }
            let start = Instant::now();
            graph.status().unwrap().check().unwrap();
            assert!(start.elapsed() < LONG / 4, "the wait is for stages");
            std::fs::write(files.path("out.go"), "").unwrap();
            while !out.exists() {
                assert!(start.elapsed() < LONG);
                std::thread::sleep(SHORT / 50);
            }
            assert_eq!(std::fs::metadata(&out).unwrap().len(), bytes);
        }
    }
}

#[test]
fn stopped_reader_of_a_tee_holds_the_others_back_and_lets_them_go_on() {
    for way in ways() {
        let mut graph = Graph::new();
        let source = graph.stage(tool(way, &["cat"]));
        let (slow, fast) = (graph.stage(tool(way, &["wc", "-c"])), graph.stage(tool(way, &["wc", "-c"])));
        graph.tee(source.stdout(), [slow.stdin(), fast.stdin()]);
        let slots = [slow, fast].map(|stage| graph.reader([stage.stdout()]));
        let input = graph.writer([source.stdin()]);
        let mut running = graph.spawn().unwrap();
        let process = running.process(slow).unwrap().clone();
        process.signal(Signal::STOP).unwrap();
        let mut input = running.take(input).unwrap();
        let writer = std::thread::spawn(move || input.write_all(&vec![b'x'; 2_000_000]).unwrap());
        // All pipes together have less room than that.
        assert!(running.wait_timeout(SHORT).unwrap().is_none());
        assert!(!writer.is_finished(), "the source waits for the stopped reader");
        process.signal(Signal::CONT).unwrap();
        for slot in slots {
            let mut text = String::new();
            running.take(slot).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text.trim(), "2000000");
        }
        writer.join().unwrap();
        running.wait_timeout(LONG).unwrap().unwrap().check().unwrap();
    }
}

#[test]
fn reader_of_a_tee_that_is_killed_or_never_reads_does_not_stop_the_others() {
    for way in ways() {
        for script in ["kill -KILL $$", "exec <&-; exec sleep 0.05", "sleep 0.05", "exec false"] {
            let mut graph = Graph::new();
            let source = graph.stage(tool(way, &["head", "-c", "2000000", "/dev/zero"]));
            let (other, all) = (graph.stage(shell(way, script)), graph.stage(tool(way, &["wc", "-c"])));
            graph.tee(source.stdout(), [other.stdin(), all.stdin()]);
            let output = graph.output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2000000");
            assert!(output.statuses.of(source).success(), "{script}");
        }
    }
}

#[test]
fn spool_ends_with_its_reader_and_so_does_the_writer() {
    for way in ways() {
        let mut graph = Graph::new();
        let yes = graph.stage(tool(way, &["yes"]));
        let head = graph.stage(tool(way, &["head", "-n", "1"]));
        graph.spool(yes.stdout(), head.stdin());
        let output = graph.output().unwrap();
        assert_eq!((&output.stdout[..], output.statuses.of(yes).signal()), (&b"y\n"[..], Some(libc::SIGPIPE)));
        output.statuses.check().unwrap();
    }
}

#[test]
fn pipes_of_one_page_move_all_bytes() {
    let text: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    for way in ways() {
        // The smallest pipe has room for one piece of memory. A user who has too many pipes gets such pipes.
        let mut graph = graph(way, tool(way, &["seq", "0", "19999"]));
        let output = graph.pipe_capacity(4096).output().unwrap().check().unwrap();
        assert!(output.stdout == [text.as_bytes(), text.as_bytes()].concat());
    }
}
