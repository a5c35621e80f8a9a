//! What the children of an `Isolated` get.

use crate::own_process;
use crate::support::mounts::unmount_proc;
use crate::support::sources::{close, leaky, memory, memory_at};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, by_turns, children, helper};
use fdspawn::{Command, Failure, Features, Isolated, Launcher, Rest, Stdio};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

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
                (one.as_raw_fd(), "two"),
                (two.as_raw_fd(), "one"),
                (70, "one"),
                (71, "data"),
                (72, "data"),
                (5000, "kept"),
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
    fn plan_of_more_descriptors_than_a_message_holds_arrives_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let isolated = Isolated::new().unwrap();
        for count in [253, 254, 600] {
            let sources: Vec<File> = (0..count).map(|index| memory(&format!("source-{index}"))).collect();
            let mut command = helper("table");
            command.arg(&out).isolated(&isolated);
            for (index, source) in sources.iter().enumerate() {
                // Targets in reverse order, over the numbers at which the sources arrive.
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
            let output =
                Command::new("pwd").isolated(&isolated).launcher(launcher).current_dir_fd(&root).output().unwrap();
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
        // The child goes on without the thread.
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
    fn rest_is_closed_if_the_thread_has_no_proc() {
        if !unmount_proc() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        let source = leaky(memory("source"));
        let isolated = Isolated::new().unwrap();
        // Without close_range, the child asks for a million numbers.
        let all = [Features::empty(), Features::CLOSE_RANGE, Features::CLOSE_RANGE | Features::SHARED_TABLE];
        for (index, missing) in all.into_iter().enumerate() {
            for launcher in by_turns(LAUNCHERS, index) {
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
        let (kept, root) =
            (memory_at(9, "kept", true), memory_at(10, "no directory, which is not looked at here", true));
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
steps in the child, launched by fork from an isolated thread, with the numbers of its table
       1  close 10 and above
       2  duplicate 1 as 5
       3  duplicate 3 as 9
       4  close 3 to 4
       5  close 6
       6  close 8
       7  reset the handled signals
       8  reset SIGPIPE
       9  change the working directory to that of descriptor 7
      10  restore the signal mask
      11  exec the program
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
