//! The attributes of a child, and what they need.

use fdspawn::{Command, CpuSet, Resource, Rlimit, Scheduler, Signal};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

/// What only a subject with attributes has.
pub struct Special {
    /// The terminal for the child, and the side that keeps it.
    pub terminal: OwnedFd,
    pub master: File,
    pub cgroup: File,
}

impl Special {
    /// `None` if this process lacks the rights, or the system has no cgroups of version 2.
    pub fn open(other_ids: bool) -> Option<Self> {
        let directory = cgroup_of(std::process::id().cast_signed())?;
        std::fs::create_dir(&directory).ok()?;
        // SAFETY: the calls make descriptors, and use them; an id that differs in one place makes a change of all three.
        unsafe {
            if libc::geteuid() != 0 || (other_ids && libc::setresgid(0, 0, 4343) + libc::setresuid(0, 0, 4242) != 0) {
                return None;
            }
            let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
            if master < 0 || libc::grantpt(master) != 0 || libc::unlockpt(master) != 0 {
                return None;
            }
            let master = File::from_raw_fd(master);
            let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
            let terminal = libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags);
            if terminal < 0 {
                return None;
            }
            Some(Self { terminal: OwnedFd::from_raw_fd(terminal), master, cgroup: File::open(directory).ok()? })
        }
    }
}

/// The directory of a subject's cgroup, below that of this process.
fn cgroup_of(subject: i32) -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(format!("{mount}{own}/{NAME}{subject}").into())
}

/// The name of a cgroup, before the number.
const NAME: &str = "fdspawn-fault-";

/// Removes the cgroup of a subject that has ended.
pub fn remove_cgroup(subject: i32) {
    let Some(directory) = cgroup_of(subject).filter(|directory| directory.exists()) else { return };
    // A process that has been reaped is in the cgroup for a moment more.
    for _ in 0..200 {
        if std::fs::remove_dir(&directory).is_ok() {
            return;
        }
        let _ = std::fs::write(directory.join("cgroup.kill"), "1");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Sets all attributes.
pub fn set(command: &mut Command<'static>, special: &'static Special) {
    let mut cpus = CpuSet::new();
    cpus.set(0);
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    command
        .cgroup(&special.cgroup)
        .signal_default(&[Signal::CHILD])
        .signal_ignore(&[Signal::HUP])
        .signal_mask(&[Signal::ALARM])
        .setsid(true)
        .controlling_terminal(&special.terminal)
        .foreground(true)
        .oom_score_adj(500)
        .scheduler(Scheduler::Batch)
        .nice(3)
        .affinity(&cpus)
        .umask(0o27)
        .rlimit(Resource::Nofile, limit(64))
        .rlimit(Resource::Core, limit(0))
        .groups(&[44, 45])
        .gid(0)
        .chroot("/")
        .uid(0)
        .parent_death_signal(Signal::USR1)
        .no_new_privs(true);
}

/// What this process is besides its descriptors, a line each, without numbers that differ between runs.
pub fn report() -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let status = read("status");
    let names = ["SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Umask", "NoNewPrivs", "Cpus_allowed_list"];
    let mut lines: Vec<String> = names.iter().map(|name| line(&status, name)).collect();
    let limits = read("limits");
    lines.extend(["Max open files", "Max core file size"].map(|name| line(&limits, name)));
    lines.push(format!("oom_score_adj {}", read("oom_score_adj").trim()));
    lines.push(format!("in the cgroup: {}", read("cgroup").contains(NAME)));
    let mut signal = 0_i32;
    // SAFETY: the calls only ask, and one number is written.
    unsafe {
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
        let terminal = File::open("/dev/tty");
        let foreground =
            terminal.as_ref().is_ok_and(|terminal| libc::tcgetpgrp(terminal.as_raw_fd()) == libc::getpid());
        lines.push(format!("signal at the parent's death {signal}"));
        lines.push(format!("leader of a session: {}", libc::getsid(0) == libc::getpid()));
        lines.push(format!("has a terminal: {}, in its foreground: {foreground}", terminal.is_ok()));
        lines.push(format!(
            "policy {}, nice {}",
            libc::sched_getscheduler(0),
            libc::getpriority(libc::PRIO_PROCESS, 0)
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
