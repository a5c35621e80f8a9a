//! Functions of this process as stages: `Command::function` in graphs.

use super::{Files, LONG, pids, planned, shell, tool, ways};
use crate::own_process;
use crate::support::sources::{close, memory_at};
use crate::support::table::{is_open, open_numbers};
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::GraphRefusal;
use fdspawn::{
    Capture, Command, Failure, Graph, Group, Launcher, Reach, Rest, Running, StageId, Stdio, Stop, Teardown,
};
use std::io::{Read, Write};
use std::os::fd::RawFd;
use std::os::unix::process::ExitStatusExt;

/// Writes all bytes to a descriptor that the stage has. Makes only system calls.
fn put(fd: RawFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: the address and the length are those of a slice.
        match unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } {
            count @ 1.. => bytes = &bytes[count as usize..],
            _ => return false,
        }
    }
    true
}

/// Copies all bytes, changed, from one descriptor of the stage to another one. Makes only system calls.
fn copy(from: RawFd, to: RawFd, change: fn(&mut [u8])) -> i32 {
    let mut buffer = [0_u8; 4096];
    loop {
        // SAFETY: the address and the length are those of the buffer.
        match unsafe { libc::read(from, buffer.as_mut_ptr().cast(), buffer.len()) } {
            0 => return 0,
            count @ 1.. => {
                let bytes = &mut buffer[..count as usize];
                change(bytes);
                if !put(to, bytes) {
                    return 2;
                }
            }
            _ => return 1,
        }
    }
}

/// A stage that runs a function, which makes only system calls.
fn function<'fd>(name: &str, function: impl FnMut() -> i32 + Send + Sync + 'static) -> Command<'fd> {
    // SAFETY: each function of these tests makes only system calls, and uses descriptors that the stage has.
    unsafe { Command::function(name, function) }
}

fn filter<'fd>(name: &str, change: fn(&mut [u8])) -> Command<'fd> {
    function(name, move || copy(0, 1, change))
}

fn upper(bytes: &mut [u8]) {
    bytes.make_ascii_uppercase();
}

fn next(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| byte.is_ascii_lowercase()).for_each(|byte| *byte += 1);
}

/// Ends with 0 if these numbers are open, and no other below 20,000 is.
fn only<'fd>(name: &str, numbers: &'static [RawFd]) -> Command<'fd> {
    function(name, move || match (0..20_000).all(|number| is_open(number) == numbers.contains(&number)) {
        true => 0,
        false => 97,
    })
}

own_process! {
    fn function_is_a_stage_at_each_place_of_a_line() {
        let (before, started) = (open_numbers(), children());
        for way in ways() {
            let first = function("first", || if put(1, b"text\n") { 0 } else { 2 });
            let lines = [
                vec![first, tool(way, &["cat"]), tool(way, &["cat"])],
                vec![tool(way, &["echo", "text"]), filter("middle", |_| ()), tool(way, &["cat"])],
                vec![tool(way, &["echo", "text"]), tool(way, &["cat"]), filter("last", |_| ())],
                vec![filter("alone", |_| ())],
            ];
            for line in lines {
                let count = line.len();
                let mut graph = Graph::pipeline(line);
                for _ in 0..2 {
                    let captured = graph.capture(&Capture::new().input("text\n")).unwrap();
                    captured.statuses.check().unwrap();
                    assert_eq!((&captured.stdout[..], captured.statuses.iter().len()), (&b"text\n"[..], count));
                    let usage = captured.statuses.iter().next().unwrap().usage;
                    assert!(usage.is_some(), "each stage has been reaped by the library");
                }
            }
            assert_eq!((open_numbers(), children()), (before.clone(), started));
        }
    }
}

