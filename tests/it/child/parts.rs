//! A child that the caller takes over: `Child::into_parts`, and children without a pidfd.

use super::has_pidfd;
use crate::own_process;
use crate::support;
use crate::support::table::Table;
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Child, Failure, Features, Stage, Stdio};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

/// Waits as other code of a process does: by waitid(2) without `__WALL`.
fn waited(kind: libc::idtype_t, id: u32) -> i32 {
    // SAFETY: all zeros is a valid siginfo, and the kernel writes one.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let result = libc::waitid(kind, id, &raw mut info, libc::WEXITED);
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        info.si_status()
    }
}

own_process! {
    fn parts_are_pid_and_pidfd_of_a_child_that_the_caller_reaps() {
        let before = Table::current();
        for launcher in LAUNCHERS {
            for pidfd in [true, false] {
                let child = helper("exit").arg("7").launcher(launcher).pidfd(pidfd).spawn().unwrap();
                let id = child.id();
                let (pid, found): (u32, Option<OwnedFd>) = child.into_parts().unwrap();
                assert_eq!(pid, id);
                assert_eq!(found.is_some(), pidfd && has_pidfd(launcher));
                let status = match &found {
                    Some(pidfd) => {
                        let flags = rustix::io::fcntl_getfd(pidfd).unwrap();
                        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
                        waited(libc::P_PIDFD, pidfd.as_raw_fd().cast_unsigned())
                    }
                    None => waited(libc::P_PID, pid),
                };
                assert_eq!(status, 7, "it was not reaped before");
            }
        }
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn ends_that_are_not_taken_are_closed_and_those_that_are_taken_stay() {
        let before = Table::current().numbers();
        for launcher in LAUNCHERS {
            let mut command = helper("print-on");
            command.args(["7", "text"]).env_remove(support::helper::PLANNED).launcher(launcher);
            command.stdin(Stdio::piped()).stderr(Stdio::piped());
            let (seven, eight) = (command.reader(7), command.socket(8));
            let mut child = command.spawn().unwrap();
            let mut reader = child.take(seven).unwrap();
            let (pid, pidfd) = child.into_parts().unwrap();
            drop(pidfd);
            assert_eq!(Table::current().numbers().len(), before.len() + 1, "the reader");
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!((text.as_str(), waited(libc::P_PID, pid)), ("text", 0));
            let _ = eight;
        }
        assert_eq!(Table::current().numbers(), before);
    }
}

#[test]
fn child_that_has_been_reaped_is_not_given_away() {
    for launcher in LAUNCHERS {
        let waits: [fn(&mut Child); 2] =
            [|child| _ = child.wait().unwrap(), |child| while child.try_wait().unwrap().is_none() {}];
        for wait in waits {
            let mut child = helper("exit").arg("7").launcher(launcher).spawn().unwrap();
            let pid = child.id();
            wait(&mut child);
            let error = child.into_parts().unwrap_err();
            assert!(matches!(error.failure(), Failure::Reaped(status) if status.code() == Some(7)), "{error}");
            assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::ECHILD), Stage::Running));
            assert_eq!(
                error.to_string(),
                format!("cannot give process {pid} away: it has been reaped: exit status: 7")
            );
        }
    }
}

own_process! {
    fn child_without_a_pidfd_is_waited_for_and_killed_and_costs_no_descriptor() {
        let before = Table::current();
        for launcher in LAUNCHERS {
            for missing in [Features::empty(), Features::PIDFD] {
                let mut command = helper("wait");
                command.launcher(launcher).missing(missing).pidfd(false);
                let mut child = command.spawn().unwrap();
                assert!(child.pidfd().is_none());
                assert_eq!(Table::current(), before);
                assert_eq!(child.try_wait().unwrap(), None);
                child.kill().unwrap();
                assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
                child.kill().expect("killing what is reaped is nothing");
                // The last call counts.
                let mut child = command.pidfd(true).spawn().unwrap();
                assert_eq!(child.pidfd().is_some(), missing.is_empty() && has_pidfd(launcher));
                child.kill().unwrap();
                child.wait().unwrap();
            }
        }
    }
}

own_process! {
    fn child_is_not_given_away_by_a_forked_copy_of_the_process() {
        for launcher in LAUNCHERS {
            let child = helper("exit").arg("7").launcher(launcher).spawn().unwrap();
            let pid = child.id();
            let mut child = Some(child);
            let status = support::forked::status_of(|| {
                let error = child.take().unwrap().into_parts().unwrap_err();
                assert!(matches!(error.failure(), Failure::NotAChild), "{error:?}");
                assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::ECHILD), Stage::Running));
                let text = format!("cannot give process {pid} away: this process is a forked copy of the one that has started it");
                assert_eq!(error.to_string(), text);
            });
            assert_eq!(status, 0);
            let (given, _) = child.unwrap().into_parts().unwrap();
            assert_eq!((given, waited(libc::P_PID, given)), (pid, 7));
        }
    }
}
