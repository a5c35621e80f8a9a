//! The cgroup of a child.

use crate::own_process;
use crate::support::cgroup::Cgroup;
use crate::support::forked::status_of;
use crate::support::parent_state::ParentState;
use crate::support::seccomp::refuse;
use crate::support::sources::{lent, memory};
use crate::support::tiny::tiny_program;
use crate::support::{LAUNCHERS, command, helper, supervised};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Command, Failure, Features, Isolated, Launcher, Rest};
use std::fs::File;
use std::os::fd::AsRawFd;

/// What an old kernel, a filter or a cgroup answers to `CLONE_INTO_CGROUP`.
const REFUSALS: [i32; 6] = [libc::E2BIG, libc::EINVAL, libc::EOPNOTSUPP, libc::ENOSYS, libc::EPERM, libc::EBUSY];

/// The ways to launch, and whether the kernel makes the child in the cgroup.
const WAYS: [(&str, bool); 8] = [
    ("clone", true),
    ("isolated", true),
    ("clone inherit", true),
    ("clone fallback", false),
    ("clone old", false),
    ("isolated fallback", false),
    ("fork", false),
    ("hook", false),
];

/// Sets one of the [`WAYS`].
fn set<'fd>(command: &mut Command<'fd>, way: &str, isolated: &'fd Isolated) {
    for word in way.split(' ') {
        match word {
            "clone" => command.launcher(Launcher::Clone),
            "isolated" => command.isolated(isolated),
            "inherit" => command.rest(Rest::Inherit),
            "fallback" => command.missing(Features::INTO_CGROUP),
            "old" => command.missing(Features::CLONE3),
            "fork" => command.launcher(Launcher::Fork),
            // SAFETY: the hook does nothing.
            _ => unsafe { command.pre_exec(|| Ok(())) },
        };
    }
}

own_process! {
    fn child_is_in_the_cgroup_and_the_parent_is_not() {
        let Some(cgroup) = Cgroup::new() else { return };
        let isolated = Isolated::new().unwrap();
        let directory = cgroup.open();
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        for (way, by_kernel) in WAYS {
            let mut cat = Command::new("cat");
            set(cat.arg("/proc/self/cgroup").cgroup(&directory), way, &isolated);
            let output = cat.output().unwrap_or_else(|error| panic!("{way}: {error}"));
            assert!(cgroup.has(&String::from_utf8(output.stdout).unwrap()), "{way}");
            // Before it has joined, the child does nothing else.
            let explanation = cat.explain();
            let first = matches!(explanation.steps()[0], Step::JoinCgroup { .. });
            assert_eq!(first, !by_kernel, "{way}: {explanation}");
            let by_clone = format!("launched by clone into the cgroup of descriptor {}", directory.as_raw_fd());
            assert_eq!(explanation.to_string().contains(&by_clone), by_kernel, "{way}: {explanation}");
            // The helper fails if it finds another number than 0 to 2.
            let mut helper = helper("exit");
            set(helper.arg("0").cgroup(&directory), way, &isolated);
            if !way.contains("inherit") {
                assert!(helper.status().unwrap().success(), "{way}");
            }
            assert_eq!(ParentState::now(), before, "{way}");
        }
    }
}

own_process! {
    fn exec_moves_this_process_into_the_cgroup() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        let file = tempfile::NamedTempFile::new().unwrap();
        let status = status_of(|| {
            let mut cat = Command::new("cat");
            panic!("{}", cat.arg("/proc/self/cgroup").cgroup(&directory).stdout(file.as_file()).exec());
        });
        assert_eq!(status, 0);
        assert!(cgroup.has(&std::fs::read_to_string(file.path()).unwrap()));
    }
}

/// How often a spawn into the cgroup makes a call, in parent and child. Each call gets the answer that `answer` has for its
/// number, from 0 on.
fn count(call: i64, launcher: Launcher, cgroup: &File, answer: impl Fn(u32) -> Option<i32>) -> Option<u32> {
    let program = tiny_program();
    let mut count = 0;
    let each = |_| {
        count += 1;
        answer(count - 1)
    };
    let spawn = || {
        let mut child = Command::new(&program).cgroup(cgroup).launcher(launcher).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(child.launched_by(), launcher);
    };
    supervised::calls(call, None, each, spawn)?;
    Some(count)
}

own_process! {
    fn kernel_makes_the_child_in_the_cgroup_with_one_clone3_and_no_write() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        assert!(Command::new("true").status().unwrap().success());
        let count = |call, launcher| count(call, launcher, &directory, |_| None);
        let Some(clones) = count(libc::SYS_clone3, Launcher::Clone) else { return };
        assert_eq!((clones, count(libc::SYS_write, Launcher::Clone).unwrap()), (1, 0));
        assert_eq!(count(libc::SYS_write, Launcher::Fork).unwrap(), 1);
    }
}

own_process! {
    fn refused_clone_into_a_cgroup_is_followed_by_one_that_writes() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        assert!(Command::new("true").status().unwrap().success());
        let before = ParentState::now();
        for errno in REFUSALS {
            let first_fails = |number| (number == 0).then_some(errno);
            let Some(clones) = count(libc::SYS_clone3, Launcher::Clone, &directory, first_fails) else { return };
            assert_eq!(clones, 2, "errno {errno}");
            // The refusal says nothing about another cgroup, so the next spawn tries the call again.
            assert_eq!(count(libc::SYS_clone3, Launcher::Clone, &directory, |_| None).unwrap(), 1);
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn child_joins_the_cgroup_if_clone3_is_refused() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        for errno in REFUSALS {
            let status = status_of(|| {
                if refuse(&[libc::SYS_clone3], errno) {
                    let mut cat = Command::new("cat");
                    cat.arg("/proc/self/cgroup").cgroup(&directory).launcher(Launcher::Clone);
                    assert!(cgroup.has(&String::from_utf8(cat.output().unwrap().stdout).unwrap()));
                }
            });
            assert_eq!(status, 0, "errno {errno}");
        }
    }
}