own_process! {
    fn functions_are_linked_with_each_other_and_move_more_than_a_pipe_contains() {
        for way in ways() {
            let data = "abc\n".repeat(100_000);
            let mut first = tool(way, &["cat"]);
            first.stdin(Stdio::data(data));
            let mut graph =
                Graph::pipeline([first, filter("one", next), filter("two", next), filter("three", upper), tool(way, &["cat"])]);
            let output = graph.output().unwrap().check().unwrap();
            assert!(output.stdout == "CDE\n".repeat(100_000).as_bytes());
            // Alone, with ends of this process.
            let mut graph = Graph::pipeline([filter("one", next), filter("two", next)]);
            let stages: Vec<StageId> = graph.stages().collect();
            let (input, output) = (graph.writer([stages[0].stdin()]), graph.reader([stages[1].stdout()]));
            let mut running = graph.spawn().unwrap();
            running.take(input).unwrap().write_all(b"a").unwrap();
            let mut text = String::new();
            running.take(output).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "c");
            running.wait().unwrap().check().unwrap();
        }
    }
}

own_process! {
    fn function_has_its_own_ends_and_no_others() {
        let directory = rustix::io::fcntl_dupfd_cloexec(std::fs::File::open("/").unwrap(), 700).unwrap();
        for way in ways() {
            for number in [3, 9, 63, 500] {
                std::mem::forget(memory_at(number, "leak", false));
            }
            let mut graph = Graph::new();
            let one = graph.stage(only("one", &[0, 1, 2, 3, 9, 101]));
            let two = graph.stage(planned(way, &["exit", "0"], &[1, 5, 7]));
            let three = graph.stage(only("three", &[0, 1, 2, 9, 11, 63]));
            let four = graph.stage(only("four", &[0, 1, 2, 4]));
            graph.pipe([one.fd(3)], [two.fd(5)]);
            graph.pipe([one.fd(9), two.fd(7)], [three.fd(9)]);
            graph.pipe([two.fd(1)], [three.fd(0), four.fd(4)]);
            graph.socket(one.fd(101), three.fd(11));
            graph.pipe([four.stdout()], [three.fd(63)]);
            // What the library needs itself for a step is closed before the function.
            graph.command(four).current_dir_fd(&directory);
            let statuses = graph.status().unwrap();
            assert!(statuses.iter().all(|stage| stage.status.success()), "{statuses:?}");
            let output = graph.output().unwrap();
            assert!(output.statuses.iter().all(|stage| stage.status.success()), "{:?}", output.statuses);
            for number in [3, 9, 63, 500] {
                close(number);
            }
        }
    }
}

own_process! {
    fn function_is_killed_before_an_end_is_closed_if_a_later_stage_cannot_be_started() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let script = script.to_str().unwrap();
        let (before, started) = (open_numbers(), children());
        for round in 0..20 {
            for way in ways() {
                let mark = std::ffi::CString::new(files.path("mark").to_str().unwrap()).unwrap();
                let marking = |name: &str| {
                    let mark = mark.clone();
                    function(name, move || {
                        let status = copy(0, 1, |_| ());
                        // SAFETY: the path ends in a NUL.
                        unsafe { libc::open(mark.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600) };
                        status
                    })
                };
                // The functions behind the program that fails run, and wait for an input; those before it are not started.
                let place = round % 3;
                let mut graph = Graph::pipeline((0..3).map(|stage| match stage == place {
                    true => tool(way, &[script]),
                    false => marking("marking"),
                }));
                let first = graph.stages().next().unwrap();
                if place > 0 {
                    graph.writer([first.stdin()]);
                }
                let error = graph.spawn().unwrap_err();
                assert!(matches!(error.failure(), Failure::Interpreter { .. }), "{error}");
                assert!(error.to_string().starts_with(&format!("cannot spawn stage {place}, `{script}`: ")), "{error}");
                assert_eq!((files.has("mark"), open_numbers(), children()), (false, before.clone(), started));
            }
        }
    }
}

