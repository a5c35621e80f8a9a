//! How a cgroup is made and removed.

use super::{adopt_orphans, end, made, reap_all, waiting};
use crate::own_process;
use crate::support::cgroup::Cgroup as Outer;
use crate::support::forked::status_of;
use crate::support::parent_state::{ParentState, is_root};
use crate::support::sources::{hard_limit, set_limit};
use crate::support::{LAUNCHERS, command};
use fdspawn::{Cgroup, Failure};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

#[test]
fn cgroup_is_a_new_directory_in_the_one_that_the_caller_names() {
    let Some((outer, cgroup)) = made() else { return };
    assert_eq!(cgroup.path().parent().unwrap(), outer.path("").components().as_path());
    let [by_path, by_descriptor] =
        [std::fs::metadata(cgroup.path()), File::from(cgroup.as_fd().try_clone_to_owned().unwrap()).metadata()];
    assert_eq!(by_path.unwrap().ino(), by_descriptor.unwrap().ino());
    assert!(cgroup.is_empty().unwrap());
}

#[test]
fn cgroup_is_found_that_is_delegated_to_this_process() {
    let Some(outer) = Outer::new() else { return };
    let cgroup = Cgroup::create().unwrap();
    assert_eq!(cgroup.path().parent().unwrap(), outer.path("").parent().unwrap());
    let mut cat = command("cat");
    let output = cat.arg("/proc/self/cgroup").own_cgroup(&cgroup).output().unwrap().stdout;
    let name = cgroup.path().file_name().unwrap().to_str().unwrap();
    assert!(String::from_utf8(output).unwrap().lines().any(|line| line.starts_with("0::") && line.ends_with(name)));
}

#[test]
fn directory_that_is_none_of_a_cgroup_is_refused() {
    let error = Cgroup::create_in("/dev").unwrap_err();
    assert_eq!(error.to_string(), "cannot make a cgroup in `/dev`: it is no directory of a cgroup, version 2");
    assert!(matches!(error.failure(), Failure::NotACgroup(path) if path.as_os_str() == "/dev"));
    assert_eq!((error.raw_os_error(), error.kind()), (Some(libc::EBADF), std::io::ErrorKind::InvalidInput));
    for (path, errno, reason) in [
        ("/nope", libc::ENOENT, "No such file or directory"),
        ("/dev/null", libc::ENOTDIR, "Not a directory"),
        ("", libc::ENOENT, "No such file or directory"),
    ] {
        let error = Cgroup::create_in(path).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot make a cgroup in `{path}`: directory `{path}`: {reason}"));
        assert!(matches!(error.failure(), Failure::CgroupDirectory(named) if named.as_os_str() == path));
        assert_eq!(error.raw_os_error(), Some(errno));
    }
}

own_process! {
    fn user_to_whom_nothing_is_delegated_gets_a_clear_error() {
        let Some((outer, cgroup)) = made() else { return };
        if !is_root() {
            return;
        }
        let child = waiting(&cgroup);
        // As a forked process, since this one has to remove its cgroups.
        let status = status_of(|| {
            // SAFETY: only a number is passed.
            assert_eq!(unsafe { libc::setresuid(65_534, 65_534, 65_534) }, 0);
            let error = Cgroup::create().unwrap_err();
            let Failure::CgroupNotDelegated(path) = error.failure() else { panic!("{error}") };
            let text = format!(
                "cannot make a cgroup: the cgroup of this process, `{}`, is not delegated to it: Permission denied",
                path.display()
            );
            assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EACCES)));
            let error = Cgroup::create_in(outer.path("")).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("cannot make a cgroup in `/") && text.ends_with("`: Permission denied"), "{text}");
            assert!(matches!(error.failure(), Failure::CgroupDirectory(_)));
            let path = cgroup.path().display();
            assert_eq!(
                cgroup.kill().unwrap_err().to_string(),
                format!("cannot kill the cgroup `{path}`: cgroup.kill: Permission denied")
            );
            assert_eq!(
                cgroup.kill_by_freezing().unwrap_err().to_string(),
                format!("cannot kill the cgroup `{path}`: cgroup.freeze: Permission denied")
            );
            let error = cgroup.signal(fdspawn::Signal::TERM).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot signal the cgroup `{path}`: Operation not permitted"));
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            assert!(!cgroup.is_empty().unwrap(), "any user may look");
        });
        assert_eq!(status, 0);
        assert!(child.try_wait().unwrap().is_none());
        end(child);
    }
}

