//! Tests in a process of their own: the test binary runs itself for one test.

use super::seccomp::refuse_to_thread;
use super::sources::{hard_limit, set_limit};
use fdspawn::Signal;
use std::io::Write;
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub const VARIABLE: &str = "FDSPAWN_TEST_OWN_PROCESS";

/// Defines a test that runs in a process of its own, in which it may change descriptors and limits at will.
#[macro_export]
macro_rules! own_process {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $crate::support::own_process::run(module_path!(), stringify!($name), || $body);
        }
    };
}

/// Runs the body, if this is the test's own process. Otherwise starts that process.
pub fn run(module: &str, name: &str, body: fn()) {
    let (_, module) = module.split_once("::").expect("a test is in a module");
    let test = format!("{module}::{name}");
    if std::env::var(VARIABLE).is_ok_and(|own| own == test) {
        run_here(body);
    }
    let output = fdspawn::Command::new(super::test_binary())
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, &test)
        // What a shell without job control (INT, QUIT), nohup(1) or perf(1) (USR2) ignores would be ignored by the children of the test, too.
        .signal_default(&[Signal::INT, Signal::QUIT, Signal::HUP, Signal::USR1, Signal::USR2])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    if let Some(reason) = text.lines().find(|line| line.starts_with("skipped: ")) {
        println!("{reason}");
    }
    assert!(output.status.success(), "{}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
}

/// Set to refuse clone3 with EPERM in the body of each such test.
pub const WITHOUT_CLONE3: &str = "FDSPAWN_TEST_WITHOUT_CLONE3";

/// Runs the body. A panic is printed on a duplicate of 2, so that the body may close or replace 2.
fn run_here(body: fn()) -> ! {
    // Another test's thread may have had descriptors open without close-on-exec when it started this process.
    // SAFETY: this process has opened nothing above 2 yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    // Tests use high numbers, and the soft limit is mostly 1024. A hard limit of a billion is more than can be
    // searched.
    let limit = hard_limit().min(20_000);
    set_limit(limit, limit);
    // SAFETY: 2 is open when the process starts. The new number is above those that tests use, if the limit allows
    // that.
    let fd = unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 4000) };
    assert!(fd >= 0);
    std::panic::set_hook(Box::new(move |panic| {
        // SAFETY: the number is this hook's own. If the test has closed it, the write fails.
        let mut file = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(fd) });
        let _ = writeln!(file, "{panic}\n{}", std::backtrace::Backtrace::capture());
    }));
    if std::env::var_os(WITHOUT_CLONE3).is_some() {
        refuse_to_thread(&[libc::SYS_clone3], libc::EPERM);
    }
    super::isolated();
    let result = catch_unwind(AssertUnwindSafe(body));
    // SAFETY: the process ends here, without libtest's report.
    unsafe { libc::_exit(if result.is_ok() { 0 } else { 101 }) }
}

/// Runs a test under strace with these options. It has to pass.
pub fn passes_under_strace(options: &[&str], test: &str) {
    if !super::tools::has("strace") {
        return;
    }
    let mut strace = fdspawn::Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(options).arg(super::test_binary()).args(["--exact", test]);
    strace.env_remove(super::EXHAUSTIVE); // strace takes long enough.
    let output = strace.output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
