//! The umask, the limits and the scheduling.

use super::{WAYS, is_root, same};
use crate::{content, outcome, run, run_with_file};

/// Prints the limits.
const LIMITS: &str = "cat /proc/self/limits";

#[test]
fn umask_is_that_of_the_shell() {
    for mask in ["0", "22", "027", "0777"] {
        for way in WAYS {
            let found = run(&format!("fdrun {way} --umask {mask} -- sh -c umask"));
            assert_eq!(found, run(&format!("umask {mask}; umask")), "{way} {mask}");
        }
    }
    let (directory, found) =
        run_with_file("umask 22; fdrun --umask 077 --fd 5=write:new -- touch newer; ls -l new* | cut -c1-10");
    assert_eq!(found, outcome(0, "-rw-r--r--\n-rw-------\n", ""));
    assert_eq!(content(&directory, "new"), "");
}

#[test]
fn limits_are_those_of_prlimit() {
    let sizes = ["as=1000000000", "core=0", "data=1000000000:", "fsize=1000000:2000000", "memlock=4096"];
    let counts = ["locks=9:10", "msgqueue=100:200", "nofile=64:128", "nofile=64", "nofile=64:", "sigpending=50:60"];
    let others = ["cpu=100:200", "nice=0", "rss=1000", "rtprio=0", "rttime=1000:2000", "stack=1000000:", "nproc=5000:"];
    for limit in sizes.iter().chain(&counts).chain(&others) {
        same("", &format!("--rlimit {limit}"), &format!("prlimit --{limit}"), LIMITS);
    }
    same("prlimit --core=5:9", "--rlimit core=:7", "prlimit --core=:7", LIMITS);
    same("prlimit --core=5:9", "--rlimit core=:9 --rlimit core=9:", "prlimit --core=9:", LIMITS);
    same("prlimit --cpu=100:", "--rlimit cpu=unlimited:", "prlimit --cpu=unlimited:", LIMITS);
    let two = "prlimit --core=0 --nofile=64";
    same("", "--rlimit nofile=9 --rlimit core=0 --rlimit nofile=64", two, LIMITS);
}

#[test]
fn a_limit_of_descriptors_may_be_below_a_target() {
    for way in WAYS {
        let found = run(&format!("fdrun {way} --fd 70=data:x --rlimit nofile=20 -- cat /dev/fd/70"));
        assert_eq!(found, outcome(0, "x", ""), "{way}");
    }
}

#[test]
fn nice_is_that_of_nice() {
    for increment in ["0", "5", "+3", "100"] {
        same("", &format!("--nice {increment}"), &format!("nice -n {increment}"), "nice");
    }
    same("nice -n 3", "--nice 4", "nice -n 4", "nice");
    if is_root() {
        same("", "--nice -5", "nice -n -5", "nice");
    }
}

#[test]
fn affinity_is_that_of_taskset() {
    let allowed = run("sed -n 's/^Cpus_allowed_list:\\t//p' /proc/self/status").stdout;
    let first = allowed.trim().split(['-', ',']).next().unwrap().to_owned();
    let lists =
        [allowed.trim().to_owned(), format!("{first},{first}"), format!("{first}-{first}"), first + ",0-1023:2"];
    for list in lists {
        let program = "sed -n '/^Cpus_allowed_list/p' /proc/self/status";
        same("", &format!("--affinity {list}"), &format!("taskset -c {list}"), program);
    }
}

#[test]
fn scheduler_is_that_of_chrt() {
    let program = "cut -d' ' -f18,19,40,41 /proc/self/stat";
    for policy in ["other", "batch", "idle"] {
        same("", &format!("--scheduler {policy}"), &format!("chrt --{policy} 0"), program);
    }
    if is_root() && run("chrt --rr 1 true 2>&1").code == Some(0) {
        for policy in ["fifo", "rr"] {
            same("", &format!("--scheduler {policy}:10"), &format!("chrt --{policy} 10"), program);
        }
    }
}

#[test]
fn oom_score_adj_is_that_of_choom() {
    same("", "--oom-score-adj 500", "choom -n 500 --", "cat /proc/self/oom_score_adj");
}
