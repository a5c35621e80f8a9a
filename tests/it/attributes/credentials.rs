//! The user, the group and the supplementary groups of a child, and that privileges are dropped rightly.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::parent_state::{ParentState, is_root, words};
use crate::support::running::Running;
use crate::support::tools::skip;
use crate::support::ways::{Way, error, without_program};
use crate::support::{LAUNCHERS, command};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Command, Failure, Isolated, Launcher, Resource, Rlimit, Stage};

/// A user and a group that this machine does not know.
const USER: u32 = 4242;
const GROUP: u32 = 4343;

/// A program that prints its `/proc/self/status`. Every user may execute it.
fn status_program<'fd>(launcher: Launcher) -> Command<'fd> {
    let mut command = command("cat");
    command.arg("/proc/self/status").launcher(launcher);
    command
}

/// The status that the program of a command prints, and the launcher of its child.
fn status(command: &mut Command<'_>) -> (String, Launcher) {
    let child = command.stdout(fdspawn::Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{error}"));
    let launcher = child.launched_by();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    (String::from_utf8(output.stdout).unwrap(), launcher)
}

fn set_own_groups(groups: &[u32]) {
    // SAFETY: the ids are read.
    assert_eq!(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) }, 0);
}

/// Sets the ids of this process, which stays dumpable, so that it may look at itself in /proc.
fn set_own_users(real: u32, effective: u32, saved: u32) {
    // SAFETY: only numbers are passed.
    unsafe {
        assert_eq!(libc::setresuid(real, effective, saved), 0);
        libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
}

own_process! {
    fn user_group_and_groups_are_set_in_each_place_without_a_capability() {
        if !is_root() {
            return;
        }
        set_own_groups(&[7, 8]);
        let isolated = Isolated::new().unwrap();
        let before = ParentState::now();
        for launcher in [Launcher::Auto, Launcher::Fork] {
            for in_thread in [false, true] {
                let mut command = status_program(launcher);
                if in_thread {
                    command.isolated(&isolated);
                }
                let (text, launched_by) = status(command.uid(USER).gid(GROUP).groups(&[44, 45]));
                assert_eq!(launched_by, Launcher::Fork);
                assert_eq!(words(&text, "Uid"), ["4242"; 4]);
                assert_eq!(words(&text, "Gid"), ["4343"; 4]);
                assert_eq!(words(&text, "Groups"), ["44", "45"]);
                for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                    assert_eq!(words(&text, set), ["0000000000000000"], "{set}");
                }
                assert_eq!(ParentState::now(), before);
            }
        }
    }
}

own_process! {
    fn steps_are_in_the_order_groups_group_root_user_directory() {
        if !is_root() {
            return;
        }
        let mut command = status_program(Launcher::Auto);
        let explanation = command.uid(USER).gid(GROUP).groups(&[44, 45]).chroot("/").current_dir("/tmp").explain().to_string();
        let steps = [
            "set the supplementary groups to 44, 45",
            "set the group to 4343",
            "change the root directory to `/`",
            "set the user to 4242",
            "change the working directory to `/tmp`",
        ];
        let places = steps.map(|step| explanation.find(step).unwrap_or_else(|| panic!("no `{step}` in {explanation}")));
        assert!(places.is_sorted(), "{explanation}");
        assert!(explanation.contains("launched by fork"), "{explanation}");
    }
}

own_process! {
    fn groups_are_dropped_if_root_names_none() {
        if !is_root() {
            return;
        }
        set_own_groups(&[7, 8]);
        let groups = |command: &mut Command<'_>| {
            let (text, launcher) = status(command);
            (words(&text, "Groups").join(" "), launcher)
        };
        let none = String::new;
        for launcher in LAUNCHERS {
            let command = || status_program(launcher);
            assert_eq!(groups(&mut command()), ("7 8".to_owned(), launcher));
            // The groups alone do not cost the clone launcher, and neither does this process's own user.
            assert_eq!(groups(command().groups(&[])), (none(), launcher));
            assert_eq!(groups(command().groups(&[9])), ("9".to_owned(), launcher));
            assert_eq!(groups(command().uid(0)), (none(), launcher));
            assert_eq!(groups(command().uid(0).groups(&[9])), ("9".to_owned(), launcher));
            assert_eq!(groups(command().gid(0)), ("7 8".to_owned(), launcher));
        }
        let auto = || status_program(Launcher::Auto);
        assert_eq!(groups(auto().uid(USER)), (none(), Launcher::Fork));
        assert_eq!(groups(auto().gid(GROUP)), ("7 8".to_owned(), Launcher::Fork));
        assert_eq!(groups(auto().groups(&[])), (none(), Launcher::Clone));
    }
}

