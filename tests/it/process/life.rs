//! What std's own tests of processes demand, in our words.

use fdspawn::os::unix::process::{ChildExt, CommandExt, ExitStatusExt};
use fdspawn::process::{Child, Command, Stdio};
use std::io::{Read, Write};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn statuses_codes_and_signals_are_told() {
    assert!(Command::new("true").status().unwrap().success());
    assert_eq!(Command::new("false").status().unwrap().code(), Some(1));
    let killed = shell("kill -9 $$").status().unwrap();
    assert_eq!((killed.code(), killed.signal(), killed.success()), (None, Some(9), false));
}

#[test]
fn streams_are_piped_each_alone_and_all_together() {
    let mut child = shell("echo out").stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.stdin.is_none() && child.stderr.is_none());
    let mut text = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), child.wait().unwrap().code()), ("out\n", Some(0)));

    let mut command = shell("cat; echo error >&2");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"in"[..], &b"error\n"[..]));
}

#[test]
fn wait_with_output_reads_the_pipes_that_are_left() {
    let mut child = shell("echo out; echo error >&2").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut taken = child.stdout.take().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b""[..], &b"error\n"[..]));
    let mut text = String::new();
    taken.read_to_string(&mut text).unwrap();
    assert_eq!(text, "out\n");

    // Also a pipe of another child, which the caller has put there.
    let mut first = shell("echo first").stdout(Stdio::piped()).spawn().unwrap();
    let mut second = Command::new("true").spawn().unwrap();
    second.stdout = first.stdout.take();
    assert_eq!(second.wait_with_output().unwrap().stdout, b"first\n");
    first.wait().unwrap();
}

#[test]
fn child_is_waited_for_and_killed_more_than_once() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
    child.send_signal(0).unwrap();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9));
    assert_eq!((child.wait().unwrap(), child.try_wait().unwrap()), (status, Some(status)));
    child.kill().unwrap();
    child.send_signal(15).unwrap();
    assert_eq!(child.send_signal(-1).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(child.send_signal(1000).unwrap_err().raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn signals_reach_the_child_real_time_ones_too() {
    for number in [libc::SIGTERM, libc::SIGRTMIN() + 1] {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        child.send_signal(number).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(number));
    }
}

#[test]
fn signal_for_a_group_reaches_all_its_processes_and_no_group_of_others() {
    // The second process of the group holds the pipe as long as it runs.
    let mut child = shell("sleep 60 & sleep 60").process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    child.send_process_group_signal(0).unwrap();
    assert_eq!(child.send_process_group_signal(-1).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    child.send_process_group_signal(libc::SIGTERM).unwrap();
    let mut nothing = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut nothing).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
    child.send_process_group_signal(libc::SIGTERM).unwrap(); // reaped: nothing
    child.kill_process_group().unwrap();

    let mut child = shell("sleep 60 & sleep 60").process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    child.kill_process_group().unwrap();
    child.stdout.take().unwrap().read_to_end(&mut nothing).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));

    // This child is in this process's group.
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    for number in [0, libc::SIGTERM] {
        assert_eq!(child.send_process_group_signal(number).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
    assert_eq!(child.kill_process_group().unwrap_err().raw_os_error(), Some(libc::ESRCH));
    assert!(child.wait().unwrap().success());
}

#[test]
fn wait_closes_the_childs_input_first() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    assert!(child.stdin.is_none());
}

#[test]
fn settings_of_unix_are_steps_of_the_plan() {
    let mut command = Command::new("cut");
    command.args(["-d ", "-f5,6", "/proc/self/stat"]).setsid(true).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), format!("{id} {id}\n"));
    let plan = fdspawn::Command::from(command).explain().to_string();
    assert!(plan.contains("setsid") || plan.contains("session"), "{plan}");

    // SAFETY: the call has no arguments.
    if unsafe { libc::getuid() } == 0 {
        let root = tempfile::tempdir().unwrap();
        let mut command = Command::new("/nope");
        command.chroot(root.path());
        assert_eq!(command.get_current_dir(), Some("/".as_ref())); // as std
        assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(libc::ENOENT));
        let output = Command::new("id").arg("-G").groups(&[44, 45]).gid(44).output().unwrap();
        assert_eq!(output.stdout, b"44 45\n");
    }
}