own_process! {
    fn no_cgroup_is_refused() {
        let Some(cgroup) = Cgroup::new() else { return };
        let plain = [File::open("/").unwrap(), memory("file"), File::open(cgroup.path("cgroup.procs")).unwrap()];
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for file in &plain {
                let error = command("true").launcher(launcher).cgroup(file).spawn().unwrap_err();
                let fd = file.as_raw_fd();
                let text = format!("cannot spawn `true`: descriptor {fd} is no directory of a cgroup, version 2");
                assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EBADF)));
                assert!(matches!(error.failure(), Failure::Refused(Refusal::NotACgroup { .. })));
            }
            let error = command("true").launcher(launcher).cgroup(lent(777)).spawn().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error}");
            assert!(error.to_string().contains("777"), "{error}");
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn frozen_cgroup_is_refused_until_it_is_thawed() {
        let Some(cgroup) = Cgroup::new() else { return };
        let inner = cgroup.path("inner");
        std::fs::create_dir(&inner).unwrap();
        let directories = [cgroup.open(), File::open(&inner).unwrap()];
        if cgroup.write("cgroup.freeze", "1").is_err() {
            crate::support::tools::skip("this kernel freezes no cgroup");
            return;
        }
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for directory in &directories {
                let error = command("true").launcher(launcher).cgroup(directory).spawn().unwrap_err();
                let fd = directory.as_raw_fd();
                let text = format!("cannot spawn `true`: the cgroup of descriptor {fd} is frozen, so no child can run in it");
                assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EBUSY)));
                assert_eq!(ParentState::now(), before);
            }
        }
        cgroup.write("cgroup.freeze", "0").unwrap();
        for launcher in LAUNCHERS {
            for directory in &directories {
                assert!(command("true").launcher(launcher).cgroup(directory).status().unwrap().success());
            }
        }
        drop(directories);
        while std::fs::remove_dir(&inner).is_err() {
            std::thread::yield_now();
        }
    }
}

own_process! {
    fn cgroup_below_one_that_is_to_be_frozen_is_refused_by_each_launcher_and_by_exec() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        let isolated = Isolated::new().unwrap();
        let inner = cgroup.path("inner");
        std::fs::create_dir(&inner).unwrap();
        let directories = [directory, File::open(&inner).unwrap()];
        if cgroup.write("cgroup.freeze", "1").is_err() {
            crate::support::tools::skip("this kernel freezes no cgroup");
            return;
        }
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for directory in &directories {
                for in_thread in [false, true] {
                    let mut command = command("true");
                    if in_thread {
                        command.isolated(&isolated);
                    }
                    let error = command.launcher(launcher).cgroup(directory).spawn().unwrap_err();
                    assert!(matches!(error.failure(), Failure::Refused(Refusal::FrozenCgroup { .. })), "{error}");
                    assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
                }
                let error = command("true").cgroup(directory).exec();
                assert!(matches!(error.failure(), Failure::Refused(Refusal::FrozenCgroup { .. })), "{error}");
                assert_eq!(ParentState::now(), before);
            }
        }
        cgroup.write("cgroup.freeze", "0").unwrap();
        drop(directories);
        while std::fs::remove_dir(&inner).is_err() {
            std::thread::yield_now();
        }
    }
}

own_process! {
    fn cgroup_that_takes_no_process_is_named() {
        let Some(cgroup) = Cgroup::new() else { return };
        let directory = cgroup.open();
        let fd = directory.as_raw_fd();
        // A cgroup takes no process if one beside it is threaded.
        let [threaded, invalid] = ["threaded", "invalid"].map(|name| cgroup.path(name));
        for inner in [&threaded, &invalid] {
            std::fs::create_dir(inner).unwrap();
        }
        std::fs::write(threaded.join("cgroup.type"), "threaded").unwrap();
        let inner = File::open(&invalid).unwrap();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            let error = command("true").launcher(launcher).cgroup(&inner).spawn().unwrap_err();
            let fd = inner.as_raw_fd();
            let text = format!("cannot spawn `true`: cannot join the cgroup of descriptor {fd}: Operation not supported");
            assert_eq!(error.to_string(), text);
            assert_eq!(ParentState::now(), before);
        }
        // A user without rights, as a forked process, since the test removes its cgroups.
        let status = status_of(|| {
            // SAFETY: only a number is passed.
            assert_eq!(unsafe { libc::setresuid(4242, 4242, 4242) }, 0);
            for launcher in LAUNCHERS {
                let error = Command::new("true").launcher(launcher).cgroup(&directory).spawn().unwrap_err();
                let text = format!("cannot spawn `true`: cannot open cgroup.procs of the cgroup of descriptor {fd}: Permission denied");
                assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EACCES)));
            }
        });
        assert_eq!(status, 0);
        std::fs::remove_dir(&threaded).unwrap();
        std::fs::remove_dir(&invalid).unwrap();
        drop(cgroup);
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            let error = command("true").launcher(launcher).cgroup(&directory).spawn().unwrap_err();
            assert!(error.to_string().contains(&format!("the cgroup of descriptor {fd}: ")), "{error}");
        }
        assert_eq!(ParentState::now(), before);
    }
}
