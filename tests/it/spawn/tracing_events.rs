//! Spans and events: what a subscriber gets, and what it must not get.

use crate::own_process;
use crate::support;
use crate::support::LAUNCHERS;
use crate::support::seccomp::refuse;
use crate::support::sources::memory;
use fdspawn::{Command, Failure, Features, Group, Isolated, Launcher, Stdio};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log of what happens while `body` runs.
pub fn logged(body: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, body);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn span_names_program_pid_and_launcher_and_events_show_plan_and_steps() {
    for launcher in LAUNCHERS {
        let mut id = 0;
        let text = logged(|| {
            let mut child = support::command("true").launcher(launcher).spawn().unwrap();
            id = child.id();
            child.wait().unwrap();
        });
        let span = format!("spawn{{program=\"true\" pid={id} launcher={launcher:?}}}");
        assert!(text.contains(&span), "{text}");
        assert!(text.contains("descriptor target=Some(0) source=Some(0) origin=inherited"), "{text}");
        assert!(text.contains("exec the program"), "{text}");
    }
}

own_process! {
    fn steps_of_a_launch_are_those_that_were_explained() {
        let isolated = Isolated::new().unwrap();
        // The sources are more than one message can send, and more than fit below the number of the thread's socket.
        let sources: Vec<_> = (0..300).map(|_| memory("source")).collect();
        let root = std::fs::File::open("/").unwrap();
        // The first spawn finds out what the library can do on this system.
        assert!(Command::new("true").launcher(Launcher::Clone).status().unwrap().success());
        for isolated in [None, Some(&isolated)] {
            for launcher in LAUNCHERS {
                for (count, hook, path) in [(0, false, true), (4, false, false), (4, true, false), (300, true, true)] {
                    if hook && launcher == Launcher::Clone {
                        continue;
                    }
                    let mut command = Command::new("true");
                    command.launcher(launcher).stdin(Stdio::piped()).stderr(Stdio::null()).fd(7, Stdio::same_as(1));
                    let _ = (command.reader(9), command.socket(10));
                    for (target, source) in (20..).step_by(2).zip(&sources[..count]) {
                        command.fd(target, source);
                    }
                    if hook {
                        // SAFETY: the hook does nothing.
                        unsafe { command.pre_exec(|| Ok(())) };
                    }
                    if path {
                        command.current_dir("/")
                    } else {
                        command.current_dir_fd(&root)
                    };
                    isolated.map(|isolated| command.isolated(isolated));
                    let explained = command.explain().to_string();
                    let (_, steps) = explained.split_once("steps in the child").unwrap();
                    let explained: Vec<&str> = steps.lines().skip(1).map(|line| &line[10..]).collect();
                    let text = logged(|| assert!(command.spawn().unwrap().wait().unwrap().success()));
                    let steps = text.lines().filter_map(|line| line.split_once(" step index=")?.1.split_once(" step="));
                    let launched: Vec<&str> = steps.map(|(_, step)| step).collect();
                    assert!(launched.len() > 5, "{text}");
                    assert_eq!(launched, explained, "{text}");
                }
            }
        }
    }
}

#[test]
fn arguments_and_environment_are_never_logged() {
    for launcher in LAUNCHERS {
        let text = logged(|| {
            let mut command = support::command("true");
            command.launcher(launcher).arg("s3cret").env("TOKEN", "s3cret").stdin(fdspawn::Stdio::data("s3cret"));
            assert!(command.status().unwrap().success());
            command.current_dir("/nope").arg("\0").spawn().unwrap_err();
        });
        assert!(text.contains("spawn"), "{text}");
        assert!(!text.contains("s3cret") && !text.contains("TOKEN"), "{text}");
    }
}

own_process! {
    fn missing_feature_is_warned_of_once() {
        if !refuse(&[libc::SYS_clone3], libc::ENOSYS) {
            return;
        }
        let text = logged(|| {
            for _ in 0..3 {
                assert!(support::command("true").launcher(Launcher::Clone).status().unwrap().success());
            }
        });
        let warnings: Vec<&str> =
            text.lines().filter(|line| line.contains("WARN") && !line.contains("private table")).collect();
        assert_eq!(warnings.len(), 1, "{text}");
        assert!(warnings[0].contains("clone3 is refused"), "{text}");
    }
}

