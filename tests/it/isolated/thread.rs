//! The thread of an `Isolated`: its descriptors, its signals and namespaces, its end, and forked copies of its process.

use crate::own_process;
use crate::support::seccomp::refuse;
use crate::support::sources::memory;
use crate::support::table::Table;
use crate::support::threads::{threads, wait_for_threads};
use crate::support::tools::skip;
use crate::support::{LAUNCHERS, children, helper};
use fdspawn::{Command, Failure, FdMap, Isolated, Launcher, Rest, Stdio, fork_run};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;

own_process! {
    fn thread_and_its_socket_are_gone_when_it_is_dropped() {
        let before = (Table::current(), threads());
        for _ in 0..3 {
            let isolated = Isolated::new().unwrap();
            assert_eq!(threads(), before.1 + 1);
            assert_eq!(Table::current().0.len(), before.0.0.len() + 1);
            assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
            drop(isolated);
            wait_for_threads(before.1);
            assert_eq!(Table::current(), before.0);
        }
    }
}

own_process! {
    fn namespaces_are_those_of_the_thread() {
        let isolated = Isolated::new().unwrap();
        let namespaces = |isolated: Option<&Isolated>| {
            let mut command = Command::new("readlink");
            command.args(["/proc/self/ns/mnt", "/proc/self/ns/uts", "/proc/self/ns/pid"]);
            isolated.map(|isolated| command.isolated(isolated));
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let before = namespaces(None);
        // SAFETY: only a number is passed.
        if unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_NEWUTS | libc::CLONE_NEWPID) } != 0 {
            skip("namespaces cannot be made");
            return;
        }
        assert_eq!(namespaces(Some(&isolated)), before);
        let new = namespaces(None);
        assert_eq!(new.lines().count(), 3, "{new}");
        assert!(new.lines().zip(before.lines()).all(|(new, before)| new != before), "{new}{before}");
    }
}

/// The numbers in the table of the only isolated thread of this process.
fn numbers_of_the_thread() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let named = |task: &std::path::PathBuf| std::fs::read_to_string(task.join("comm")).unwrap() == "fdspawn\n";
    let [thread] = tasks.filter(named).collect::<Vec<_>>().try_into().unwrap();
    let list = std::fs::read_dir(thread.join("fd")).unwrap();
    list.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

own_process! {
    fn thread_has_nothing_but_its_socket_whatever_has_been_launched() {
        let isolated = Isolated::new().unwrap();
        assert_eq!(numbers_of_the_thread(), [256]);
        let (source, root) = (memory("source"), File::open("/").unwrap());
        for launcher in LAUNCHERS {
            for program in ["true", "/no/such"] {
                let mut command = Command::new(program);
                command
                    .launcher(launcher)
                    .isolated(&isolated)
                    .stdout(Stdio::piped())
                    .fd(9, &source)
                    .current_dir_fd(&root);
                let before = Table::current();
                assert!(command.explain().error().is_none());
                assert_eq!((numbers_of_the_thread(), Table::current()), (vec![256], before));
                let result = command.spawn();
                assert_eq!(result.is_ok(), program == "true");
                let _ = result.map(|mut child| child.wait());
                // Answering is the last thing that the thread does for a launch. So it has cleaned up before it does
                // the next one.
                assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
                assert_eq!(numbers_of_the_thread(), [256], "{launcher:?}, {program}");
            }
        }
    }
}

