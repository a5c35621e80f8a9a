//! Launches from a thread with a descriptor table of its own.

use crate::filters::{refuse, refuse_to_thread};
use crate::own_process;
use crate::support::sources::{close, leaky, memory, memory_at, set_limit};
use crate::support::table::Table;
use crate::support::tools::{skip, unmount_proc};
use crate::support::{LAUNCHERS, children, helper};
use fdspawn::plan::Refusal;
use fdspawn::{Command, Failure, FdMap, Features, Isolated, Launcher, Rest, Stdio, fork_run};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

/// How many threads this process has.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

own_process! {
    fn child_has_the_plan_and_the_parents_table_is_as_before() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let (one, two, _other) = (memory("one"), memory("two"), leaky(memory("other")));
        let kept = memory_at(5000, "kept", true);
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher).isolated(&isolated);
            command.fd(one.as_raw_fd(), &two).fd(two.as_raw_fd(), &one).fd(70, &one).fd(71, Stdio::data("data"));
            command.keep(&kept).fd(72, Stdio::same_as(71)).stdin(Stdio::closed()).current_dir("/");
            let mut child = command.spawn().unwrap();
            assert_eq!(child.launched_by(), launcher);
            assert!(child.wait().unwrap().success());
            drop(child);
            let expected = [
                (one.as_raw_fd(), "two"), (two.as_raw_fd(), "one"), (70, "one"), (71, "data"), (72, "data"), (5000, "kept"),
            ];
            let table = Table::read(&out);
            assert_eq!(table.contents()[2..], expected);
            assert_eq!(table.numbers()[..2], [1, 2]);
            assert_eq!(Table::current(), before);
        }
        assert_eq!(children(), 0);
    }
}

own_process! {
    fn thread_and_its_socket_are_gone_when_it_is_dropped() {
        let before = (Table::current(), threads());
        for _ in 0..3 {
            let isolated = Isolated::new().unwrap();
            assert_eq!(threads(), before.1 + 1);
            assert_eq!(Table::current().0.len(), before.0.0.len() + 1);
            assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
            drop(isolated);
            assert_eq!((Table::current(), threads()), before);
        }
    }
}

own_process! {
    fn plan_of_more_descriptors_than_a_message_holds_arrives_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let isolated = Isolated::new().unwrap();
        for count in [253, 254, 600] {
            let sources: Vec<File> = (0..count).map(|index| memory(&format!("source-{index}"))).collect();
            let mut command = helper("table");
            command.arg(&out).isolated(&isolated);
            for (index, source) in sources.iter().enumerate() {
                // Backwards, over the numbers at which they arrive.
                command.fd(3 + (count - 1 - index) as i32, source);
            }
            assert!(command.status().unwrap().success());
            let table = Table::read(&out);
            assert_eq!(table.0.len(), 3 + count);
            for (index, _) in sources.iter().enumerate() {
                let expected = format!("source-{index}");
                assert_eq!(table.content(3 + (count - 1 - index) as i32), Some(expected.as_str()));
            }
        }
    }
}

own_process! {
    fn pipes_and_sockets_and_output_work() {
        let isolated = Isolated::new().unwrap();
        for launcher in LAUNCHERS {
            let mut command = Command::new("sh");
            command.args(["-c", "read line <&5; echo \"$line\" >&6; echo out; echo err >&2"]);
            command.launcher(launcher).isolated(&isolated).stdout(Stdio::piped()).stderr(Stdio::piped());
            let (to, from) = (command.writer(5), command.socket(6));
            let mut child = command.spawn().unwrap();
            writeln!(child.take(to).unwrap(), "through").unwrap();
            let mut text = String::new();
            child.take(from).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "through\n");
            let output = child.wait_with_output().unwrap();
            assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
            let root = File::open("/").unwrap();
            let output = Command::new("pwd").isolated(&isolated).launcher(launcher).current_dir_fd(&root).output().unwrap();
            assert_eq!(output.stdout, b"/\n");
        }
    }
}