own_process! {
    fn process_without_proc_gets_a_clear_error() {
        let Some(outer) = Outer::new() else { return };
        if !crate::support::mounts::unmount_proc() {
            return;
        }
        let error = Cgroup::create().unwrap_err();
        let text = "cannot make a cgroup: /proc/self/cgroup: No such file or directory";
        assert_eq!((error.to_string().as_str(), error.raw_os_error()), (text, Some(libc::ENOENT)));
        let cgroup = Cgroup::create_in(outer.path("")).expect("that needs no /proc");
        let child = waiting(&cgroup);
        assert_eq!(cgroup.signal(fdspawn::Signal::TERM).unwrap(), 1);
        end(child);
        cgroup.remove().unwrap();
    }
}

#[test]
fn last_clone_removes_the_cgroup_in_any_order_and_in_any_thread() {
    fn can_be_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let Some((_outer, cgroup)) = made() else { return };
    can_be_shared(&cgroup);
    let path = cgroup.path().to_owned();
    let clones: Vec<Cgroup> = (0..8).map(|_| cgroup.clone()).collect();
    drop(cgroup);
    std::thread::scope(|scope| {
        for clone in clones {
            assert!(path.exists());
            let check = || {
                assert!(clone.path().exists());
                drop(clone);
            };
            scope.spawn(check);
        }
    });
    assert!(!path.exists());
}

#[test]
fn cgroup_with_processes_stays_after_the_drop() {
    let Some((_outer, cgroup)) = made() else { return };
    let path = cgroup.path().to_owned();
    std::fs::create_dir(path.join("inner")).unwrap();
    let child = waiting(&cgroup);
    // The child's handle has a clone, and gives the process away.
    let (pid, _) = child.into_parts().unwrap();
    let start = Instant::now();
    drop(cgroup);
    assert!(start.elapsed() < Duration::from_millis(500), "a drop does not wait");
    assert!(path.join("inner").exists(), "nothing of it is removed");
    // SAFETY: the process is this test's, which has not reaped it. A null pointer asks for no status.
    unsafe {
        assert_eq!(libc::kill(pid.cast_signed(), libc::SIGKILL), 0, "it lives");
        assert_eq!(libc::waitpid(pid.cast_signed(), std::ptr::null_mut(), 0), pid.cast_signed());
    }
    for directory in [path.join("inner"), path] {
        std::fs::remove_dir(directory).unwrap();
    }
}

#[test]
fn removal_of_a_cgroup_with_processes_is_an_error_after_a_second_and_can_be_repeated() {
    let Some((_outer, cgroup)) = made() else { return };
    let mut child = waiting(&cgroup);
    let start = Instant::now();
    let error = cgroup.remove().unwrap_err();
    assert!((1..10).contains(&start.elapsed().as_secs()));
    let text = format!("cannot remove the cgroup `{}`: processes are left in it", cgroup.path().display());
    assert_eq!((error.to_string(), error.raw_os_error()), (text, Some(libc::EBUSY)));
    assert!(matches!(error.failure(), Failure::CgroupNotEmpty));
    assert!(child.try_wait().unwrap().is_none(), "it kills none");
    cgroup.kill().unwrap();
    cgroup.remove().unwrap();
    assert!(!cgroup.path().exists());
    child.wait().unwrap();
    // A cgroup that has been removed has no process, so a signal reaches none, and a second removal succeeds.
    cgroup.remove().unwrap();
    assert!(cgroup.is_empty().unwrap());
    assert!(cgroup.wait_until_empty(None).unwrap());
    assert_eq!(cgroup.signal(fdspawn::Signal::KILL).unwrap(), 0);
    cgroup.kill().unwrap();
    cgroup.kill_by_freezing().unwrap();
}

