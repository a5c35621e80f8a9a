//! Dispositions of signals.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::seccomp::refuse_if_all;
use crate::support::state::own;
use crate::support::ways::{Attribute, WAYS, Way, error, isolated, refused, without_program};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Signal};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

/// Sets an attribute of a command.
type Set<'a> = &'a dyn Fn(&mut Command<'_>);

extern "C" fn nothing(_: i32) {}

fn handle(signal: i32, handler: usize) {
    // SAFETY: no other code in the process uses these signals, and the handler does nothing.
    unsafe { libc::signal(signal, handler) };
}

/// Ignores SIGHUP, SIGQUIT and SIGPIPE, handles SIGUSR1, and gives all other ordinary signals and those of real time
/// their defaults.
fn prepare() {
    for signal in (1..=64).filter(|&signal| signal != libc::SIGKILL && signal != libc::SIGSTOP) {
        // glibc keeps two signals for itself.
        let action = [0_usize; 8];
        // SAFETY: the process belongs to the test; the kernel reads one action.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0, 8) };
    }
    for signal in [libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
        handle(signal, libc::SIG_IGN);
    }
    handle(libc::SIGUSR1, nothing as *const () as usize);
}

fn check(set: Set<'_>, step: &str, ignored: &str) {
    Attribute { set, step, changes: &[("ignored", ignored)] }.check();
}

own_process! {
    fn ignored_signals_stay_ignored_unless_they_get_their_defaults() {
        prepare();
        check(&|_| {}, "reset SIGPIPE", "1 3");
        check(
            &|command| {
                command.signal_default(&[Signal::HUP]);
            },
            "reset SIGHUP, SIGPIPE",
            "3",
        );
        check(
            &|command| {
                command.signal_default(&[Signal::HUP]).signal_default(&[Signal::QUIT, Signal::USR1]);
            },
            "reset SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE",
            "",
        );
        // These signals have no other disposition.
        check(
            &|command| {
                command.signal_default(&[Signal::KILL, Signal::STOP]);
            },
            "reset SIGKILL, SIGPIPE, SIGSTOP",
            "1 3",
        );
    }
}

own_process! {
    fn signals_are_ignored_in_the_child_only() {
        prepare();
        check(
            &|command| {
                command.signal_ignore(&[Signal::TERM, Signal::INT]);
            },
            "ignore SIGINT, SIGTERM",
            "1 2 3 15",
        );
        // This process handles the signal.
        check(
            &|command| {
                command.signal_ignore(&[Signal::USR1]).signal_ignore(&[Signal::USR2]);
            },
            "ignore SIGUSR1, SIGUSR2",
            "1 3 10 12",
        );
        check(
            &|command| {
                command.signal_ignore(&[Signal::CHILD]);
            },
            "ignore SIGCHLD",
            "1 3 17",
        );
    }
}

own_process! {
    fn last_call_for_a_signal_counts() {
        prepare();
        check(
            &|command| {
                command.signal_ignore(&[Signal::TERM, Signal::HUP]).signal_default(&[Signal::HUP]);
            },
            "ignore SIGTERM",
            "3 15",
        );
        check(
            &|command| {
                command.signal_default(&[Signal::TERM, Signal::HUP]).signal_ignore(&[Signal::TERM]);
            },
            "ignore SIGTERM",
            "3 15",
        );
    }
}

own_process! {
    fn sigpipe_is_default_unless_the_command_says_otherwise() {
        prepare();
        check(
            &|command| {
                command.signals_untouched();
            },
            "",
            "1 3 13",
        );
        check(
            &|command| {
                command.signal_ignore(&[Signal::PIPE]);
            },
            "ignore SIGPIPE",
            "1 3 13",
        );
        check(
            &|command| {
                command.signals_untouched().signal_default(&[Signal::PIPE]);
            },
            "reset SIGPIPE",
            "1 3",
        );
        check(
            &|command| {
                command.signal_ignore(&[Signal::PIPE]).signal_default(&[Signal::PIPE]);
            },
            "reset SIGPIPE",
            "1 3",
        );
        check(
            &|command| {
                command.signal_default(&[Signal::PIPE]).signal_ignore(&[Signal::PIPE]);
            },
            "ignore SIGPIPE",
            "1 3 13",
        );
        let text = fdspawn::Command::new("true").signals_untouched().explain().to_string();
        assert!(!text.contains("SIGPIPE"), "{text}");
        // `signals_untouched` matters only to a process that ignores SIGPIPE.
        handle(libc::SIGPIPE, libc::SIG_DFL);
        check(
            &|command| {
                command.signals_untouched();
            },
            "",
            "1 3",
        );
        check(&|_| {}, "reset SIGPIPE", "1 3");
        check(
            &|command| {
                command.signal_ignore(&[Signal::PIPE]);
            },
            "ignore SIGPIPE",
            "1 3 13",
        );
        handle(libc::SIGPIPE, nothing as *const () as usize);
        check(
            &|command| {
                command.signals_untouched();
            },
            "",
            "1 3",
        );
        check(&|_| {}, "reset SIGPIPE", "1 3");
    }
}

own_process! {
    fn ignoring_what_no_process_can_ignore_is_refused() {
        for (signal, name) in [(Signal::KILL, "SIGKILL"), (Signal::STOP, "SIGSTOP")] {
            let refusal = Refusal::CannotIgnore { signal: signal.as_raw() };
            let text = format!("no process can ignore {name}");
            refused(
                |command| {
                    command.signal_ignore(&[Signal::HUP, signal]);
                },
                refusal,
                &text,
            );
            // The last call counts here too.
            let mut command = Command::new("true");
            command.signal_ignore(&[signal]).signal_default(&[signal]);
            assert!(command.status().unwrap().success());
        }
    }
}

own_process! {
    fn refused_dispositions_are_named_by_the_error() {
        prepare();
        let eq = |index, value| SeccompCondition::new(index, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value).unwrap();
        let not =
            |index, value| SeccompCondition::new(index, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, value).unwrap();
        // A call without a new action only reads the disposition.
        let refuse =
            || refuse_if_all(libc::SYS_rt_sigaction, vec![eq(0, libc::SIGUSR2 as u64), not(1, 0)], libc::EPERM);
        let attributes: [(Set<'_>, &str); 2] = [
            (
                &|command| {
                    command.signal_ignore(&[Signal::USR2]);
                },
                "cannot ignore SIGUSR2",
            ),
            (
                &|command| {
                    command.signal_default(&[Signal::USR2]);
                },
                "cannot reset SIGUSR2",
            ),
        ];
        for (set, text) in attributes {
            for way in WAYS {
                let status = status_of(|| {
                    isolated();
                    if !refuse() {
                        return;
                    }
                    let before = own();
                    let mut command = Command::new("true");
                    set(command.signals_untouched());
                    let found = without_program(&error(way, &mut command).to_string());
                    // The exec cannot restore the disposition, since the filter refuses this call, too.
                    let after =
                        if way == Way::Exec { "; and then cannot restore the disposition of SIGUSR2" } else { "" };
                    let error = ": Operation not permitted";
                    let expected = if after.is_empty() {
                        format!("{text}{error}")
                    } else {
                        format!("{text}{error}{after}{error}")
                    };
                    assert_eq!(found, expected, "{way:?}");
                    assert_eq!(own(), before, "{way:?}");
                });
                assert_eq!(status, 0, "{way:?}");
            }
        }
    }
}
