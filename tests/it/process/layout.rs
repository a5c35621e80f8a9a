//! The names, the types and their marker traits are those of std.

use std::fmt::Debug;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Compiles if both types pass the check: that of std, and ours.
macro_rules! both {
    ($check:ident: $($name:ident),+) => {$(
        $check::<std::process::$name>();
        $check::<fdspawn::process::$name>();
    )+};
}

fn plain<T: Send + Sync + Unpin + Debug>() {}
fn unwinds<T: UnwindSafe + RefUnwindSafe>() {}
fn lists<T: ExactSizeIterator + Unpin + Debug>() {}

#[test]
fn types_have_the_marker_traits_of_stds_types() {
    both!(plain: Command, Child, Stdio, CommandEnvs);
    both!(unwinds: Child, Stdio, CommandEnvs);
    both!(lists: CommandArgs, CommandEnvs);
}

/// What a program does that stores, returns and passes these types.
mod user {
    use fdspawn::os::unix::process::{CommandExt, ExitStatusExt};
    use fdspawn::process::{self, Child, ChildStdin, Command, ExitStatus, Output, Stdio};
    use std::io;

    pub struct Job {
        pub command: Command,
        pub child: Option<Child>,
    }

    pub fn make(name: &str) -> Command {
        let mut command = Command::new(name);
        command.arg0("zero").args(["a", "b"]).env("A", "1");
        command
    }

    pub fn start(job: &mut Job) -> io::Result<(u32, Option<ChildStdin>)> {
        let child = job.child.insert(job.command.stdin(Stdio::piped()).spawn()?);
        Ok((child.id(), child.stdin.take()))
    }

    pub fn end(job: Job) -> io::Result<Output> {
        job.child.map_or_else(|| Err(io::Error::from(io::ErrorKind::NotFound)), Child::wait_with_output)
    }

    pub fn code(status: ExitStatus) -> i32 {
        status.code().or(status.signal()).unwrap_or_else(|| process::abort())
    }

    pub fn any(choose: bool) -> impl Into<Stdio> {
        if choose { Stdio::null() } else { std::fs::File::open("/dev/null").unwrap().into() }
    }

    /// Explicit types of generic parameters, in std's order.
    pub fn explicit() -> Command {
        let mut command = Command::new::<&str>("true");
        command
            .args::<[&str; 0], &str>([])
            .env::<&str, &str>("A", "1")
            .current_dir::<&str>("/")
            .stdin::<Stdio>(Stdio::null());
        command.envs::<[(&str, &str); 0], &str, &str>([]).env_remove::<&str>("B").arg::<&str>("x");
        command
    }
}

#[test]
fn programs_store_return_and_pass_the_types() {
    let mut job = user::Job { command: user::make("cat"), child: None };
    job.command.stdout(user::any(true));
    let (id, stdin) = user::start(&mut job).unwrap();
    assert!(id > 1 && stdin.is_some());
    drop(stdin);
    assert_eq!(user::code(user::end(job).unwrap().status), 1); // there are no files `a` and `b`
    assert!(user::explicit().stdout(user::any(false)).status().unwrap().success());
}

#[test]
fn std_and_ours_live_in_one_program() {
    use fdspawn::os::unix::process::CommandExt as _;
    use std::os::unix::process::CommandExt as _;
    let mut first = std::process::Command::new("echo")
        .arg0("echo")
        .arg("text")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let input = first.stdout.take().unwrap(); // a pipe of std's child
    let output = fdspawn::process::Command::new("cat").arg0("cat").stdin(input).output().unwrap();
    assert_eq!(
        output,
        std::process::Output { status: first.wait().unwrap(), stdout: b"text\n".into(), stderr: b"".into() }
    );
}
