//! The environment of a process with one thread: its children get it without a copy.

use crate::support::helper::MARK;
use crate::support::seccomp::refuse;
use crate::support::{self, LAUNCHERS, test_binary};
use fdspawn::{Command, Environment, Graph, Launcher, Stdio};
use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::level_filters::LevelFilter;
use tracing::span;

/// The environment of the process that passes it on. std takes `=` for no variable, and finds the first `A` only.
const GIVEN: [&str; 6] = ["A=1", "odd", "PATH=/usr/bin:/bin", "=", "A=2", ""];

/// Starts a process with this environment, which has one thread, and does what the case says.
fn passes_on(case: &str) {
    let environment = Environment::from_strings(GIVEN).unwrap();
    let mut command = support::command(test_binary());
    command.args([MARK, "pass-own-environment-on", case]).environment(&environment);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

macro_rules! cases {
    ($($name:ident: $case:ident;)*) => {
        $(
            #[test]
            fn $name() {
                passes_on(stringify!($case));
            }
        )*

        /// What the process does that [`passes_on`] starts.
        pub fn pass_on(case: &str) {
            match case {
                $(stringify!($case) => $case(),)*
                _ => panic!("no such case: {case}"),
            }
        }
    };
}

cases! {
    environment_of_the_only_thread_is_passed_on_as_it_is: plain;
    environment_is_the_one_that_the_only_thread_has_at_the_spawn: changed_between;
    environment_that_has_been_emptied_is_passed_on_empty: emptied;
    environment_is_the_same_before_and_after_a_second_thread: with_a_second_thread;
    subscriber_may_change_the_environment_and_start_a_thread_during_a_spawn: changed_by_a_subscriber;
    owner_of_a_shared_descriptor_may_change_the_environment_and_start_a_thread_during_a_spawn: changed_by_an_owner;
    stages_of_a_graph_have_the_environment_of_its_start: changed_during_the_start_of_a_graph;
    stages_have_it_too_if_none_of_them_needs_a_copy: lines_of_two;
    stages_have_it_too_if_one_has_an_owner_and_no_variables: changed_beside_a_stage_without_variables;
    stages_of_a_tee_have_the_environment_of_its_start: tee;
    stages_have_one_environment_though_a_warning_changes_it_between_their_launches: warned;
    exec_passes_on_the_environment_of_the_only_thread: executed;
}

/// What `env -0` prints, launched in each way.
fn every_way_prints(expected: &[&str]) {
    for launcher in LAUNCHERS {
        let output = Command::new("/usr/bin/env").arg("-0").launcher(launcher).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let strings: Vec<&str> = text.split_terminator('\0').collect();
        assert_eq!(strings, expected, "{launcher:?}");
    }
}

fn plain() {
    every_way_prints(&GIVEN);
}

fn changed_between() {
    every_way_prints(&GIVEN);
    // SAFETY: this process has one thread.
    unsafe {
        std::env::set_var("A", "another value");
        std::env::set_var("PATH", "/no/such/directory");
    }
    let [_, odd, _, equals, second, empty] = GIVEN;
    every_way_prints(&["A=another value", odd, "PATH=/no/such/directory", equals, second, empty]);
    for launcher in LAUNCHERS {
        // The search of the program uses the new value, too.
        let error = Command::new("env").launcher(launcher).status().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}

fn emptied() {
    unsafe extern "C" {
        fn clearenv() -> i32;
    }
    // SAFETY: this process has one thread.
    assert_eq!(unsafe { clearenv() }, 0);
    every_way_prints(&[]);
}

fn with_a_second_thread() {
    every_way_prints(&GIVEN);
    std::thread::spawn(|| every_way_prints(&GIVEN)).join().unwrap();
    every_way_prints(&GIVEN);
}

/// A subscriber that sets variables, and starts a thread, at an event of a spawn.
struct Changing {
    /// Which events it gets.
    level: LevelFilter,
    thread: Arc<AtomicBool>,
}

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

impl tracing::Subscriber for Changing {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        COUNT.set(COUNT.get() + 1);
        for name in 0..100 {
            // SAFETY: no other thread uses the environment. It moves, since it grows.
            unsafe { std::env::set_var(format!("NEW_{name}_{}", COUNT.get()), "value") };
        }
        if self.thread.load(Ordering::Relaxed) {
            std::thread::spawn(|| ()).join().unwrap();
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

fn changed_by_a_subscriber() {
    let thread = Arc::new(AtomicBool::new(false));
    every_way_prints(&GIVEN); // The library has warned of what this kernel does not have.
    tracing::subscriber::with_default(Changing { level: LevelFilter::TRACE, thread: thread.clone() }, || {
        for starts in [false, true] {
            thread.store(starts, Ordering::Relaxed);
            for launcher in LAUNCHERS {
                let before = COUNT.get();
                let output = Command::new("/usr/bin/env").arg("-0").launcher(launcher).output().unwrap();
                assert!(output.status.success() && COUNT.get() > before);
                let text = String::from_utf8(output.stdout).unwrap();
                let strings: Vec<&str> = text.split_terminator('\0').collect();
                assert_eq!(strings[..GIVEN.len()], GIVEN);
                assert!(strings[GIVEN.len()..].iter().all(|string| string.ends_with("=value")), "{strings:?}");
                assert_eq!(
                    strings.len(),
                    GIVEN.len() + 100 * before,
                    "what earlier events have set, and not those of this spawn"
                );
            }
        }
    });
}

/// Owns a descriptor. Each question for its number changes the environment, which moves, since it grows.
struct ChangingOwner {
    file: File,
    thread: bool,
}

impl AsFd for ChangingOwner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        COUNT.set(COUNT.get() + 1);
        let count = COUNT.get();
        // SAFETY: no other thread uses the environment.
        unsafe {
            (0..100).for_each(|name| std::env::set_var(format!("NEW_{name}_{count}"), "value"));
            std::env::set_var("PATH", format!("/usr/bin:/bin:/{count}"));
        }
        if self.thread {
            std::thread::spawn(|| ()).join().unwrap();
        }
        self.file.as_fd()
    }
}

impl ChangingOwner {
    fn new(thread: bool) -> Arc<Self> {
        Arc::new(Self { file: File::open("/dev/null").unwrap(), thread })
    }
}

/// What a child prints that gets the environment as it is now.
fn printed_now() -> Vec<u8> {
    Command::new("/usr/bin/env").arg("-0").output().unwrap().stdout
}

fn changed_by_an_owner() {
    for thread in [false, true] {
        for launcher in LAUNCHERS {
            let mut command = Command::new("env");
            command.arg("-0").launcher(launcher).fd(9, ChangingOwner::new(thread));
            let (expected, before) = (printed_now(), COUNT.get());
            assert!(command.output().unwrap().stdout == expected, "{launcher:?} {thread}");
            assert!(COUNT.get() > before);
        }
    }
}

fn changed_during_the_start_of_a_graph() {
    let mut reader = Command::new("cat");
    reader.fd(9, ChangingOwner::new(false));
    let mut writer = Command::new("env");
    writer.arg("-0");
    let output = Graph::pipeline([writer, reader]).output().unwrap();
    assert!(COUNT.get() > 0);
    let text = String::from_utf8(output.check().unwrap().stdout).unwrap();
    assert_eq!(text.split_terminator('\0').collect::<Vec<_>>(), GIVEN);
}

/// What the first stage of a line prints, which is launched last.
fn printed_by_the_first([mut first, second]: [Command<'_>; 2]) -> String {
    first.arg("-0");
    String::from_utf8(Graph::pipeline([first, second]).output().unwrap().check().unwrap().stdout).unwrap()
}

fn given() -> String {
    GIVEN.map(|string| format!("{string}\0")).concat()
}

fn lines_of_two() {
    for launcher in LAUNCHERS {
        let [env, cat] = ["/usr/bin/env", "/bin/cat"].map(|program| {
            move || {
                let mut command = Command::new(program);
                command.launcher(launcher);
                command
            }
        });
        assert_eq!(printed_by_the_first([env(), cat()]), given());
        let (mut own, mut cleared) = (cat(), cat());
        own.env("OWN", "value");
        assert_eq!(printed_by_the_first([env(), own]), given());
        cleared.env_clear();
        assert_eq!(printed_by_the_first([env(), cleared]), given());
    }
}

fn changed_beside_a_stage_without_variables() {
    let mut cleared = Command::new("/bin/cat");
    cleared.env_clear().fd(9, ChangingOwner::new(false));
    assert_eq!(printed_by_the_first([Command::new("env"), cleared]), given());
    assert!(COUNT.get() > 0);
}

fn warned() {
    let only_warnings = Changing { level: LevelFilter::WARN, thread: Arc::default() };
    tracing::subscriber::set_global_default(only_warnings).unwrap();
    // The library warns when the first clone is refused, which is after the launch of the second stage by fork.
    assert!(refuse(&[libc::SYS_clone3], libc::EPERM));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut graph = Graph::new();
    let stages = [Launcher::Auto, Launcher::Fork].map(|launcher| {
        let mut env = Command::new("/usr/bin/env");
        env.launcher(launcher).stdout(writer.try_clone().unwrap());
        graph.stage(env)
    });
    graph.pipe([stages[0].fd(5)], [stages[1].stdin()]);
    graph.status().unwrap().check().unwrap();
    drop((graph, writer));
    assert!(COUNT.get() > 0, "the library has warned");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!([0, 2].contains(&text.matches("NEW_0_1=value").count()), "{text}");
}

fn tee() {
    let mut graph = Graph::new();
    let [first, one, other] = ["env", "cat", "cat"].map(|program| graph.stage(Command::new(program)));
    graph.command(first).arg("-0");
    graph.tee(first.stdout(), [one.stdin(), other.stdin()]);
    graph.command(other).stdout(Stdio::null());
    let slot = graph.reader([one.stdout()]);
    let mut running = graph.spawn().unwrap();
    let mut text = String::new();
    running.take(slot).unwrap().read_to_string(&mut text).unwrap();
    running.wait().unwrap().check().unwrap();
    assert_eq!(text, given());
}

fn executed() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    // A copy of the process executes the program; it has one thread, too.
    // SAFETY: the copy only executes a program.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        let error = Command::new("env").arg("-0").stdout(writer).exec();
        panic!("{error}");
    }
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text.split_terminator('\0').collect::<Vec<_>>(), GIVEN);
    let mut status = 0;
    // SAFETY: the kernel writes one number.
    assert_eq!(unsafe { libc::waitpid(copy, &raw mut status, 0) }, copy);
    assert_eq!(status, 0);
}
