//! The nice value, the scheduling policy and the CPUs.

use crate::own_process;
use crate::support::seccomp::refuse;
use crate::support::state::State;
use crate::support::ways::{Attribute, WAYS, error, refused, state, teller};
use fdspawn::plan::Refusal;
use fdspawn::{Command, CpuSet, Failure, Scheduler};

fn nice(increment: i32) -> impl Fn(&mut Command<'_>) {
    move |command| {
        command.nice(increment);
    }
}

/// Whether this process may lower nice values and choose real-time policies.
fn may_schedule() -> bool {
    // SAFETY: only numbers are passed. The process of the test changes nothing that it had not.
    unsafe {
        libc::geteuid() == 0
            && libc::setpriority(libc::PRIO_PROCESS, 0, -1) == 0
            && libc::setpriority(libc::PRIO_PROCESS, 0, 0) == 0
    }
}

/// Takes the rights of root from this process.
fn become_nobody() -> bool {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the process of the test, or its copy, has no other thread that needs rights.
    unsafe {
        libc::setrlimit(libc::RLIMIT_NICE, &raw const limit);
        libc::setrlimit(libc::RLIMIT_RTPRIO, &raw const limit);
        libc::geteuid() != 0 || libc::setuid(65_534) == 0
    }
}

own_process! {
    fn nice_value_is_added_in_the_child_only() {
        let own: i32 = State::current().get("nice").parse().unwrap();
        let mut cases = vec![5, 100, i32::MAX, 0];
        if may_schedule() {
            cases.extend([-3, -100, i32::MIN]);
        }
        for increment in cases {
            let sum = own.saturating_add(increment).clamp(-20, 19).to_string();
            let attribute = Attribute {
                set: &nice(increment),
                step: &format!("add {increment} to the nice value"),
                changes: &[("nice", &sum)],
            };
            attribute.check();
        }
        let attribute = Attribute { set: &nice(5), step: "", changes: &[] };
        let text = "cannot add 5 to the nice value: Operation not permitted";
        attribute.check_error(|| refuse(&[libc::SYS_setpriority], libc::EPERM), text);
    }
}

own_process! {
    fn lower_nice_value_without_the_right_is_eacces() {
        let attribute = Attribute { set: &nice(-1), step: "", changes: &[] };
        attribute.check_error(become_nobody, "cannot add -1 to the nice value: Permission denied");
    }
}

own_process! {
    fn scheduler_is_that_of_the_child_only() {
        let plain = [
            (Scheduler::Other, "SCHED_OTHER", "0 0"),
            (Scheduler::Batch, "SCHED_BATCH", "3 0"),
            (Scheduler::Idle, "SCHED_IDLE", "5 0"),
        ];
        for (scheduler, name, found) in plain {
            let attribute = Attribute {
                set: &|command| {
                    command.scheduler(scheduler);
                },
                step: &format!("set the scheduler to {name}"),
                changes: &[("scheduler", found)],
            };
            attribute.check();
            let text = format!("cannot set the scheduler to {name}: Operation not permitted");
            attribute.check_error(|| refuse(&[libc::SYS_sched_setscheduler], libc::EPERM), &text);
        }
    }
}

own_process! {
    fn real_time_scheduler_has_its_priority_or_is_refused_by_the_kernel() {
        let cases = [
            (Scheduler::Fifo(1), "SCHED_FIFO, priority 1", "1 1"),
            (Scheduler::Fifo(99), "SCHED_FIFO, priority 99", "1 99"),
            (Scheduler::RoundRobin(7), "SCHED_RR, priority 7", "2 7"),
        ];
        // A kernel that divides real time between control groups may give this one none.
        // SAFETY: the thread's own policy, which it gets back.
        let allowed = unsafe {
            let [priority, none] = [1_i32, 0];
            let set =
                |policy: i32, priority: *const i32| libc::syscall(libc::SYS_sched_setscheduler, 0, policy, priority);
            set(libc::SCHED_FIFO, &raw const priority) == 0 && set(libc::SCHED_OTHER, &raw const none) == 0
        };
        for (scheduler, name, found) in cases {
            let attribute = Attribute {
                set: &|command| {
                    command.scheduler(scheduler);
                },
                step: &format!("set the scheduler to {name}"),
                changes: &[("scheduler", found)],
            };
            if allowed {
                attribute.check();
            }
            attribute
                .check_error(become_nobody, &format!("cannot set the scheduler to {name}: Operation not permitted"));
        }
    }
}

own_process! {
    fn priority_that_is_none_is_refused() {
        for priority in [0, 100, 255] {
            let text = format!("real-time priority {priority} is not from 1 to 99");
            let refusal = Refusal::Priority { priority };
            refused(
                |command| {
                    command.scheduler(Scheduler::Fifo(priority));
                },
                refusal,
                &text,
            );
            refused(
                |command| {
                    command.scheduler(Scheduler::RoundRobin(priority));
                },
                refusal,
                &text,
            );
        }
    }
}

own_process! {
    fn nice_value_is_added_after_the_scheduler_is_set() {
        let sum = (State::current().get("nice").parse::<i32>().unwrap() + 4).min(19).to_string();
        let attribute = Attribute {
            set: &|command| {
                command.nice(4).scheduler(Scheduler::Batch);
            },
            step: "add 4 to the nice value",
            changes: &[("nice", &sum), ("scheduler", "3 0")],
        };
        attribute.check();
    }
}

fn cpus(list: &[usize]) -> CpuSet {
    let mut cpus = CpuSet::new();
    list.iter().for_each(|&cpu| cpus.set(cpu));
    cpus
}

own_process! {
    fn cpus_are_those_of_the_child_only() {
        let own = State::current();
        let own = own.get("cpus");
        let first: usize = own.split(',').next().unwrap().parse().unwrap();
        let last: usize = own.split(',').next_back().unwrap().parse().unwrap();
        for cpu in [first, last] {
            let text = cpu.to_string();
            let attribute = Attribute {
                set: &|command| {
                    command.affinity(&cpus(&[first])).affinity(&cpus(&[cpu]));
                },
                step: &format!("set the CPUs to {cpu}"),
                changes: &[("cpus", &text)],
            };
            attribute.check();
            let text = format!("cannot set the CPUs to {cpu}: Operation not permitted");
            attribute.check_error(|| refuse(&[libc::SYS_sched_setaffinity], libc::EPERM), &text);
        }
        // The kernel takes those that exist.
        let attribute = Attribute {
            set: &|command| {
                command.affinity(&cpus(&[last, CpuSet::MAX_CPU - 1]));
            },
            step: &format!("set the CPUs to {last}, 1023"),
            changes: &[("cpus", &last.to_string())],
        };
        attribute.check();
    }
}

own_process! {
    fn cpus_that_do_not_exist_are_named_by_the_error() {
        for way in WAYS {
            let error = error(way, Command::new("true").affinity(&cpus(&[1000, 1023])));
            assert!(matches!(error.failure(), Failure::Affinity(found) if *found == [1000, 1023]), "{error:?}");
            assert!(error.to_string().ends_with("`: cannot set the CPUs to 1000, 1023: Invalid argument"), "{error}");
        }
        refused(
            |command| {
                command.affinity(&CpuSet::new());
            },
            Refusal::NoCpus,
            "the set of CPUs is empty",
        );
        let command = teller();
        assert_eq!(state(WAYS[0], command).get("cpus"), State::current().get("cpus"));
    }
}
