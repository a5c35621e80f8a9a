//! The test binary as the programs that it spawns.
//!
//! The helper runs before Rust's runtime starts, which would open a closed 0, 1 or 2 and ignore SIGPIPE.

use super::table::Table;
use std::ffi::{CStr, c_char, c_int};
use std::fmt::Write as _;
use std::io::{Read, Write};

/// The first argument of a helper.
pub const MARK: &str = "fdspawn-test-helper";

#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn(c_int, *const *const c_char) = enter;

extern "C" fn enter(argc: c_int, argv: *const *const c_char) {
    // SAFETY: glibc passes main's arguments to these functions.
    let args: Vec<String> = (0..argc as usize)
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned())
        .collect();
    if args.get(1).is_some_and(|mark| mark == MARK) {
        let args: Vec<&str> = args[2..].iter().map(String::as_str).collect();
        let status = if has_what_was_planned() { run(&args) } else { UNPLANNED };
        // SAFETY: the process ends here.
        unsafe { libc::_exit(status) };
    }
}

/// Set to the numbers that a helper has to find open. It may find no others.
pub const PLANNED: &str = "FDSPAWN_TEST_PLANNED";

/// The status of a helper that found other numbers.
const UNPLANNED: i32 = 97;

/// Whether the open numbers are those of [`PLANNED`].
fn has_what_was_planned() -> bool {
    let Ok(planned) = std::env::var(PLANNED) else { return true };
    let found = Table::current().numbers().iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    if found != planned {
        eprintln!("planned: {planned}; found: {found}");
    }
    found == planned
}

