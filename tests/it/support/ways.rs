//! All ways in which a command becomes a program: by each launcher, from this thread or from an isolated one, and by
//! `exec`.

use super::forked::status_of;
use super::{helper, state::State};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Error, Failure, Isolated, Launcher, Stdio};
use std::io::{Read, pipe};
use std::sync::Mutex;

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Spawn(Launcher),
    Isolated(Launcher),
    Exec,
}

pub const WAYS: [Way; 5] = [
    Way::Spawn(Launcher::Clone),
    Way::Spawn(Launcher::Fork),
    Way::Isolated(Launcher::Clone),
    Way::Isolated(Launcher::Fork),
    Way::Exec,
];

impl Way {
    /// Sets the launcher of a command.
    pub fn choose(self, command: &mut Command<'_>) {
        match self {
            Self::Spawn(launcher) => command.launcher(launcher),
            Self::Isolated(launcher) => command.launcher(launcher).isolated(isolated()),
            Self::Exec => command,
        };
    }
}

/// The isolated thread of this process, which lives as long as the process. A forked copy gets its own.
pub fn isolated() -> &'static Isolated {
    static THREAD: Mutex<Option<(u32, &'static Isolated)>> = Mutex::new(None);
    let mut thread = THREAD.lock().unwrap();
    match *thread {
        Some((process, isolated)) if process == std::process::id() => isolated,
        _ => {
            let isolated: &Isolated = Box::leak(Box::new(Isolated::new().unwrap()));
            *thread = Some((std::process::id(), isolated));
            isolated
        }
    }
}

/// The ways that take hooks.
pub const WAYS_WITH_HOOKS: [Way; 3] = [Way::Spawn(Launcher::Fork), Way::Isolated(Launcher::Fork), Way::Exec];

/// Runs `command` in this way, and returns what it writes to its standard output. It has to exit with status 0. An
/// error of `exec` is a
/// text.
///
/// The test has a process of its own, since `exec` is called in a forked copy.
pub fn output(way: Way, mut command: Command<'_>) -> Result<String, String> {
    let (mut reader, writer) = pipe().unwrap();
    command.stdout(writer);
    let status = match way {
        Way::Exec => {
            let (mut errors, mut error_writer) = pipe().unwrap();
            let status = status_of(|| {
                let error = command.exec();
                std::io::Write::write_all(&mut error_writer, error.to_string().as_bytes()).unwrap();
            });
            drop(error_writer);
            let mut error = String::new();
            errors.read_to_string(&mut error).unwrap();
            if !error.is_empty() {
                return Err(without_program(&error));
            }
            status
        }
        Way::Spawn(launcher) | Way::Isolated(launcher) => {
            way.choose(&mut command);
            let mut child = command.spawn().map_err(|error| without_program(&error.to_string()))?;
            assert_eq!(child.launched_by(), launcher);
            child.wait().unwrap().code().expect("the program exits")
        }
    };
    drop(command);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(status, 0, "{way:?}: {text}");
    Ok(text)
}

/// The helper that tells its state. `exec` starts it as the process that the test forks.
pub fn teller<'fd>() -> Command<'fd> {
    let mut command = Command::new(super::test_binary());
    command.args([helper::MARK, "state"]).env(helper::PLANNED, "0 1 2");
    command
}

/// The state of a program, which tells it.
pub fn state(way: Way, command: Command<'_>) -> State {
    output(way, command).unwrap_or_else(|error| panic!("{way:?}: {error}")).parse().unwrap()
}

/// The text of an error after the name of the program.
pub fn without_program(text: &str) -> String {
    let (_, text) = text.split_once("`: ").expect("an error names its program");
    text.to_owned()
}

/// The error of a command in this way. `exec` is called in this process.
pub fn error(way: Way, command: &mut Command<'_>) -> Error {
    way.choose(command);
    match way {
        Way::Exec => command.exec(),
        Way::Spawn(_) | Way::Isolated(_) => match command.spawn() {
            Ok(mut child) => panic!("{way:?}: {}", child.wait().unwrap()),
            Err(error) => error,
        },
    }
}

/// An attribute, and what it does.
pub struct Attribute<'a> {
    pub set: &'a dyn Fn(&mut Command<'_>),
    /// The line of `explain`, or nothing if there is none.
    pub step: &'a str,
    /// What is different in the program.
    pub changes: &'a [(&'a str, &'a str)],
}

impl Attribute<'_> {
    /// The program has the attribute and nothing else, this process does not change, and `explain` has its line.
    pub fn check(&self) {
        for way in WAYS {
            isolated();
            let before = super::state::own();
            let mut command = teller();
            (self.set)(&mut command);
            let explanation = command.explain().to_string();
            if !self.step.is_empty() {
                let steps = explanation.lines().filter(|line| line.ends_with(&format!("  {}", self.step))).count();
                assert_eq!(steps, 1, "{explanation}");
            }
            let found = state(way, command);
            let group = found.get("process").to_owned();
            let changes: Vec<(&str, &str)> =
                self.changes.iter().map(|&(name, value)| (name, if value == "own" { &group } else { value })).collect();
            assert_eq!(found.without_ids(), before.0.clone().of_a_program().with(&changes), "{way:?}");
            assert_eq!(super::state::own(), before, "{way:?}");
        }
    }

    /// In a copy of this process, in which `refuse` makes the kernel refuse the call: the error names the step, and
    /// nothing is left.
    pub fn check_error(&self, refuse: impl Fn() -> bool, text: &str) {
        for way in WAYS {
            let status = status_of(|| {
                if !refuse() {
                    return;
                }
                isolated();
                let before = super::state::own();
                let mut command = teller();
                (self.set)(&mut command);
                let error = error(way, &mut command);
                drop(command);
                assert_eq!(without_program(&error.to_string()), text, "{way:?}: {error:?}");
                assert_eq!(super::state::own(), before, "{way:?}");
            });
            assert_eq!(status, 0, "{way:?}");
        }
    }
}

/// The command is refused in each way, with this text and EINVAL, before a child is made. Nothing is left open.
pub fn refused(set: impl Fn(&mut Command<'_>), refusal: Refusal, text: &str) {
    for way in WAYS {
        isolated();
        let before = super::state::own();
        let mut command = teller();
        set(&mut command);
        let error = error(way, &mut command);
        drop(command);
        assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{way:?}: {error:?}");
        assert_eq!(without_program(&error.to_string()), text);
        assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EINVAL), std::io::ErrorKind::InvalidInput));
        let mut command = teller();
        set(&mut command);
        assert_eq!(without_program(&command.explain().to_string()), text);
        drop(command);
        assert_eq!(super::state::own(), before, "{way:?}");
    }
    // The kernel makes no process and no pipe here, and still the answer is the refusal.
    let status = status_of(|| {
        let calls = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_pipe2];
        if super::seccomp::refuse(&calls, libc::EPERM) {
            let mut command = teller();
            set(command.stdout(Stdio::piped()));
            assert!(matches!(command.launcher(Launcher::Fork).spawn().unwrap_err().failure(), Failure::Refused(_)));
        }
    });
    assert_eq!(status, 0);
}
