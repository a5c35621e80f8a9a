//! The place of hooks in the order of the steps.

use crate::own_process;
use crate::support::state::own;
use crate::support::ways::{WAYS_WITH_HOOKS, isolated, state, teller};
use fdspawn::{Resource, Rlimit, Scheduler, Signal};
use std::io;

/// An error with a number that tells which of these is false.
fn all(facts: &[bool]) -> io::Result<()> {
    match facts.iter().position(|fact| !fact) {
        None => Ok(()),
        Some(index) => Err(io::Error::from_raw_os_error(1000 + index as i32)),
    }
}

own_process! {
    fn hooks_find_all_attributes_set() {
        for way in WAYS_WITH_HOOKS {
            isolated();
            let before = own();
            let mut command = teller();
            let limit = Rlimit { current: Some(700), maximum: Some(800) };
            command.process_group(0).umask(0o33).nice(3).scheduler(Scheduler::Batch).oom_score_adj(900);
            command.no_new_privs(true).rlimit(Resource::Nofile, limit).current_dir("/");
            command.signal_mask(&[Signal::USR1]).signal_ignore(&[Signal::TERM]);
            // SAFETY: the hook makes system calls only.
            unsafe {
                command.pre_exec(|| {
                    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                    libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
                    let (mut mask, mut action, mut here) = (0_u64, [0_usize; 8], [0_u8; 8]);
                    libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut mask, 8);
                    libc::syscall(libc::SYS_rt_sigaction, libc::SIGTERM, 0, action.as_mut_ptr(), 8);
                    libc::getcwd(here.as_mut_ptr().cast(), here.len());
                    all(&[
                        libc::getpgid(0) == libc::getpid(),
                        libc::umask(0o44) == 0o33,
                        libc::syscall(libc::SYS_sched_getscheduler, 0) == libc::SCHED_BATCH.into(),
                        libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
                        (limit.rlim_cur, limit.rlim_max) == (700, 800),
                        mask == 1 << (libc::SIGUSR1 - 1),
                        action[0] == libc::SIG_IGN,
                        here[..2] == *b"/\0",
                    ])
                });
                // The changes of a hook stay, and a signal that the hook sends to itself is pending until the program
                // starts.
                command.pre_exec(|| {
                    libc::raise(libc::SIGUSR1);
                    all(&[libc::umask(0o55) == 0o44])
                });
            }
            let found = state(way, command);
            assert_eq!(
                (found.get("umask"), found.get("blocked"), found.get("pending")),
                ("055", "10", "10"),
                "{way:?}"
            );
            assert_eq!(found.get("group"), found.get("process"));
            assert_eq!((found.get("limit nofile"), found.get("oom_score_adj")), ("700:800", "900"));
            assert_eq!(own(), before, "{way:?}");
        }
    }
}

own_process! {
    fn mask_that_a_hook_sets_is_the_programs() {
        for way in WAYS_WITH_HOOKS {
            let mut command = teller();
            command.signal_mask(&[Signal::USR1, Signal::USR2]);
            // SAFETY: the hook makes one system call.
            unsafe {
                command.pre_exec(|| {
                    let mask = 1_u64;
                    all(&[libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, 8) == 0])
                });
            }
            assert_eq!(state(way, command).get("blocked"), "1", "{way:?}");
        }
    }
}
