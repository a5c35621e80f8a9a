//! Seccomp filters: system calls that the kernel refuses from now on.

use super::tools::skip;
use seccompiler::{BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, apply_filter_all_threads};
use std::collections::BTreeMap;

/// From now on, `calls` fail with `errno` in this process and its children. False, with a message, if no filter can be
/// installed.
pub fn refuse(calls: &[i64], errno: i32) -> bool {
    answer(calls, SeccompAction::Errno(errno as u32))
}

/// From now on, the kernel does `action` for each of `calls` in this process and its children.
pub fn answer(calls: &[i64], action: SeccompAction) -> bool {
    applied(apply_filter_all_threads(&program(always(calls), action)))
}

/// From now on, `calls` fail with `errno` in this thread, and in the threads and children that it starts.
pub fn refuse_to_thread(calls: &[i64], errno: i32) {
    seccompiler::apply_filter(&program(always(calls), SeccompAction::Errno(errno as u32))).unwrap();
}

/// From now on, `call` fails with `errno` in this process and its children, if its arguments meet one of the
/// conditions.
pub fn refuse_if(call: i64, conditions: impl IntoIterator<Item = SeccompCondition>, errno: i32) -> bool {
    let rules = conditions.into_iter().map(|condition| SeccompRule::new(vec![condition]).unwrap()).collect();
    applied(apply_filter_all_threads(&program([(call, rules)].into(), SeccompAction::Errno(errno as u32))))
}

/// From now on, `call` fails with `errno` in this process and its children, if its arguments meet all of the
/// conditions.
pub fn refuse_if_all(call: i64, conditions: Vec<SeccompCondition>, errno: i32) -> bool {
    let rules = vec![SeccompRule::new(conditions).unwrap()];
    applied(apply_filter_all_threads(&program([(call, rules)].into(), SeccompAction::Errno(errno as u32))))
}

fn applied<E>(result: Result<(), E>) -> bool {
    result.is_ok() || skip("a seccomp filter cannot be installed")
}

/// Rules that hold for each of these calls with any arguments.
fn always(calls: &[i64]) -> BTreeMap<i64, Vec<SeccompRule>> {
    calls.iter().map(|&call| (call, vec![])).collect()
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, action: SeccompAction) -> BpfProgram {
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap().try_into().unwrap()
}
