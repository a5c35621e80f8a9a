//! Helpers that start processes of their own, for the tests that end them all.

use super::helper::write_to;

/// Forks. The new process runs `body` and ends. Returns its number.
fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: the helper has one thread.
    match unsafe { libc::fork() } {
        0 => {
            body();
            // SAFETY: the process ends here.
            unsafe { libc::_exit(0) }
        }
        pid => {
            assert!(pid > 0, "{}", std::io::Error::last_os_error());
            pid
        }
    }
}

/// Waits for a signal, and for the next one if a handler has returned.
pub fn pause() -> ! {
    loop {
        // SAFETY: waits for a signal.
        unsafe { libc::pause() };
    }
}

fn ignore(signal: i32) {
    // SAFETY: only numbers are passed.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// The kinds of relatives that [`family`] starts.
pub const RELATIVES: [&str; 9] =
    ["plain", "grandchild", "group", "session", "orphan", "deaf", "stopped", "user", "orphan-in-group"];

/// Starts one process of each kind. Each writes its kind and its number, and waits.
pub fn family() {
    let wait = |kind: &str| {
        write_to(1, format!("{kind} {}\n", std::process::id()).as_bytes());
        pause()
    };
    fork(|| wait("plain"));
    fork(|| {
        fork(|| wait("grandchild"));
        pause();
    });
    fork(|| {
        // SAFETY: only numbers are passed.
        unsafe { libc::setpgid(0, 0) };
        wait("group");
    });
    fork(|| {
        // SAFETY: only numbers are passed.
        unsafe { libc::setsid() };
        wait("session");
    });
    for kind in ["orphan", "orphan-in-group"] {
        let parent = fork(|| {
            fork(|| {
                if kind == "orphan-in-group" {
                    // SAFETY: only numbers are passed.
                    unsafe { libc::setpgid(0, 0) };
                }
                wait(kind)
            });
        });
        // SAFETY: a null pointer asks for no status.
        unsafe { libc::waitpid(parent, std::ptr::null_mut(), 0) };
    }
    fork(|| {
        ignore(libc::SIGTERM);
        wait("deaf");
    });
    fork(|| {
        write_to(1, format!("stopped {}\n", std::process::id()).as_bytes());
        // SAFETY: only a number is passed.
        unsafe { libc::raise(libc::SIGSTOP) };
        pause();
    });
    fork(|| {
        // SAFETY: only numbers are passed. If this process is not root, the call fails and changes nothing.
        unsafe { libc::setresuid(65_534, 65_534, 65_534) };
        wait("user");
    });
    pause();
}

/// Forks twice, and each fork does, down to a depth. If `kind` has `deaf`, all ignore SIGTERM; if it has `groups`, each makes a group of its
/// own. All of them hold standard output, and none ends by itself before a minute.
pub fn bomb(depth: u32, kind: &str) -> ! {
    // SAFETY: the signal ends what a failed test has left.
    unsafe { libc::alarm(60) };
    if kind.contains("deaf") {
        ignore(libc::SIGTERM);
    }
    if depth > 0 {
        for _ in 0..2 {
            fork(|| {
                if kind.contains("groups") {
                    // SAFETY: only numbers are passed.
                    unsafe { libc::setpgid(0, 0) };
                }
                bomb(depth - 1, kind)
            });
        }
    }
    pause()
}

/// Starts a process each millisecond, of which none takes SIGTERM. Writes a byte if nothing has ended it after this many.
pub fn growth(most: u32) {
    ignore(libc::SIGTERM);
    write_to(1, b"\n");
    for _ in 0..most {
        fork(|| {
            // SAFETY: the signal ends what a failed test has left.
            unsafe { libc::alarm(60) };
            pause();
        });
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    write_to(1, b"x");
}

/// Starts a process of the same user that ends when its standard input ends, becomes another user, and runs a shell that takes some time to
/// end after SIGTERM.
pub fn of_two_users() {
    fork(|| {
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut Vec::new()).unwrap();
    });
    // SAFETY: only numbers are passed.
    assert_eq!(unsafe { libc::setresuid(65_534, 65_534, 65_534) }, 0);
    let script = c"trap 'sleep 0.1; exit 7' TERM; echo; while :; do sleep 0.01; done";
    let (shell, option, end) = (c"/bin/sh".as_ptr(), c"-c".as_ptr(), std::ptr::null::<libc::c_char>());
    // SAFETY: all strings are NUL-terminated, and a null pointer ends the arguments.
    unsafe { libc::execl(shell, shell, option, script.as_ptr(), end) };
    panic!("{}", std::io::Error::last_os_error());
}