#[test]
fn hooks_have_both_names_and_run_in_order() {
    let mut command = shell("umask");
    // SAFETY: the calls are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0o77);
            Ok(())
        });
        #[allow(deprecated)]
        command.before_exec(|| {
            libc::umask(libc::umask(0) & 0o70);
            Ok(())
        });
    }
    assert_eq!(command.output().unwrap().stdout, b"0070\n");
    // The command keeps its hooks.
    assert_eq!(command.output().unwrap().stdout, b"0070\n");
}

#[test]
fn hook_that_forks_and_ends_makes_a_daemon() {
    let daemon = || {
        // SAFETY: a fork of a process with one thread, and a plain end.
        match unsafe { libc::fork() } {
            -1 => Err(std::io::Error::last_os_error()),
            0 => Ok(()),
            // SAFETY: as above.
            _ => unsafe { libc::_exit(7) },
        }
    };
    let mut command = shell("echo $PPID; exit 1");
    // SAFETY: the hook makes only system calls.
    unsafe { command.pre_exec(daemon) };
    for _ in 0..2 {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        assert_eq!(child.wait().unwrap().code(), Some(7));
        child.kill().unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert_ne!(text.trim(), std::process::id().to_string());
    }
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(7), false));
    assert_eq!(command.status().unwrap().code(), Some(7));

    // A hook that is killed, too; but not for the library's own API, whose `Ok` says that the program runs.
    let mut command = Command::new("true");
    // SAFETY: as above.
    unsafe {
        command.pre_exec(|| {
            libc::raise(libc::SIGKILL);
            Ok(())
        })
    };
    assert_eq!(command.status().unwrap().signal(), Some(libc::SIGKILL));
    let error = fdspawn::Command::from(command).spawn().unwrap_err();
    assert!(matches!(error.failure(), fdspawn::Failure::HookEnded(status) if status.signal() == Some(libc::SIGKILL)));
}

#[test]
fn child_is_used_by_another_thread() {
    let mut command = Command::new("cat");
    let thread = std::thread::spawn(move || command.stdin(Stdio::null()).spawn().map(|child| (command, child)));
    let (mut command, child) = thread.join().unwrap().unwrap();
    let wait = |mut child: Child| std::thread::spawn(move || child.wait()).join().unwrap();
    assert!(wait(child).unwrap().success());
    assert!(command.status().unwrap().success());
}

#[test]
fn getters_of_nightly_rust_are_there() {
    let mut command = Command::new("true");
    assert!(!command.get_env_clear());
    assert!(command.env_clear().get_env_clear());
    assert!(Stdio::piped().makes_pipe() && !Stdio::inherit().makes_pipe());
}

#[test]
fn resolved_environment_is_that_of_the_child() {
    let mut command = Command::new("env");
    command.arg("-0").env("FDSPAWN_SET", "1").env("PATH", "/bin:/usr/bin").env_remove("HOME");
    let output = command.output().unwrap();
    let mut child: Vec<String> =
        String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect();
    let resolved = command.get_resolved_envs();
    assert_eq!(resolved.len(), child.len());
    let mut resolved: Vec<String> =
        resolved.map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
    child.sort();
    resolved.sort();
    assert_eq!(resolved, child);
    assert!(
        resolved.contains(&"FDSPAWN_SET=1".into()) && !resolved.iter().any(|variable| variable.starts_with("HOME="))
    );

    let names: Vec<_> =
        command.env_clear().env("B", "2").env("A", "1").get_resolved_envs().map(|(name, _)| name).collect();
    assert_eq!(names, ["A", "B"]);
}
