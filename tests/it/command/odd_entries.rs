//! Entries of the inherited environment that are no variables: those without a `=`.

use crate::spawn::tracing_events::logged;
use crate::support::helper::MARK;
use crate::support::mounts::unmount_proc;
use crate::support::seccomp::refuse;
use crate::support::sources::{hard_limit, set_limit};
use crate::support::{self, LAUNCHERS, test_binary};
use fdspawn::{Command, Environment, Isolated, Launcher};
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The environment of the process that passes it on. std takes `=` and `=x` for no variables, and `=x=y` for one named `=x`.
const GIVEN: [&str; 11] = ["first", "A=1", "odd", "B=2", "PATH=/usr/bin:/bin", "=x=y", "", "C=3", "=x", "=", "last"];

/// Starts a process with this environment, which passes it on as the case says.
fn passes_on(case: &str) {
    let environment = Environment::from_strings(GIVEN).unwrap();
    let mut command = support::command(test_binary());
    command.args([MARK, "pass-odd-entries-on", case]).environment(&environment);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    if let Some(reason) = text.lines().find(|line| line.starts_with("skipped: ")) {
        println!("{reason}");
    }
    assert!(output.status.success(), "{}\n{text}", output.status);
}

macro_rules! cases {
    ($($name:ident: $case:ident;)*) => {
        $(
            #[test]
            fn $name() {
                passes_on(stringify!($case));
            }
        )*

        /// The process that [`passes_on`] starts.
        pub fn pass_on(case: &str) {
            match case {
                $(stringify!($case) => $case(),)*
                _ => panic!("no such case: {case}"),
            }
        }
    };
}

cases! {
    entries_without_an_equals_sign_are_passed_on_in_order: plain;
    entries_without_an_equals_sign_stay_where_they_are_when_variables_change: with_set_var;
    entries_without_an_equals_sign_are_found_after_a_title_has_replaced_the_initial_strings: with_a_title;
    entries_without_an_equals_sign_are_found_after_a_title_of_spaces: with_a_title_of_spaces;
    entries_without_an_equals_sign_are_found_if_process_vm_readv_answers_eperm: where_the_call_answers_eperm;
    entries_without_an_equals_sign_are_found_if_process_vm_readv_answers_enosys: where_the_call_answers_enosys;
    entries_without_an_equals_sign_are_found_without_proc: without_proc;
    entries_without_an_equals_sign_are_found_though_no_descriptor_is_free: without_a_free_descriptor;
    entries_without_an_equals_sign_are_found_when_the_main_thread_has_ended: without_a_main_thread;
    entries_without_an_equals_sign_are_left_out_with_a_warning_if_nothing_can_read_them: where_nothing_reads;
    entries_without_an_equals_sign_are_passed_on_while_another_thread_sets_variables: in_a_storm;
    entries_without_an_equals_sign_are_found_though_standard_streams_are_closed: without_standard_streams;
}

/// A command that prints its environment, launched in each way, and whether it has a hook.
fn ways() -> Vec<(bool, Command<'static>)> {
    static ISOLATED: LazyLock<Isolated> = LazyLock::new(|| Isolated::new().unwrap());
    let mut ways = Vec::new();
    for launcher in LAUNCHERS {
        for isolated in [false, true] {
            for hook in [false, true] {
                if hook && launcher == Launcher::Clone {
                    continue;
                }
                let mut command = Command::new("env");
                command.arg("-0").launcher(launcher);
                if isolated {
                    command.isolated(&ISOLATED);
                }
                if hook {
                    // SAFETY: the hook does nothing.
                    unsafe { command.pre_exec(|| Ok(())) };
                }
                ways.push((hook, command));
            }
        }
    }
    ways
}

fn printed(command: &mut Command<'_>) -> Vec<String> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut strings: Vec<String> = text.split('\0').map(str::to_owned).collect();
    assert_eq!(strings.pop().as_deref(), Some(""), "each string ends in a NUL");
    strings
}

/// Every way of launching passes on what is expected.
fn every_way_passes_on(expected: &[&str]) {
    for (_, mut command) in ways() {
        assert_eq!(printed(&mut command), expected, "{command:?}");
        assert_eq!(printed(&mut command), expected, "again");
    }
}

fn plain() {
    every_way_passes_on(&GIVEN);
    let environment = Environment::capture();
    assert_eq!(environment.len(), GIVEN.len());
    for (_, mut command) in ways() {
        command.env("B", "new").env("D", "4").env_remove("C").env_remove("odd").env_remove("=x");
        let changed = ["first", "A=1", "odd", "PATH=/usr/bin:/bin", "", "=x", "=", "last", "B=new", "D=4"];
        assert_eq!(printed(&mut command), changed);
        command.environment(&environment);
        assert_eq!(printed(&mut command), changed);
        assert_eq!(printed(command.env_clear().env("A", "1")), ["A=1"]);
    }
}