fn run(args: &[&str]) -> i32 {
    match *args {
        ["exit", status] => return status.parse().unwrap(),
        // Writes the table: what is open, and what it reads.
        ["table", out] => std::fs::write(out, Table::current().to_string()).unwrap(),
        ["table-on", fd] => write_to(fd.parse().unwrap(), Table::current().to_string().as_bytes()),
        // Writes the numbers that the next `count` opens get.
        ["open", count, out] => {
            let count = count.parse().unwrap();
            let numbers: Vec<String> = (0..count)
                .map(|_| {
                    // SAFETY: the path is NUL-terminated.
                    unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) }.to_string()
                })
                .collect();
            // SAFETY: the number is this helper's own. Its close makes room for the file below, at the limit too.
            unsafe { libc::close(numbers.last().unwrap().parse().unwrap()) };
            std::fs::write(out, numbers.join(" ")).unwrap();
        }
        ["state"] => write_to(1, super::state::State::current().to_string().as_bytes()),
        ["signals", out] => std::fs::write(out, signals()).unwrap(),
        ["environment", out] => {
            let mut text = Vec::new();
            for (name, value) in std::env::vars_os() {
                text.extend([name.as_encoded_bytes(), b"=", value.as_encoded_bytes(), b"\n"].concat());
            }
            std::fs::write(out, text).unwrap();
        }
        ["directory", out] => {
            std::fs::write(out, std::env::current_dir().unwrap().as_os_str().as_encoded_bytes()).unwrap();
        }
        ["arguments", out, ..] => {
            let arguments: Vec<String> = std::env::args().collect();
            std::fs::write(out, arguments.join("\n")).unwrap();
        }
        ["parent-death-signal"] => {
            let mut signal = 0;
            // SAFETY: one number is written.
            unsafe { libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal) };
            return signal;
        }
        // Copies 0 to 1.
        ["cat"] => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).unwrap();
            write_to(1, &bytes);
        }
        // Reads 0 to its end, and makes a file then.
        ["mark-end", path] => {
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            std::fs::write(path, "end").unwrap();
        }
        // Leaves its process group, says so by the end of 1, and ends when its standard input does.
        ["leave-group", status] => {
            // SAFETY: the calls change this process alone.
            unsafe { assert_eq!((libc::setpgid(0, 0), libc::close(1)), (0, 0)) };
            std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            return status.parse().unwrap();
        }
        // Copies tagged bytes of a random graph.
        ["mix", stage, count, links] => crate::graph::mix::mix(stage, count, links),
        ["print", text] => write_to(1, text.as_bytes()),
        ["print-on", fd, text] => write_to(fd.parse().unwrap(), text.as_bytes()),
        ["fuse-server"] => super::fuse::serve(),
        ["close", ref paths @ ..] => close_each_way(paths),
        ["flood", stdout, stderr] => flood(stdout.parse().unwrap(), stderr.parse().unwrap()),
        // Asks its parent to trace it, as a debugger's program does, and ends when its standard input ends.
        ["traced", status] => {
            // SAFETY: only numbers and null pointers are passed.
            unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, std::ptr::null_mut::<u8>(), std::ptr::null_mut::<u8>()) };
            std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new()).unwrap();
            return status.parse().unwrap();
        }
        ["wait"] => loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        },
        ["bomb", count] => crate::cgroup::explode(count.parse().unwrap()),
        ["family"] => super::families::family(),
        ["bomb", depth, kind] => super::families::bomb(depth.parse().unwrap(), kind),
        ["growth", most] => super::families::growth(most.parse().unwrap()),
        ["of-two-users"] => super::families::of_two_users(),
        // Ends its main thread, writes so to a descriptor, and lives on in another thread.
        ["leaderless", fd] => {
            let fd = fd.parse().unwrap();
            std::thread::spawn(move || {
                let ended = || std::fs::read_to_string("/proc/self/stat").unwrap().contains(") Z ");
                while !ended() {
                    std::thread::yield_now();
                }
                write_to(fd, b"ended");
                loop {
                    // SAFETY: waits for a signal.
                    unsafe { libc::pause() };
                }
            });
            // SAFETY: this thread ends, and no code uses anything of it any more.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
        // Locks a file, writes so, and holds the lock until the end of its input.
        ["lock", kind, path] => {
            let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
            let _guard = match kind {
                "Whole" => fdspawn::fd::try_lock(file, fdspawn::fd::Lock::exclusive()).unwrap(),
                _ => fdspawn::fd::try_lock(file, fdspawn::fd::RangeLock::exclusive(..)).unwrap(),
            };
            write_to(1, b"locked\n");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        // Writes whether a file can be locked now.
        ["try-lock", kind, path] => {
            let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
            let locked = match kind {
                "Whole" => fdspawn::fd::try_lock(file, fdspawn::fd::Lock::exclusive()).map(drop),
                _ => fdspawn::fd::try_lock(file, fdspawn::fd::RangeLock::exclusive(..)).map(drop),
            };
            match locked {
                Ok(()) => write_to(1, b"free"),
                Err(fdspawn::fd::TryLockError::Held(_)) => write_to(1, b"held"),
                Err(error) => write_to(1, error.to_string().as_bytes()),
            }
        }
        // Spawns a program again and again. A test counts the system calls.
        ["repeat", what, count, program] => {
            let mut command = fdspawn::Command::new(program);
            command.launcher(fdspawn::Launcher::Clone);
            if what == "pipes" {
                let pipe = fdspawn::Stdio::piped;
                command.stdin(pipe()).stdout(pipe()).stderr(pipe());
            }
            command.pidfd(what != "no-pidfd");
            if what == "group" {
                command.process_group(0);
            }
            for _ in 0..count.parse().unwrap() {
                let status = match what {
                    "status" => command.status(),
                    "timed" => {
                        let timed =
                            command.spawn().and_then(|child| child.wait_timeout(std::time::Duration::from_secs(60)));
                        timed.map(|status| status.expect("the program ends at once"))
                    }
                    _ => command.spawn().and_then(|mut child| child.wait()),
                };
                assert!(status.unwrap().success());
            }
        }
        ["repeat-inheriting", what, count, program] => {
            let mut command = fdspawn::Command::new(program);
            command.rest(fdspawn::Rest::Inherit).pidfd(false);
            for _ in 0..count.parse().unwrap() {
                let status = match what {
                    "status" => command.status(),
                    "spawn" => command.spawn().and_then(|mut child| child.wait()),
                    _ => command.output().map(|output| output.status),
                };
                assert!(status.unwrap().success());
            }
        }
        ["repeat-through-std", what, count, program] => {
            let mut command = fdspawn::process::Command::new(program);
            for _ in 0..count.parse().unwrap() {
                let status = match what {
                    "status" => command.status(),
                    "spawn" => command.spawn().and_then(|mut child| child.wait()),
                    _ => command.output().map(|output| output.status),
                };
                assert!(status.unwrap().success());
            }
        }
        ["pass-odd-entries-on", case] => crate::command::odd_entries::pass_on(case),
        ["pass-own-environment-on", case] => crate::command::own_environment::pass_on(case),
        ["launch-in-each-way", program] => launch_in_each_way(program),
        _ => panic!("no such helper: {args:?}"),
    }
    0
}

