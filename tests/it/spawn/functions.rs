//! `Command::function`: a command that runs a function, by itself.

use crate::own_process;
use crate::support::children;
use crate::support::sources::leaky;
use crate::support::table::{is_open, open_numbers};
use crate::support::ways::isolated;
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Capture, Command, Failure, Launcher, Rest, Stdio};
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// A descriptor of the command, in the child.
fn at(number: RawFd) -> ManuallyDrop<File> {
    // SAFETY: the command of each test has the number.
    ManuallyDrop::new(unsafe { File::from_raw_fd(number) })
}

fn function<'fd>(function: impl FnMut() -> i32 + Send + Sync + 'static) -> Command<'fd> {
    // SAFETY: the functions of these tests make system calls, and use the descriptors of their commands. The test's process has no other
    // thread that holds a lock.
    unsafe { Command::function("job", function) }
}

/// Copies 0 to 1.
fn copies<'fd>() -> Command<'fd> {
    function(|| std::io::copy(&mut *at(0), &mut *at(1)).map_or(1, |_| 0))
}

own_process! {
    fn function_has_every_entrance_of_a_command_but_exec_and_a_copy() {
        isolated();
        let (before, started) = (open_numbers(), children());
        let mut child = copies().stdin(Stdio::data("text")).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.launched_by(), Launcher::Fork);
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text == "text" && child.wait().unwrap().success());
        drop(child);
        assert_eq!(function(|| 7).status().unwrap().code(), Some(7));
        assert_eq!(copies().stdin(Stdio::data("text")).output().unwrap().stdout, b"text");
        assert_eq!(copies().capture(&Capture::new().input("text")).unwrap().stdout, b"text");
        let mut command = copies();
        // An isolated thread does not launch it, and the environment is no matter of a function.
        assert!(command.isolated(isolated()).env("A=B", "c").arg0("zeroth").status().unwrap().success());
        assert!(matches!(command.try_clone().unwrap_err().failure(), Failure::FunctionNotCopied));
        let error = command.exec();
        let text = "cannot exec `job`: a function needs the fork launcher, but Launcher::Clone or an exec in this process was asked for";
        assert_eq!(error.to_string(), text);
        let error = command.launcher(Launcher::Clone).spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::FunctionNeedsFork));
        let error = command.launcher(Launcher::Auto).arg("argument").spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(Refusal::FunctionWithArguments)));
        assert_eq!(format!("{:?}", copies()), "function job");
        assert_eq!((open_numbers(), children()), (before, started));
    }
}

own_process! {
    fn attributes_and_hooks_come_before_the_function() {
        let root = File::open("/usr").unwrap();
        let terminal_free = leaky(File::open("/dev/null").unwrap());
        let leak = terminal_free.as_raw_fd();
        let mut command = function(move || {
            // SAFETY: the calls have no conditions.
            let (umask, group, own) = unsafe { (libc::umask(0), libc::getpgrp(), libc::getpid()) };
            let is_in_directory = std::env::current_dir().is_ok_and(|path| path == std::path::Path::new("/usr"));
            let expected = [umask == 0o27, group == own, is_in_directory, is_open(9), !is_open(leak), !is_open(10)];
            let only = (3..20_000).filter(|&number| is_open(number)).eq([9]);
            expected.iter().position(|is_right| !is_right).map_or(if only { 0 } else { 50 }, |index| index as i32 + 1)
        });
        command.umask(0o27).process_group(0).current_dir_fd(&root).fd(9, Stdio::null());
        assert_eq!(command.status().unwrap().code(), Some(0));
        // A hook finds the parent's descriptors, and what it opens is closed before the function.
        // SAFETY: the hook makes two system calls.
        unsafe {
            command.pre_exec(move || match is_open(leak) && libc::dup2(leak, 10) == 10 {
                true => Ok(()),
                false => Err(std::io::Error::from_raw_os_error(libc::EBADF)),
            })
        };
        assert_eq!(command.status().unwrap().code(), Some(0));
        let steps = command.explain().steps().to_vec();
        assert_eq!(steps.last(), Some(&Step::Run));
        assert!(steps.contains(&Step::Hooks) && !steps.iter().any(|step| matches!(step, Step::DefaultSignals { .. })));
    }
}

own_process! {
    fn inherited_rest_has_nothing_that_the_launch_has_opened() {
        let root = File::open("/").unwrap();
        let before = open_numbers();
        let mut command = copies();
        command.rest(Rest::Inherit).stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir_fd(&root);
        let slot = command.reader(40);
        let mut child = command.spawn().unwrap();
        // The function finds the end of its input only if the child does not have the parent's end of it.
        child.stdin.take().unwrap().write_all(b"through").unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text == "through" && child.wait().unwrap().success());
        drop((child.take(slot), child));
        let mut expected = before.clone();
        expected.push(40);
        expected.sort_unstable();
        let mut command = function(move || if (0..20_000).filter(|&number| is_open(number)).eq(expected.iter().copied()) { 0 } else { 1 });
        command.rest(Rest::Inherit).current_dir_fd(&root).fd(40, Stdio::data("data"));
        assert_eq!(command.status().unwrap().code(), Some(0));
        assert_eq!(open_numbers(), before);
    }
}

own_process! {
    fn failed_function_command_can_be_spawned_again() {
        let mut command = function(|| 4);
        command.current_dir("/no/such");
        assert!(matches!(command.spawn().unwrap_err().failure(), Failure::WorkingDirectory(Some(_))));
        assert_eq!(children(), 0);
        command.current_dir("/");
        assert_eq!(command.status().unwrap().code(), Some(4));
        // Nothing that was printed is written twice.
        print!("once;");
        let output = function(|| {
            print!("child;");
            0
        })
        .output()
        .unwrap();
        assert_eq!(output.stdout, b"child;");
    }
}