/// Takes one capability from this thread, which keeps all others of root. Its children have no more than that.
fn give_up(capability: u32) {
    let header = [0x2008_0522_u32, 0];
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: the kernel reads one header, and writes and reads two times three sets.
    unsafe {
        assert_eq!(libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()), 0);
        sets[0].iter_mut().for_each(|set| *set &= !(1 << capability));
        assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()), 0);
    }
}

const CAP_SETGID: u32 = 6;

/// The supplementary groups of the program of a command that sets this user, or the error.
fn groups_of(launcher: Launcher, user: u32) -> Result<String, String> {
    let output = status_program(launcher).uid(user).output().map_err(|error| without_program(&error.to_string()))?;
    Ok(words(std::str::from_utf8(&output.stdout).unwrap(), "Groups").join(" "))
}

own_process! {
    fn groups_are_dropped_by_a_process_that_is_not_root_and_has_the_capabilities() {
        if !is_root() {
            return;
        }
        set_own_groups(&[7, 8]);
        // The effective capabilities stay at a change of the user.
        const NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;
        // SAFETY: only numbers are passed.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0) }, 0);
        set_own_users(USER, USER, USER);
        for user in [USER, 4244, 0] {
            for launcher in [Launcher::Auto, Launcher::Fork] {
                assert_eq!(groups_of(launcher, user).as_deref(), Ok(""), "{user}");
            }
        }
        assert_eq!(groups_of(Launcher::Clone, USER).as_deref(), Ok(""));
    }
}

