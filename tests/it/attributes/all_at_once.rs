//! All attributes in one child, and each of its steps refused in turn.

use crate::own_process;
use crate::support::LAUNCHERS;
use crate::support::cgroup::Cgroup;
use crate::support::forked::status_of;
use crate::support::parent_state::{ParentState, field, is_root, words};
use crate::support::seccomp::{refuse, refuse_if};
use crate::support::terminal::Terminal;
use fdspawn::{Command, CpuSet, Isolated, Launcher, Resource, Rlimit, Scheduler, Signal, Stdio};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;

/// A command whose program prints what it is. Under fork it has another user and another group.
fn all<'fd>(launcher: Launcher, terminal: &'fd Terminal, cgroup: &'fd File) -> Command<'fd> {
    let files = ["status", "stat", "limits", "cgroup", "oom_score_adj"].map(|name| format!("/proc/self/{name}"));
    let mut cpus = CpuSet::new();
    cpus.set(0);
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    let mut command = Command::new("cat");
    command
        .args(files)
        .arg("-")
        .launcher(launcher)
        .stdout(Stdio::piped())
        .stdin(Stdio::data("data"))
        .fd(100, Stdio::null())
        .cgroup(cgroup)
        .signal_default(&[Signal::CHILD])
        .signal_ignore(&[Signal::HUP])
        .signal_mask(&[Signal::USR1])
        .setsid(true)
        .controlling_terminal(&terminal.slave)
        .foreground(true)
        .oom_score_adj(500)
        .scheduler(Scheduler::Batch)
        .nice(3)
        .affinity(&cpus)
        .umask(0o27)
        .rlimit(Resource::Nofile, limit(64))
        .rlimit(Resource::Core, limit(0))
        .groups(&[44, 45])
        .chroot("/")
        .current_dir("/tmp")
        .parent_death_signal(Signal::TERM)
        .no_new_privs(true);
    if launcher == Launcher::Fork {
        command.uid(4242).gid(4343);
    }
    command
}

/// Whether the program, a child of this number, is what the command says.
fn check(text: &str, id: u32, launcher: Launcher, terminal: &Terminal, cgroup: &Cgroup) {
    let (user, group) = if launcher == Launcher::Fork { ("4242", "4343") } else { ("0", "0") };
    assert_eq!((words(text, "Uid"), words(text, "Gid")), (vec![user; 4], vec![group; 4]));
    let expected = [
        ("Groups", "44 45"),
        ("Umask", "0027"),
        ("NoNewPrivs", "1"),
        ("Cpus_allowed_list", "0"),
        ("SigBlk", "0000000000000200"),
        ("SigCgt", "0000000000000000"),
    ];
    for (name, value) in expected {
        assert_eq!(words(text, name).join(" "), value, "{name}");
    }
    let ignored = u64::from_str_radix(words(text, "SigIgn")[0], 16).unwrap();
    assert_eq!(ignored & (1 | 1 << (libc::SIGPIPE - 1)), 1, "SIGHUP, and not SIGPIPE");
    let stat = text.lines().find(|line| line.contains(" (cat) ")).unwrap();
    // The group, the session, the foreground group.
    assert_eq!([5, 6, 8].map(|number| field(stat, number)), [i64::from(id); 3], "{stat}");
    assert_eq!(field(stat, 7), terminal.device());
    assert_eq!([19, 41].map(|number| field(stat, number)), [3, libc::SCHED_BATCH.into()], "nice value and policy");
    let limit = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!([limit("Max open files"), limit("Max core file size")], [["64", "64"], ["0", "0"]]);
    assert!(cgroup.has(text), "{text}");
    assert!(text.ends_with("\n500\ndata"), "oom_score_adj and standard input: {text}");
}

own_process! {
    fn child_has_all_attributes_at_once() {
        if !is_root() {
            return;
        }
        let Some(cgroup) = Cgroup::new() else { return };
        let (terminal, directory) = (Terminal::new(), cgroup.open());
        let isolated = Isolated::new().unwrap();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for in_thread in [false, true] {
                let mut command = all(launcher, &terminal, &directory);
                if in_thread {
                    command.isolated(&isolated);
                }
                let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}"));
                let mut text = String::new();
                child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
                assert!(child.wait().unwrap().success());
                check(&text, child.id(), launcher, &terminal, &cgroup);
                drop((child, command));
                assert_eq!(ParentState::now(), before);
            }
        }
    }
}

/// A system call that the kernel refuses from now on.
enum Refused {
    Call(i64),
    /// With this value of the argument of this index.
    With(i64, u8, u64),
    /// With an argument of this index that is not zero.
    WithSome(i64, u8),
}