own_process! {
    fn failed_step_of_a_function_names_its_stage_and_ends_the_others() {
        let (before, started) = (open_numbers(), children());
        for way in ways() {
            let mut middle = filter("middle", |_| ());
            middle.process_group(1);
            let error = Graph::pipeline([tool(way, &["cat"]), middle, tool(way, &["cat"])]).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
            assert!(error.to_string().starts_with("cannot spawn stage 1, `middle`: "), "{error}");
            let mut middle = filter("middle", |_| ());
            middle.current_dir("/no/such");
            let error = Graph::pipeline([tool(way, &["cat"]), middle, tool(way, &["cat"])]).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::WorkingDirectory(Some(_))), "{error}");
            assert_eq!((open_numbers(), children()), (before.clone(), started));
        }
    }
}

own_process! {
    fn panic_of_a_function_is_a_status_and_its_readers_find_the_end() {
        std::panic::set_hook(Box::new(|_| ()));
        for way in ways() {
            let panics = function("panics", || {
                put(1, b"early");
                panic!("in the child")
            });
            let output = Graph::pipeline([tool(way, &["true"]), panics, tool(way, &["cat"])]).output().unwrap();
            assert_eq!(output.stdout, b"early");
            let statuses = &output.statuses;
            assert_eq!(statuses.iter().map(|stage| stage.status.code()).collect::<Vec<_>>(), [Some(0), Some(101), Some(0)]);
            assert_eq!(statuses.check().unwrap_err().to_string(), "stage 1, `panics`: exit status: 101");
        }
    }
}

own_process! {
    fn statuses_of_functions_follow_the_rules_of_check() {
        for way in ways() {
            let three = || function("three", || 3);
            let mut graph = Graph::pipeline([three(), tool(way, &["cat"])]);
            let first = graph.stages().next().unwrap();
            assert_eq!(graph.output().unwrap().check().unwrap_err().to_string(), "stage 0, `three`: exit status: 3");
            graph.allow(first, &[3]);
            graph.output().unwrap().check().unwrap();
            // A Rust program ignores SIGPIPE, so a function gets an error; with the default it is killed, which its reader forgives.
            for (default, code, signal) in [(false, Some(2), None), (true, None, Some(libc::SIGPIPE))] {
                let mut endless = function("endless", || {
                    while put(1, b"line\n") {}
                    2
                });
                if default {
                    endless.signal_default(&[fdspawn::Signal::PIPE]);
                } else {
                    endless.signal_ignore(&[fdspawn::Signal::PIPE]);
                }
                let output = Graph::pipeline([endless, tool(way, &["head", "-n", "1"])]).output().unwrap();
                assert_eq!(output.stdout, b"line\n");
                let status = output.statuses.iter().next().unwrap().status;
                assert_eq!((status.code(), status.signal()), (code, signal));
                assert_eq!(output.statuses.check().is_ok(), default);
            }
            // Each child has a copy of the function.
            let mut calls = 0;
            let mut graph = Graph::pipeline([function("count", move || {
                calls += 1;
                calls
            })]);
            for _ in 0..2 {
                assert_eq!(graph.status().unwrap().last().code(), Some(1));
            }
        }
    }
}

