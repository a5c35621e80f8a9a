//! The umask, the signal mask, `no_new_privs` and `oom_score_adj`.

use crate::own_process;
use crate::support::seccomp::refuse_if;
use crate::support::state::State;
use crate::support::ways::{Attribute, WAYS, Way, error, refused, state, teller};
use fdspawn::plan::Refusal;
use fdspawn::{Features, Launcher, Signal};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

fn argument(index: u8, value: u64) -> SeccompCondition {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).unwrap()
}

own_process! {
    fn umask_is_that_of_the_child_only() {
        for (mask, text) in [(0, "000"), (0o027, "027"), (0o777, "777")] {
            let umask = Attribute {
                set: &|command| {
                    command.umask(mask);
                },
                step: &format!("set the umask to {text}"),
                changes: &[("umask", text)],
            };
            umask.check();
        }
        let umask = Attribute {
            set: &|command| {
                command.umask(0o027);
            },
            step: "",
            changes: &[],
        };
        umask.check_error(
            || crate::support::seccomp::refuse(&[libc::SYS_umask], libc::EPERM),
            "cannot set the umask to 027: Operation not permitted",
        );
    }
}

own_process! {
    fn umask_of_more_than_the_permissions_is_refused() {
        let text = "umask 0o1000 has more than the nine bits of the permissions";
        refused(
            |command| {
                command.umask(0o1000);
            },
            Refusal::Umask { mask: 0o1000 },
            text,
        );
    }
}

own_process! {
    fn failed_exec_gives_back_the_umask_the_signal_mask_and_the_dispositions() {
        let before = State::current();
        let mut command = fdspawn::Command::new("/no/such");
        command.umask(0o777).signal_mask(&[Signal::HUP]).signal_ignore(&[Signal::USR1]);
        command.signal_default(&[Signal::PIPE, Signal::KILL, Signal::STOP, Signal::TERM]);
        for _ in 0..2 {
            assert_eq!(command.exec().to_string(), "cannot exec `/no/such`: No such file or directory");
            assert_eq!(State::current(), before);
        }
    }
}

own_process! {
    fn signal_mask_is_exactly_the_given_one() {
        // SAFETY: the mask of the test's own thread.
        unsafe {
            let mask = 1_u64 << (libc::SIGUSR2 - 1);
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, 8);
        }
        let callers = Attribute {
            set: &|command| {
                command.umask(0);
            },
            step: "set the umask to 000",
            changes: &[("umask", "000"), ("blocked", "12")],
        };
        callers.check();
        let mask = Attribute {
            set: &|command| {
                command.signal_mask(&[Signal::TERM, Signal::HUP]);
            },
            step: "block SIGHUP, SIGTERM, and no other signal",
            changes: &[("blocked", "1 15")],
        };
        mask.check();
        let last = Attribute {
            set: &|command| {
                command.signal_mask(&[Signal::TERM]).signal_mask(&[]);
            },
            step: "block no signal",
            changes: &[("blocked", "")],
        };
        last.check();
        let never_blocked = Attribute {
            set: &|command| {
                command.signal_mask(&[Signal::KILL, Signal::STOP, Signal::INT]);
            },
            step: "block SIGINT, SIGKILL, SIGSTOP, and no other signal",
            changes: &[("blocked", "2")],
        };
        never_blocked.check();
    }
}

own_process! {
    fn pending_signals_of_the_caller_do_not_reach_a_child_and_stay_pending() {
        // SAFETY: the signal is blocked in this thread before it is sent to it.
        unsafe {
            let mask = 1_u64 << (libc::SIGUSR1 - 1);
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, 8);
            libc::raise(libc::SIGUSR1);
        }
        let before = State::current();
        assert_eq!(before.get("pending"), "10");
        for way in WAYS.into_iter().filter(|way| *way != Way::Exec) {
            let mut command = teller();
            command.signal_mask(&[]);
            let found = state(way, command);
            assert_eq!((found.get("blocked"), found.get("pending")), ("", ""), "{way:?}");
            assert_eq!(State::current(), before);
        }
        // An exec keeps pending signals, and a failed exec does not deliver them while the mask blocks them.
        let mut command = fdspawn::Command::new("/no/such");
        assert_eq!(error(Way::Exec, command.signal_mask(&[Signal::USR1])).raw_os_error(), Some(libc::ENOENT));
        assert_eq!(State::current(), before);
    }
}

own_process! {
    fn no_new_privs_is_that_of_the_child_only() {
        let attribute = Attribute {
            set: &|command| {
                command.no_new_privs(true);
            },
            step: "give up new privileges",
            changes: &[("no_new_privs", "1")],
        };
        attribute.check();
        let taken_back = Attribute {
            set: &|command| {
                command.no_new_privs(true).no_new_privs(false).umask(0o3);
            },
            step: "set the umask to 003",
            changes: &[("umask", "003")],
        };
        taken_back.check();
        attribute.check_error(
            || refuse_if(libc::SYS_prctl, [argument(0, libc::PR_SET_NO_NEW_PRIVS as u64)], libc::EPERM),
            "cannot give up new privileges: Operation not permitted",
        );
    }
}

own_process! {
    fn oom_score_adj_is_that_of_the_child_only() {
        for (value, text) in [(1000, "1000"), (999, "999")] {
            let attribute = Attribute {
                set: &|command| {
                    command.oom_score_adj(value);
                },
                step: &format!("set oom_score_adj to {text}"),
                changes: &[("oom_score_adj", text)],
            };
            attribute.check();
        }
        let attribute = Attribute {
            set: &|command| {
                command.oom_score_adj(777);
            },
            step: "",
            changes: &[],
        };
        let write_only = (libc::O_WRONLY | libc::O_CLOEXEC) as u64;
        attribute.check_error(
            || refuse_if(libc::SYS_openat, [argument(2, write_only)], libc::EPERM),
            "cannot set oom_score_adj to 777: Operation not permitted",
        );
        // Without clone3 another call, clone, makes the child that shares the parent's memory.
        for missing in [Features::CLONE3, Features::SHARED_TABLE] {
            let before = State::current();
            let mut command = teller();
            command.oom_score_adj(1000).missing(missing);
            assert_eq!(state(Way::Spawn(Launcher::Clone), command).get("oom_score_adj"), "1000");
            assert_eq!(State::current(), before);
        }
    }
}

own_process! {
    fn oom_score_adj_out_of_its_range_is_refused() {
        for value in [-1001, 1001, i32::MIN, i32::MAX] {
            let text = format!("oom_score_adj {value} is not from -1000 to 1000");
            refused(
                |command| {
                    command.oom_score_adj(value);
                },
                Refusal::OomScore { value },
                &text,
            );
        }
    }
}
