//! Runs one subject with one fault, and collects what can be seen of it.

use super::entrances::Entrance;
use super::filter::{self, Listener, MARKER, Request};
use super::snapshot::Snapshot;
use super::subject::{self, Mark};
use super::{attributes, calls, program};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// After this time a subject hangs.
const LIMIT: Duration = Duration::from_secs(10);

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The process that uses the library, with all its threads.
    Parent,
    /// A child before its exec.
    Child,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Errno(i32),
    /// The process that makes the call is killed.
    Death,
}

/// Which calls of one kind meet the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Every,
    /// The one of this number among those of a role, from 1.
    Nth(Role, usize),
}

/// The fault of one run.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    pub call: i64,
    pub fault: Fault,
    pub when: When,
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Seen {
    /// The calls between the marks, if every call is watched.
    pub calls: Vec<(i64, Role)>,
    /// How many calls have met the fault.
    pub faults: usize,
    /// The numbers whose closes in the parent have met the fault.
    pub closes: BTreeSet<i32>,
    /// The numbers whose closes in a child have met the fault and have closed what was there.
    pub child_closes: BTreeSet<i32>,
    pub parent_died: bool,
    pub hang: bool,
    pub begin: Option<Snapshot>,
    pub end: Option<Snapshot>,
    pub settled: Option<Snapshot>,
    /// What the entrance returned.
    pub result: Option<String>,
    /// What the program has written of itself.
    pub program: Option<String>,
    /// What the subject has written to its standard error.
    pub stderr: String,
    /// The wait status of the subject.
    pub status: i32,
}

/// Runs a subject, with a fault or without one. `None` if the kernel has no such filters, or the subject
/// lacks a right.
pub fn run(entrance: &Entrance, injection: Option<Injection>) -> Option<Seen> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let executable = std::env::current_exe().unwrap();
    std::os::unix::fs::symlink(&executable, path.join(program::LINK)).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let watched = injection.map_or_else(|| "every".to_owned(), |injection| calls::name(injection.call));
    #[allow(clippy::zombie_processes, reason = "the run reaps the whole process group")]
    let child = std::process::Command::new(&executable)
        .args([subject::MARK, entrance.name, &watched, path.to_str().unwrap()])
        .env_clear()
        .env("PATH", format!("/nonexistent:{}", path.display()))
        .stdin(OwnedFd::from(theirs))
        .stdout(File::create(path.join("stdout")).unwrap())
        .stderr(File::create(path.join("stderr")).unwrap())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut run = Run {
        group: child.id().cast_signed(),
        child_group: None,
        injection,
        actor: None,
        role_counts: [0; 2],
        is_open: false,
        functions: BTreeSet::new(),
        alive: true,
        seen: Seen::default(),
    };
    let listener = filter::receive(&ours).unwrap();
    drop(ours);
    run.supervise(listener.as_ref());
    attributes::remove_cgroup(run.group);
    if libc::WIFEXITED(run.seen.status) && libc::WEXITSTATUS(run.seen.status) == subject::LACKING {
        return None;
    }
    Some(run.collect(path))
}

struct Run {
    /// The subject's process group, and its number.
    group: i32,
    /// The group that a child of the subject leads.
    child_group: Option<i32>,
    injection: Option<Injection>,
    /// The process that has passed the first mark, and whether it was forked and has not executed a program.
    actor: Option<(i32, bool)>,
    /// How many watched calls the parent and the children have made.
    role_counts: [usize; 2],
    /// Whether the subject is between the marks.
    is_open: bool,
    /// Children that run a function of the caller.
    functions: BTreeSet<i32>,
    alive: bool,
    seen: Seen,
}

