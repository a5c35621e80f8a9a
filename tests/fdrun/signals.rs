//! Signals: which ones `fdrun` passes on to its program, how it ends, and that nothing is left behind.

use super::{LAUNCHERS, exhaustive, fdrun};
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The signals that fdrun passes on, with their names in a shell.
pub const PASSED_ON: [(&str, i32); 4] =
    [("HUP", libc::SIGHUP), ("INT", libc::SIGINT), ("QUIT", libc::SIGQUIT), ("TERM", libc::SIGTERM)];

/// A script that waits for signals until the end of its input. Its traps run at once.
pub const WAIT: &str = "exec 3<&0; cat <&3 & until wait $!; do :; done";

/// A started program that uses pipes for input and output.
pub struct Started {
    pub process: Child,
    /// Keeps the input open. Its end ends all that the program has started.
    pub input: Option<PipeWriter>,
    output: BufReader<ChildStdout>,
}

/// Starts a program. Its own process group has no terminal.
pub fn start(command: &mut Command) -> Started {
    let (reader, input) = io::pipe().unwrap();
    let mut process = command.stdin(reader).stdout(Stdio::piped()).process_group(0).spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    Started { process, input: Some(input), output }
}

/// Starts fdrun with a shell script as its program, and waits until the script has written `ready` and its pid.
pub fn start_script(options: &str, script: &str) -> (Started, i32) {
    let mut command = Command::new(fdrun());
    command.args(options.split_whitespace()).args(["--", "sh", "-c", script]).stderr(Stdio::null());
    let mut started = start(&mut command);
    let program = started.line().strip_prefix("ready ").expect("ready").parse().unwrap();
    (started, program)
}

impl Started {
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: only numbers are passed, and the process is not reaped yet.
        assert_eq!(unsafe { libc::kill(self.process.id().cast_signed(), signal) }, 0);
    }

    /// Waits for the end of the process.
    pub fn end(&mut self) -> ExitStatus {
        let pid = self.process.id().cast_signed();
        // SAFETY: the process is not reaped yet, and a new descriptor belongs to this function alone.
        let pidfd = unsafe { OwnedFd::from_raw_fd(libc::syscall(libc::SYS_pidfd_open, pid, 0).try_into().unwrap()) };
        let mut ended = libc::pollfd { fd: pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the call writes to one value of its type.
        if unsafe { libc::poll(&raw mut ended, 1, 30_000) } != 1 {
            self.process.kill().unwrap();
            panic!("fdrun does not end");
        }
        self.process.wait().unwrap()
    }

    /// Waits until the pipe of the output has no free page any more. Returns how many bytes it contains.
    pub fn wait_until_full(&self) -> usize {
        let pipe = self.output.get_ref().as_raw_fd();
        // SAFETY: the descriptor is open.
        let size = unsafe { libc::fcntl(pipe, libc::F_GETPIPE_SZ) };
        let mut length: i32 = 0;
        // The last page may have a single short line, and the others may lack one.
        while length + 4096 + 100 < size {
            // SAFETY: the descriptor is open, and the call writes one number.
            assert_eq!(unsafe { libc::ioctl(pipe, libc::FIONREAD, &raw mut length) }, 0);
            std::thread::yield_now();
        }
        length as usize
    }

    /// Reads the output until no process has it open for writing any more.
    pub fn rest(&mut self) -> String {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        text
    }
}

