//! Limits of a cgroup.

use super::{end, made, waiting};
use fdspawn::{Cgroup, Command, Error, Failure};
use std::time::Duration;

/// Whether a limit has been set. If the machine has not enabled the controller, the error says so, and the test of the limit is skipped.
fn is_set(cgroup: &Cgroup, controller: &str, result: Result<(), Error>) -> bool {
    let controllers = std::fs::read_to_string(cgroup.path().join("cgroup.controllers")).unwrap();
    if controllers.split_whitespace().any(|each| each == controller) {
        result.unwrap();
        return true;
    }
    let error = result.unwrap_err();
    let text = format!(
        "cannot limit the cgroup `{}`: the controller {controller} is not enabled for it (cgroup.subtree_control of the \
         directory in which it is)",
        cgroup.path().display()
    );
    assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EOPNOTSUPP)));
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
    assert!(matches!(error.failure(), Failure::CgroupController { controller: named } if *named == controller));
    // Not a matter of tools that can be installed, so CI does not demand it.
    eprintln!("skipped: the controller {controller} is not enabled");
    false
}

/// The text of a file of a cgroup.
fn text(cgroup: &Cgroup, file: &str) -> String {
    std::fs::read_to_string(cgroup.path().join(file)).unwrap()
}

#[test]
fn memory_is_limited_or_the_error_names_the_controller() {
    let Some((_outer, cgroup)) = made() else { return };
    if !is_set(&cgroup, "memory", cgroup.memory_max(64 << 20)) {
        assert_eq!(cgroup.memory_peak().unwrap(), None);
        return;
    }
    assert_eq!(text(&cgroup, "memory.max"), format!("{}\n", 64 << 20));
    end(waiting(&cgroup));
    if cgroup.path().join("memory.peak").exists() {
        assert!((1 << 12..64 << 20).contains(&cgroup.memory_peak().unwrap().unwrap()));
    }
}

#[test]
fn tasks_are_limited_or_the_error_names_the_controller() {
    let Some((_outer, cgroup)) = made() else { return };
    if !is_set(&cgroup, "pids", cgroup.pids_max(1)) {
        return;
    }
    assert_eq!(text(&cgroup, "pids.max"), "1\n");
    assert!(!Command::new("sh").args(["-c", "true | true"]).own_cgroup(&cgroup).status().unwrap().success());
    let error = cgroup.pids_max(u64::MAX).unwrap_err();
    assert!(error.to_string().ends_with("pids.max: Invalid argument"), "{error}");
}

#[test]
fn processor_time_is_limited_or_the_error_names_the_controller() {
    let Some((_outer, cgroup)) = made() else { return };
    let millis = Duration::from_millis;
    if !is_set(&cgroup, "cpu", cgroup.cpu_max(millis(50), millis(100))) {
        return;
    }
    assert_eq!(text(&cgroup, "cpu.max"), "50000 100000\n");
    let error = cgroup.cpu_max(millis(50), Duration::from_secs(2)).unwrap_err();
    assert!(error.to_string().ends_with("cpu.max: Invalid argument"), "{error}");
}

#[test]
fn limit_of_a_cgroup_that_is_gone_is_not_a_matter_of_a_controller() {
    let Some((_outer, cgroup)) = made() else { return };
    cgroup.remove().unwrap();
    let error = cgroup.memory_max(1 << 20).unwrap_err();
    assert!(matches!(error.failure(), Failure::CgroupFile { file: "memory.max" }), "{error}");
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    assert_eq!(cgroup.memory_peak().unwrap(), None);
}