own_process! {
    fn groups_that_cannot_be_dropped_are_an_error_if_another_user_would_get_them() {
        if !is_root() {
            return;
        }
        set_own_groups(&[7, 8]);
        let status = status_of(|| {
            give_up(CAP_SETGID);
            let text = format!("cannot drop the supplementary groups before user {USER}: Operation not permitted");
            for way in [Way::Spawn(Launcher::Auto), Way::Spawn(Launcher::Fork), Way::Exec] {
                let error = error(way, Command::new("cat").uid(USER));
                assert!(matches!(error.failure(), Failure::Child(Step::DropGroups { user: USER })), "{error:?}");
                assert_eq!((error.stage(), error.raw_os_error()), (Stage::Attribute, Some(libc::EPERM)));
                assert_eq!(without_program(&error.to_string()), text);
            }
            let explanation = Command::new("cat").uid(USER).explain().to_string();
            assert!(explanation.contains("drop the supplementary groups before user 4242\n"), "{explanation}");
            // This process's own user has these groups in any case.
            for launcher in LAUNCHERS {
                assert_eq!(groups_of(launcher, 0).as_deref(), Ok("7 8"));
            }
            // One id that differs is another user.
            set_own_users(0, 0, USER);
            assert!(groups_of(Launcher::Fork, 0).unwrap_err().contains("cannot drop the supplementary groups before user 0"));
        });
        assert_eq!(status, 0);
        set_own_groups(&[]);
        let status = status_of(|| {
            give_up(CAP_SETGID);
            for user in [0, USER] {
                assert_eq!(groups_of(Launcher::Auto, user).as_deref(), Ok(""), "there is none to drop");
            }
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn error_of_many_groups_names_the_first_ones_and_how_many_more_there_are() {
        if !is_root() {
            return;
        }
        let status = status_of(|| {
            give_up(CAP_SETGID);
            let groups: Vec<u32> = (1..=65_536).collect();
            let error = Command::new("true").groups(&groups).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Groups(found) if *found == groups));
            let text = without_program(&error.to_string());
            assert!(text.starts_with("cannot set the supplementary groups to 1, 2, 3, "), "{text}");
            assert!(text.ends_with(", 15, 16 and 65520 more: Operation not permitted"), "{text}");
            let explanation = Command::new("true").groups(&groups).explain().to_string();
            assert!(explanation.contains(", 15, 16 and 65520 more\n"), "{explanation}");
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn own_user_is_set_in_a_user_namespace_that_denies_setgroups() {
        let status = status_of(|| {
            // SAFETY: the calls change this process only, which has one thread.
            let (user, is_new) = unsafe { (libc::geteuid(), libc::unshare(libc::CLONE_NEWUSER) == 0) };
            let written = |file: &str, text: &str| std::fs::write(format!("/proc/self/{file}"), text).is_ok();
            if !is_new || !written("setgroups", "deny") || !written("uid_map", &format!("0 {user} 1")) {
                skip("this process cannot make a user namespace");
                return;
            }
            for launcher in LAUNCHERS {
                assert!(Command::new("true").uid(0).launcher(launcher).status().unwrap().success());
            }
        });
        assert_eq!(status, 0);
    }
}

own_process! {
    fn another_user_or_group_is_refused_under_clone_before_anything_is_opened() {
        if !is_root() {
            return;
        }
        let before = ParentState::now();
        let mut user = command("cat");
        let mut group = command("cat");
        for command in [user.uid(USER), group.gid(GROUP)] {
            command.launcher(Launcher::Clone).stdout(fdspawn::Stdio::piped());
            let explained = command.explain().into_result().unwrap_err();
            for error in [explained, command.spawn().unwrap_err(), command.status().unwrap_err()] {
                assert!(matches!(error.failure(), Failure::CredentialsNeedFork), "{error}");
                assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
                assert!(error.to_string().contains("another user or group needs the fork launcher"), "{error}");
            }
            assert_eq!(ParentState::now(), before);
            command.launcher(Launcher::Auto).arg("/dev/null");
            assert_eq!(command.spawn().unwrap().wait().unwrap().code(), Some(0));
        }
    }
}

own_process! {
    fn own_user_and_group_keep_the_clone() {
        if !is_root() {
            return;
        }
        let before = ParentState::now();
        let (text, launcher) = status(status_program(Launcher::Auto).uid(0).gid(0));
        assert_eq!((launcher, words(&text, "Uid"), words(&text, "Gid")), (Launcher::Clone, vec!["0"; 4], vec!["0"; 4]));
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn any_user_or_group_forks_from_an_isolated_thread_which_may_have_other_ids() {
        if !is_root() {
            return;
        }
        let isolated = Isolated::new().unwrap();
        // The calls set the ids of this thread only, as file servers do. The isolated thread is still root.
        // SAFETY: only numbers are passed.
        unsafe {
            assert_eq!(libc::syscall(libc::SYS_setresgid, GROUP, GROUP, GROUP), 0);
            assert_eq!(libc::syscall(libc::SYS_setresuid, USER, USER, USER), 0);
            libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
        }
        let before = ParentState::now();
        let sets: [fn(&mut Command<'_>); 2] = [|command| _ = command.uid(USER), |command| _ = command.gid(GROUP)];
        for set in sets {
            let mut command = status_program(Launcher::Clone);
            set(command.isolated(&isolated));
            let refused = command.spawn().unwrap_err();
            assert!(matches!(refused.failure(), Failure::CredentialsNeedFork), "{refused}");
            let (_, launcher) = status(command.launcher(Launcher::Auto));
            assert_eq!(launcher, Launcher::Fork);
            assert_eq!(ParentState::now(), before);
        }
        // Without ids the isolated thread keeps the clone.
        let (_, launcher) = status(status_program(Launcher::Auto).isolated(&isolated));
        assert_eq!(launcher, Launcher::Clone);
    }
}

own_process! {
    fn an_id_that_differs_in_one_place_only_forks() {
        if !is_root() {
            return;
        }
        let ids = |uid| {
            let mut command = status_program(Launcher::Auto);
            let refused = command.uid(uid).launcher(Launcher::Clone).spawn().unwrap_err();
            assert!(matches!(refused.failure(), Failure::CredentialsNeedFork), "{refused}");
            let (text, launcher) = status(command.launcher(Launcher::Auto));
            assert_eq!(launcher, Launcher::Fork);
            assert_eq!(words(&text, "Uid"), [&*uid.to_string(); 4]);
        };
        for (real, effective, saved) in [(0, 0, USER), (USER, 0, 0), (0, USER, 0)] {
            set_own_users(real, effective, saved);
            let before = ParentState::now();
            ids(0);
            ids(USER);
            assert_eq!(ParentState::now(), before);
            // SAFETY: only numbers are passed.
            assert_eq!(unsafe { libc::setresuid(u32::MAX, 0, u32::MAX) }, 0);
            set_own_users(0, 0, 0);
        }
        // The ids for file systems are ids, too: a change of them in a child that shares memory makes the parent undumpable.
        // SAFETY: only numbers are passed.
        unsafe {
            libc::setfsuid(USER);
            libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
        }
        let before = ParentState::now();
        ids(0);
        assert_eq!(ParentState::now(), before);
        // SAFETY: only numbers are passed.
        unsafe {
            libc::setfsuid(0);
            assert_eq!(libc::setresgid(0, 0, GROUP), 0);
        }
        let (text, launcher) = status(status_program(Launcher::Auto).gid(0));
        assert_eq!((launcher, words(&text, "Gid")), (Launcher::Fork, vec!["0"; 4]));
    }
}

own_process! {
    fn ids_without_the_right_are_errors_that_name_them() {
        if !is_root() {
            return;
        }
        set_own_users(USER, USER, USER);
        let before = ParentState::now();
        let mut cases: Vec<(Command<'_>, &str)> = Vec::new();
        let mut case = |set: &dyn Fn(&mut Command<'_>), text| {
            let mut command = command("true");
            set(&mut command);
            cases.push((command, text));
        };
        case(&|command| {
command.groups(&[44, 45]);
}, "cannot set the supplementary groups to 44, 45");
        case(&|command| {
command.groups(&[]).launcher(Launcher::Fork);
}, "cannot set the supplementary groups to none");
        case(&|command| {
command.gid(4343);
}, "cannot set the group to 4343");
        case(&|command| {
command.uid(4243);
}, "cannot set the user to 4243");
        case(&|command| {
command.uid(0);
}, "cannot set the user to 0");
        for launcher in LAUNCHERS {
            case(&|command| {
command.chroot("/tmp").launcher(launcher);
}, "cannot change the root directory to `/tmp`");
            case(&|command| {
command.groups(&[44]).launcher(launcher);
}, "cannot set the supplementary groups to 44");
        }
        for (mut command, text) in cases {
            let error = command.spawn().unwrap_err();
            assert_eq!(error.to_string(), format!("cannot spawn `true`: {text}: Operation not permitted"));
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            assert_eq!(ParentState::now(), before);
        }
    }
}

own_process! {
    fn highest_number_is_no_id() {
        let before = ParentState::now();
        let none = u32::MAX;
        for launcher in LAUNCHERS {
            let [mut user, mut group, mut groups] = [(); 3].map(|()| command("true"));
            for command in [user.uid(none), group.gid(none), groups.groups(&[5, none])] {
                let error = command.launcher(launcher).spawn().unwrap_err();
                let text = "cannot spawn `true`: 4294967295 is no id of a user or a group";
                assert_eq!((error.to_string(), error.raw_os_error()), (text.to_owned(), Some(libc::EINVAL)));
                assert!(matches!(error.failure(), Failure::Refused(Refusal::NotAnId { id }) if *id == none), "{error}");
            }
        }
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn users_limit_of_processes_is_named_if_it_fails_the_exec() {
        if !is_root() {
            return;
        }
        // A user without a process is never over its limit at the change of the user.
        let other = Running::spawn(command("sleep").arg("60").uid(USER));
        let before = ParentState::now();
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        let error = command("true").uid(USER).rlimit(Resource::Nproc, none).spawn().unwrap_err();
        let text = "cannot spawn `true`: the user's limit of processes (RLIMIT_NPROC): Resource temporarily unavailable";
        assert_eq!(error.to_string(), text);
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(ParentState::now(), before);
        other.end();
    }
}
