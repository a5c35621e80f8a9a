//! `Command::function`: a command that runs a function, by itself.

use crate::own_process;
use crate::support::sources::leaky;
use crate::support::table::{Table, is_open, open_numbers};
use crate::support::ways::isolated;
use crate::support::{LAUNCHERS, children};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Capture, Command, Failure, Group, Launcher, Rest, Stdio};
use std::fs::File;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::process::ExitStatusExt;

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

own_process! {
    fn function_that_kills_itself_has_that_status_in_each_call() {
        let kills = || {
            function(|| {
                // SAFETY: the call has no conditions.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                0
            })
        };
        let group = Group::new();
        for _ in 0..20 {
            assert_eq!(kills().status().unwrap().signal(), Some(libc::SIGKILL));
            assert_eq!(kills().output().unwrap().status.signal(), Some(libc::SIGKILL));
            assert_eq!(kills().pidfd(false).spawn().unwrap().wait().unwrap().signal(), Some(libc::SIGKILL));
            assert_eq!(kills().setsid(true).status().unwrap().signal(), Some(libc::SIGKILL));
            assert_eq!(kills().group(&group).status().unwrap().signal(), Some(libc::SIGKILL));
        }
        drop(group);
        assert_eq!(function(|| std::process::abort()).status().unwrap().signal(), Some(libc::SIGABRT));
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn function_may_start_programs_and_functions_and_execute_a_program() {
        let mut outer = function(|| {
            for launcher in LAUNCHERS {
                let program = move || Command::new("sh").args(["-c", "exit 5"]).launcher(launcher).status().unwrap();
                let inner = function(move || program().code().unwrap()).status().unwrap();
                if program().code() != Some(5) || inner.code() != Some(5) {
                    return 1;
                }
                if Command::new("echo").arg("text").launcher(launcher).output().unwrap().stdout != b"text\n" {
                    return 2;
                }
            }
            let error = Command::new("sh").args(["-c", "exit 6"]).exec();
            panic!("{error}");
        });
        assert_eq!(outer.status().unwrap().code(), Some(6));
    }
}

/// Writes a byte to a file when it is dropped.
struct Drops(File);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.write_all(b"x").unwrap();
    }
}

own_process! {
    fn captured_values_are_dropped_once_and_in_the_parent() {
        let log = tempfile::tempfile().unwrap();
        let value = Drops(log.try_clone().unwrap());
        let mut command = function(move || {
            let _ = &value;
            assert!(!is_open(9), "a panic");
            3
        });
        for _ in 0..3 {
            assert_eq!(command.status().unwrap().code(), Some(3));
        }
        command.fd(9, Stdio::null());
        assert_eq!(command.status().unwrap().code(), Some(101));
        assert!(command.current_dir("/no/such").spawn().is_err());
        assert_eq!(log.metadata().unwrap().len(), 0);
        drop(command);
        assert_eq!(log.metadata().unwrap().len(), 1);
    }
}

/// Spawns a function when it is dropped, and keeps the code of its exit.
struct Spawns<'a> {
    panics: bool,
    code: &'a mut Option<i32>,
}

impl Drop for Spawns<'_> {
    fn drop(&mut self) {
        let panics = self.panics;
        let mut command = function(move || if panics { panic!("in the child") } else { 4 });
        *self.code = command.status().unwrap().code();
    }
}

own_process! {
    fn function_may_be_spawned_and_may_panic_while_a_panic_unwinds() {
        for (panics, expected) in [(false, 4), (true, 101)] {
            let mut code = None;
            let act = || {
                let _spawns = Spawns { panics, code: &mut code };
                std::panic::resume_unwind(Box::new("in the parent"));
            };
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).is_err());
            assert_eq!(code, Some(expected));
        }
    }
}

own_process! {
    fn function_is_kept_if_standard_output_cannot_be_flushed() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = function(|| 8);
        print!("text");
        let kept = std::io::stdout().as_fd().try_clone_to_owned().unwrap();
        let output_to = |file: BorrowedFd<'_>| {
            // SAFETY: this process has no other thread that uses standard output.
            assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), 1) }, 1);
        };
        output_to(full.as_fd());
        let before = open_numbers();
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Flush), "{error}");
        assert_eq!(open_numbers(), before);
        output_to(kept.as_fd());
        let locked = std::io::stdout().lock();
        assert_eq!(command.status().unwrap().code(), Some(8));
        drop(locked);
    }
}

own_process! {
    fn numbers_that_swap_are_right_in_a_function_that_inherits_the_rest() {
        let [one, two] = ["one", "two"].map(|text| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            leaky(file)
        });
        let numbers = [one.as_raw_fd(), two.as_raw_fd()];
        let before = open_numbers();
        let mut command = function(move || {
            let table = Table::current();
            let is_same = table.numbers() == before;
            i32::from(!(numbers.map(|number| table.content(number)) == [Some("two"), Some("one")] && is_same))
        });
        command.rest(Rest::Inherit).fd(numbers[0], &two).fd(numbers[1], &one);
        assert_eq!(command.status().unwrap().code(), Some(0));
    }
}
