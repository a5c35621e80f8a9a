//! The rules of std's `pre_exec` and of CPython's `preexec_fn`, as the tests of these two projects check them, by every way in
//! which the library runs a hook. `launch/hooks.rs` has the rules that are the library's own.
//!
//! Open `descriptors` for what hooks do to descriptors, and this file for errors, the process and its signals.

mod descriptors;

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::own_process::WITHOUT_CLONE3;
use crate::support::sources::memory;
use crate::support::{command, helper};
use fdspawn::{Command, Failure, Isolated, Launcher, Stdio};
use std::ffi::CStr;
use std::fs::{File, read_to_string};
use std::io::{self, Read};
use std::os::fd::AsRawFd;

/// How the library launches a command that has a hook, other than `Command::exec`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Chosen,
    Fork,
    Isolated,
}

impl Way {
    /// The ways that this process has. If a filter refuses clone3, glibc starts no thread, and so there is no isolated
    /// thread.
    fn all() -> &'static [Self] {
        let all = &[Self::Chosen, Self::Fork, Self::Isolated];
        if std::env::var_os(WITHOUT_CLONE3).is_some() { &all[..2] } else { all }
    }

    fn launches(self, mut command: Command<'_>) -> Command<'_> {
        static THREAD: std::sync::OnceLock<Isolated> = std::sync::OnceLock::new();
        match self {
            Self::Chosen => {}
            Self::Fork => _ = command.launcher(Launcher::Fork),
            Self::Isolated => _ = command.isolated(THREAD.get_or_init(|| Isolated::new().unwrap())),
        }
        command
    }
}

/// Adds a hook.
fn hook(command: &mut Command<'_>, hook: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the hooks of this file make system calls only.
    unsafe { command.pre_exec(hook) };
}

/// The error of a system call that answers -1.
fn done(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The error of a hook that does not find what its test expects.
fn expect(found: bool) -> io::Result<()> {
    if found { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EXDEV)) }
}

fn write(fd: i32, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the bytes are read.
    expect(unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } == bytes.len() as isize)
}

fn file_of(path: &CStr) -> (u64, u64) {
    // SAFETY: all zeros is a valid stat, which the call writes.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        libc::stat(path.as_ptr(), &raw mut stat);
        (stat.st_dev, stat.st_ino)
    }
}

#[test]
fn every_error_number_of_a_hook_comes_back_from_every_call() {
    for &way in Way::all() {
        for number in 1..134 {
            let mut command = way.launches(command("true"));
            hook(&mut command, move || Err(io::Error::from_raw_os_error(number)));
            let error = match number % 4 {
                0 => command.spawn().unwrap_err(),
                1 => command.status().unwrap_err(),
                2 => command.output().unwrap_err(),
                _ => command.exec(),
            };
            assert!(matches!(error.failure(), Failure::Hook { index: 0, .. }), "{error}, {way:?}");
            assert_eq!(io::Error::from(error).raw_os_error(), Some(number));
        }
    }
}

#[test]
fn hook_runs_once_in_each_spawn_in_the_process_that_the_caller_gets_and_its_state_starts_afresh() {
    for &way in Way::all() {
        let mut command = way.launches(command("true"));
        // The search in PATH tries three paths.
        command.env("PATH", "/no/such:/no/other:/bin:/usr/bin");
        let slot = command.reader(5);
        let mut count = 0_u32;
        hook(&mut command, move || {
            count += 1;
            write(5, &count.to_ne_bytes())?;
            write(5, &std::process::id().to_ne_bytes())
        });
        for _ in 0..3 {
            let mut child = command.spawn().unwrap();
            let mut bytes = Vec::new();
            child.take(slot).unwrap().read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, [1_u32.to_ne_bytes(), child.id().to_ne_bytes()].concat(), "{way:?}");
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn hook_that_fails_is_the_last_one_and_the_command_can_be_spawned_again() {
    for &way in Way::all() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = way.launches(command("true"));
        command.fd(5, writer);
        let gate = memory("");
        hook(&mut command, || write(5, b"1"));
        command.fd(6, &gate);
        // SAFETY: the hook makes system calls only.
        hook(&mut command, || expect(unsafe { libc::lseek(6, 0, libc::SEEK_END) } > 0));
        hook(&mut command, || write(5, b"3"));
        for _ in 0..2 {
            let error = command.spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Hook { index: 1, .. }), "{error}");
        }
        write(gate.as_raw_fd(), b"open").unwrap();
        assert!(command.status().unwrap().success());
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "1113", "{way:?}");
    }
}