impl Refused {
    fn install(&self) -> bool {
        let of = |call, index, operator, value| {
            let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value).unwrap();
            refuse_if(call, [condition], libc::EPERM)
        };
        match *self {
            Self::Call(call) => refuse(&[call], libc::EPERM),
            Self::With(call, index, value) => of(call, index, SeccompCmpOp::Eq, value),
            Self::WithSome(call, index) => of(call, index, SeccompCmpOp::Ne, 0),
        }
    }
}

own_process! {
    fn each_step_that_is_refused_is_named_and_leaves_nothing() {
        if !is_root() {
            return;
        }
        let Some(cgroup) = Cgroup::new() else { return };
        let (terminal, directory) = (Terminal::new(), cgroup.open());
        // The probe finds the features that a filter takes away from a fork of this process.
        assert!(Command::new("true").status().unwrap().success());
        let fd = terminal.slave.as_raw_fd();
        let ioctl = |request| Refused::With(libc::SYS_ioctl, 1, request);
        let prctl = |option: i32| Refused::With(libc::SYS_prctl, 0, option as u64);
        for launcher in LAUNCHERS {
            let mut cases = vec![
                (Refused::Call(libc::SYS_setsid), "cannot make a new session".to_owned()),
                (ioctl(libc::TIOCSCTTY), format!("cannot make descriptor {fd} the controlling terminal")),
                (ioctl(libc::TIOCSPGRP), format!("cannot become the foreground of the terminal of descriptor {fd}")),
                (Refused::Call(libc::SYS_sched_setscheduler), format!("cannot set the scheduler to {}", Scheduler::Batch)),
                (Refused::Call(libc::SYS_setpriority), "cannot add 3 to the nice value".to_owned()),
                (Refused::Call(libc::SYS_sched_setaffinity), "cannot set the CPUs to 0".to_owned()),
                (Refused::Call(libc::SYS_umask), "cannot set the umask to 027".to_owned()),
                (Refused::WithSome(libc::SYS_prlimit64, 2), "cannot set RLIMIT_NOFILE to 64:64".to_owned()),
                (Refused::Call(libc::SYS_setgroups), "cannot set the supplementary groups to 44, 45".to_owned()),
                (Refused::Call(libc::SYS_chroot), "cannot change the root directory to `/`".to_owned()),
                (Refused::Call(libc::SYS_chdir), "working directory `/tmp`".to_owned()),
                (prctl(libc::PR_SET_PDEATHSIG), "cannot set the signal at the parent's death to SIGTERM".to_owned()),
                (prctl(libc::PR_SET_NO_NEW_PRIVS), "cannot give up new privileges".to_owned()),
                (Refused::Call(libc::SYS_execve), String::new()),
            ];
            if launcher == Launcher::Fork {
                let descriptor = directory.as_raw_fd();
                cases.extend([
                    (Refused::Call(libc::SYS_setresgid), "cannot set the group to 4343".to_owned()),
                    (Refused::Call(libc::SYS_setresuid), "cannot set the user to 4242".to_owned()),
                    (Refused::Call(libc::SYS_write), format!("cannot join the cgroup of descriptor {descriptor}")),
                ]);
            } else {
                cases.push((Refused::Call(libc::SYS_write), "cannot set oom_score_adj to 500".to_owned()));
            }
            for (refused, text) in cases {
                let status = status_of(|| {
                    if !refused.install() {
                        return;
                    }
                    let before = ParentState::now();
                    let error = all(launcher, &terminal, &directory).spawn().unwrap_err();
                    let text = if text.is_empty() { text } else { format!("{text}: ") };
                    let is_named = error.to_string().contains(&format!("cannot spawn `cat`: {text}"));
                    let is_right = error.raw_os_error() == Some(libc::EPERM) && is_named && ParentState::now() == before;
                    assert!(is_right, "{error}; expected {text}; {:?}; {before:?}", ParentState::now());
                });
                assert_eq!(status, 0, "see above");
                assert_eq!(std::fs::read_to_string(cgroup.path("cgroup.procs")).unwrap(), "");
            }
            let status = status_of(|| {
                if refuse(&[libc::SYS_getppid], libc::EPERM) {
                    let error = all(launcher, &terminal, &directory).spawn().unwrap_err();
                    let text = format!("cannot check that the parent, process {}, lives", std::process::id());
                    assert!(error.to_string().contains(&text), "{error}");
                }
            });
            assert_eq!(status, 0, "see above");
        }
    }
}
