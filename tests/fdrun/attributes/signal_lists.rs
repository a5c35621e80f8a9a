//! Dispositions of signals, and the signal mask.

use super::{WAYS, same};
use crate::{exhaustive, outcome, run, tools};

/// Prints the masks of blocked and of ignored signals.
const SIGNALS: &str = "sed -n '/^Sig[BI]/p' /proc/self/status";

#[test]
fn signals_are_those_of_env() {
    if !run("env --version").stdout.contains("coreutils") || run("env --block-signal true").code != Some(0) {
        tools::skip("env is not that of coreutils 8.31 or later");
        return;
    }
    let lists = ["", "=INT", "=SIGINT,term", "=2,15", "=RTMIN,RTMAX-1", "=CLD,POLL,IOT", "=", "=INT,", "=64,34"];
    let befores = ["", "env --ignore-signal=INT,QUIT", "env --block-signal=INT,USR1 --ignore-signal=TERM"];
    for (number, option) in ["--default-signal", "--ignore-signal", "--block-signal"].into_iter().enumerate() {
        for (index, list) in lists.into_iter().enumerate() {
            let option = format!("{option}{list}");
            for (turn, before) in befores.into_iter().enumerate() {
                // The plain run has one of them for each list.
                if exhaustive() || (index + number) % befores.len() == turn {
                    same(before, &option, &format!("env {option}"), SIGNALS);
                }
            }
        }
    }
    let several = [
        "--ignore-signal --default-signal=INT",
        "--block-signal=INT --default-signal=INT",
        "--block-signal --default-signal=HUP,INT --block-signal=INT",
        "--ignore-signal=HUP --ignore-signal=INT --block-signal=USR1 --block-signal=USR2",
    ];
    for options in several {
        same("", options, &format!("env {options}"), SIGNALS);
    }
}

#[test]
fn a_program_survives_a_signal_that_it_ignores() {
    for way in WAYS {
        let found = run(&format!("fdrun {way} --ignore-signal=HUP -- sh -c 'kill -HUP $$; echo alive'"));
        assert_eq!(found, outcome(0, "alive\n", ""), "{way}");
    }
}