own_process! {
    fn spawns_from_many_threads_take_turns() {
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let isolated = &isolated;
                scope.spawn(move || {
                    for turn in 0..20 {
                        let text = format!("{thread}.{turn}");
                        let source = Stdio::data(text.as_str());
                        let mut command = Command::new("cat");
                        let output = command.isolated(isolated).stdin(source).output().unwrap();
                        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
                    }
                });
            }
        });
        assert_eq!(Table::current(), before);
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn parent_death_signal_is_the_spawners_and_not_the_callers() {
        let isolated = Isolated::new().unwrap();
        let spawn = |isolated: Option<&Isolated>| {
            let mut command = helper("wait");
            command.launcher(Launcher::Fork);
            // SAFETY: the call is async-signal-safe.
            unsafe {
                command.pre_exec(|| {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                    Ok(())
                })
            };
            match isolated {
                Some(isolated) => command.isolated(isolated).spawn().unwrap(),
                None => command.spawn().unwrap(),
            }
        };
        // The calling thread has ended when the scope is left, and the kernel signals its children then.
        let (mut theirs, mut ours) =
            std::thread::scope(|scope| scope.spawn(|| (spawn(None), spawn(Some(&isolated)))).join().unwrap());
        assert_eq!(theirs.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(ours.try_wait().unwrap().is_none());
        drop(isolated);
        assert_eq!(ours.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}

own_process! {
    fn forked_copy_of_the_process_cannot_use_it_and_does_not_disturb_it() {
        let isolated = std::mem::ManuallyDrop::new(Isolated::new().unwrap());
        // SAFETY: no other thread of this process holds a lock.
        let mut child = unsafe {
            fork_run(FdMap::new().rest(Rest::Inherit), || {
                let error = Command::new("true").isolated(&isolated).status().unwrap_err();
                let refused = matches!(error.failure(), Failure::AfterFork);
                // A forked program would drop it at its end.
                drop(std::ptr::read(&*isolated));
                if refused { 0 } else { 1 }
            })
        }
        .unwrap();
        assert!(child.wait().unwrap().success());
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
        drop(std::mem::ManuallyDrop::into_inner(isolated));
    }
}

own_process! {
    fn change_of_user_does_not_wait_for_the_thread_for_ever() {
        // glibc sends a signal of its own to every thread, and waits until all handlers have run.
        let isolated = Isolated::new().unwrap();
        // SAFETY: only numbers are passed, in a process of this test's own.
        assert_eq!(unsafe { libc::setgid(65534) }, 0);
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
    }
}

own_process! {
    fn handlers_of_the_process_do_not_run_in_the_thread() {
        static RAN_IN: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
        extern "C" fn note(_: i32) {
            // SAFETY: the call is async-signal-safe.
            RAN_IN.store(unsafe { libc::gettid() }, std::sync::atomic::Ordering::Relaxed);
        }
        let _isolated = Isolated::new().unwrap();
        // SAFETY: the handler is async-signal-safe; only this thread's mask changes.
        unsafe {
            libc::signal(libc::SIGUSR1, note as *const () as usize);
            for _ in 0..100 {
                RAN_IN.store(0, std::sync::atomic::Ordering::Relaxed);
                libc::kill(libc::getpid(), libc::SIGUSR1);
                // The handler runs in this thread or in libtest's main thread.
                while RAN_IN.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                    libc::sched_yield();
                }
                let thread = RAN_IN.load(std::sync::atomic::Ordering::Relaxed);
                assert!(thread == libc::gettid() || thread == libc::getpid());
            }
        }
    }
}

own_process! {
    fn forked_copy_with_the_same_process_id_cannot_use_it_either() {
        // The first process of a new namespace starts a child, which is the first process of another.
        let new_namespace = || {
            // SAFETY: the call only changes in which namespace the next child is.
            unsafe { libc::unshare(libc::CLONE_NEWPID) == 0 }
        };
        if !new_namespace() {
            skip("a PID namespace cannot be made");
            return;
        }
        let inherit = || {
            let mut map = FdMap::new();
            map.rest(Rest::Inherit);
            map
        };
        let first = || {
            let isolated = std::mem::ManuallyDrop::new(Isolated::new().unwrap());
            assert!(std::process::id() == 1 && new_namespace());
            let second = || {
                let error = Command::new("true").isolated(&isolated).status().unwrap_err();
                let refused = std::process::id() == 1 && matches!(error.failure(), Failure::AfterFork);
                // SAFETY: this drops the child's copy, which does not shut the parent's down.
                drop(unsafe { std::ptr::read(&*isolated) });
                if refused { 0 } else { 1 }
            };
            // SAFETY: no other thread of this process holds a lock.
            let status = unsafe { fork_run(&mut inherit(), second) }.unwrap().wait().unwrap();
            if status.success() { 0 } else { 1 }
        };
        // SAFETY: as above.
        let status = unsafe { fork_run(&mut inherit(), first) }.unwrap().wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

own_process! {
    fn drop_does_not_wait_for_a_thread_that_cannot_be_reached() {
        let isolated = Isolated::new().unwrap();
        if refuse(&[libc::SYS_shutdown], libc::EPERM) {
            drop(isolated);
        }
    }
}
