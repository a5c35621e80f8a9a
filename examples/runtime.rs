//! The library under a language's runtime: one function with the arguments of CPython's `_posixsubprocess.fork_exec`.
//!
//! A runtime's programs name descriptors by number, and its event loop reaps the children. An error goes up as a pair: the error number,
//! of which the language makes an exception, and the stage, which says whether it is about the program or the working directory.

use fdspawn::{Command, Environment, Error, Launcher, Rest, Signal, Stage, Stdio};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

/// The arguments of `fork_exec`, in its order, and with its names if it has a name for the argument.
struct Arguments<'a> {
    args: &'a [&'a str],
    /// The paths to try, in order.
    executable_list: &'a [&'a str],
    close_fds: bool,
    /// The descriptors that the child gets under their own numbers.
    fds_to_keep: &'a [RawFd],
    cwd: Option<&'a str>,
    /// `None`: this process's environment.
    env: Option<&'a [&'a str]>,
    /// The child's 0, 1 and 2; -1 to inherit.
    streams: [RawFd; 3],
    /// Which of this process's 0 to 2 the runtime has opened for itself. (CPython has no such argument.)
    own_numbers: &'a [RawFd],
    restore_signals: bool,
    start_new_session: bool,
    process_group: Option<i32>,
    gid: Option<u32>,
    extra_groups: Option<&'a [u32]>,
    uid: Option<u32>,
    umask: Option<u32>,
    allow_vfork: bool,
}

/// Starts a program, and gives its process id, or an error number and a stage. The caller reaps the child.
///
/// # Safety
///
/// The owners of the descriptors in `streams` and `fds_to_keep` permit that the child gets them, and do not close them during the call.
/// A number may be closed: the error is then EBADF.
unsafe fn fork_exec(arguments: &Arguments<'_>) -> Result<u32, (i32, Stage)> {
    // SAFETY: the contract is the same.
    unsafe { start(arguments) }.map_err(|error: Error| (error.raw_os_error().unwrap_or_default(), error.stage()))
}

/// # Safety
///
/// As for [`fork_exec`].
unsafe fn start(arguments: &Arguments<'_>) -> Result<u32, Error> {
    let mut command = Command::new(arguments.executable_list.first().unwrap_or(&""));
    command.programs(arguments.executable_list);
    if let [arg0, args @ ..] = arguments.args {
        command.arg0(arg0).args(args);
    }
    if let Some(strings) = arguments.env {
        command.environment(&Environment::from_strings(strings)?);
    }
    if let Some(directory) = arguments.cwd {
        command.current_dir(directory);
    }
    let streams = (0..).zip(arguments.streams).filter(|&(_, number)| number >= 0);
    let kept = arguments.fds_to_keep.iter().filter(|&&number| number > 2).map(|&number| (number, number));
    for (target, number) in streams.chain(kept) {
        // SAFETY: the caller has the right to the number, and a closed one is refused.
        command.fd(target, unsafe { Stdio::borrow_raw(number) });
    }
    command.not_inherited(arguments.own_numbers.iter().copied());
    if !arguments.close_fds {
        command.rest(Rest::Inherit);
    }
    if arguments.restore_signals {
        command.signal_default(&[Signal::PIPE, Signal::XFSZ]); // Python ignores these two.
    } else {
        command.signals_untouched();
    }
    command.setsid(arguments.start_new_session);
    arguments.process_group.map(|group| command.process_group(group));
    arguments.extra_groups.map(|groups| command.groups(groups));
    arguments.gid.map(|gid| command.gid(gid));
    arguments.uid.map(|uid| command.uid(uid));
    arguments.umask.map(|mask| command.umask(mask));
    if !arguments.allow_vfork {
        command.launcher(Launcher::Fork);
    }
    let (pid, _) = command.pidfd(false).spawn()?.into_parts()?;
    Ok(pid)
}

impl<'a> Arguments<'a> {
    /// The defaults of Python's `Popen`, for a program of this path.
    fn new(args: &'a [&'a str], executable_list: &'a [&'a str]) -> Self {
        Self {
            args,
            executable_list,
            close_fds: true,
            fds_to_keep: &[],
            cwd: None,
            env: None,
            streams: [-1; 3],
            own_numbers: &[],
            restore_signals: true,
            start_new_session: false,
            process_group: None,
            gid: None,
            extra_groups: None,
            uid: None,
            umask: None,
            allow_vfork: true,
        }
    }
}

/// Calls `fork_exec`, and prints what the program prints and its status, or the error.
fn show(what: &str, mut arguments: Arguments<'_>) -> std::io::Result<()> {
    let (mut reader, writer) = std::io::pipe()?;
    arguments.streams[1] = writer.as_raw_fd();
    // SAFETY: this process has one thread, and closes none of the numbers during the call.
    let started = unsafe { fork_exec(&arguments) };
    drop(writer);
    match started {
        Err((errno, stage)) => println!("{what:20} ({errno}, \"{stage}\")"),
        Ok(pid) => {
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            let status =
                waitpid(Pid::from_raw(pid.cast_signed()), WaitOptions::empty())?.and_then(|(_, s)| s.exit_status());
            println!("{what:20} {:?}, exit status {}", text.trim_end(), status.unwrap_or(-1));
        }
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let shell = ["/bin/sh"];
    let with = |args, change: fn(&mut Arguments<'_>)| {
        let mut arguments = Arguments::new(args, &shell);
        change(&mut arguments);
        arguments
    };
    show("argv", with(&["-sh", "-c", "echo $0 $1; exit 7", "zeroth", "one"], |_| {}))?;
    show("env", with(&["sh", "-c", "echo $A $B"], |it| it.env = Some(&["A=1", "junk", "B=2"])))?;
    show("cwd, by fork", with(&["sh", "-c", "pwd"], |it| (it.cwd, it.allow_vfork) = (Some("/usr"), false)))?;
    show("no standard stream", with(&["sh", "-c", "cat; echo nothing"], |it| it.own_numbers = &[0]))?;

    let file = std::fs::File::open("/dev/null")?;
    let number = file.as_raw_fd();
    let script = format!("cat <&{number}; echo kept");
    let args = ["sh", "-c", &script];
    show("fds_to_keep", Arguments { fds_to_keep: &[number], ..Arguments::new(&args, &shell) })?;
    drop(file);
    let args = ["sh", "-c", "umask; [ $(cut -d' ' -f5 /proc/$$/stat) = $$ ] && echo leader"];
    show("umask, group", Arguments { umask: Some(0o27), process_group: Some(0), ..Arguments::new(&args, &shell) })?;
    let args = ["sh", "-c", "echo found"];
    show("candidates", Arguments::new(&args, &["/nope/sh", "/bin/sh"]))?;
    show("no such user", Arguments { uid: Some(u32::MAX), ..Arguments::new(&args, &shell) })?;
    show("a closed one", Arguments { fds_to_keep: &[1000], ..Arguments::new(&args, &shell) })?;

    let args = ["true"];
    show("no such program", Arguments::new(&args, &["/nope"]))?;
    show("no such directory", Arguments { cwd: Some("/nope"), ..Arguments::new(&args, &shell) })?;
    show("a NUL inside", Arguments { env: Some(&["A=\0"]), ..Arguments::new(&args, &shell) })
}