/// Whether there is no process of this pid, not even a zombie.
pub fn is_gone(pid: i32) -> bool {
    // SAFETY: no signal is sent.
    let result = unsafe { libc::kill(pid, 0) };
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[test]
fn signals_are_passed_on_and_the_status_is_the_programs() {
    for launcher in LAUNCHERS {
        for (name, signal) in PASSED_ON {
            let script = format!("trap 'echo got {name}; exit 7' {name}; echo ready $$; {WAIT}");
            let (mut started, program) = start_script(&format!("--launcher {launcher}"), &script);
            started.signal(signal);
            assert_eq!(started.line(), format!("got {name}"), "{launcher}");
            assert_eq!(started.end().code(), Some(7), "{launcher}, {name}");
            assert!(is_gone(program), "{launcher}, {name}");
        }
    }
}

#[test]
fn a_signal_that_the_program_survives_ends_neither() {
    for launcher in LAUNCHERS {
        let script = format!("trap 'echo got HUP' HUP; echo ready $$; {WAIT}");
        let (mut started, _) = start_script(&format!("--launcher {launcher}"), &script);
        for _ in 0..3 {
            started.signal(libc::SIGHUP);
            assert_eq!(started.line(), "got HUP", "{launcher}");
        }
        started.input.take();
        assert_eq!(started.end().code(), Some(0), "{launcher}");
    }
}

#[test]
fn fdrun_ends_by_the_signal_that_was_passed_on_and_has_killed_the_program() {
    for launcher in LAUNCHERS {
        for (name, signal) in PASSED_ON {
            let (mut started, program) = start_script(&format!("--launcher {launcher}"), "echo ready $$; exec cat");
            started.signal(signal);
            assert_eq!(started.end().signal(), Some(signal), "{launcher}, {name}");
            assert!(is_gone(program), "{launcher}, {name}");
        }
    }
}

#[test]
fn fdrun_ends_by_any_signal_that_has_killed_the_program_but_dumps_no_core() {
    let directory = tempfile::tempdir().unwrap();
    for launcher in LAUNCHERS {
        for signal in [libc::SIGKILL, libc::SIGSEGV, libc::SIGQUIT, libc::SIGPIPE, libc::SIGALRM, libc::SIGUSR1] {
            // A limit above the hard limit cannot be set. Then there are no dumps at all.
            let script = format!(
                "ulimit -c unlimited 2>/dev/null; exec \"$0\" --launcher {launcher} -- sh -c 'kill -{signal} $$'"
            );
            let mut shell = Command::new("sh");
            let status = shell.arg("-c").arg(script).arg(fdrun()).current_dir(directory.path()).status().unwrap();
            assert_eq!((status.signal(), status.core_dumped()), (Some(signal), false), "{launcher}");
        }
    }
}

#[test]
fn ignored_signals_stay_ignored_in_fdrun_and_in_the_program() {
    for launcher in LAUNCHERS {
        let program = "echo ready $$; grep SigIgn /proc/self/status; exec cat";
        let script = format!("trap '' HUP QUIT; exec \"$0\" --launcher {launcher} -- sh -c '{program}' 2>&1");
        let mut started = start(Command::new("sh").arg("-c").arg(script).arg(fdrun()));
        assert!(started.line().starts_with("ready "));
        let ignored = started.line().split_whitespace().last().and_then(|set| u64::from_str_radix(set, 16).ok());
        let is_ignored = |signal: i32| ignored.expect("a set") >> (signal - 1) & 1 == 1;
        assert_eq!(PASSED_ON.map(|(_, signal)| is_ignored(signal)), [true, false, true, false], "{launcher}");
        started.signal(libc::SIGHUP);
        started.signal(libc::SIGQUIT);
        started.input.take();
        assert_eq!(started.end().code(), Some(0), "{launcher}");
    }
}

#[test]
fn the_program_has_the_mask_of_the_caller_and_no_handled_or_ignored_signal() {
    for launcher in LAUNCHERS {
        let mut command = Command::new(fdrun());
        command.args(["--launcher", launcher, "--", "cat", "/proc/self/status"]);
        // SAFETY: the calls are async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                let mut mask = std::mem::zeroed();
                libc::sigemptyset(&raw mut mask);
                // fdrun needs SIGCHLD, and has to leave the program the mask all the same.
                libc::sigaddset(&raw mut mask, libc::SIGCHLD);
                libc::sigaddset(&raw mut mask, libc::SIGUSR1);
                libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
                libc::signal(libc::SIGCHLD, libc::SIG_IGN);
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                Ok(())
            });
        }
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let set = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
            u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap()
        };
        let bit = |signal: i32| 1_u64 << (signal - 1);
        assert_eq!(set("SigBlk"), bit(libc::SIGCHLD) | bit(libc::SIGUSR1), "{launcher}");
        let own = PASSED_ON.map(|(_, signal)| bit(signal)).iter().fold(bit(libc::SIGCHLD), |all, bit| all | bit);
        assert_eq!((set("SigCgt"), set("SigIgn") & own), (0, 0), "{launcher}");
    }
}

