//! Allocations: a child makes none, and the parent next to none. The allocator here kills a child that asks it for
//! memory, and counts the requests of the parent.
#![cfg(target_os = "linux")]

use fdspawn::{Command, Environment, Failure, Features, Launcher, Rest, Stdio};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicI32, Ordering};

struct ParentOnly;

static PARENT: AtomicI32 = AtomicI32::new(0);

thread_local! {
    /// How often this thread has asked for memory.
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

/// How often `act` asks for memory in this thread.
fn allocations(act: impl FnOnce()) -> usize {
    let before = COUNT.get();
    act();
    COUNT.get() - before
}

/// Kills a process that is not the parent, by a signal that no other code here sends.
fn check() {
    let parent = PARENT.load(Ordering::Relaxed);
    // SAFETY: the calls are async-signal-safe. They are raw, since a child that shares memory may share libc's cached
    // pid.
    unsafe {
        let pid = libc::syscall(libc::SYS_getpid) as i32;
        if parent != 0 && pid != parent {
            libc::syscall(libc::SYS_kill, pid, libc::SIGKILL);
        }
    }
}

// SAFETY: the system allocator does all the work.
unsafe impl GlobalAlloc for ParentOnly {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        count();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        check();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check();
        count();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: ParentOnly = ParentOnly;

fn arm() {
    PARENT.store(std::process::id() as i32, Ordering::Relaxed);
}

const FALLBACKS: [Features; 6] = [
    Features::empty(),
    Features::CLONE3,
    Features::SHARED_TABLE,
    Features::CLOSE_RANGE,
    Features::CLOSE_RANGE.union(Features::PROC),
    Features::CLOSE_RANGE.union(Features::SHARED_TABLE).union(Features::CLONE3),
];

/// A command with every kind of step.
fn everything(program: &str, file: &File, launcher: Launcher, features: Features) -> Command<'static> {
    let mut command = Command::new(program);
    let copy = || file.try_clone().unwrap();
    command.launcher(launcher).missing(features).stdin(Stdio::data("data")).stdout(Stdio::null()).stderr(Stdio::null());
    command.fd(5, copy()).fd(6, copy()).fd(300, copy()).fd(9, Stdio::closed()).fd(10, Stdio::same_as(5));
    command.current_dir("/").env("NAME", "value").arg("argument");
    let _ = command.reader(20);
    command
}

#[test]
fn children_that_succeed_allocate_nothing() {
    arm();
    let file = File::open("/dev/null").unwrap();
    for launcher in [Launcher::Clone, Launcher::Fork] {
        for features in FALLBACKS {
            let status = everything("true", &file, launcher, features).status().unwrap();
            assert!(status.success(), "{launcher:?}, {features:?}: {status}");
            let mut command = everything("true", &file, launcher, features);
            assert!(command.rest(Rest::Inherit).current_dir_fd(file_of("/")).status().unwrap().success());
        }
    }
}

/// Set for a process that counts its allocations before its main function, when it has one thread.
const ALONE: &str = "FDSPAWN_TEST_ALONE";

#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn() = count_alone;

extern "C" fn count_alone() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    for launcher in [Launcher::Clone, Launcher::Fork] {
        let status = || assert!(Command::new("/bin/true").launcher(launcher).status().unwrap().success());
        (0..3).for_each(|_| status());
        println!("{}", allocations(status));
    }
    std::thread::spawn(|| ()).join().unwrap();
    let status = || assert!(Command::new("/bin/true").status().unwrap().success());
    println!("{}", allocations(status));
    std::process::exit(0);
}

#[test]
fn process_with_one_thread_does_not_copy_its_environment() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.env_clear().env(ALONE, "1").envs((0..50).map(|n| (format!("V{n}"), "x"))).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let counts: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    let [clone, fork, with_a_second_thread] = counts[..] else { panic!("{text}") };
    // What is left are the name of the program and the command's lists.
    assert!(clone <= 4 && fork <= 4, "{text}");
    assert!(with_a_second_thread > 100, "two for each variable: {text}");
}

/// A directory that lives as long as the process.
fn file_of(path: &str) -> &'static File {
    Box::leak(Box::new(File::open(path).unwrap()))
}

#[test]
fn children_that_fail_allocate_nothing() {
    arm();
    let file = File::open("/dev/null").unwrap();
    for launcher in [Launcher::Clone, Launcher::Fork] {
        for features in FALLBACKS {
            let error = everything("no-such-program", &file, launcher, features).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Exec), "{launcher:?}, {features:?}: {error}");
            let mut command = everything("true", &file, launcher, features);
            let error = command.current_dir("/nope").spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::WorkingDirectory(_)), "{launcher:?}, {features:?}: {error}");
        }
    }
}

