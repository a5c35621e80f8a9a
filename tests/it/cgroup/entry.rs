//! Children that are started in a cgroup.

use super::{adopt_orphans, made, members, reap_all, waiting};
use crate::own_process;
use crate::support::forked::status_of;
use crate::support::parent_state::ParentState;
use crate::support::{LAUNCHERS, command, helper, rounds};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Cgroup, Command, Failure, Features, Isolated, Launcher};
use std::os::fd::{AsFd, AsRawFd};

/// A way of launching: its name, what sets it, and whether the kernel makes the child in the cgroup.
type Way = (&'static str, fn(&mut Command<'_>), bool);

/// Whether a text of `/proc/PID/cgroup` names a cgroup.
fn names(text: &[u8], cgroup: &Cgroup) -> bool {
    let name = cgroup.path().file_name().unwrap().to_str().unwrap();
    let text = std::str::from_utf8(text).unwrap();
    text.lines().any(|line| line.starts_with("0::") && line.ends_with(&format!("/{name}")))
}

own_process! {
    fn child_is_in_the_cgroup_by_each_way_of_launching() {
        let Some((_outer, cgroup)) = made() else { return };
        let isolated = Isolated::new().unwrap();
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        let ways: [Way; 5] = [
            ("clone", |command| _ = command.launcher(Launcher::Clone), true),
            ("isolated", |_| {}, true),
            ("fork", |command| _ = command.launcher(Launcher::Fork), false),
            ("fallback", |command| _ = command.missing(Features::INTO_CGROUP), false),
            // SAFETY: the hook does nothing.
            ("hook", |command| _ = unsafe { command.pre_exec(|| Ok(())) }, false),
        ];
        for (way, set, by_kernel) in ways {
            let mut cat = Command::new("cat");
            set(cat.arg("/proc/self/cgroup").own_cgroup(&cgroup));
            if way == "isolated" {
                cat.isolated(&isolated);
            }
            assert!(names(&cat.output().unwrap().stdout, &cgroup), "{way}");
            let explanation = cat.explain();
            let by_clone = format!("into the cgroup of descriptor {}", cgroup.as_fd().as_raw_fd());
            assert_eq!(explanation.to_string().contains(&by_clone), by_kernel, "{way}: {explanation}");
            assert_eq!(matches!(explanation.steps()[0], Step::JoinCgroup { .. }), !by_kernel, "{way}: {explanation}");
            if way != "hook" {
                let mut copy = cat.try_clone().unwrap();
                drop(cat);
                assert!(names(&copy.output().unwrap().stdout, &cgroup), "{way}");
            }
            assert_eq!(ParentState::now(), before, "{way}");
        }
    }
}

#[test]
fn later_of_the_two_cgroups_counts() {
    let Some((outer, cgroup)) = made() else { return };
    let lent = outer.open();
    for launcher in LAUNCHERS {
        let mut cat = command("cat");
        cat.arg("/proc/self/cgroup").launcher(launcher).cgroup(&lent).own_cgroup(&cgroup);
        assert!(names(&cat.output().unwrap().stdout, &cgroup));
        cat.cgroup(&lent);
        assert!(outer.has(&String::from_utf8(cat.output().unwrap().stdout).unwrap()));
    }
}

#[test]
fn child_keeps_the_cgroup_until_its_handle_is_dropped() {
    let Some((outer, _)) = made() else { return };
    for launcher in LAUNCHERS {
        let cgroup = Cgroup::create_in(outer.path("")).unwrap();
        let path = cgroup.path().to_owned();
        let mut command = helper("wait");
        let mut child = command.launcher(launcher).own_cgroup(&cgroup).spawn().unwrap();
        let process = child.process();
        drop((command, cgroup));
        assert_eq!(members(&path), [child.id().cast_signed()]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(path.exists());
        drop(child);
        assert!(path.exists(), "another handle is there");
        drop(process);
        assert!(!path.exists());
    }
}

own_process! {
    fn frozen_cgroup_and_one_that_is_gone_are_refused() {
        let Some((_outer, cgroup)) = made() else { return };
        let fd = cgroup.as_fd().as_raw_fd();
        let before = ParentState::now();
        std::fs::write(cgroup.path().join("cgroup.freeze"), "1").unwrap();
        for launcher in LAUNCHERS {
            let error = command("true").launcher(launcher).own_cgroup(&cgroup).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Refused(Refusal::FrozenCgroup { .. })), "{error}");
        }
        cgroup.remove().unwrap();
        for launcher in LAUNCHERS {
            let error = command("true").launcher(launcher).own_cgroup(&cgroup).spawn().unwrap_err();
            assert!(error.to_string().contains(&format!("the cgroup of descriptor {fd}: ")), "{error}");
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn exec_moves_this_process_into_the_cgroup_and_leaves_that_there() {
        let Some((_outer, cgroup)) = made() else { return };
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = cgroup.path().to_owned();
        let status = status_of(|| {
            panic!("{}", Command::new("cat").arg("/proc/self/cgroup").own_cgroup(&cgroup).stdout(file.as_file()).exec());
        });
        assert_eq!(status, 0);
        assert!(names(&std::fs::read(file.path()).unwrap(), &cgroup));
        assert!(path.exists());
    }
}

own_process! {
    fn storm_of_children_in_cgroups_leaves_nothing() {
        adopt_orphans();
        let Some((outer, shared)) = made() else { return };
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        let storm = |launcher| {
            for _ in 0..rounds(15, 40) {
                let own = Cgroup::create_in(outer.path("")).unwrap();
                let child = waiting(&own);
                let status = Command::new("true").launcher(launcher).own_cgroup(&shared).status().unwrap();
                assert!(status.success());
                own.kill().unwrap();
                super::end(child);
                own.remove().unwrap();
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                LAUNCHERS.into_iter().cycle().take(4).map(|launcher| scope.spawn(move || storm(launcher))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert!(shared.is_empty().unwrap());
        assert_eq!(ParentState::now(), before);
        drop(shared);
        assert_eq!(std::fs::read_dir(outer.path("")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), 0);
        assert_eq!(reap_all(), 0);
    }
}