own_process! {
    fn child_is_the_process_own_child() {
        let isolated = Isolated::new().unwrap();
        let mut command = Command::new("sh");
        let output = command.args(["-c", "echo $PPID"]).isolated(&isolated).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", std::process::id()));
        let mut child = helper("wait").isolated(&isolated).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        // It goes on without the thread.
        drop(isolated);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

own_process! {
    fn closed_standard_streams_are_dev_null_in_the_child_and_stay_closed_here() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        (0..=2).for_each(close);
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        assert!(before.numbers().iter().all(|&number| number > 2));
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            let mut child = command.arg(&out).launcher(launcher).isolated(&isolated).spawn().unwrap();
            assert!(child.wait().unwrap().success());
            drop(child);
            assert_eq!(Table::read(&out).contents(), [(0, "-"), (1, "-"), (2, "-")]);
            assert_eq!(Table::current(), before);
        }
    }
}

own_process! {
    fn failures_say_what_they_say_elsewhere_and_leave_nothing() {
        let isolated = Isolated::new().unwrap();
        let before = (Table::current(), threads());
        for launcher in LAUNCHERS {
            let error = Command::new("/no/such").launcher(launcher).isolated(&isolated).spawn().unwrap_err();
            assert_eq!(error.to_string(), "cannot spawn `/no/such`: No such file or directory");
            let error = Command::new("true").launcher(launcher).isolated(&isolated).current_dir("/nope").spawn().unwrap_err();
            assert_eq!(error.to_string(), "cannot spawn `true`: working directory `/nope`: No such file or directory");
            let file = File::open("/dev/null").unwrap();
            let error = Command::new("true").launcher(launcher).isolated(&isolated).current_dir_fd(&file).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::WorkingDirectory(None)), "{error}");
            let error = Command::new("true").launcher(launcher).isolated(&isolated).fd(3, Stdio::null()).fd(3, Stdio::null()).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::Refused(Refusal::TargetTwice { target: 3 })), "{error}");
            let error = Command::new("true").launcher(launcher).isolated(&isolated).rest(Rest::Inherit).spawn().unwrap_err();
            assert!(matches!(error.failure(), Failure::NothingToInherit), "{error}");
        }
        let mut command = Command::new("true");
        // SAFETY: the hook makes no call.
        unsafe { command.pre_exec(|| Err(std::io::ErrorKind::TimedOut.into())) };
        let error = command.isolated(&isolated).spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::Hook { index: 0, message: Some(_) }), "{error}");
        assert_eq!((Table::current(), threads()), before);
        assert_eq!(children(), 0);
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
    }
}

own_process! {
    fn kept_descriptor_above_a_lowered_limit_is_refused() {
        let kept = memory_at(5000, "kept", true);
        let isolated = Isolated::new().unwrap();
        set_limit(1000, 20_000);
        let error = Command::new("true").isolated(&isolated).keep(&kept).spawn().unwrap_err();
        let beyond = |refusal: &Refusal| matches!(refusal, Refusal::TargetBeyondLimit { target: 5000, limit: 1000 });
        assert!(matches!(error.failure(), Failure::Refused(refusal) if beyond(refusal)), "{error}");
    }
}

