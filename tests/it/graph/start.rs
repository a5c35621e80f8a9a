//! All stages are started, or none: missing programs, programs that only the child's exec refuses, refused clones and full tables.

use super::{Files, LONG, planned, shell, shell_with, tool, ways};
use crate::own_process;
use crate::support::seccomp::{refuse_if, refuse_to_thread};
use crate::support::sources::{hard_limit, set_limit};
use crate::support::table::open_numbers;
use crate::support::{children, exhaustive};
use fdspawn::{Failure, Graph, Launcher, OnDrop, Stdio, Teardown};
use std::path::Path;
use std::time::Instant;

/// A stage that marks its start, and copies its input.
fn marking<'fd>(way: (Launcher, bool), mark: &Path) -> fdspawn::Command<'fd> {
    shell_with(way, "echo >>\"$0\"; exec cat", mark)
}

#[test]
fn path_that_differs_from_a_program_by_a_slash_at_its_end_is_looked_at_for_itself() {
    for way in ways() {
        let files = Files::new();
        let mark = files.path("mark");
        let mut graph = Graph::pipeline([tool(way, &["/bin/true"]), tool(way, &["/bin/true/"]), marking(way, &mark)]);
        let error = graph.status().unwrap_err();
        assert_eq!(error.to_string(), "cannot spawn stage 1, `/bin/true/`: Not a directory");
        assert!(!files.has("mark"));
        let mut searched = tool(way, &["true"]);
        searched.programs(["/bin/true/", "/bin/true"]);
        Graph::pipeline([searched, tool(way, &["/bin/true"])]).status().unwrap().check().unwrap();
    }
}

#[test]
fn missing_program_in_any_place_starts_no_stage() {
    for way in ways() {
        for place in 0..3 {
            let files = Files::new();
            let mark = files.path("mark");
            let mut graph = Graph::pipeline((0..3).map(|stage| match stage == place {
                true => tool(way, &["/no/such/program"]),
                false => marking(way, &mark),
            }));
            let error = graph.spawn().unwrap_err();
            let text = format!("cannot spawn stage {place}, `/no/such/program`: No such file or directory");
            assert_eq!(error.to_string(), text);
            assert_eq!(
                (error.raw_os_error(), error.program().unwrap()),
                (Some(libc::ENOENT), "/no/such/program".as_ref())
            );
            assert!(matches!(error.failure(), Failure::Exec), "{error:?}");
            assert!(!files.has("mark"));
        }
    }
}

#[test]
fn missing_program_leaves_the_output_of_the_line_untouched() {
    for way in ways() {
        let files = Files::new();
        std::fs::write(files.path("out"), "old").unwrap();
        let mut writer = shell_with(way, "sort >\"$0\"", &files.path("out"));
        writer.pidfd(way.1);
        let error = Graph::pipeline([tool(way, &["/no/such"]), writer]).spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(std::fs::read_to_string(files.path("out")).unwrap(), "old");
    }
}

own_process! {
    fn reader_never_takes_a_failed_exec_for_the_end_of_its_input() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let text = files.program("text", "echo this is no program for the kernel\n");
        let count = if exhaustive() { 300 } else { 24 };
        let (before, started) = (open_numbers(), children());
        let start = Instant::now();
        for round in 0..count {
            for way in ways() {
                let (program, errno) = if round % 2 == 0 { (&script, libc::ENOENT) } else { (&text, libc::ENOEXEC) };
                let mark = files.path("mark");
                let mark = mark.to_str().unwrap();
                // The program that fails is first, in the middle or last; the stages behind it have been started.
                let place = round % 3;
                let mut graph = Graph::pipeline((0..3).map(|stage| match stage == place {
                    true => tool(way, &[program.to_str().unwrap()]),
                    false => planned(way, &["mark-end", mark], &[]),
                }));
                let first = graph.stages().next().unwrap();
                // The writer's end of the first input is this process's, which must not close it before the kill.
                if place > 0 {
                    graph.writer([first.stdin()]);
                }
                let error = graph.spawn().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(errno), "{error}");
                assert!(error.to_string().starts_with(&format!("cannot spawn stage {place}, `{}`: ", program.display())), "{error}");
                assert!(!files.has("mark"), "a reader has found an end in round {round}");
                assert_eq!(children(), started);
            }
        }
        assert!(start.elapsed() < LONG);
        assert_eq!(open_numbers(), before);
    }
}

