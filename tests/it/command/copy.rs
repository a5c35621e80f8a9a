//! `Command::try_clone`.

use crate::own_process;
use crate::support;
use crate::support::sources::{leaky, memory, memory_at};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Environment, Failure, Launcher, Rest, Slot, Stage, Stdio, plan::Refusal};
use std::fs;
use std::io::{PipeReader, Read};
use std::os::fd::AsRawFd;
use std::sync::Arc;

fn text(command: &mut Command<'_>, slot: Slot<PipeReader>) -> String {
    let mut child = command.spawn().unwrap();
    let mut text = String::new();
    child.take(slot).unwrap().read_to_string(&mut text).unwrap();
    assert!(child.take(slot).is_none());
    assert!(child.wait().unwrap().success());
    text
}

own_process! {
    fn copy_has_everything_of_the_command_and_neither_follows_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let (root, source) = (fs::File::open("/").unwrap(), memory_at(31, "lent", true));
        let shared = Arc::new(memory("shared"));
        for launcher in LAUNCHERS {
            let environment = Environment::from_pairs([("A", "1"), ("PATH", "/usr/bin:/bin")]).unwrap();
            let mut command = support::command("sh");
            command.arg0("zeroth").args([
                "-c",
                "echo $0 $A $B $(pwd) $(cat <&5) $(: <&6 && echo shared) $1 >&7",
                "name",
                "one",
            ]);
            command.launcher(launcher).environment(&environment).env("B", "2").current_dir_fd(&root);
            command.fd(5, Stdio::data("data")).fd(6, shared.clone()).keep(&source).stderr(Stdio::same_as(1)).pidfd(false);
            let seven = command.reader(7);
            let mut copy = command.try_clone().unwrap();
            assert_eq!(format!("{copy:?}"), format!("{command:?}"));
            assert_eq!(copy.explain().to_string(), command.explain().to_string());
            let both = "name 1 2 / data shared one\n";
            assert_eq!(text(&mut copy, seven), both);
            assert_eq!(text(&mut command, seven), both, "the same slot finds the end of each one's children");

            copy.env("B", "3").current_dir(directory.path()).fd(5, Stdio::data("other"));
            assert_eq!(text(&mut command, seven), both);
            let other = format!("name 1 3 {} other shared one\n", directory.path().display());
            assert_eq!(text(&mut copy, seven), other);
            drop(command);
            assert_eq!(text(&mut copy, seven), other);
            let mut child = copy.spawn().unwrap();
            assert_eq!(child.launched_by(), launcher);
            assert!(child.pidfd().is_none());
            drop(child.take(seven));
            child.wait().unwrap();
        }
        assert_eq!(Arc::strong_count(&shared), 1);
    }
}

own_process! {
    fn copy_closes_the_rest_and_names_what_is_no_standard_stream_as_the_command_does() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let leak = leaky(memory("leak"));
        let null = std::os::unix::fs::MetadataExt::ino(&fs::metadata("/dev/null").unwrap());
        for launcher in LAUNCHERS {
            for &rest in support::rests() {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).rest(rest).not_inherited([0]);
                assert!(command.try_clone().unwrap().status().unwrap().success());
                let table = Table::read(&out);
                assert_eq!(table.content(leak.as_raw_fd()).is_some(), rest == Rest::Inherit);
                assert_eq!(table.0[0].file.1, null);
            }
        }
    }
}

#[test]
fn copies_are_spawned_at_the_same_time_by_other_threads() {
    let mut command: Command<'static> = support::command("echo");
    let shared = Arc::new(memory("shared"));
    let seven = command.arg("text").stdin(shared).stdout(Stdio::null()).reader(7);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut copy = command.try_clone().unwrap();
            scope.spawn(move || assert_eq!(text(&mut copy, seven), ""));
        }
    });
}

#[test]
fn what_only_one_command_can_have_is_named() {
    for launcher in LAUNCHERS {
        let copied = |command: &Command<'_>, refusal: Refusal, number: i32| {
            let error = command.try_clone().unwrap_err();
            assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
            assert_eq!((error.raw_os_error(), error.stage()), (Some(number), Stage::Parent));
            assert_eq!(error.program(), Some("true".as_ref()));
            let text = error.to_string();
            assert!(text.starts_with("cannot copy the command `true`: ") && text.contains("an Arc"), "{text}");
        };
        let mut command = support::command("true");
        copied(command.launcher(launcher).fd(5, memory("moved")), Refusal::SourceMoved { target: 5 }, libc::EINVAL);
        assert!(command.status().unwrap().success(), "the command has not changed");
        copied(&command, Refusal::SourceSpent { target: 5 }, libc::EBADF);
        assert!(command.fd(5, Stdio::null()).try_clone().unwrap().status().unwrap().success());

        let file = memory("kept");
        let target = file.as_raw_fd();
        copied(command.keep(file), Refusal::SourceMoved { target }, libc::EINVAL);
    }
    let mut command = support::command("true");
    // SAFETY: the hook does nothing.
    unsafe { command.pre_exec(|| Ok(())) };
    let error = command.try_clone().unwrap_err();
    assert!(matches!(error.failure(), Failure::HooksNotCopied), "{error}");
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let text = "cannot copy the command `true`: it has a pre_exec hook, which belongs to one command";
    assert_eq!(error.to_string(), text);
    assert_eq!(
        Launcher::Fork,
        command
            .spawn()
            .map(|mut child| {
                child.wait().unwrap();
                child.launched_by()
            })
            .unwrap()
    );
}
