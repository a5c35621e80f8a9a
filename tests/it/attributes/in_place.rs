//! Attributes of `exec`, which the calling process sets for itself.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::parent_state::{is_root, words};
use fdspawn::{Command, Stdio};
use std::sync::mpsc::channel;

const USER: u32 = 4242;
const GROUP: u32 = 4343;

/// The user ids, the group ids and the groups of each thread, without those that are alike.
fn ids_of_threads() -> Vec<[String; 3]> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut ids: Vec<_> = tasks
        .map(|task| {
            let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            ["Uid", "Gid", "Groups"].map(|name| words(&status, name).join(" "))
        })
        .collect();
    assert!(ids.len() >= 3, "this thread, and two others");
    ids.dedup();
    ids
}

/// Runs `body` in a forked process that has two threads more.
fn with_threads(body: impl FnOnce()) {
    let status = status_of(|| {
        // SAFETY: an empty list is read.
        assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
        let ends = [(); 2].map(|()| {
            let (end, ended) = channel::<()>();
            std::thread::spawn(move || ended.recv());
            end
        });
        body();
        drop(ends);
    });
    assert_eq!(status, 0);
}

fn ids(user: u32, group: u32, groups: &str) -> Vec<[String; 3]> {
    let four = |id: u32| [&*id.to_string(); 4].join(" ");
    vec![[four(user), four(group), groups.to_owned()]]
}

own_process! {
    fn all_threads_have_the_same_ids_after_a_failed_exec() {
        if !is_root() {
            return;
        }
        // What was set before the failure stays set, in all threads.
        with_threads(|| {
            let error = Command::new("/no/such").uid(USER).gid(GROUP).groups(&[44]).exec();
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error}");
            assert_eq!(ids_of_threads(), ids(USER, GROUP, "44"));
        });
        with_threads(|| {
            let error = Command::new("true").uid(USER).gid(GROUP).groups(&[44]).chroot("/no/such").exec();
            let text = "cannot exec `true`: cannot change the root directory to `/no/such`: No such file or directory";
            assert_eq!(error.to_string(), text);
            assert_eq!(ids_of_threads(), ids(0, GROUP, "44"));
        });
        // The library itself refuses this, before all steps.
        with_threads(|| {
            let error = Command::new("true").uid(USER).gid(u32::MAX).groups(&[44]).exec();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
            assert_eq!(ids_of_threads(), ids(0, 0, ""));
        });
    }
}

own_process! {
    fn ids_that_this_process_may_not_set_are_named() {
        if !is_root() {
            return;
        }
        with_threads(|| {
            // SAFETY: only a number is passed.
            assert_eq!(unsafe { libc::setresuid(USER, USER, USER) }, 0);
            type Set = fn(&mut Command<'_>);
            let cases: [(Set, &str); 3] = [
                (|command| { command.uid(0); }, "cannot set the user to 0"),
                (|command| { command.gid(GROUP); }, "cannot set the group to 4343"),
                (|command| { command.groups(&[44, 45]); }, "cannot set the supplementary groups to 44, 45"),
            ];
            for (set, text) in cases {
                let mut command = Command::new("true");
                set(&mut command);
                let error = command.exec();
                assert_eq!(error.to_string(), format!("cannot exec `true`: {text}: Operation not permitted"));
                assert_eq!(ids_of_threads(), ids(USER, 0, ""));
            }
        });
    }
}

own_process! {
    fn program_has_the_ids_that_exec_has_set() {
        if !is_root() {
            return;
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        with_threads(|| {
            let mut command = Command::new("cat");
            command.arg("/proc/self/status").uid(USER).gid(GROUP).stdout(Stdio::from(file.as_file()));
            panic!("{}", command.exec());
        });
        let status = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!([words(&status, "Uid"), words(&status, "Gid")], [["4242"; 4], ["4343"; 4]]);
        assert!(words(&status, "Groups").is_empty());
    }
}
