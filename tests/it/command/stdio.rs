//! Each kind of `Stdio`.

use crate::own_process;
use crate::support;
use crate::support::seccomp::refuse;
use crate::support::sources::{close, memory, memory_at};
use crate::support::table::{Table, close_on_exec};
use crate::support::tools::has;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Failure, Features, Stage, Stdio, plan::Refusal};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

#[test]
fn closed_leaves_its_number_closed_and_null_is_dev_null() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    for launcher in LAUNCHERS {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).stdin(Stdio::closed()).stdout(Stdio::null()).fd(9, Stdio::null());
        assert!(command.status().unwrap().success());
        let table = Table::read(&out);
        assert_eq!(table.numbers(), [1, 2, 9]);
        assert_eq!(table.0[0].status_flags & libc::O_ACCMODE, libc::O_RDWR);
        assert_eq!(table.0[0].file, table.0[2].file);
    }
}

#[test]
fn data_is_read_from_its_beginning_by_each_child() {
    for launcher in LAUNCHERS {
        for missing in [Features::empty(), Features::MEMFD] {
            for length in [0, 1, 4096, 65_536, 200_000] {
                let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
                let mut command = helper("cat");
                command.launcher(launcher).missing(missing).stdin(Stdio::data(bytes.clone()));
                for _ in 0..2 {
                    let output = command.output().unwrap();
                    assert!(output.status.success());
                    assert!(output.stdout == bytes, "{length} bytes, {missing:?}");
                }
            }
        }
    }
}

own_process! {
    fn data_that_fits_no_pipe_is_an_error_if_there_is_no_memfd() {
        // Root may exceed the limit of a pipe's size, so the test gives up root.
        // SAFETY: only a number is passed, in a process of this test's own.
        let _ = unsafe { libc::seteuid(65534) };
        for launcher in LAUNCHERS {
            let mut command = support::command("cat");
            command.launcher(launcher).missing(Features::MEMFD).fd(5, Stdio::data(vec![0; 64 << 20]));
            let error = command.spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Open { target: 5, .. }), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EFBIG));
        }
    }
}

#[test]
fn data_cannot_be_changed_by_the_child() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "echo changed >&5; cat <&5"]).launcher(launcher).fd(5, Stdio::data("sealed"));
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"sealed");
        assert!(!output.stderr.is_empty(), "the write fails");
    }
}

#[test]
fn socket_carries_both_directions() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "read line <&6; echo \"got $line\" >&6"]).launcher(launcher);
        let slot = command.socket(6);
        let mut child = command.spawn().unwrap();
        let mut socket = child.take(slot).unwrap();
        socket.write_all(b"hello\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        assert_eq!(text, "got hello\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn writer_and_reader_connect_the_ends_that_their_names_say() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "cat <&8 >&9"]).launcher(launcher);
        let (input, output) = (command.writer(8), command.reader(9));
        let mut child = command.spawn().unwrap();
        child.take(input).unwrap().write_all(b"through").unwrap();
        let mut text = String::new();
        child.take(output).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(child.wait().unwrap().success());
    }
}

/// The mode that the child finds at its standard input.
fn mode_of_input(command: &mut Command<'_>) -> String {
    String::from_utf8(command.args(["-c", "%a", "-"]).stdin(Stdio::data("secret")).output().unwrap().stdout).unwrap()
}

#[test]
fn only_the_owner_may_open_data() {
    for launcher in LAUNCHERS {
        let stat = || {
            let mut command = support::command("stat");
            command.launcher(launcher);
            command
        };
        assert_eq!(mode_of_input(&mut stat()), "400\n");
        assert_eq!(mode_of_input(stat().missing(Features::MEMFD)), "600\n");
    }
}

own_process! {
    fn data_whose_mode_cannot_be_set_is_a_pipe() {
        for errno in [libc::EPERM, libc::ENOSYS] {
            if refuse(&[libc::SYS_fchmod], errno) {
                for launcher in LAUNCHERS {
                    assert_eq!(mode_of_input(support::command("stat").launcher(launcher)), "600\n");
                    let output = helper("cat").launcher(launcher).stdin(Stdio::data("secret")).output().unwrap();
                    assert_eq!(output.stdout, b"secret");
                }
            }
        }
    }
}