own_process! {
    fn plan_that_fills_every_number_below_the_limit_needs_no_scratch_number() {
        let tiny = crate::system_calls::tiny_program();
        let isolated = {
            // Its socket is not to be in the way of the sources.
            let _low: Vec<File> = (3..16).map(|_| File::open("/dev/null").unwrap()).collect();
            Isolated::new().unwrap()
        };
        set_limit(16, 20_000);
        let open: Vec<OwnedFd> = (3..16).map(|number| memory_at(number, "source", true)).collect();
        // One cycle of all, for which there is no scratch number: but what arrives in the order of the targets is no cycle.
        for launcher in LAUNCHERS {
            let mut command = Command::new(&tiny);
            command.launcher(launcher).isolated(&isolated);
            for (index, target) in (3..16).enumerate() {
                command.fd(target, &open[(index + 1) % open.len()]);
            }
            match launcher {
                Launcher::Clone => assert!(command.status().unwrap().success()),
                _ => {
                    // Its report takes a number.
                    let error = command.status().unwrap_err();
                    assert!(matches!(error.failure(), Failure::ParentOpen { .. }), "{error}");
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                }
            }
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

own_process! {
    fn rest_is_closed_where_the_thread_has_no_proc() {
        if !unmount_proc() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = leaky(memory("source"));
        let isolated = Isolated::new().unwrap();
        for launcher in LAUNCHERS {
            for missing in [Features::empty(), Features::CLOSE_RANGE, Features::CLOSE_RANGE | Features::SHARED_TABLE] {
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).missing(missing).isolated(&isolated).fd(7, &source);
                assert!(command.status().unwrap().success());
                assert_eq!(Table::read(&out).contents()[3..], [(7, "source")], "{missing:?}");
            }
        }
    }
}

own_process! {
    fn explanation_has_the_numbers_of_the_threads_table() {
        // SAFETY: 1 and 2 are open for as long as the process runs.
        let (stdout, stderr) = unsafe { (BorrowedFd::borrow_raw(1), BorrowedFd::borrow_raw(2)) };
        let (kept, root) = (memory_at(9, "kept", true), memory_at(10, "no directory, which is not looked at here", true));
        let isolated = Isolated::new().unwrap();
        let mut command = Command::new("prog");
        command.launcher(Launcher::Fork).stdin(Stdio::piped()).stdout(stderr).stderr(stdout).keep(&kept);
        command.fd(5, Stdio::same_as(1)).fd(6, Stdio::closed()).current_dir_fd(&root).isolated(&isolated);
        let expected = "\
descriptors of `prog`; all others are closed
  target  source  thread  what it is
       0       4       0  pipe: the parent writes, the child reads
       1       2       1  lent: stays open in the parent
       2       1       2  lent: stays open in the parent
       5       2       1  the same as 1
       6       -       -  closed
       9       9       3  kept
       -       -       7  the working directory, until exec
       -       -       8  the library's report of errors, until exec
steps in the child, launched by fork from an isolated thread, with the numbers of its table
       1  close 10 and above
       2  duplicate 1 as 5
       3  duplicate 3 as 9
       4  close 3 to 4
       5  close 6
       6  reset the handled signals
       7  reset SIGPIPE
       8  change the working directory to that of descriptor 7
       9  restore the signal mask
      10  exec the program
";
        for _ in 0..2 {
            let explanation = command.explain();
            assert_eq!(explanation.targets(), [0, 1, 2, 5, 9]);
            assert_eq!(explanation.to_string(), expected);
        }
        let refused = command.rest(Rest::Inherit).explain();
        assert!(matches!(refused.error().unwrap().failure(), Failure::NothingToInherit), "{refused}");
    }
}

/// The numbers in the table of the one isolated thread of this process.
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
                command.launcher(launcher).isolated(&isolated).stdout(Stdio::piped()).fd(9, &source).current_dir_fd(&root);
                let before = Table::current();
                assert!(command.explain().error().is_none());
                assert_eq!((numbers_of_the_thread(), Table::current()), (vec![256], before));
                let result = command.spawn();
                assert_eq!(result.is_ok(), program == "true");
                let _ = result.map(|mut child| child.wait());
                // The last thing that it does for a launch is to answer: then it is the next one's turn.
                assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
                assert_eq!(numbers_of_the_thread(), [256], "{launcher:?}, {program}");
            }
        }
    }
}