pub(super) fn write_to(fd: i32, bytes: &[u8]) {
    use std::os::fd::FromRawFd;
    // SAFETY: the test gave the helper this descriptor, and no other code uses it.
    let mut file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
    file.write_all(bytes).unwrap();
}

/// Closes the first file by `close`, the last by `sync_and_close`, and those between by `close_all`. Prints each error:
/// its number, its errno, and whether the number is free afterwards.
fn close_each_way(paths: &[&str]) {
    // SAFETY: the signal ends a helper that repeats a close for as long as strace interrupts it.
    unsafe { libc::alarm(60) };
    let open = |path: &&str| std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let [first, between @ .., last] = paths else { panic!("too few files") };
    let (first, between, last) = (open(first), between.iter().map(open).collect::<Vec<_>>(), open(last));
    let mut errors: Vec<fdspawn::fd::CloseError> = fdspawn::fd::close(first).err().into_iter().collect();
    errors.extend(fdspawn::fd::close_all(between).err().into_iter().flatten());
    errors.extend(fdspawn::fd::sync_and_close(last).err().and_then(|error| error.close_error()));
    for error in errors {
        // SAFETY: the call only asks about the number.
        let free = unsafe { libc::fcntl(error.number(), libc::F_GETFD) } == -1;
        println!("{} {} {}", error.number(), error.raw_os_error(), if free { "free" } else { "open" });
    }
}

/// Starts a program in each way that the library has. A test watches this from outside.
fn launch_in_each_way(program: &str) {
    use fdspawn::{Command, FdMap, Isolated, Launcher, Rest, Stdio, fork_run};
    let isolated = Isolated::new().unwrap();
    for way in ["plain", "fork", "inherit", "hook", "thread"] {
        let mut command = Command::new(program);
        command.fd(7, Stdio::data("text")).fd(9, Stdio::same_as(1)).current_dir("/");
        match way {
            "fork" => command.launcher(Launcher::Fork),
            "inherit" => command.rest(Rest::Inherit).env("NAME", "VALUE"),
            // SAFETY: the hook does nothing.
            "hook" => unsafe { command.pre_exec(|| Ok(())) },
            "thread" => command.isolated(&isolated),
            _ => &mut command,
        };
        assert!(command.status().unwrap().success());
        assert!(command.output().unwrap().status.success());
        let reader = command.reader(8);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.take(reader).unwrap().read_to_end(&mut Vec::new()).unwrap(), 0);
        assert!(child.wait().unwrap().success());
    }
    Command::new("/no/such/program").spawn().unwrap_err();
    // SAFETY: the function allocates nothing and takes no lock.
    let mut child = unsafe { fork_run(&mut FdMap::new(), || 7) }.unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

/// Writes `stdout` bytes to 1 and `stderr` bytes to 2, a little at a time.
fn flood(stdout: usize, stderr: usize) {
    let mut left = [stdout, stderr];
    while left != [0, 0] {
        for (left, fd) in left.iter_mut().zip([1, 2]) {
            let count = (*left).min(5000);
            write_to(fd, &vec![b'0' + fd as u8; count]);
            *left -= count;
        }
    }
}

/// The signals that are blocked or not at their default, with their dispositions.
fn signals() -> String {
    let mut text = String::new();
    for signal in 1..=64 {
        // SAFETY: all zeros is valid, and the calls only read the state.
        let (blocked, handler) = unsafe {
            let mut mask = 0_u64;
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut mask, 8);
            let mut action = [0_usize; 8];
            libc::syscall(libc::SYS_rt_sigaction, signal, 0, action.as_mut_ptr(), 8);
            (mask >> (signal - 1) & 1 == 1, action[0])
        };
        let disposition = match handler {
            libc::SIG_DFL => "default",
            libc::SIG_IGN => "ignored",
            _ => "handled",
        };
        if blocked || disposition != "default" {
            let blocked = if blocked { " blocked" } else { "" };
            writeln!(text, "{signal} {disposition}{blocked}").unwrap();
        }
    }
    text
}