#[test]
fn ssh_keygen_accepts_a_private_key_that_is_data() {
    if !has("ssh-keygen") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let mut make = support::command("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(&key);
    assert!(make.status().unwrap().success());
    let private = std::fs::read(&key).unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    for launcher in LAUNCHERS {
        for missing in [Features::empty(), Features::MEMFD] {
            let mut command = support::command("ssh-keygen");
            command.args(["-y", "-f", "/dev/fd/3"]).launcher(launcher).missing(missing);
            let output = command.fd(3, Stdio::data(private.clone())).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.trim(), public.trim(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn last_call_for_a_target_counts() {
    for launcher in LAUNCHERS {
        let mut command = helper("cat");
        command.launcher(launcher).stdin(memory("first")).stdin(Stdio::data("second"));
        assert_eq!(command.output().unwrap().stdout, b"second");
        assert_eq!(command.fd(0, Stdio::data("third")).output().unwrap().stdout, b"third");
        assert_eq!(command.stdin(Stdio::data("fourth")).output().unwrap().stdout, b"fourth");
        let mut command = support::command("/bin/sh");
        command.args(["-c", "cat <&7"]).launcher(launcher).fd(7, memory("first")).fd(7, Stdio::data("second"));
        assert_eq!(command.output().unwrap().stdout, b"second");
        // The command closes the file of the first call as it does for standard streams.
        let (mut reader, writer) = std::io::pipe().unwrap();
        command.fd(7, writer).fd(7, Stdio::data("third"));
        assert_eq!(std::io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
        assert_eq!(command.output().unwrap().stdout, b"third");
    }
}

#[test]
fn output_defaults_are_those_of_std() {
    for launcher in LAUNCHERS {
        let mut command = support::command("/bin/sh");
        command.args(["-c", "cat; echo out; echo err >&2"]).launcher(launcher);
        let output = command.output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        // `output` leaves the streams that the command names as they are.
        let mut command = support::command("/bin/sh");
        command.args(["-c", "echo out; echo err >&2"]).launcher(launcher).stderr(Stdio::same_as(1));
        let output = command.output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\nerr\n".to_vec(), vec![]));
        let mut command = helper("print-on");
        let output = command.args(["1", "text"]).launcher(launcher).stdout(Stdio::null()).output().unwrap();
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn mappings_that_contradict_each_other_are_refused_by_name() {
    const CLOSED: i32 = 19_000;
    let file = memory("file");
    let number = file.as_raw_fd();
    let refused = |command: &mut Command<'_>, refusal: Refusal| {
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}: {refusal:?}");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(command.explain().error().unwrap().to_string(), error.to_string());
    };
    for launcher in LAUNCHERS {
        let command = || {
            let mut command = support::command("true");
            command.launcher(launcher);
            command
        };
        refused(command().fd(-1, Stdio::null()), Refusal::NegativeTarget { target: -1 });
        let with_slot = |target, slot: fn(&mut Command<'_>, i32)| {
            let mut command = command();
            slot(&mut command, target);
            command
        };
        let slots: [fn(&mut Command<'_>, i32); 3] = [
            |command, target| _ = command.reader(target),
            |command, target| _ = command.writer(target),
            |command, target| _ = command.socket(target),
        ];
        for slot in slots {
            refused(with_slot(7, slot).fd(7, Stdio::null()), Refusal::TargetTwice { target: 7 });
            refused(with_slot(0, slot).stdin(Stdio::null()), Refusal::TargetTwice { target: 0 });
            let mut twice = with_slot(7, slot);
            slot(&mut twice, 7);
            refused(&mut twice, Refusal::TargetTwice { target: 7 });
            refused(with_slot(number, slot).keep(&file), Refusal::KeepCollides { target: number });
        }
        refused(command().keep(&file).fd(number, Stdio::null()), Refusal::KeepCollides { target: number });
        refused(command().fd(7, Stdio::inherit()), Refusal::InheritWhere { target: 7 });
        // SAFETY: the number is closed.
        let closed = unsafe { Stdio::inherit_from(CLOSED) };
        refused(command().fd(7, closed), Refusal::SourceNotOpen { target: 7, source: CLOSED });
        refused(command().fd(7, Stdio::same_as(7)), Refusal::SameAsItself { target: 7 });
        refused(command().fd(7, Stdio::same_as(8)), Refusal::SameAsNothing { target: 7, same_as: 8 });
        refused(command().fd(7, Stdio::piped()), Refusal::PipedWhere { target: 7 });
    }
}

own_process! {
    fn strict_source_that_is_closed_is_ebadf_at_every_number() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        // SAFETY: this process is the test's own, and a closed number is allowed.
        let strict = |number| unsafe { Stdio::borrow_raw(number) };
        let _fifty = memory_at(50, "fifty", true);
        for closed in [0, 2, 7, -1] {
            close(closed);
            for launcher in LAUNCHERS {
                for target in [0, 1, closed.max(1), 9] {
                    let mut command = support::command("true");
                    let error = command.launcher(launcher).fd(target, strict(closed)).spawn().unwrap_err();
                    let refusal = Refusal::SourceNotOpen { target, source: closed };
                    assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                    assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::EBADF), Stage::Parent));
                }
                // An open one is lent, as often as the caller likes.
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).fd(0, strict(50)).fd(9, strict(50)).fd(2, Stdio::null());
                assert!(command.explain().to_string().contains("  lent: stays open in the parent\n"));
                for _ in 0..2 {
                    assert!(command.status().unwrap().success());
                    let table = Table::read(&out);
                    assert_eq!((table.content(0), table.content(9)), (Some("fifty"), Some("fifty")));
                    assert_eq!(close_on_exec(50), Some(true));
                }
            }
        }
    }
}

own_process! {
    fn source_below_zero_is_refused_and_not_dev_null() {
        for launcher in LAUNCHERS {
            // SAFETY: no descriptor has the number.
            let negative = unsafe { Stdio::inherit_from(-1) };
            let error = support::command("true").launcher(launcher).stdin(negative).spawn().unwrap_err();
            let refusal = Refusal::SourceNotOpen { target: 0, source: -1 };
            assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
        }
    }
}

own_process! {
    fn data_above_the_limit_of_file_sizes_is_no_signal() {
        let limit = libc::rlimit { rlim_cur: 4, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit is read.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
        for launcher in LAUNCHERS {
            let output = helper("cat").launcher(launcher).stdin(Stdio::data("fourteen bytes")).output().unwrap();
            assert_eq!(output.stdout, b"fourteen bytes");
        }
    }
}
