//! Process groups and sessions.

use crate::own_process;
use crate::support::forked::Forked;
use crate::support::seccomp::refuse;
use crate::support::ways::{Attribute, WAYS, Way, error, refused, without_program};
use fdspawn::plan::{Refusal, Step};
use fdspawn::{Failure, Launcher};

own_process! {
    fn new_process_group_has_the_childs_id() {
        let group = Attribute {
            set: &|command| {
                command.process_group(0);
            },
            step: "make a new process group",
            changes: &[("group", "own")],
        };
        group.check();
        group.check_error(
            || refuse(&[libc::SYS_setpgid], libc::EPERM),
            "cannot make a new process group: Operation not permitted",
        );
    }
}

own_process! {
    fn process_group_of_another_process_is_joined() {
        let other = Forked::new(|| {
            // SAFETY: the call changes this process only.
            assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        });
        let id = other.0.to_string();
        let group = Attribute {
            set: &|command| {
                command.process_group(other.0 as i32);
            },
            step: &format!("join process group {id}"),
            changes: &[("group", &id)],
        };
        group.check();
    }
}

own_process! {
    fn process_group_of_another_session_or_of_no_process_is_named_by_the_error() {
        let other = Forked::new(|| {
            // SAFETY: the call changes this process only.
            assert!(unsafe { libc::setsid() } > 0);
        });
        for group in [other.0 as i32, i32::MAX] {
            let attribute = Attribute {
                set: &|command| {
                    command.process_group(group);
                },
                step: "",
                changes: &[],
            };
            attribute.check_error(|| true, &format!("cannot join process group {group}: Operation not permitted"));
        }
    }
}

own_process! {
    fn new_session_has_a_new_group() {
        let session = Attribute {
            set: &|command| {
                command.setsid(true);
            },
            step: "make a new session",
            changes: &[("group", "own"), ("session", "own")],
        };
        session.check();
        session.check_error(
            || refuse(&[libc::SYS_setsid], libc::EPERM),
            "cannot make a new session: Operation not permitted",
        );
        let taken_back = Attribute {
            set: &|command| {
                command.setsid(true).setsid(false).umask(0o1);
            },
            step: "set the umask to 001",
            changes: &[("umask", "001")],
        };
        taken_back.check();
    }
}

own_process! {
    fn leader_of_a_group_cannot_make_a_session_by_exec() {
        // SAFETY: the test has the process to itself.
        assert_eq!(unsafe { libc::setpgid(0, 0) }, 0);
        let error = error(Way::Exec, fdspawn::Command::new("true").setsid(true));
        assert!(matches!(error.failure(), Failure::Child(Step::NewSession)));
        assert_eq!(error.to_string(), "cannot exec `true`: cannot make a new session: Operation not permitted");
    }
}

own_process! {
    fn group_is_made_before_the_spawn_returns() {
        for way in WAYS.into_iter().filter(|way| *way != Way::Exec) {
            let mut command = crate::support::helper("wait");
            way.choose(command.process_group(0));
            let child = crate::support::running::Running::spawn(&mut command);
            // SAFETY: the call asks about a child.
            assert_eq!(unsafe { libc::getpgid(child.id() as i32) }, child.id() as i32);
            child.end();
        }
    }
}

own_process! {
    fn negative_groups_and_a_session_with_a_group_are_refused() {
        refused(
            |command| {
                command.process_group(-5);
            },
            Refusal::NegativeGroup { group: -5 },
            "process group -5 is below zero",
        );
        let text = "a new session and a process group exclude each other";
        refused(
            |command| {
                command.process_group(0).setsid(true);
            },
            Refusal::SessionAndGroup,
            text,
        );
        let explanation = fdspawn::Command::new("true").launcher(Launcher::Fork).process_group(i32::MIN).explain();
        assert_eq!(without_program(&explanation.to_string()), "process group -2147483648 is below zero");
    }
}
