//! Targets and sources around the limit of open descriptors.

use crate::own_process;
use crate::support;
use crate::support::sources::{hard_limit, memory, memory_at, set_limit};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Failure, plan::Refusal};
use std::os::fd::{OwnedFd, RawFd};

own_process! {
    fn targets_around_the_soft_limit() {
        set_limit(100, hard_limit());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = memory("source");
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).fd(99, &source).status().unwrap().success());
            assert_eq!(Table::read(&out).content(99), Some("source"));
            for target in [100, 101, 4096, RawFd::MAX] {
                let mut command = helper("table");
                let error = command.arg(&out).launcher(launcher).fd(target, &source).spawn().unwrap_err();
                let refusal = Refusal::TargetBeyondLimit { target, limit: 100 };
                assert!(matches!(error.failure(), Failure::Refused(found) if *found == refusal), "{error}");
                assert!(error.to_string().contains(&target.to_string()), "{error}");
            }
        }
    }
}

own_process! {
    fn descriptor_opened_before_the_limit_was_lowered_can_be_a_source_or_kept_or_closed() {
        let high = memory_at(500, "high", false);
        let unnamed = memory_at(600, "unnamed", false);
        set_limit(100, 200);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).fd(5, &high).status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(5, "high")]);
            let mut command = helper("table");
            assert!(command.arg(&out).launcher(launcher).keep(&high).status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(500, "high")]);
            assert!(helper("table").arg(&out).launcher(launcher).status().unwrap().success());
            assert_eq!(Table::read(&out).numbers(), [0, 1, 2]);
        }
        drop(unnamed);
    }
}

own_process! {
    fn plan_that_fills_every_number_below_the_limit_is_refused_if_a_cycle_needs_one_more() {
        set_limit(16, hard_limit());
        let open: Vec<OwnedFd> = (3..16).map(|number| memory_at(number, &format!("at{number}"), true)).collect();
        for launcher in LAUNCHERS {
            let mut command = support::command("true");
            command.launcher(launcher);
            for (index, target) in (3..16).enumerate() {
                command.fd(target, &open[(index + 1) % open.len()]);
            }
            let error = command.spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Refused(Refusal::NoScratch { limit: 16 })), "{error}");
        }
    }
}