own_process! {
    fn more_sources_than_the_thread_has_numbers_are_an_error_and_the_next_spawn_works() {
        let sources: Vec<File> = (0..300).map(|_| memory("source")).collect();
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        set_limit(280, 20_000);
        let mut command = Command::new("true");
        command.isolated(&isolated);
        for (target, source) in (3..270).zip(&sources) {
            command.fd(target, source);
        }
        let status = command.status();
        assert!(status.as_ref().is_ok_and(|status| status.success()), "{status:?}");
        set_limit(100, 20_000);
        let error = command.status().unwrap_err();
        assert!(matches!(error.failure(), Failure::Refused(_) | Failure::SendFds), "{error}");
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
        assert_eq!(Table::current(), before);
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
        // The thread that calls has ended when the scope is left, and its children with it.
        let (mut theirs, mut ours) = std::thread::scope(|scope| {
            scope.spawn(|| (spawn(None), spawn(Some(&isolated)))).join().unwrap()
        });
        assert_eq!(theirs.wait().unwrap().signal(), Some(libc::SIGTERM));
        assert!(ours.try_wait().unwrap().is_none());
        drop(isolated);
        assert_eq!(ours.wait().unwrap().signal(), Some(libc::SIGTERM));
    }
}

own_process! {
    fn signal_mask_is_the_callers() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("signals");
        let isolated = Isolated::new().unwrap();
        for launcher in LAUNCHERS {
            for signal in [libc::SIGUSR1, libc::SIGUSR2] {
                // SAFETY: all zeros is a valid set; only this thread's mask changes.
                unsafe {
                    let mut set: libc::sigset_t = std::mem::zeroed();
                    libc::sigaddset(&raw mut set, signal);
                    libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
                }
                let found = |command: &mut Command<'_>| {
                    assert!(command.arg(&out).launcher(launcher).status().unwrap().success());
                    std::fs::read_to_string(&out).unwrap()
                };
                let text = found(helper("signals").isolated(&isolated));
                assert!(text.contains(&format!("{signal} default blocked\n")), "{launcher:?}: {text}");
                assert_eq!(text, found(&mut helper("signals")));
            }
        }
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
                // What a forked program would do at its end.
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
    fn crowded_table_does_not_reach_the_child() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let _crowd: Vec<OwnedFd> = (3..15_000).map(|number| memory_at(number, "crowd", false)).collect();
        let last = memory("last");
        let isolated = Isolated::new().unwrap();
        for launcher in LAUNCHERS {
            let mut command = helper("table");
            command.arg(&out).launcher(launcher).isolated(&isolated).fd(3, &last);
            assert!(command.status().unwrap().success());
            assert_eq!(Table::read(&out).contents()[3..], [(3, "last")]);
        }
    }
}

own_process! {
    fn thread_that_gets_no_table_of_its_own_is_an_error_and_leaves_nothing() {
        let before = (Table::current(), threads());
        if refuse(&[libc::SYS_unshare], libc::EPERM) {
            let error = Isolated::new().unwrap_err();
            assert!(matches!(error.failure(), Failure::PrivateTable), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            let text = "cannot start an isolated spawner: cannot give its thread a descriptor table of its own: Operation not permitted";
            assert_eq!(error.to_string(), text);
            assert_eq!((Table::current(), threads()), before);
        }
    }
}

own_process! {
    fn change_of_user_does_not_wait_for_the_thread_for_ever() {
        // glibc sends a signal of its own to every thread, and waits for all handlers.
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
                // The handler runs in this thread or in the harness's.
                while RAN_IN.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                    libc::sched_yield();
                }
                let thread = RAN_IN.load(std::sync::atomic::Ordering::Relaxed);
                assert!(thread == libc::gettid() || thread == libc::getpid());
            }
        }
    }
}

/// An io_uring, which no socket passes on.
fn io_uring() -> Option<OwnedFd> {
    let mut parameters = [0_u32; 64];
    // SAFETY: the kernel reads and writes its structure, which is shorter; the descriptor is new.
    unsafe {
        let fd = libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr());
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
    }
}

