//! Limits of resources.

use crate::own_process;
use crate::support::seccomp::refuse_if;
use crate::support::sources::{hard_limit, leaky, memory, memory_at};
use crate::support::state::{State, own};
use crate::support::table::Table;
use crate::support::ways::{Attribute, WAYS, WAYS_WITH_HOOKS, Way, isolated, output, refused, state, teller};
use crate::support::{by_turns, helper, helper::MARK, test_binary};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Features, Resource, Rest, Rlimit};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

const fn limit(current: u64, maximum: u64) -> Rlimit {
    Rlimit { current: Some(current), maximum: Some(maximum) }
}

own_process! {
    fn limit_is_that_of_the_child_only() {
        let attribute = Attribute {
            set: &|command| {
                command.rlimit(Resource::Nofile, limit(64, 128));
            },
            step: "set RLIMIT_NOFILE to 64:128",
            changes: &[("limit nofile", "64:128")],
        };
        attribute.check();
        let attribute = Attribute {
            set: &|command| {
                command.rlimit(Resource::Core, limit(0, 0));
            },
            step: "set RLIMIT_CORE to 0:0",
            changes: &[("limit core", "0:0")],
        };
        attribute.check();
        let core =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::RLIMIT_CORE.into()).unwrap();
        // `own` reads the limit too, and reads zeros when the filter refuses that.
        attribute.check_error(
            || refuse_if(libc::SYS_prlimit64, [core.clone()], libc::EPERM),
            "cannot set RLIMIT_CORE to 0:0: Operation not permitted",
        );
    }
}

own_process! {
    fn last_call_for_a_resource_counts_and_others_keep_their_order() {
        let attribute = Attribute {
            set: &|command| {
                command.rlimit(Resource::Fsize, limit(5, 6)).rlimit(Resource::Cpu, limit(1000, 2000));
                command.rlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: None });
            },
            step: "set RLIMIT_FSIZE to 1048576:unlimited",
            changes: &[("limit cpu", "1000:2000"), ("limit fsize", "1048576:18446744073709551615")],
        };
        attribute.check();
        let mut command = teller();
        (attribute.set)(&mut command);
        let text = command.explain().to_string();
        let steps: Vec<&str> = text.lines().filter(|line| line.contains("RLIMIT_")).collect();
        let of = |line: &str, text: &str| line.ends_with(text);
        assert!(of(steps[0], "set RLIMIT_CPU to 1000:2000") && of(steps[1], "1048576:unlimited"), "{text}");
        assert_eq!(steps.len(), 2);
    }
}

own_process! {
    fn every_resource_can_be_set() {
        use Resource::*;
        let before = own();
        let resources = [
            (As, "limit as"),
            (Core, "limit core"),
            (Cpu, "limit cpu"),
            (Data, "limit data"),
            (Fsize, "limit fsize"),
            (Memlock, "limit memlock"),
            (Nofile, "limit nofile"),
            (Nproc, "limit nproc"),
            (Rtprio, "limit rtprio"),
            (Stack, "limit stack"),
        ];
        for way in WAYS {
            let mut command = teller();
            let mut expected = Vec::new();
            for (index, (resource, name)) in (0..).zip(resources) {
                // A higher hard limit needs a right.
                let hard: u64 = before.0.get(name).split(':').next_back().unwrap().parse().unwrap();
                let hard = hard.min((1 << 33) + index);
                command.rlimit(resource, limit(hard - hard / 8, hard));
                expected.push((name, format!("{}:{hard}", hard - hard / 8)));
            }
            let found = state(way, command);
            let found: Vec<(&str, String)> =
                resources.iter().map(|&(_, name)| (name, found.get(name).to_owned())).collect();
            assert_eq!(found, expected, "{way:?}");
            assert_eq!(State::current(), before.0, "{way:?}");
        }
    }
}

own_process! {
    fn higher_hard_limit_without_the_right_is_eperm() {
        let attribute = Attribute {
            set: &|command| {
                command.rlimit(Resource::Core, limit(5, 6));
            },
            step: "set RLIMIT_CORE to 5:6",
            changes: &[],
        };
        let lower = || {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the process is a copy of the test's, which ends after this check.
            unsafe {
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none) == 0
                    && (libc::geteuid() != 0 || libc::setuid(65_534) == 0)
            }
        };
        attribute.check_error(lower, "cannot set RLIMIT_CORE to 5:6: Operation not permitted");
    }
}

own_process! {
    fn soft_limit_above_the_hard_one_is_refused() {
        let refusal = |soft, hard| Refusal::SoftAboveHard { resource: Resource::Nofile, soft, hard };
        refused(
            |command| {
                command.rlimit(Resource::Nofile, limit(65, 64));
            },
            refusal(65, 64),
            "the soft limit 65 of RLIMIT_NOFILE is above the hard limit 64",
        );
        refused(
            |command| {
                command.rlimit(Resource::Nofile, Rlimit { current: None, maximum: Some(64) });
            },
            refusal(u64::MAX, 64),
            "the soft limit unlimited of RLIMIT_NOFILE is above the hard limit 64",
        );
    }
}

own_process! {
    fn limit_of_descriptors_can_be_below_a_target() {
        let file = memory("high");
        for way in WAYS {
            for rest in [Rest::Close, Rest::Inherit] {
                if rest == Rest::Inherit && matches!(way, Way::Isolated(_)) {
                    continue;
                }
                isolated();
                let before = own();
                // Descriptor 3 is left for the loader of the program, and for the helper's list.
                let mut command = Command::new(test_binary());
                command.args([MARK, "table-on", "1"]).rest(rest).rlimit(Resource::Nofile, limit(5, 5));
                command.fd(900, &file).fd(40, &file);
                let table: Table = output(way, command).unwrap().parse().unwrap();
                assert_eq!(table.contents()[3..], [(40, "high"), (900, "high")], "{way:?}");
                assert_eq!(own(), before);
            }
        }
    }
}

own_process! {
    fn what_hooks_open_above_a_lowered_limit_is_closed() {
        if hard_limit() < 20_000 {
            return;
        }
        let all = [Features::empty(), Features::CLOSE_RANGE, Features::CLOSE_RANGE | Features::PROC];
        let _leaky = [leaky(memory("leaky")), memory_at(4000, "leaky", false).into()];
        for (index, missing) in all.into_iter().enumerate() {
            for way in by_turns(WAYS_WITH_HOOKS, index) {
                let mut command = helper("table-on");
                command.arg("1").missing(missing).rlimit(Resource::Nofile, limit(64, 20_000));
                // SAFETY: the hook makes system calls only.
                unsafe {
                    command.pre_exec(|| {
                        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
                        let found = limit.rlim_cur == 64 && libc::dup2(1, 64) == -1 && libc::dup2(1, 63) == 63;
                        limit.rlim_cur = 20_000;
                        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
                        let opened = libc::dup2(1, 15_000) == 15_000 && libc::dup2(1, 19_999) == 19_999;
                        limit = libc::rlimit { rlim_cur: 32, rlim_max: 32 };
                        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
                        if found && opened { Ok(()) } else { Err(std::io::Error::from_raw_os_error(libc::EDOM)) }
                    });
                }
                let table: Table = output(way, command).unwrap().parse().unwrap();
                assert_eq!(table.numbers(), [0, 1, 2], "{way:?} {missing:?}");
            }
        }
    }
}
