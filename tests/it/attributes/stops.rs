//! Forked children that a signal stops before exec: the parent continues them.

use crate::own_process;
use crate::support::command;
use crate::support::parent_state::ParentState;
use crate::support::ways::isolated;
use fdspawn::{Command, FdMap, Launcher, fork_run};
use std::io::{Read, Write, pipe};
use std::time::{Duration, Instant};

/// Ends the process if the test hangs.
fn watch() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(30));
        eprintln!("the spawn hangs in a stopped child");
        std::process::abort();
    });
}

/// Makes a signal interrupt the calls of this process every 10 ms.
fn interrupt() {
    extern "C" fn do_nothing(_: libc::c_int) {}
    let time = libc::timeval { tv_sec: 0, tv_usec: 10_000 };
    let timer = libc::itimerval { it_interval: time, it_value: time };
    // SAFETY: the handler does nothing.
    unsafe {
        libc::signal(libc::SIGALRM, do_nothing as *const () as usize);
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
}

/// The commands whose hooks stop the child: launched from this thread, and from an isolated one.
fn commands<'fd>() -> [Command<'fd>; 2] {
    let mut in_thread = command("true");
    in_thread.isolated(isolated());
    [command("true"), in_thread]
}

own_process! {
    fn child_that_stops_itself_in_a_hook_is_continued_also_while_signals_interrupt_the_parent() {
        watch();
        isolated();
        let before = ParentState::now();
        for interrupted in [false, true] {
            if interrupted {
                interrupt();
            }
            for mut command in commands() {
                for signal in [libc::SIGSTOP, libc::SIGTSTP] {
                    // SAFETY: the hook makes one system call.
                    unsafe {
                        command.pre_exec(move || {
                            libc::raise(signal);
                            Ok(())
                        });
                    }
                }
                let start = Instant::now();
                assert!(command.status().unwrap().success());
                assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            }
            if !interrupted {
                assert_eq!(ParentState::now(), before);
            }
        }
    }
}

own_process! {
    fn child_that_another_thread_stops_before_exec_is_continued_also_with_the_ids_of_another_user() {
        watch();
        // SAFETY: the call has no arguments.
        let is_root = unsafe { libc::geteuid() } == 0;
        isolated();
        for mut command in commands() {
            if is_root {
                command.uid(4242).gid(4243);
            }
            let (mut pids, mut writer) = pipe().unwrap();
            // SAFETY: the hook makes system calls only. It finds the pipe's copy in the table of the parent, or says that it has none.
            unsafe {
                command.launcher(Launcher::Fork).fd(3, writer.try_clone().unwrap()).pre_exec(|| {
                    let pid = libc::getpid().to_ne_bytes();
                    libc::write(3, pid.as_ptr().cast(), pid.len());
                    libc::usleep(300_000);
                    Ok(())
                });
            }
            let stopper = std::thread::spawn(move || {
                let mut pid = [0; 4];
                pids.read_exact(&mut pid).unwrap();
                // SAFETY: the child is one of this process, which does not reap it before the spawn returns.
                assert_eq!(unsafe { libc::kill(i32::from_ne_bytes(pid), libc::SIGSTOP) }, 0);
            });
            let start = Instant::now();
            let mut child = command.spawn().unwrap();
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
            assert!(child.wait().unwrap().success());
            stopper.join().unwrap();
            writer.flush().unwrap();
        }
    }
}

/// Waits until a child stops, and asserts that nothing continues it.
fn stays_stopped(id: u32) {
    let id = id.cast_signed();
    let mut status = 0;
    // SAFETY: one status is written. The child has not been reaped.
    unsafe {
        assert_eq!(libc::waitpid(id, &raw mut status, libc::WUNTRACED), id);
        assert!(libc::WIFSTOPPED(status), "{status:#x}");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(libc::waitpid(id, &raw mut status, libc::WCONTINUED | libc::WNOHANG), 0, "{status:#x}");
    }
}

own_process! {
    fn program_or_function_that_stops_itself_stays_stopped() {
        watch();
        for launcher in [Launcher::Clone, Launcher::Fork] {
            let mut child = Command::new("sh").args(["-c", "kill -STOP $$"]).launcher(launcher).spawn().unwrap();
            stays_stopped(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        // SAFETY: the function makes one system call.
        let mut child = unsafe {
            fork_run(&mut FdMap::new(), || {
                libc::raise(libc::SIGSTOP);
                0
            })
        }
        .unwrap();
        stays_stopped(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