#[test]
fn a_signal_at_any_time_from_the_start_on_ends_all() {
    const STEP: Duration = Duration::from_micros(25);
    for launcher in LAUNCHERS {
        // Every step is tried in the exhaustive run, and every third one in the plain run.
        for step in (0..160).step_by(if exhaustive() { 1 } else { 3 }) {
            let mut command = Command::new(fdrun());
            command.args(["--launcher", launcher, "--", "cat"]);
            let mut started = start(&mut command);
            let start = Instant::now();
            while start.elapsed() < STEP * step {
                std::hint::spin_loop();
            }
            started.signal(libc::SIGTERM);
            assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{launcher}, step {step}");
            assert_eq!(started.rest(), "", "`cat` would have the output open");
        }
    }
}

#[test]
fn nothing_is_left_behind_under_timeout() {
    let ways: [&[&str]; 4] = [&[], &["-s", "INT"], &["--foreground"], &["--foreground", "-s", "HUP"]];
    let started = ways.map(|options| {
        let mut command = Command::new("timeout");
        command.args(options).arg("1").arg(fdrun()).args(["--pipe-from", "5", "--", "sh", "-c", "echo $$; exec cat"]);
        (options, start(&mut command))
    });
    for (options, mut started) in started {
        let program = started.line().parse().unwrap();
        assert_eq!(started.end().code(), Some(124), "{options:?}");
        assert!(is_gone(program), "{options:?}");
        assert_eq!(started.rest(), "", "{options:?}: a process that is left would have the output open");
    }
}

/// A script whose `cat` has the pipe at 5 open even after the end of the script. It ends when the test closes the input.
const CAT_HAS_THE_PIPE: &str = "exec 3<&0; cat <&3 >&5 & echo early >&5; echo ready $$; exec 3<&-; ";

#[test]
fn fdrun_ends_if_a_process_of_the_killed_program_has_its_pipe() {
    for launcher in LAUNCHERS {
        let mut command = Command::new(fdrun());
        let script = format!("{CAT_HAS_THE_PIPE} wait");
        command.args(["--launcher", launcher, "--pipe-from", "5", "--", "sh", "-c", &script]).stderr(Stdio::piped());
        let mut started = start(&mut command);
        assert!(started.line().starts_with("ready "));
        started.signal(libc::SIGTERM);
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{launcher}");
        let mut lines = BufReader::new(started.process.stderr.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "5: early\n", "{launcher}");
    }
}

#[test]
fn a_signal_ends_fdrun_that_only_reads_a_pipe_any_more() {
    for launcher in LAUNCHERS {
        let options = format!("--launcher {launcher} --pipe-from 5");
        let (mut started, program) = start_script(&options, &format!("{CAT_HAS_THE_PIPE} exit 3"));
        while !is_gone(program) {
            std::thread::yield_now();
        }
        started.signal(libc::SIGTERM);
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{launcher}");
    }
}

#[test]
fn a_signal_ends_fdrun_that_waits_for_a_file_or_for_its_input() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo").into_os_string().into_string().unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let of_the_file = ["read", "write", "data-from"].map(|kind| format!("--fd=5={kind}:{fifo}"));
    for source in of_the_file.into_iter().chain(["--fd=5=data-from:-".to_owned()]) {
        let mut started = start(Command::new(fdrun()).args([&source, "--", "echo", "ran"]));
        let stat = format!("/proc/{}/stat", started.process.id());
        while !std::fs::read_to_string(&stat).unwrap().contains("(fdrun) S ") {
            std::thread::yield_now();
        }
        started.signal(libc::SIGTERM);
        assert_eq!(started.end().signal(), Some(libc::SIGTERM), "{source}");
        assert_eq!(started.rest(), "", "{source}");
    }
}