impl Run {
    /// Answers all calls until no process of the groups is left.
    fn supervise(&mut self, listener: Option<&Listener>) {
        let start = Instant::now();
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        // SAFETY: the process is a child of this one and is not reaped yet.
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.group, 0) } as i32;
        while self.alive {
            let mut polls = [listener.map_or(-1, |listener| listener.0.as_raw_fd()), pidfd].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: the array is written.
            unsafe { libc::poll(polls.as_mut_ptr(), 2, 100) };
            if let Some(request) = listener.filter(|_| polls[0].revents & libc::POLLIN != 0).and_then(Listener::next) {
                self.answer(listener.unwrap(), &request, &null);
            } else if polls[1].revents != 0 {
                self.reap();
            }
            if start.elapsed() > LIMIT && !self.seen.hang {
                self.seen.hang = true;
                self.signal(libc::SIGKILL);
            }
        }
        // SAFETY: the descriptor is this function's own.
        unsafe { libc::close(pidfd) };
    }

    fn groups(&self) -> impl Iterator<Item = i32> {
        [self.group].into_iter().chain(self.child_group)
    }

    /// Sends a signal to all processes of the groups.
    fn signal(&self, signal: i32) {
        for group in self.groups() {
            // SAFETY: the group is the subject's or its child's, and a process of it is not reaped yet, or it has none.
            unsafe { libc::kill(-group, signal) };
        }
    }

    /// Reaps what has ended of the groups. The test is the reaper of orphans.
    fn reap(&mut self) {
        let mut alive = false;
        for group in self.groups().collect::<Vec<_>>() {
            loop {
                let mut status = 0;
                // SAFETY: one number is written.
                match unsafe { libc::waitpid(-group, &raw mut status, libc::WNOHANG | libc::__WALL) } {
                    0 => {
                        alive = true;
                        break;
                    }
                    -1 => break,
                    pid if pid == self.group => {
                        self.seen.status = status;
                        // What a teardown has stopped goes on, finds the end of its input, and ends.
                        self.signal(libc::SIGCONT);
                    }
                    _ => {}
                }
            }
        }
        self.alive = alive;
        if alive {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn answer(&mut self, listener: &Listener, request: &Request, null: &File) {
        if request.call == MARKER {
            if let Some(mark) = Mark::of(request.arguments[0]) {
                self.pass(mark, request);
                return listener.refuse(request, 0);
            }
        }
        let role = self.role(request.thread);
        let faulty = role.is_some_and(|role| self.is_faulty(role, request));
        match self.injection {
            Some(Injection { fault, .. }) if faulty => {
                self.seen.faults += 1;
                let is_parent = role == Some(Role::Parent);
                match fault {
                    Fault::Errno(errno) => {
                        if request.call == libc::SYS_close {
                            self.close(listener, request, errno, is_parent, null);
                        }
                        listener.refuse(request, errno);
                    }
                    Fault::Death => {
                        self.seen.parent_died |= is_parent;
                        // SAFETY: the thread waits for its answer, so its number is its own.
                        unsafe { libc::kill(request.thread, libc::SIGKILL) };
                    }
                }
            }
            _ => listener.allow(request),
        }
    }

    /// Closes a number whose close meets a fault: the kernel closes it even if close fails. Another file takes the number, so
    /// that it stays in the table.
    ///
    /// A filter that refuses close leaves the number open, so in a child it does. A parent in which it stays open would wait for
    /// the end of pipes that has no end, and no library can help that.
    fn close(&mut self, listener: &Listener, request: &Request, errno: i32, is_parent: bool, null: &File) {
        let number = request.arguments[0] as i32;
        if is_parent {
            self.seen.closes.insert(number);
        } else if [libc::ENOSYS, libc::EPERM].contains(&errno) {
            return;
        } else {
            self.seen.child_closes.insert(number);
        }
        listener.replace(request, number.cast_unsigned(), null);
    }

    /// Whether a watched call between the marks meets the fault.
    fn is_faulty(&mut self, role: Role, request: &Request) -> bool {
        let Some(injection) = self.injection else {
            self.seen.calls.push((request.call, role));
            return false;
        };
        if request.call != injection.call {
            return false;
        }
        let count = &mut self.role_counts[role as usize];
        *count += 1;
        match injection.when {
            When::Every => true,
            When::Nth(nth_role, nth) => role == nth_role && *count == nth,
        }
    }

    /// Whose call this is, if the library makes it. A child may still do so when the entrance has returned.
    fn role(&self, thread: i32) -> Option<Role> {
        let (actor, was_forked) = self.actor.filter(|_| self.seen.settled.is_none())?;
        if thread == actor || Path::new(&format!("/proc/{actor}/task/{thread}")).exists() {
            let is_library = self.is_open && (!was_forked || is_forked(thread));
            return is_library.then_some(Role::Parent);
        }
        (is_forked(thread) && !self.functions.contains(&thread)).then_some(Role::Child)
    }

    fn pass(&mut self, mark: Mark, request: &Request) {
        let snapshot = |request: &Request| Some(Snapshot::take(request.thread, &request.arguments));
        match mark {
            Mark::Begin => {
                self.actor = Some((request.thread, is_forked(request.thread)));
                self.seen.begin = snapshot(request);
                self.is_open = true;
            }
            Mark::Returned => self.is_open = false,
            Mark::End => self.seen.end = snapshot(request),
            Mark::Settled => {
                self.seen.settled = snapshot(request);
                if let (Some(begin), Some(settled)) = (&self.seen.begin, &mut self.seen.settled) {
                    settled.wait_for_threads(request.thread, begin.threads);
                }
            }
            Mark::Group => self.child_group = Some(request.arguments[1] as i32),
            Mark::Function => {
                self.functions.insert(request.thread);
            }
        }
    }

    fn collect(self, directory: &Path) -> Seen {
        let read = |name: &str| std::fs::read(directory.join(name)).ok();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(directory.to_str().unwrap(), "DIR");
        let executable = std::env::current_exe().unwrap();
        let text = |bytes| text(bytes).replace(executable.to_str().unwrap(), "PROGRAM");
        Seen {
            result: read(subject::RESULT).map(text),
            program: read(program::REPORT).map(text),
            stderr: read("stderr").map(text).unwrap_or_default(),
            ..self.seen
        }
    }
}

/// Whether a process was forked and has not executed a program since: the kernel's flag `PF_FORKNOEXEC`.
fn is_forked(pid: i32) -> bool {
    const FORK_NO_EXEC: u64 = 0x40;
    let flags = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|stat| {
        // After the name, which may have any characters: state, parent, group, session, terminal, its group, flags.
        stat.rsplit(") ").next()?.split(' ').nth(6)?.parse::<u64>().ok()
    });
    flags.is_some_and(|flags| flags & FORK_NO_EXEC != 0)
}
