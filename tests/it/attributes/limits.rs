//! Limits of resources.

use crate::own_process;
use crate::support::helper;
use crate::support::seccomp::refuse_if;
use crate::support::sources::{hard_limit, leaky, memory, memory_at};
use crate::support::state::own;
use crate::support::table::Table;
use crate::support::ways::{Attribute, WAYS, WAYS_WITH_HOOKS, output, refused, state, teller};
use fdspawn::plan::Refusal;
use fdspawn::{Features, Resource, Rest, Rlimit};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

const fn limit(current: u64, maximum: u64) -> Rlimit {
    Rlimit { current: Some(current), maximum: Some(maximum) }
}

own_process! {
    fn limit_is_that_of_the_child_only() {
        let attribute = Attribute {
            set: &|command| { command.rlimit(Resource::Nofile, limit(64, 128)); },
            step: "set RLIMIT_NOFILE to 64:128",
            changes: &[("limit nofile", "64:128")],
        };
        attribute.check();
        let attribute = Attribute {
            set: &|command| { command.rlimit(Resource::Core, limit(0, 0)); },
            step: "set RLIMIT_CORE to 0:0",
            changes: &[("limit core", "0:0")],
        };
        attribute.check();
        let core = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::RLIMIT_CORE.into()).unwrap();
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
            changes: &[
                ("limit cpu", "1000:2000"),
                ("limit fsize", "1048576:18446744073709551615"),
            ],
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
        let resources = [As, Core, Cpu, Data, Fsize, Memlock, Nofile, Nproc, Rtprio, Stack];
        for way in WAYS {
            let mut command = teller();
            for (index, resource) in (0..).zip(resources) {
                command.rlimit(resource, limit((1 << 33) + index, (1 << 33) + index + 1));
            }
            command.rlimit(Nofile, limit(100, 200)).rlimit(Memlock, limit(0, 5));
            let found = state(way, command);
            for (name, value) in [
                ("limit as", "8589934592:8589934593"),
                ("limit core", "8589934593:8589934594"),
                ("limit cpu", "8589934594:8589934595"),
                ("limit stack", "8589934601:8589934602"),
                ("limit nofile", "100:200"),
                ("limit memlock", "0:5"),
            ] {
                assert_eq!(found.get(name), value, "{way:?}");
            }
        }
    }
}

own_process! {
    fn soft_limit_above_the_hard_one_is_refused() {
        let refusal = |soft, hard| Refusal::SoftAboveHard { resource: Resource::Nofile, soft, hard };
        refused(
            |command| { command.rlimit(Resource::Nofile, limit(65, 64)); },
            refusal(65, 64),
            "the soft limit 65 of RLIMIT_NOFILE is above the hard limit 64",
        );
        refused(
            |command| { command.rlimit(Resource::Nofile, Rlimit { current: None, maximum: Some(64) }); },
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
                if rest == Rest::Inherit && matches!(way, crate::support::ways::Way::Isolated(_)) {
                    continue;
                }
                let before = own();
                let mut command = helper("table-on");
                command.arg("1").rest(rest).rlimit(Resource::Nofile, limit(3, 3)).fd(900, &file).fd(4, &file);
                let table: Table = output(way, command).unwrap().parse().unwrap();
                // The helper's list needs a number below the limit, so it may try each number.
                assert_eq!(table.contents()[3..], [(4, "high"), (900, "high")], "{way:?}");
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
        let all = [
            Features::empty(),
            Features::CLOSE_RANGE,
            Features::CLOSE_RANGE | Features::PROC,
        ];
        let _leaky = [leaky(memory("leaky")), memory_at(4000, "leaky", false).into()];
        for missing in all {
            for way in WAYS_WITH_HOOKS {
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
