//! What a child has used: `wait_usage`.

use super::{few_ways, helper_by, is_told_after_reap, reap_elsewhere, shell_by, ways};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::tiny::tiny_program;
use fdspawn::Usage;
use std::time::Duration;

/// What the kernel adds up of all children that this process has reaped.
fn of_all_children() -> libc::rusage {
    // SAFETY: the kernel writes one structure, for which all zeros are valid.
    unsafe {
        let mut usage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage), 0);
        usage
    }
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec as u64, 1000 * time.tv_usec as u32)
}

/// Whether two times are the same but for the kernel's rounding.
fn is_about(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= Duration::from_micros(2)
}

own_process! {
    fn usage_of_a_child_is_what_the_kernel_adds_to_that_of_all_children() {
        // The first burns time in user mode, the second in the kernel, the third has a child that does. Many kernels guess from samples how
        // the sum divides into the two.
        const COUNT: &str = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done";
        const COPY: &str = "exec dd if=/dev/zero of=/dev/null bs=1 count=60000 2>/dev/null";
        // On one processor. A child is a zombie a moment before its processor goes on to another process, and the kernel first adds the usage up
        // and then tells it: on another processor, the child could use time in between, which is in what the kernel tells only.
        let mut one = rustix::thread::CpuSet::new();
        one.set(rustix::thread::sched_getcpu());
        rustix::thread::sched_setaffinity(None, &one).unwrap();
        // The first spawn of a process makes a child that finds out what the system can do.
        ways().for_each(|way| assert!(shell_by(way, "exit").status().unwrap().success()));
        for way in few_ways() {
            for script in [COUNT, COPY, "/bin/sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; true"] {
                let before = of_all_children();
                let (status, usage) = shell_by(way, script).spawn().unwrap().wait_usage().unwrap();
                let (usage, after) = (usage.expect("no other code reaps it"), of_all_children());
                assert!(status.success());
                let burnt = usage.user_time + usage.system_time;
                assert!(burnt > Duration::from_millis(5), "{usage:?}");
                let times = [
                    (duration(before.ru_utime) + usage.user_time, duration(after.ru_utime)),
                    (duration(before.ru_stime) + usage.system_time, duration(after.ru_stime)),
                ];
                assert!(times.iter().all(|&(told, added)| is_about(told, added)), "{usage:?}, {times:?}");
                let counts = [
                    (usage.minor_faults, after.ru_minflt - before.ru_minflt, 0),
                    (usage.major_faults, after.ru_majflt - before.ru_majflt, 0),
                    // A child is a zombie a moment before the kernel takes the processor from it for the last time. The kernel first adds
                    // the usage up and then tells it, so this switch may be in what it tells only.
                    (usage.voluntary_switches, after.ru_nvcsw - before.ru_nvcsw, 1),
                    (usage.involuntary_switches, after.ru_nivcsw - before.ru_nivcsw, 1),
                ];
                for (told, added, late) in counts {
                    assert!((added as u64..=added as u64 + late).contains(&told), "{told}, {added}: {usage:?}");
                }
                assert!(usage.max_rss <= 1024 * after.ru_maxrss as u64, "{usage:?}");
            }
        }
    }
}

own_process! {
    fn peak_memory_is_at_least_that_of_the_parent_at_the_spawn() {
        const MEMORY: usize = 64 << 20;
        let program = tiny_program();
        for way in ways() {
            let peak = || {
                let mut command = crate::support::command(&program);
                let (_, usage) = command.launcher(way.0).pidfd(way.1).spawn().unwrap().wait_usage().unwrap();
                usage.unwrap().max_rss
            };
            assert_eq!(status_of(|| {
                let small = peak();
                let memory = std::hint::black_box(vec![1_u8; MEMORY]);
                let large = peak();
                drop(std::hint::black_box(memory));
                // The kernel's count of pages is a little behind.
                let most = MEMORY as u64 / 8 * 7;
                assert!((4096..most).contains(&small), "{way:?}: {small}");
                assert!(large >= most, "{way:?}: a tiny program with the parent's memory: {large}");
            }), 0);
        }
    }
}

#[test]
fn usage_is_the_same_for_each_handle_and_after_each_kind_of_wait() {
    for way in ways() {
        let waits: [fn(&mut fdspawn::Child); 5] = [
            |child| while child.try_wait().unwrap().is_none() {},
            |child| _ = child.wait().unwrap(),
            |child| _ = child.wait_timeout(Duration::MAX).unwrap(),
            |child| _ = child.process().wait().unwrap(),
            |child| _ = child.wait_change().unwrap(),
        ];
        for wait in waits {
            let mut child = helper_by(way, "exit").arg("7").spawn().unwrap();
            wait(&mut child);
            let (status, usage) = child.wait_usage().unwrap();
            assert_eq!(status.code(), Some(7));
            assert!(usage.is_some_and(|usage| usage.minor_faults > 0 && usage.max_rss > 0), "{usage:?}");
            assert_eq!(child.wait_usage().unwrap(), (status, usage));
            assert_eq!(child.process().wait_usage().unwrap(), (status, usage));
        }
    }
}

own_process! {
    fn usage_of_a_child_that_other_code_has_reaped_is_none() {
        for way in ways() {
            let mut child = helper_by(way, "exit").arg("7").spawn().unwrap();
            reap_elsewhere(&child);
            match child.wait_usage() {
                Ok((status, usage)) => assert_eq!((status.code(), usage), (Some(7), None::<Usage>)),
                Err(error) => {
                    assert!(!is_told_after_reap(&child));
                    assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
                }
            }
        }
    }
}