own_process! {
    fn links_of_every_kind_go_to_functions() {
        for way in ways() {
            // Odd numbers, a socket between two functions, and a status beside the data.
            let mut graph = Graph::new();
            let source = graph.stage(function("source", || {
                let mut answer = [0_u8; 4];
                // SAFETY: the address and the length are those of the array.
                let asked = put(7, b"ask\n") && unsafe { libc::read(7, answer.as_mut_ptr().cast(), 4) } == 4;
                if asked && put(9, &answer) && put(1, b"data\n") { 0 } else { 2 }
            }));
            let server = graph.stage(function("server", || {
                let mut question = [0_u8; 4];
                // SAFETY: as above.
                let asked = unsafe { libc::read(5, question.as_mut_ptr().cast(), 4) } == 4 && question == *b"ask\n";
                if asked && put(5, b"yes\n") { 0 } else { 3 }
            }));
            let join = graph.stage(shell(way, "cat; cat <&4"));
            graph.socket(source.fd(7), server.fd(5));
            graph.pipe([source.stdout()], [join.stdin()]).pipe([source.fd(9)], [join.fd(4)]);
            assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"data\nyes\n");
            // An argument of another stage.
            let mut graph = Graph::new();
            let (one, other) = (graph.stage(filter("one", upper)), graph.stage(tool(way, &["echo", "TEXT"])));
            let diff = graph.stage(tool(way, &["diff"]));
            graph.command(one).stdin(Stdio::data("text\n"));
            graph.argument_from(diff, one.stdout()).argument_from(diff, other.stdout());
            assert_eq!(graph.output().unwrap().check().unwrap().stdout, b"");
            // A tee to functions and programs, and a spool between functions.
            let mut graph = Graph::new();
            let source = graph.stage(tool(way, &["seq", "20000"]));
            let [kept, changed] = [filter("kept", |_| ()), filter("changed", upper)].map(|stage| graph.stage(stage));
            let count = graph.stage(tool(way, &["wc", "-l"]));
            let join = graph.stage(function("join", || copy(0, 1, |_| ()).max(copy(5, 1, |_| ()))));
            graph.tee(source.stdout(), [kept.stdin(), changed.stdin(), count.stdin()]);
            graph.pipe([kept.stdout()], [join.stdin()]).spool(changed.stdout(), join.fd(5));
            let lines = graph.reader([count.stdout()]);
            let output = graph.output().unwrap().check().unwrap();
            let half: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
            assert!(output.stdout == format!("{half}{half}").as_bytes());
            assert_eq!(String::from_utf8_lossy(output.bytes(lines)).trim(), "20000");
            // Slots of a command, and a socket of this process.
            let mut graph = Graph::pipeline([function("slots", || copy(8, 6, upper).max(copy(4, 4, next)))]);
            let stage = graph.stages().next().unwrap();
            let (input, output) = (graph.command(stage).writer(8), graph.command(stage).reader(6));
            let socket = graph.outside_socket(stage.fd(4));
            let mut running = graph.spawn().unwrap();
            running.take(input).unwrap().write_all(b"in").unwrap();
            let mut socket = running.take(socket).unwrap();
            socket.write_all(b"ab").unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let [mut found, mut answer] = [String::new(), String::new()];
            running.take(output).unwrap().read_to_string(&mut found).unwrap();
            socket.read_to_string(&mut answer).unwrap();
            assert_eq!((&*found, &*answer), ("IN", "bc"));
            running.wait().unwrap().check().unwrap();
        }
    }
}

/// The process group of a stage.
fn group_of(running: &Running, stage: StageId) -> u32 {
    let pid = rustix::process::Pid::from_raw(running.process(stage).unwrap().id().cast_signed());
    rustix::process::getpgid(pid).unwrap().as_raw_nonzero().get().unsigned_abs()
}

/// A stage that waits for a signal.
fn pauses<'fd>(name: &str) -> Command<'fd> {
    function(name, || {
        put(5, b"runs\n");
        loop {
            // SAFETY: the call has no conditions.
            unsafe { libc::pause() };
        }
    })
}

own_process! {
    fn functions_are_in_the_group_of_all_and_end_with_it() {
        for way in ways() {
            for is_last in [true, false] {
                let group = Group::new();
                let program = shell(way, "echo runs >&5; exec sleep 1000");
                let line = if is_last { [program, pauses("waits")] } else { [pauses("waits"), program] };
                let mut graph = Graph::pipeline(line);
                graph.group(&group);
                let stages: Vec<StageId> = graph.stages().collect();
                let slot = graph.reader(stages.iter().map(|stage| stage.fd(5)));
                let mut running = graph.spawn().unwrap();
                let mut lines = [0; 10];
                running.take(slot).unwrap().read_exact(&mut lines).unwrap();
                let leader = running.process(stages[1]).unwrap().id();
                assert_eq!(stages.iter().map(|&stage| group_of(&running, stage)).collect::<Vec<_>>(), [leader; 2]);
                let statuses = running.end(&Teardown::term(LONG).reach(Reach::Group)).unwrap();
                assert!(statuses.iter().all(|stage| stage.status.signal() == Some(libc::SIGTERM)), "{statuses:?}");
            }
        }
    }
}