own_process! {
    fn what_a_hook_changes_of_the_process_is_what_later_hooks_see_and_the_program_has() {
        let prepared = |way: Way| {
            let mut command = way.launches(command("sh"));
            command.args(["-c", "test \"$(umask; pwd; ulimit -n)\" = \"$(printf '0027\\n/\\n99')\" && cat"]);
            // SAFETY: the hook makes system calls only.
            hook(&mut command, || unsafe {
                libc::umask(0o27);
                done(libc::setsid()).and(done(libc::chdir(c"/".as_ptr())))?;
                let limit = libc::rlimit { rlim_cur: 99, rlim_max: 99 };
                done(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit))
            });
            // SAFETY: as above.
            hook(&mut command, || unsafe {
                let is_leader = libc::getsid(0) == libc::getpid() && libc::getpgid(0) == libc::getpid();
                expect(is_leader && file_of(c".") == file_of(c"/") && libc::umask(0o27) == 0o27)
            });
            command
        };
        for &way in Way::all() {
            let mut child = prepared(way).stdin(Stdio::piped()).spawn().unwrap();
            // SAFETY: the call only asks about a child.
            assert_eq!(unsafe { libc::getsid(child.id().cast_signed()) }, child.id().cast_signed());
            assert!(child.wait().unwrap().success(), "{way:?}");
        }
        assert_eq!(status_of(|| panic!("{}", prepared(Way::Chosen).stdin(Stdio::null()).exec())), 0);
    }
}

#[test]
fn hook_starts_in_the_directory_of_the_command_and_a_relative_program_in_the_one_that_it_changes_to() {
    let root = File::open("/").unwrap();
    for &way in Way::all() {
        for by_path in [true, false] {
            let mut command = way.launches(command("./sh"));
            command.args(["-c", "test . -ef /bin"]);
            match by_path {
                true => command.current_dir("/"),
                false => command.current_dir_fd(&root),
            };
            // SAFETY: the hook makes system calls only.
            hook(&mut command, || unsafe {
                expect(file_of(c".") == file_of(c"/")).and(done(libc::chdir(c"bin".as_ptr())))
            });
            assert!(command.status().unwrap().success(), "{way:?}");
        }
    }
}

own_process! {
    fn hook_finds_the_signals_of_the_program_and_the_program_has_those_that_the_hook_leaves() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("signals");
        extern "C" fn nothing(_: i32) {}
        // SAFETY: the handler does nothing, and the set is written before it is read.
        unsafe {
            libc::signal(libc::SIGHUP, nothing as *const () as usize);
            libc::signal(libc::SIGUSR2, libc::SIG_IGN);
            let mut set = std::mem::zeroed();
            libc::sigaddset(&raw mut set, libc::SIGUSR1);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
        }
        for &way in Way::all() {
            let mut command = way.launches(helper("signals"));
            command.arg(&out);
            // SAFETY: the hook makes system calls only. All zeros is a valid action and a valid set.
            hook(&mut command, || unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                for (signal, expected) in [
                    (libc::SIGHUP, libc::SIG_DFL),
                    (libc::SIGPIPE, libc::SIG_DFL),
                    (libc::SIGUSR2, libc::SIG_IGN),
                ] {
                    libc::sigaction(signal, std::ptr::null(), &raw mut action);
                    expect(action.sa_sigaction == expected)?;
                }
                let mut set = std::mem::zeroed();
                libc::sigprocmask(libc::SIG_SETMASK, std::ptr::null(), &raw mut set);
                expect((1..32).all(|each| libc::sigismember(&raw const set, each) == i32::from(each == libc::SIGUSR1)))?;
                libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                libc::signal(libc::SIGUSR2, libc::SIG_DFL);
                Ok(())
            });
            assert!(command.status().unwrap().success());
            let text = read_to_string(&out).unwrap();
            assert!(text.contains(&format!("{} default blocked\n", libc::SIGUSR1)), "{text}, {way:?}");
            assert!(text.contains(&format!("{} ignored\n", libc::SIGPIPE)), "{text}, {way:?}");
            assert!(!text.contains(&format!("{} ", libc::SIGUSR2)), "{text}, {way:?}");
        }
    }
}

own_process! {
    fn error_of_a_hook_is_kept_if_the_kernel_reaps_children_itself() {
        // SAFETY: the process of this test has no children yet.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for &way in Way::all() {
            for (program, answer) in [("true", Some(libc::EXDEV)), ("/no/such", None), ("true", None)] {
                let mut command = way.launches(command(program));
                hook(&mut command, move || answer.map_or(Ok(()), |number| Err(io::Error::from_raw_os_error(number))));
                let number = command.spawn().err().and_then(|error| error.raw_os_error());
                let expected = answer.or((program != "true").then_some(libc::ENOENT));
                assert_eq!(number, expected, "{program} by {way:?}");
            }
        }
    }
}