#[test]
fn cgroup_of_the_same_name_that_others_have_made_is_not_removed() {
    let Some((_outer, cgroup)) = made() else { return };
    let path = cgroup.path().to_owned();
    std::fs::remove_dir(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    cgroup.remove().unwrap();
    drop(cgroup);
    assert!(path.exists());
    std::fs::remove_dir(&path).unwrap();
}

#[test]
fn cgroups_that_are_made_inside_are_removed_too() {
    for by_drop in [true, false] {
        let Some((_outer, cgroup)) = made() else { return };
        let path = cgroup.path().to_owned();
        for inner in ["a/b/c", "a/d", "e"] {
            std::fs::create_dir_all(path.join(inner)).unwrap();
        }
        if by_drop {
            drop(cgroup);
        } else {
            cgroup.remove().unwrap();
        }
        assert!(!path.exists());
    }
}

own_process! {
    fn forked_copy_does_not_remove_the_cgroup() {
        let Some((_outer, cgroup)) = made() else { return };
        let path = cgroup.path().to_owned();
        let mut cgroup = Some(cgroup);
        assert_eq!(status_of(|| drop(cgroup.take())), 0);
        assert!(path.exists());
        // A fork that libc does not know of.
        // SAFETY: the child drops a value, and ends.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) as i32;
            if pid == 0 {
                drop(cgroup.take());
                libc::_exit(0);
            }
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
        }
        assert!(path.exists());
        drop(cgroup);
        assert!(!path.exists());
    }
}

own_process! {
    fn cgroup_of_a_child_that_has_been_reaped_is_removed_by_the_drop() {
        adopt_orphans();
        let Some(outer) = Outer::new() else { return };
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for _ in 0..100 {
                let cgroup = Cgroup::create_in(outer.path("")).unwrap();
                let path = cgroup.path().to_owned();
                assert!(command("true").launcher(launcher).own_cgroup(&cgroup).status().unwrap().success());
                drop(cgroup);
                assert!(!path.exists(), "{launcher:?}");
            }
        }
        assert_eq!(ParentState::now(), before);
        assert_eq!(reap_all(), 0);
    }
}

own_process! {
    fn descriptors_of_a_cgroup_are_above_2_and_close_at_exec() {
        let Some(outer) = Outer::new() else { return };
        let path = outer.path("");
        for number in [0, 1] {
            // SAFETY: the process is the test's own, and nothing uses the number.
            unsafe { libc::close(number) };
        }
        let before = ParentState::now();
        for by_path in [true, false] {
            let cgroup = if by_path { Cgroup::create_in(&path) } else { Cgroup::create() }.unwrap();
            let table = fdspawn::inspect::DescriptorTable::current().unwrap();
            let new: Vec<_> = table.iter().filter(|entry| entry.number() >= 3 && entry.number() < 100).collect();
            assert_eq!(new.len(), 2, "{table}");
            // SAFETY: the calls only ask.
            let flags = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) };
            assert!(new.iter().all(|entry| flags(entry.number()) == libc::FD_CLOEXEC));
            assert_eq!([flags(0), flags(1)], [-1, -1]);
            assert!(cgroup.as_fd().as_raw_fd() > 2);
            let child = waiting(&cgroup);
            assert_eq!(cgroup.signal(fdspawn::Signal::CONT).unwrap(), 1);
            end(child);
            assert!(cgroup.wait_until_empty(None).unwrap());
            cgroup.kill_by_freezing().unwrap();
            drop(cgroup);
            assert_eq!(ParentState::now(), before);
        }
    }
}

own_process! {
    fn cgroup_that_gets_no_descriptor_is_not_left_behind() {
        let Some(outer) = Outer::new() else { return };
        let crowd: Vec<File> = (0..20).map(|_| File::open("/dev/null").unwrap()).collect();
        let highest = crowd.last().unwrap().as_raw_fd() as u64;
        let hard = hard_limit();
        let mut results = Vec::new();
        for free in 1..=3 {
            set_limit(highest + free, hard);
            results.push(Cgroup::create_in(outer.path("")).map_err(|error| error.raw_os_error()));
        }
        set_limit(hard, hard);
        let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
        assert_eq!(errors, [&Some(libc::EMFILE), &Some(libc::EMFILE)]);
        assert_eq!(std::fs::read_dir(outer.path("")).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count(), 1);
    }
}
