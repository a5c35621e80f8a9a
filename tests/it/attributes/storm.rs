//! A user who attacks the children that become this user's, before their exec.

use crate::own_process;
use crate::support::parent_state::{ParentState, field, is_root};
use crate::support::tools::skip;
use crate::support::{Over, exhaustive};
use fdspawn::{Command, Launcher};
use std::fs::{read_dir, read_to_string};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const USER: u32 = 4242;
const GROUP: u32 = 4343;

/// What the processes of the test share.
#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// How often the attacker has traced a child that had not executed its program.
    before_exec: AtomicU32,
    /// How often the attacker has traced a program, which is the user's own.
    after_exec: AtomicU32,
}

impl Shared {
    /// In memory that forks share, for as long as the processes live.
    fn new() -> &'static Self {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: the memory is new, all zeros, which is a valid value, and larger than it.
        unsafe {
            let memory = libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0);
            assert_ne!(memory, libc::MAP_FAILED);
            &*memory.cast::<Self>()
        }
    }
}

/// The children of a process, as its threads have started them.
fn children_of(process: u32) -> Vec<i32> {
    let tasks = read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Attaches to a process, waits until it has stopped, and counts it. Returns whether that has worked.
fn attack(victim: i32, shared: &Shared) -> bool {
    const FLAGS: usize = 9;
    const PF_FORKNOEXEC: i64 = 0x40;
    let none = std::ptr::null_mut::<u8>();
    // SAFETY: only numbers and null pointers are passed, and one number is written.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, victim, none, none) != 0 {
            return false;
        }
        libc::ptrace(libc::PTRACE_INTERRUPT, victim, none, none);
        let mut status = 0;
        if libc::waitpid(victim, &raw mut status, libc::__WALL) != victim || !libc::WIFSTOPPED(status) {
            return true;
        }
        // The process has stopped: it runs the same program as when the tracer attached, or it has executed since.
        let stat = read_to_string(format!("/proc/{victim}/stat")).unwrap_or_default();
        let has_executed = stat.is_empty() || field(&stat, FLAGS) & PF_FORKNOEXEC == 0;
        let counter = if has_executed { &shared.after_exec } else { &shared.before_exec };
        counter.fetch_add(1, Ordering::Relaxed);
        libc::ptrace(libc::PTRACE_DETACH, victim, none, none);
        true
    }
}

/// Forks a process of the user, which attacks the children of this one until the end.
fn start_attacker(shared: &Shared) -> i32 {
    let target = std::process::id();
    // SAFETY: the forked process changes its own ids, traces others, and ends.
    unsafe {
        let attacker = libc::fork();
        assert!(attacker >= 0);
        if attacker == 0 {
            libc::setgroups(0, std::ptr::null());
            libc::setresgid(GROUP, GROUP, GROUP);
            libc::setresuid(USER, USER, USER);
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // A program that would be stopped again and again would not end.
            let mut done = std::collections::BTreeSet::new();
            while !shared.over.load(Ordering::Relaxed) {
                let mut victims = children_of(target);
                victims.retain(|victim| !done.contains(victim));
                done.extend(victims.into_iter().filter(|&victim| attack(victim, shared)));
                libc::sched_yield();
            }
            libc::_exit(0);
        }
        attacker
    }
}

fn as_user<'fd>() -> Command<'fd> {
    let mut command = Command::new("true");
    command.uid(USER).gid(GROUP).groups(&[]);
    command
}

own_process! {
    fn new_user_traces_no_child_before_its_exec() {
        let me = std::process::id();
        let lists = format!("/proc/{me}/task/{me}/children");
        if !is_root() || !(std::path::Path::new(&lists).exists() || skip("/proc has no lists of children")) {
            return;
        }
        let shared = Shared::new();
        let before = ParentState::now();
        let attacker = start_attacker(shared);
        let over = Over(&shared.over);

        // A child that makes itself traceable is traced, so the attack is a real one.
        let mut easy = as_user();
        // SAFETY: the hook makes system calls, and reads memory that the processes share.
        unsafe {
            easy.pre_exec(|| {
                libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
                let mut rounds = 0;
                while shared.before_exec.load(Ordering::Relaxed) == 0 && rounds < 10_000 {
                    libc::usleep(1000);
                    rounds += 1;
                }
                Ok(())
            });
        }
        assert!(easy.status().unwrap().success());
        let works = shared.before_exec.swap(0, Ordering::Relaxed) > 0 || skip("this system lets a user trace only descendants");

        if works {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..if exhaustive() { 1000 } else { 60 } {
                            let mut child = as_user().spawn().unwrap();
                            assert_eq!(child.launched_by(), Launcher::Fork);
                            assert!(child.wait().unwrap().success());
                            // SAFETY: only numbers are passed.
                            assert_eq!(unsafe { libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0) }, 1);
                        }
                    });
                }
            });
        }
        drop(over);
        // SAFETY: the attacker is this process's child.
        assert_eq!(unsafe { libc::waitpid(attacker, std::ptr::null_mut(), 0) }, attacker);
        println!("{} programs were traced", shared.after_exec.load(Ordering::Relaxed));
        assert_eq!(shared.before_exec.load(Ordering::Relaxed), 0);
        assert_eq!(ParentState::now(), before);
    }
}