own_process! {
    fn sources_that_were_sent_in_part_are_closed_at_once() {
        let Some(ring) = io_uring() else {
            eprintln!("skipped: io_uring is not available");
            return;
        };
        let isolated = Isolated::new().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copies: Vec<_> = (0..300).map(|_| writer.try_clone().unwrap()).collect();
        let mut command = Command::new("true");
        command.isolated(&isolated);
        for (target, copy) in (3..).zip(&copies) {
            command.fd(target, copy);
        }
        command.fd(600, &ring);
        let error = command.spawn().unwrap_err();
        assert!(matches!(error.failure(), Failure::SendFds), "{error}");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        drop(command);
        drop((writer, copies));
        // It ends, since the thread has none of them any more.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(Command::new("true").isolated(&isolated).status().unwrap().success());
    }
}

own_process! {
    fn pidfd_that_cannot_be_received_is_missing_and_is_not_the_next_childs() {
        let isolated = Isolated::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // It can neither receive nor wait at the socket.
                refuse_to_thread(&[libc::SYS_recvmsg, libc::SYS_recvfrom], libc::EPERM);
                for _ in 0..400 {
                    let mut child = Command::new("true").isolated(&isolated).spawn().unwrap();
                    assert!(child.pidfd().is_none());
                    assert!(child.wait().unwrap().success());
                }
            });
        });
        let mut child = Command::new("sh").args(["-c", "exit 7"]).isolated(&isolated).spawn().unwrap();
        if let Some(pidfd) = child.pidfd() {
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
            assert!(info.contains(&format!("Pid:\t{}\n", child.id())), "{info}");
        }
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
}

own_process! {
    fn forked_copy_with_the_same_process_id_cannot_use_it_either() {
        // The first process of a namespace, and its child, which is the first of another.
        let new_namespace = || {
            // SAFETY: the next child is in a new namespace.
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
                // SAFETY: the child's copy, which would not shut the parent's down.
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
    fn drop_does_not_wait_for_a_thread_that_cannot_be_told() {
        let isolated = Isolated::new().unwrap();
        if refuse(&[libc::SYS_shutdown], libc::EPERM) {
            drop(isolated);
        }
    }
}

own_process! {
    fn feature_that_is_refused_to_the_thread_only_is_found_out() {
        // The probe runs in the caller's thread, where clone3 works.
        assert!(Command::new("true").launcher(Launcher::Clone).status().unwrap().success());
        let isolated = std::thread::scope(|scope| {
            let start = || {
                refuse_to_thread(&[libc::SYS_clone3], libc::ENOSYS);
                Isolated::new().unwrap()
            };
            scope.spawn(start).join().unwrap()
        });
        let mut child = Command::new("true").isolated(&isolated).spawn().unwrap();
        assert_eq!(child.launched_by(), Launcher::Clone);
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    fn full_table_is_an_error_that_leaves_nothing() {
        let mut command = Command::new("true");
        command.stdout(Stdio::piped());
        let isolated = Isolated::new().unwrap();
        set_limit(64, 20_000);
        let mut full: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let leaves_nothing = |act: &mut dyn FnMut()| {
            set_limit(20_000, 20_000); // To look takes a number.
            let before = (Table::current(), threads());
            set_limit(64, 20_000);
            act();
            set_limit(20_000, 20_000);
            assert_eq!((Table::current(), threads()), before);
            assert_eq!(children(), 0);
        };
        leaves_nothing(&mut || {
            let error = Isolated::new().unwrap_err();
            assert!(matches!(error.failure(), Failure::ParentOpen { .. }), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        });
        for room in 0..2 {
            leaves_nothing(&mut || {
                let error = command.isolated(&isolated).spawn().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{room}: {error}");
                assert!(matches!(error.failure(), Failure::Open { target: 1, .. }), "{room}: {error}");
            });
            full.pop();
        }
        set_limit(64, 20_000);
        // There is no number for its pidfd, and it does without.
        let mut child = command.isolated(&isolated).spawn().unwrap();
        assert!(child.wait().unwrap().success());
    }
}