#[test]
fn error_of_a_script_without_an_interpreter_names_both() {
    for way in ways() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let script = script.to_str().unwrap();
        let error = Graph::pipeline([tool(way, &[script]), tool(way, &["cat"])]).spawn().unwrap_err();
        let failure = error.failure().clone();
        let Failure::Interpreter { script: found, interpreter } = failure else { panic!("{error:?}") };
        assert_eq!(
            (found.as_path(), interpreter.as_deref()),
            (Path::new(script), Some(Path::new("/no/such/interpreter")))
        );
        assert!(error.to_string().starts_with(&format!("cannot spawn stage 0, `{script}`: ")), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}

#[test]
fn failed_start_returns_at_once_although_the_readers_would_run_on() {
    for way in ways() {
        let files = Files::new();
        let script = files.program("script", "#!/no/such/interpreter\n");
        let start = Instant::now();
        // The policy for a drop is not for stages that the caller has not got.
        let mut sleeper = shell(way, "trap '' TERM; exec sleep 1000");
        sleeper.on_drop(OnDrop::End(Teardown::term(LONG)));
        let mut graph = Graph::pipeline([tool(way, &[script.to_str().unwrap()]), sleeper]);
        graph.on_drop(OnDrop::End(Teardown::term(LONG)));
        graph.spawn().unwrap_err();
        assert!(start.elapsed() < LONG / 2);
        let mut graph = Graph::pipeline([tool(way, &[script.to_str().unwrap()]), tool(way, &["sleep", "1000"])]);
        graph.status().unwrap_err();
        graph.output().unwrap_err();
        assert!(start.elapsed() < LONG / 2);
    }
}

#[test]
fn graph_can_be_started_after_a_failure_was_repaired() {
    for way in ways() {
        let files = Files::new();
        let mut graph = Graph::pipeline([tool(way, &[files.path("program").to_str().unwrap()]), tool(way, &["cat"])]);
        assert_eq!(graph.output().unwrap_err().raw_os_error(), Some(libc::ENOENT));
        files.program("program", "#!/no/such/interpreter\n");
        assert!(matches!(graph.output().unwrap_err().failure(), Failure::Interpreter { .. }));
        files.program("program", "#!/bin/sh\necho repaired\n");
        let output = graph.output().unwrap();
        output.statuses.check().unwrap();
        assert_eq!(output.stdout, b"repaired\n");
    }
}

own_process! {
    fn full_table_is_an_error_that_leaves_nothing() {
        let started = children();
        let before = open_numbers();
        let hard = hard_limit();
        let files = Files::new();
        let mark = files.path("mark");
        for way in ways() {
            let (mut opens, mut launches, mut starts) = (0, 0, 0);
            for limit in 3..40 {
                let mut graph = Graph::pipeline((0..4).map(|_| marking(way, &mark)));
                let last = graph.stages().last().unwrap();
                let slot = graph.reader([last.fd(5)]);
                set_limit(before.len() as u64 + limit, hard);
                let running = graph.spawn();
                set_limit(hard, hard);
                match running {
                    Err(error) => {
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                        match error.failure() {
                            Failure::Open { .. } => {
                                opens += 1;
                                assert!(error.to_string().starts_with("cannot spawn the graph: "), "{error}");
                                assert!(!files.has("mark"), "links are opened before anything is started");
                            }
                            _ => launches += 1,
                        }
                        let _ = std::fs::remove_file(&mark);
                        assert_eq!(children(), started, "{error}");
                    }
                    Ok(mut running) => {
                        starts += 1;
                        drop(running.take(slot));
                        running.end(&Teardown::kill()).unwrap();
                        let _ = std::fs::remove_file(&mark);
                    }
                }
                assert_eq!(open_numbers(), before, "a limit of {limit}");
            }
            assert!(opens > 2 && starts > 2, "{way:?}: {opens} failed opens, {launches} failed launches, {starts} starts");
        }
    }
}

own_process! {
    fn captures_and_runs_at_a_full_table_leave_no_process() {
        let started = children();
        let before = open_numbers();
        let hard = hard_limit();
        for way in ways() {
            let (mut errors, mut runs) = (0, 0);
            for limit in 3..if exhaustive() { 40 } else { 16 } {
                for is_capture in [true, false] {
                    let mut graph = Graph::pipeline((0..3).map(|_| tool(way, &["cat"])));
                    graph.command(graph.stages().next().unwrap()).stdin(Stdio::null());
                    set_limit(before.len() as u64 + limit, hard);
                    let result = if is_capture { graph.output().map(drop) } else { graph.status().map(drop) };
                    set_limit(hard, hard);
                    match result {
                        Ok(()) => runs += 1,
                        Err(error) => {
                            errors += 1;
                            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                        }
                    }
                    assert_eq!(children(), started, "a limit of {limit}, {way:?}, capture: {is_capture}");
                    assert_eq!(open_numbers(), before, "a limit of {limit}");
                }
            }
            assert!(errors > 5 && runs > 5, "{errors} errors, {runs} runs");
        }
    }
}

own_process! {
    fn refused_clone_in_the_middle_leaves_nothing() {
        // A limit of processes of this user would be for all of root's; so the middle stage alone is refused, by a limit of its
        // own table.
        let (before, started) = (open_numbers(), children());
        let files = Files::new();
        for way in ways() {
            let mark = files.path("mark");
            let mark = mark.to_str().unwrap();
            let mut middle = planned(way, &["mark-end", mark], &[]);
            // SAFETY: the hook makes one system call.
            unsafe { middle.launcher(Launcher::Fork).pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EPERM))) };
            let mut graph = Graph::pipeline([planned(way, &["mark-end", mark], &[]), middle, planned(way, &["mark-end", mark], &[])]);
            let error = graph.spawn().unwrap_err();
            assert!(error.to_string().starts_with("cannot spawn stage 1, "), "{error}");
            assert_eq!((error.raw_os_error(), files.has("mark")), (Some(libc::EPERM), false));
            assert_eq!((open_numbers(), children()), (before.clone(), started));
        }
        // From now on the kernel makes no process, and then none by vfork only.
        let thread = std::thread::spawn(|| {
            refuse_to_thread(&[libc::SYS_clone, libc::SYS_clone3, libc::SYS_vfork, libc::SYS_fork], libc::EAGAIN);
            for way in ways() {
                let error = Graph::pipeline([tool(way, &["true"]), tool(way, &["cat"])]).spawn().unwrap_err();
                assert!(error.to_string().starts_with("cannot spawn stage 1, `cat`: "), "{error}");
                assert!(matches!(error.failure(), Failure::Launch(_) | Failure::CloneUnavailable), "{error:?}");
            }
        });
        thread.join().unwrap();
        assert_eq!((open_numbers(), children()), (before, started));
    }
}

own_process! {
    fn stage_by_a_refused_launcher_ends_those_by_the_other_one() {
        let (before, started) = (open_numbers(), children());
        // The kernel refuses clones that share memory, and makes copies.
        let shares = seccompiler::SeccompCondition::new(
            0,
            seccompiler::SeccompCmpArgLen::Qword,
            seccompiler::SeccompCmpOp::MaskedEq(libc::CLONE_VFORK as u64),
            libc::CLONE_VFORK as u64,
        );
        if crate::support::seccomp::refuse(&[libc::SYS_clone3], libc::EPERM)
            && refuse_if(libc::SYS_clone, [shares.unwrap()], libc::EPERM)
        {
            let files = Files::new();
            let mark = files.path("mark");
            let mark = mark.to_str().unwrap();
            let fork = || planned((Launcher::Fork, false), &["mark-end", mark], &[]);
            let mut graph = Graph::pipeline([fork(), tool((Launcher::Clone, false), &["cat"]), fork()]);
            let error = graph.spawn().unwrap_err();
            assert!(error.to_string().starts_with("cannot spawn stage 1, `cat`: "), "{error}");
            assert_eq!((files.has("mark"), open_numbers(), children()), (false, before, started));
        }
    }
}