#[test]
fn hooks_are_called_and_their_errors_are_reported_without_an_allocation() {
    arm();
    let mut command = Command::new("true");
    // SAFETY: the hook makes no call.
    unsafe { command.pre_exec(|| Ok(())) };
    assert!(command.status().unwrap().success());
    // SAFETY: the error is made without an allocation.
    unsafe { command.pre_exec(|| Err(std::io::ErrorKind::TimedOut.into())) };
    let error = command.spawn().unwrap_err();
    assert!(matches!(error.failure(), Failure::Hook { index: 1, message: Some(text) } if text == "timed out"));
}

#[test]
fn allocator_would_notice() {
    arm();
    let mut command = Command::new("true");
    // SAFETY: the allocator kills the child.
    unsafe {
        command.pre_exec(|| {
            drop(std::hint::black_box(Box::new(1)));
            Ok(())
        })
    };
    let error = command.spawn().unwrap_err();
    let killed =
        |failure: &Failure| matches!(failure, Failure::HookEnded(status) if status.signal() == Some(libc::SIGKILL));
    assert!(killed(error.failure()), "{error}");
}

#[test]
fn repeated_spawns_with_a_shared_environment_allocate_only_the_handle_of_a_child() {
    arm();
    let environment = Environment::capture();
    let mut command = Command::new("/bin/true");
    command.arg("argument").environment(&environment);
    assert!(command.status().unwrap().success());
    assert_eq!(allocations(|| assert!(command.status().unwrap().success())), 0);
    // The handle of a child that the caller gets is one, since several threads may share it.
    assert_eq!(allocations(|| assert!(command.spawn().unwrap().wait().unwrap().success())), 1);
    let sharing = || {
        let child = command.spawn().unwrap();
        let process = child.process();
        assert!(process.clone().wait().unwrap().success());
        assert!(child.wait_timeout(std::time::Duration::MAX).unwrap().is_some());
    };
    assert_eq!(allocations(sharing), 1);

    // Other commands use the same thread's memory, and allocate nothing when they spawn. The search of PATH is
    // included.
    let mut command = Command::new("true");
    command.environment(&environment);
    assert!(command.status().unwrap().success());
    assert_eq!(allocations(|| assert!(command.status().unwrap().success())), 0);
}

#[test]
fn inherited_environment_costs_the_copy_that_std_makes_of_it() {
    arm();
    let mut command = Command::new("true");
    assert!(command.status().unwrap().success());
    let copy = allocations(|| drop(std::env::vars_os()));
    assert_eq!(allocations(|| assert!(command.status().unwrap().success())), copy);
}

#[test]
fn pipes_and_renumbering_cost_one_allocation_for_the_handles_of_slots() {
    arm();
    let file = File::open("/dev/null").unwrap();
    let environment = Environment::capture();
    let mut command = Command::new("true");
    command.environment(&environment).fd(8, &file).fd(9, &file).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    // Other tests have descriptors, too, so the numbers of the pipes differ. The launch with the highest numbers needs the most memory.
    let launch_with_high_numbers = |command: &mut Command<'_>| {
        let _others: Vec<File> = (0..64).map(|_| file.try_clone().unwrap()).collect();
        command.spawn().unwrap().wait().unwrap();
    };
    launch_with_high_numbers(&mut command);
    assert_eq!(allocations(|| assert!(command.spawn().unwrap().wait().unwrap().success())), 1);
    let _slots = [command.reader(10), command.reader(11)];
    launch_with_high_numbers(&mut command);
    assert_eq!(allocations(|| assert!(command.spawn().unwrap().wait().unwrap().success())), 2);
}

/// std's API adds nothing to a spawn: neither for the handle of a child, nor for a source that was moved.
#[test]
fn calls_through_stds_api_allocate_what_the_calls_below_do() {
    use fdspawn::process;
    arm();
    let file = File::open("/dev/null").unwrap();
    let mut native = Command::new("true");
    native.rest(Rest::Inherit).stdin(&file).stdout(Stdio::piped());
    let mut command = process::Command::new("true");
    command.stdin(file.try_clone().unwrap()).stdout(process::Stdio::piped());
    // The first launches of a thread make its buffers.
    assert!(native.output().unwrap().status.success() && command.output().unwrap().status.success());
    let native = [
        allocations(|| assert!(native.spawn().unwrap().wait().unwrap().success())),
        allocations(|| assert!(native.output().unwrap().status.success())),
        allocations(|| assert!(native.stdout(Stdio::null()).status().unwrap().success())),
    ];
    let through = [
        allocations(|| assert!(command.spawn().unwrap().wait().unwrap().success())),
        allocations(|| assert!(command.output().unwrap().status.success())),
        allocations(|| assert!(command.stdout(process::Stdio::null()).status().unwrap().success())),
    ];
    assert_eq!(through, native);
}