own_process! {
    fn function_that_does_not_end_is_ended_at_the_deadline() {
        for way in ways() {
            let mut graph = Graph::pipeline([pauses("waits"), tool(way, &["cat"])]);
            let first = graph.stages().next().unwrap();
            let slot = graph.reader([first.fd(5)]);
            let captured = graph.capture(&Capture::new().timeout(super::SHORT)).unwrap();
            assert_eq!((captured.stop, captured.bytes(slot)), (Stop::Deadline, &b"runs\n"[..]));
            assert_eq!(captured.statuses.of(first).signal(), Some(libc::SIGKILL));
        }
    }
}

#[test]
fn what_no_function_can_have_is_refused_before_anything_starts() {
    for launcher in LAUNCHERS {
        let files = Files::new();
        let path = files.path("list");
        let started = || super::shell_with((launcher, true), "echo $$ >>\"$0\"", &path);
        let refused = |graph: &mut Graph<'_>| {
            let error = graph.spawn().unwrap_err();
            assert!(!files.has("list"), "{error}");
            error
        };
        let mut clone = filter("upper", upper);
        clone.launcher(Launcher::Clone);
        let error = refused(&mut Graph::pipeline([started(), clone, started()]));
        assert!(matches!(error.failure(), Failure::FunctionNeedsFork));
        let text = "cannot spawn stage 1, `upper`: a function needs the fork launcher, but Launcher::Clone or an exec in this \
                    process was asked for";
        assert_eq!((error.to_string().as_str(), error.raw_os_error()), (text, Some(libc::EINVAL)));

        let mut graph = Graph::new();
        let (one, two) = (graph.stage(started()), graph.stage(filter("upper", upper)));
        graph.argument_from(two, one.stdout());
        let error = refused(&mut graph);
        assert_eq!(error.to_string(), "cannot spawn stage 1, `upper`: a function gets no arguments");

        let mut inherits = filter("upper", upper);
        inherits.rest(Rest::Inherit);
        let mut graph = Graph::pipeline([started(), inherits]);
        let error = refused(&mut graph);
        assert!(
            matches!(error.failure(), Failure::Graph(GraphRefusal::FunctionInheritsRest { stage: 1 })),
            "{error:?}"
        );
        let text = "cannot spawn the graph: stage 1 runs a function and inherits the rest, so it would have the ends of all other stages";
        assert_eq!(error.to_string(), text);
        assert_eq!(graph.explain().into_result().unwrap_err().to_string(), text);
        // The command is one like any other: it can be replaced, and then the graph starts.
        let second = graph.stages().nth(1).unwrap();
        *graph.command(second) = tool((launcher, true), &["cat"]);
        graph.status().unwrap().check().unwrap();
        pids(&path, 1);
    }
}

#[test]
fn functions_are_explained_by_their_names() {
    let graph = Graph::pipeline([tool((LAUNCHERS[0], true), &["seq", "9"]), filter("upper case", upper)]);
    let text = "stage 0: `seq` `9`\n\
                stage 1: function `upper case`\n\
                pipe: stage 0 at 1 -> stage 1 at 0\n\
                order of the launches: 1, 0\n";
    assert_eq!(graph.explain().to_string(), text);
    assert!(graph.explain().dot().contains("    stage1 [label=\"function `upper case`\"]\n"));
}
