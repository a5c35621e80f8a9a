//! What a process is besides its descriptors, as the process itself finds it by system calls.

use super::table::Table;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The properties of a process or of the thread that asks, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(BTreeMap<String, String>);

/// The resources that every kernel of the tests has.
const RESOURCES: [(&str, libc::__rlimit_resource_t); 10] = [
    ("as", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("data", libc::RLIMIT_DATA),
    ("fsize", libc::RLIMIT_FSIZE),
    ("memlock", libc::RLIMIT_MEMLOCK),
    ("nofile", libc::RLIMIT_NOFILE),
    ("nproc", libc::RLIMIT_NPROC),
    ("rtprio", libc::RLIMIT_RTPRIO),
    ("stack", libc::RLIMIT_STACK),
];

impl State {
    /// The properties of this process. The call changes the umask for a moment, so no other thread may make files.
    pub fn current() -> Self {
        let mut all = BTreeMap::new();
        let mut set = |name: &str, value: String| all.insert(name.to_owned(), value);
        // SAFETY: the calls only read, other than umask, which is set again. All buffers have the kernel's sizes.
        unsafe {
            set("process", libc::getpid().to_string());
            set("group", libc::getpgid(0).to_string());
            set("session", libc::getsid(0).to_string());
            let umask = libc::umask(0);
            libc::umask(umask);
            set("umask", format!("{umask:03o}"));
            set("nice", libc::getpriority(libc::PRIO_PROCESS, 0).to_string());
            let policy = libc::syscall(libc::SYS_sched_getscheduler, 0);
            let mut priority = 0_i32;
            libc::syscall(libc::SYS_sched_getparam, 0, &raw mut priority);
            set("scheduler", format!("{policy} {priority}"));
            let mut cpus: libc::cpu_set_t = std::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&cpus), &raw mut cpus);
            let cpus: Vec<String> =
                (0..1024).filter(|&cpu| libc::CPU_ISSET(cpu, &cpus)).map(|cpu| cpu.to_string()).collect();
            set("cpus", cpus.join(","));
            set("no_new_privs", libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0).to_string());
            for (name, resource) in RESOURCES {
                let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                libc::getrlimit(resource, &raw mut limit);
                set(&format!("limit {name}"), format!("{}:{}", limit.rlim_cur, limit.rlim_max));
            }
            let (mut blocked, mut pending) = (0_u64, 0_u64);
            libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, 0, &raw mut blocked, 8);
            libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, 8);
            set("blocked", numbers((1..=64).filter(|signal| blocked >> (signal - 1) & 1 == 1)));
            set("pending", numbers((1..=64).filter(|signal| pending >> (signal - 1) & 1 == 1)));
            let handler = |signal: &i32| {
                let mut action = [0_usize; 8];
                libc::syscall(libc::SYS_rt_sigaction, *signal, 0, action.as_mut_ptr(), 8);
                action[0]
            };
            let is_handled = |signal: &i32| ![libc::SIG_DFL, libc::SIG_IGN].contains(&handler(signal));
            set("ignored", numbers((1..=64).filter(|signal| handler(signal) == libc::SIG_IGN)));
            set("handled", numbers((1..=64).filter(is_handled)));
        }
        let oom = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
        set("oom_score_adj", oom.trim().to_owned());
        Self(all)
    }

    pub fn get(&self, name: &str) -> &str {
        &self.0[name]
    }

    /// The state with other values of some properties.
    pub fn with(mut self, values: &[(&str, &str)]) -> Self {
        for &(name, value) in values {
            *self.0.get_mut(name).expect("a property of this name") = value.to_owned();
        }
        self
    }

    /// The state without the properties that a child never has in common with its parent.
    pub fn without_ids(mut self) -> Self {
        self.0.remove("process");
        self
    }

    /// The state of a program that a process of this state starts without any attribute: a program has no handlers,
    /// and SIGPIPE has its
    /// default.
    pub fn of_a_program(self) -> Self {
        let ignored: Vec<&str> = self.get("ignored").split(' ').filter(|number| *number != "13").collect();
        let ignored = ignored.join(" ");
        self.with(&[("ignored", &ignored), ("handled", ""), ("pending", "")]).without_ids()
    }
}

fn numbers(signals: impl Iterator<Item = i32>) -> String {
    signals.map(|signal| signal.to_string()).collect::<Vec<_>>().join(" ")
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, value)| writeln!(f, "{name}={value}"))
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = |line: &str| match line.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(line.to_owned()),
        };
        text.lines().map(pair).collect::<Result<_, _>>().map(Self)
    }
}

/// What a launch must not change in this process: its properties, its descriptors, and that it has no child.
pub fn own() -> (State, Table, usize) {
    (State::current(), Table::current(), children())
}

/// How many children this process has, as far as waitid(2) tells: 0 or 1.
fn children() -> usize {
    // SAFETY: the kernel writes one structure, and no child is reaped.
    let result = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL)
    };
    usize::from(result == 0)
}