fn with_set_var() {
    every_way_passes_on(&GIVEN);
    // SAFETY: this process has no other thread that uses the environment.
    unsafe { std::env::set_var("A", "a longer value") };
    let mut expected = GIVEN;
    expected[1] = "A=a longer value";
    every_way_passes_on(&expected);
    // SAFETY: as above.
    unsafe {
        std::env::set_var("D", "4");
        std::env::remove_var("B");
    }
    let with = ["first", "A=a longer value", "odd", "PATH=/usr/bin:/bin", "=x=y", "", "C=3", "=x", "=", "last", "D=4"];
    every_way_passes_on(&with);
}

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

/// Copies the environment, and writes a title over the strings that the process was started with, as `setproctitle` does.
fn write_title(title: &str, rest: u8) {
    // SAFETY: this process has no other thread that uses the environment.
    unsafe {
        let mut copies: Vec<*const c_char> = Vec::new();
        let (first, mut end) = (*environ, *environ);
        while !(*environ.add(copies.len())).is_null() {
            let string = CStr::from_ptr(*environ.add(copies.len()));
            end = string.as_ptr().add(string.count_bytes() + 1);
            copies.push(CString::from(string).into_raw());
        }
        copies.push(std::ptr::null());
        environ = copies.leak().as_ptr();
        let place = std::slice::from_raw_parts_mut(first.cast_mut().cast::<u8>(), end.offset_from_unsigned(first));
        place.fill(rest);
        place[..title.len()].copy_from_slice(title.as_bytes());
    }
}

fn with_a_title() {
    write_title("title=1", 0);
    every_way_passes_on(&GIVEN);
}

fn with_a_title_of_spaces() {
    write_title("title", b' ');
    every_way_passes_on(&GIVEN);
}

fn where_the_call_answers_eperm() {
    if refuse(&[libc::SYS_process_vm_readv], libc::EPERM) {
        every_way_passes_on(&GIVEN);
    }
}

fn where_the_call_answers_enosys() {
    if refuse(&[libc::SYS_process_vm_readv], libc::ENOSYS) {
        every_way_passes_on(&GIVEN);
    }
}

fn without_proc() {
    if unmount_proc() {
        every_way_passes_on(&GIVEN);
    }
}

fn without_a_free_descriptor() {
    let limit = hard_limit();
    set_limit(3, limit);
    assert_eq!(Environment::capture().len(), GIVEN.len());
    set_limit(1000, limit);
    every_way_passes_on(&GIVEN);
}

fn without_standard_streams() {
    // SAFETY: this process has no other thread, and writes nothing from here on.
    unsafe { libc::close(0) };
    every_way_passes_on(&GIVEN);
    // SAFETY: the call only asks about the number.
    assert_eq!(unsafe { libc::fcntl(0, libc::F_GETFD) }, -1, "it is still closed");
}

fn without_a_main_thread() {
    std::thread::spawn(|| {
        while !std::fs::read_to_string("/proc/self/stat").unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        let passed = std::panic::catch_unwind(|| every_way_passes_on(&GIVEN));
        // SAFETY: the process ends here.
        unsafe { libc::_exit(i32::from(passed.is_err())) }
    });
    // SAFETY: this thread ends, and no code uses anything of it any more.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn where_nothing_reads() {
    if !unmount_proc() || !refuse(&[libc::SYS_process_vm_readv], libc::EPERM) {
        return;
    }
    let text = logged(|| {
        for (hook, mut command) in ways() {
            let variables = ["A=1", "B=2", "PATH=/usr/bin:/bin", "=x=y", "C=3"];
            // The child of a hook passes its own copy on, since it cannot know whether the hook has changed it.
            assert_eq!(printed(&mut command), if hook { &GIVEN[..] } else { &variables });
        }
    });
    let warnings = text.lines().filter(|line| line.contains("WARN") && line.contains("without a `=`"));
    assert_eq!(warnings.count(), 1, "{text}");
}

fn in_a_storm() {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 0.. {
                let name = format!("STORM_{}", count % 100);
                // SAFETY: other threads read the environment through std only.
                unsafe {
                    if count / 100 % 2 == 0 { std::env::set_var(name, "storm") } else { std::env::remove_var(name) }
                }
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let _over = support::Over(&over);
        for _ in 0..20 {
            for (_, mut command) in ways() {
                let mut strings = printed(&mut command);
                strings.retain(|string| !string.starts_with("STORM_"));
                assert_eq!(strings, GIVEN);
            }
        }
    });
}

#[test]
fn capture_has_as_many_entries_as_std_if_the_process_has_no_others() {
    assert_eq!(Environment::capture().len(), std::env::vars_os().count());
    assert_eq!(
        Environment::capture().get("PATH").map(OsStr::as_bytes),
        std::env::var_os("PATH").as_deref().map(OsStr::as_bytes)
    );
}