own_process! {
    fn features_that_a_test_takes_away_are_not_warned_of() {
        let text = logged(|| {
            assert!(support::command("true").missing(Features::CLONE3).status().unwrap().success());
        });
        assert!(!text.contains("clone3 is refused"), "{text}");
    }
}

/// A log that runs a function at each write.
struct ByProgram(fn());

impl Write for ByProgram {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        (self.0)();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

own_process! {
    fn subscriber_that_spawns_does_not_block_the_spawn_that_it_observes() {
        static ISOLATED: LazyLock<Isolated> = LazyLock::new(|| Isolated::new().unwrap());
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        fn plain() {
            HEARD.fetch_add(1, Ordering::Relaxed);
            assert!(support::command("true").status().unwrap().success());
        }
        fn isolated() {
            HEARD.fetch_add(1, Ordering::Relaxed);
            assert!(support::command("true").isolated(&ISOLATED).status().unwrap().success());
        }
        // SAFETY: the signal ends this process, should it wait for itself.
        unsafe { libc::alarm(60) };
        for spawn in [plain, isolated] {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::DEBUG)
                .with_writer(move || ByProgram(spawn))
                .finish();
            let before = HEARD.load(Ordering::Relaxed);
            tracing::subscriber::with_default(subscriber, || {
                assert!(support::command("true").isolated(&ISOLATED).status().unwrap().success());
                assert!(support::command("true").status().unwrap().success());
            });
            // `tracing` decides how many events there are: it drops one that it meets first while it handles another.
            assert!(HEARD.load(Ordering::Relaxed) > before);
        }
    }
}

own_process! {
    fn subscriber_that_spawns_in_its_filter_does_not_block_the_spawn_either() {
        static ISOLATED: LazyLock<Isolated> = LazyLock::new(|| Isolated::new().unwrap());
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        // SAFETY: the signal ends this process, should it wait for itself.
        unsafe { libc::alarm(60) };
        // `tracing` asks the filter once about each event. So this spawn introduces the events before the filter is
        // there.
        logged(|| assert!(support::command("true").isolated(&ISOLATED).status().unwrap().success()));
        let filter = tracing_subscriber::filter::dynamic_filter_fn(|metadata, _| {
            // A spawn inside another spawn's event sends no events, so this recursion ends.
            if metadata.target().starts_with("fdspawn") {
                ASKED.fetch_add(1, Ordering::Relaxed);
                assert!(support::command("true").isolated(&ISOLATED).status().unwrap().success());
            }
            true
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter), || {
            assert!(support::command("true").status().unwrap().success());
            assert!(support::command("true").isolated(&ISOLATED).status().unwrap().success());
            assert!(support::command("true").isolated(&ISOLATED).explain().error().is_none());
        });
        assert!(ASKED.load(Ordering::Relaxed) > 0);
    }
}

/// A subscriber that starts a child in a group when it gets an event, and counts the answers.
struct Joins(Arc<Group>, Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Joins {
    fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if self.0.id().is_none() {
            let error = Command::new("true").group(&self.0).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::GroupIsLaunching), "{error:?}");
            assert_eq!(error.raw_os_error(), Some(libc::EDEADLK));
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

own_process! {
    fn subscriber_that_uses_the_group_whose_first_child_is_launched_gets_an_answer() {
        // SAFETY: the signal ends a process that waits for itself.
        unsafe { libc::alarm(60) };
        for launcher in LAUNCHERS {
            let (group, count) = (Arc::new(Group::new()), Arc::new(AtomicUsize::new(0)));
            let subscriber = tracing_subscriber::registry().with(Joins(Arc::clone(&group), Arc::clone(&count)));
            tracing::subscriber::with_default(subscriber, || {
                let mut leader = Command::new("true").launcher(launcher).group(&group).spawn().unwrap();
                assert!(leader.wait().unwrap().success());
            });
            assert!(count.load(Ordering::Relaxed) > 0, "{launcher:?}");
        }
    }
}
