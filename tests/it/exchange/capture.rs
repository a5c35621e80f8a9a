//! `Command::capture`, and `output`, `status` and `wait_with_output` for commands with slots.

use super::{shell, ways};
use crate::own_process;
use crate::support::seccomp::refuse;
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::Refusal;
use fdspawn::{Capture, Failure, Keep, Reach, Signal, Stdio, Stop, Teardown};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn input_output_and_slots_in_one_call() {
    let input = vec![b'i'; 1 << 20];
    for way in ways() {
        let mut command = shell(way, "cat; echo err >&2; echo slot >&5; cat <&6; cat <&7; echo to socket >&7");
        let (slot, _, _) = (command.reader(5), command.writer(6), command.socket(7));
        let captured = command.capture(&Capture::new().input(&input)).unwrap().check().unwrap();
        assert!(captured.stdout == input);
        assert_eq!((&captured.stderr[..], captured.bytes(slot)), (&b"err\n"[..], &b"slot\n"[..]));
        assert_eq!((captured.stop, captured.unsent, captured.ended), (Stop::Done, 0, None));
    }
}

#[test]
fn output_until_the_deadline_is_kept_and_the_child_is_ended() {
    for way in ways() {
        let start = Instant::now();
        let how = Capture::new().timeout(Duration::from_millis(300));
        let captured = shell(way, "echo early; echo err >&2; exec sleep 60").capture(&how).unwrap();
        assert!(start.elapsed() < LONG / 2);
        assert_eq!((captured.stop, &captured.stdout[..]), (Stop::Deadline, &b"early\n"[..]));
        assert_eq!(captured.status.unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(captured.ended.unwrap().by, Some(Signal::KILL));
        assert_eq!(&captured.stderr, b"err\n");
        assert!(matches!(captured.check().unwrap_err().failure(), Failure::TimedOut));
    }
}

#[test]
fn child_that_closes_its_output_and_runs_on_is_ended_in_time() {
    for way in ways() {
        let how = Capture::new().timeout(Duration::from_millis(300));
        let captured = shell(way, "echo early; exec sleep 60 >/dev/null 2>&1").capture(&how).unwrap();
        assert_eq!((captured.stop, &captured.stdout[..]), (Stop::Deadline, &b"early\n"[..]));
        assert_eq!(captured.status.unwrap().signal(), Some(libc::SIGKILL));
    }
}

#[test]
fn output_of_a_graceful_end_is_read_while_it_ends() {
    for way in ways() {
        // The handler writes more than a pipe holds, so the shell ends only if the parent reads the pipe.
        let script = "trap 'head -c 300000 /dev/zero; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let how = Capture::new().timeout(Duration::from_millis(500)).end(Teardown::term(LONG));
        let captured = shell(way, script).capture(&how).unwrap();
        assert_eq!(captured.status.unwrap().code(), Some(3));
        assert_eq!(captured.ended.unwrap().by, Some(Signal::TERM));
        assert_eq!(captured.stdout.len(), 300_006);
    }
}

#[test]
fn output_of_the_others_that_get_the_grace_is_read_too() {
    for way in ways() {
        let script =
            "(trap 'head -c 300000 /dev/zero; exit' TERM; echo ready; while :; do sleep 0.01; done) & exec sleep 60";
        let end = Teardown::term(LONG / 6).reach(Reach::Group).graces_for_all(true);
        let how = Capture::new().timeout(Duration::from_millis(500)).end(end);
        let captured = shell(way, script).process_group(0).capture(&how).unwrap();
        assert_eq!(captured.status.unwrap().signal(), Some(libc::SIGTERM));
        assert_eq!(captured.stdout.len(), 300_006);
    }
}

#[test]
fn limit_ends_the_child_and_keeps_exactly_that_much() {
    for way in ways() {
        for limit in [0, 1, 100_000] {
            let captured = shell(way, "exec cat /dev/zero").capture(&Capture::new().keep(Keep::AtMost(limit))).unwrap();
            assert!(matches!(captured.stop, Stop::Limit(_)));
            assert_eq!(captured.stdout, vec![0; limit]);
            assert!(captured.status.is_some());
            assert!(matches!(captured.check().unwrap_err().failure(), Failure::OutputLimit));
        }
        let how = Capture::new().keep_stdout(Keep::Last(4)).keep_stderr(Keep::First(2));
        let captured = shell(way, "echo 123456; echo abcdef >&2").capture(&how).unwrap();
        assert_eq!((&captured.stdout[..], &captured.stderr[..]), (&b"456\n"[..], &b"ab"[..]));
    }
}

#[test]
fn grandchild_that_holds_the_pipes_is_not_waited_for() {
    for way in ways() {
        let start = Instant::now();
        let mut command = shell(way, "sleep 60 & echo early");
        let how = Capture::new().grace(Duration::from_millis(50));
        let captured = command.process_group(0).capture(&how).unwrap();
        assert!(start.elapsed() < LONG / 2);
        assert_eq!((captured.stop, &captured.stdout[..]), (Stop::Held, &b"early\n"[..]));
        assert!(captured.check().unwrap().status.unwrap().success(), "a pipe that is held is no failure");
    }
    for way in ways() {
        let how = Capture::new().timeout(Duration::from_millis(300)).end(Teardown::kill().reach(Reach::Group));
        let captured = shell(way, "sleep 60 & echo early; sleep 60").process_group(0).capture(&how).unwrap();
        assert_eq!((captured.stop, &captured.stdout[..]), (Stop::Deadline, &b"early\n"[..]));
    }
}

#[test]
fn teardown_without_a_way_is_refused_before_the_spawn() {
    let how = Capture::new().end(Teardown::kill().reach(Reach::Group));
    let error = shell((fdspawn::Launcher::Auto, true), "exit").capture(&how).unwrap_err();
    assert!(matches!(error.failure(), Failure::Refused(Refusal::DropReachesNoGroup)), "{error}");
}

#[test]
fn failing_program_tells_its_standard_error_on_request() {
    for way in ways() {
        let captured = shell(way, "echo out; echo why >&2; exit 3").capture(&Capture::new()).unwrap();
        assert_eq!(captured.status.unwrap().code(), Some(3));
        let error = captured.check().unwrap_err();
        assert!(error.to_string().ends_with("exit status: 3: why"), "{error}");
        assert!(
            matches!(error.failure(), Failure::Status { status, stderr } if status.code() == Some(3) && stderr == "why")
        );
        assert_eq!(error.program().unwrap(), "/bin/sh");
    }
}

#[test]
fn early_end_of_the_reader_says_how_much_it_has_not_read() {
    let input = vec![0; 1 << 20];
    for way in ways() {
        let captured = shell(way, "head -c 10").capture(&Capture::new().input(&input)).unwrap().check().unwrap();
        assert_eq!(captured.stdout.len(), 10);
        assert!(captured.unsent > 0);
        let captured = shell(way, "cat").stdin(Stdio::null()).capture(&Capture::new().input("text")).unwrap();
        assert_eq!((captured.unsent, captured.stdout.len()), (4, 0));
    }
}

#[test]
fn slots_neither_hang_nor_kill_status_and_output() {
    for way in ways() {
        // More than a pipe holds, to ends that no code can take; and the ends of those that are read.
        let script = "head -c 300000 /dev/zero >&5 && cat <&6 && head -c 300000 /dev/zero >&7 && cat <&7 && echo done";
        let mut command = shell(way, script);
        let (_, _, _) = (command.reader(5), command.writer(6), command.socket(7));
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
        assert!(command.stdout(Stdio::piped()).status().unwrap().success());
        assert_eq!(command.output().unwrap().stdout, b"done\n");
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert!(output.status.success() && output.stdout == b"done\n");
    }
}

own_process! {
    fn status_reaps_the_child_if_its_slots_cannot_be_read() {
        if refuse(&[libc::SYS_ppoll, libc::SYS_preadv2], libc::EIO) {
            for way in ways() {
                let mut command = shell(way, "echo slot >&5; exit 3");
                command.reader(5);
                let error = command.status().unwrap_err();
                assert!(matches!(error.failure(), Failure::Read), "{error}");
                assert_eq!((error.raw_os_error(), children()), (Some(libc::EIO), 0));
            }
        }
    }
}

/// Captures while each call that does not wait fails. The input is more than the pipes to and from the program hold.
fn captures_without_calls_that_do_not_wait(errno: i32) {
    if refuse(&[libc::SYS_preadv2, libc::SYS_pwritev2], errno) {
        let input = vec![b'i'; 1 << 20];
        for way in ways() {
            let captured = shell(way, "cat; echo err >&2").capture(&Capture::new().input(&input)).unwrap();
            assert!(captured.stdout == input);
            assert_eq!((&captured.stderr[..], captured.stop, captured.unsent), (&b"err\n"[..], Stop::Done, 0));
            let captured = shell(way, "exec <&-; sleep 0.01").capture(&Capture::new().input(&input)).unwrap();
            assert!(captured.unsent > 0, "the reader is gone");
            assert_eq!(shell(way, "echo out; echo err >&2").output().unwrap().stdout, b"out\n");
        }
    }
}

own_process! {
    fn input_and_output_move_without_calls_that_do_not_wait() {
        captures_without_calls_that_do_not_wait(libc::ENOSYS);
    }
}

own_process! {
    fn calls_that_never_move_a_byte_are_replaced_by_others() {
        // Each call has the answer of a pipe that is not ready, although poll(2) says that it is.
        captures_without_calls_that_do_not_wait(libc::EAGAIN);
    }
}

own_process! {
    fn nothing_is_left_of_captures_that_end_in_any_way() {
        let captures = [
            ("exit 0", Capture::new()),
            ("exec sleep 60", Capture::new().timeout(Duration::from_millis(5))),
            ("exec cat /dev/zero", Capture::new().keep(Keep::AtMost(5))),
            ("exec cat", Capture::new().input("text")),
        ];
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = count();
        for way in ways() {
            for (script, how) in &captures {
                let _ = shell(way, script).capture(how).unwrap();
            }
        }
        assert_eq!((count(), children()), (before, 0));
    }
}

#[test]
fn capture_by_each_launcher_has_the_command_unchanged() {
    for launcher in LAUNCHERS {
        let mut command = shell((launcher, true), "cat");
        for text in ["one", "two"] {
            assert_eq!(command.capture(&Capture::new().input(text)).unwrap().stdout, text.as_bytes());
        }
        assert!(command.stdin(Stdio::null()).status().unwrap().success());
    }
}
