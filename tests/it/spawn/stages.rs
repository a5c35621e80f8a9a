//! `Error::stage`, with the error number beside it, of errors that real spawns have.

use crate::own_process;
use crate::support;
use crate::support::seccomp::refuse;
use crate::support::sources::{memory, memory_at};
use crate::support::{LAUNCHERS, helper};
use fdspawn::{Command, Error, FdMap, Launcher, Stage, Stdio, fork_run};

fn stage(command: &mut Command<'_>) -> (Stage, i32) {
    of(command.spawn().unwrap_err())
}

fn of(error: Error) -> (Stage, i32) {
    (error.stage(), error.raw_os_error().unwrap())
}

#[test]
fn stage_says_in_which_part_of_a_spawn_it_failed() {
    let file = memory("file");
    for launcher in LAUNCHERS {
        let command = || {
            let mut command = support::command("true");
            command.launcher(launcher);
            command
        };
        assert_eq!(stage(command().arg("\0")), (Stage::Parent, libc::EINVAL));
        assert_eq!(stage(command().env("", "")), (Stage::Parent, libc::EINVAL));
        assert_eq!(stage(command().fd(-1, Stdio::null())), (Stage::Parent, libc::EBADF));
        assert_eq!(stage(command().fd(7, Stdio::same_as(8))), (Stage::Parent, libc::EBADF));
        assert_eq!(stage(command().fd(7, Stdio::same_as(7))), (Stage::Parent, libc::EINVAL));
        assert_eq!(stage(command().current_dir("/nope")), (Stage::Directory, libc::ENOENT));
        assert_eq!(stage(command().current_dir_fd(&file)), (Stage::Directory, libc::ENOTDIR));
        assert_eq!(stage(support::command("/nope").launcher(launcher)), (Stage::Exec, libc::ENOENT));
        assert_eq!(stage(support::command("/etc/passwd").launcher(launcher)), (Stage::Exec, libc::EACCES));
    }
    let mut command = support::command("true");
    // SAFETY: the hook allocates nothing.
    unsafe { command.launcher(Launcher::Fork).pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EPERM))) };
    assert_eq!(stage(&mut command), (Stage::Hook, libc::EPERM));
    assert_eq!(stage(command.launcher(Launcher::Clone)), (Stage::Parent, libc::EINVAL));
    // SAFETY: the function does nothing.
    let error = unsafe { fork_run(FdMap::new().fd(-1, Stdio::null()), || 0) }.unwrap_err();
    assert_eq!(of(error), (Stage::Parent, libc::EBADF));
}

own_process! {
    fn stage_of_a_wait_is_that_of_a_running_child() {
        for launcher in LAUNCHERS {
            // With a pidfd the kernel may still tell the status of a reaped child.
            let mut child = helper("exit").arg("0").launcher(launcher).pidfd(false).spawn().unwrap();
            // SAFETY: only numbers and a null pointer are passed.
            unsafe { libc::waitpid(child.id() as i32, std::ptr::null_mut(), 0) };
            assert_eq!(of(child.wait().unwrap_err()), (Stage::Running, libc::ECHILD));
        }
    }
}

own_process! {
    fn stage_of_a_refused_duplicate_is_descriptors() {
        let source = memory_at(50, "source", true);
        if !refuse(&[libc::SYS_dup3], libc::EPERM) {
            return;
        }
        for launcher in LAUNCHERS {
            assert_eq!(stage(support::command("true").launcher(launcher).fd(9, &source)), (Stage::Descriptors, libc::EPERM));
        }
    }
}

own_process! {
    fn stage_of_a_refused_disposition_is_attribute() {
        if !refuse(&[libc::SYS_rt_sigaction], libc::EPERM) {
            return;
        }
        for launcher in LAUNCHERS {
            assert_eq!(stage(support::command("true").launcher(launcher)).0, Stage::Attribute);
        }
    }
}

own_process! {
    fn stage_of_a_refused_launch_is_launch() {
        // The probe runs before the filter, so the launch itself meets the refusal.
        assert!(Command::new("true").launcher(Launcher::Clone).status().unwrap().success());
        if refuse(&[libc::SYS_clone3, libc::SYS_clone], libc::EAGAIN) {
            for launcher in LAUNCHERS {
                let error = Command::new("true").launcher(launcher).spawn().unwrap_err();
                assert_eq!(of(error), (Stage::Launch, libc::EAGAIN));
            }
        }
    }
}