/// A terminal: the master's side, and the side that programs use.
pub fn terminal() -> (File, OwnedFd) {
    // SAFETY: the calls make and use a descriptor of this function, and write a name into the buffer.
    unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(master >= 0);
        let master = File::from_raw_fd(master);
        let number = master.as_raw_fd();
        let mut name = [0; 128];
        assert_eq!(libc::grantpt(number), 0);
        assert_eq!(libc::unlockpt(number), 0);
        assert_eq!(libc::ptsname_r(number, name.as_mut_ptr(), name.len()), 0);
        let slave = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(slave >= 0);
        (master, OwnedFd::from_raw_fd(slave))
    }
}

/// Starts fdrun as the leader of a session on a new terminal, which is its standard input. The program gets the test's pipe at
/// 3. Returns the terminal, too.
pub fn start_on_terminal(options: &[&str], program: &[&str]) -> (Started, File) {
    let (master, slave) = terminal();
    let (reader, input) = io::pipe().unwrap();
    let number = reader.as_raw_fd();
    let mut command = Command::new(fdrun());
    command.args(options).args(["--fd", &format!("3=parent:{number}"), "--"]).args(program);
    command.stdin(slave).stdout(Stdio::piped());
    // SAFETY: the calls are async-signal-safe, and the pipe is open until the spawn.
    unsafe {
        command.pre_exec(move || {
            let is_leader = libc::setsid() != -1 && libc::ioctl(0, libc::TIOCSCTTY, 0) != -1;
            if !is_leader || libc::fcntl(number, libc::F_SETFD, 0) == -1 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut process = command.spawn().unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    (Started { process, input: Some(input), output }, master)
}

/// A script that counts its SIGINT, and writes the count at each signal. SIGHUP, SIGTERM or the end of its pipe ends it.
pub const COUNT: &str = "n=0; trap 'n=$((n+1)); echo INT $n' INT; trap 'echo HUP $n; exit 5' HUP
    trap 'echo TERM $n; exit 6' TERM; echo ready; cat <&3 & until wait $!; do :; done";

#[test]
fn a_signal_from_the_terminal_reaches_the_program_once() {
    for launcher in LAUNCHERS {
        let (mut started, mut terminal) = start_on_terminal(&["--launcher", launcher], &["sh", "-c", COUNT]);
        assert_eq!(started.line(), "ready");
        for count in 1..=10 {
            terminal.write_all(b"\x03").unwrap();
            assert_eq!(started.line(), format!("INT {count}"), "{launcher}");
        }
        // fdrun passes signals on in their order, so a second SIGINT would have come first.
        started.signal(libc::SIGTERM);
        assert_eq!(started.line(), "TERM 10", "{launcher}");
        assert_eq!(started.end().code(), Some(6), "{launcher}");
    }
}

#[test]
fn a_signal_from_the_terminal_is_passed_on_to_a_program_in_a_session_of_its_own() {
    for launcher in LAUNCHERS {
        let (mut started, mut terminal) = start_on_terminal(&["--launcher", launcher], &["setsid", "sh", "-c", COUNT]);
        assert_eq!(started.line(), "ready");
        terminal.write_all(b"\x03").unwrap();
        assert_eq!(started.line(), "INT 1", "{launcher}");
        started.signal(libc::SIGTERM);
        assert_eq!(started.line(), "TERM 1", "{launcher}");
        assert_eq!(started.end().code(), Some(6), "{launcher}");
    }
}

#[test]
fn the_end_of_the_terminal_reaches_the_program_if_only_fdrun_is_told() {
    for launcher in LAUNCHERS {
        let (mut started, terminal) = start_on_terminal(&["--launcher", launcher], &["sh", "-c", COUNT]);
        assert_eq!(started.line(), "ready");
        drop(terminal);
        assert_eq!(started.line(), "HUP 0", "{launcher}");
        assert_eq!(started.end().code(), Some(5), "{launcher}");
    }
}
