//! The capacity of pipes.

use crate::own_process;
use crate::support::helper;
use crate::support::seccomp::refuse_if;
use crate::support::ways::{WAYS, Way};
use fdspawn::{Command, FdMap, Stdio, fork_run};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::os::fd::{AsFd, AsRawFd};

fn capacity(pipe: impl AsFd) -> i32 {
    // SAFETY: only numbers are passed.
    unsafe { libc::fcntl(pipe.as_fd().as_raw_fd(), libc::F_GETPIPE_SZ) }
}

/// The capacities of the four pipes of a child of `command`.
fn capacities(way: Way, command: &mut Command<'_>) -> [i32; 4] {
    way.choose(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let (reader, writer) = (command.reader(7), command.writer(8));
    use crate::support::Planned;
    let mut child = command.planned().spawn().unwrap();
    let (reader, writer) = (child.take(reader).unwrap(), child.take(writer).unwrap());
    let found = [
        capacity(child.stdin.as_ref().unwrap()),
        capacity(child.stdout.as_ref().unwrap()),
        capacity(&reader),
        capacity(&writer),
    ];
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    found
}

/// The capacity of a new pipe.
fn usual() -> i32 {
    capacity(std::io::pipe().unwrap().0)
}

fn ways() -> impl Iterator<Item = Way> {
    WAYS.into_iter().filter(|way| *way != Way::Exec)
}

own_process! {
    fn each_pipe_of_a_spawn_has_the_capacity() {
        for way in ways() {
            for (asked, expected) in [(5000, 8192), (100_000, 131_072), (1, 4096)] {
                // SAFETY: the call only asks.
                let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as i32;
                assert_eq!(capacities(way, helper("cat").pipe_capacity(asked)), [expected.max(page); 4], "{way:?}");
            }
            assert_eq!(capacities(way, &mut helper("cat")), [usual(); 4], "{way:?}");
        }
    }
}

own_process! {
    fn map_has_its_own_capacity_which_replaces_the_commands() {
        use crate::support::Planned;
        for way in ways() {
            for (of_map, expected) in [(Some(131_072), 131_072), (None, usual())] {
                let mut map = FdMap::new();
                of_map.map(|bytes| map.pipe_capacity(bytes));
                let reader = map.reader(7);
                let mut command = helper("exit");
                way.choose(command.arg("0").pipe_capacity(262_144).fd_map(map).planned());
                let mut child = command.spawn().unwrap();
                assert_eq!(capacity(child.take(reader).unwrap()), expected, "{way:?}");
                assert!(child.wait().unwrap().success());
            }
        }
        let mut map = FdMap::new();
        let reader = map.pipe_capacity(131_072).reader(7);
        // SAFETY: the function makes no call.
        let mut child = unsafe { fork_run(&mut map, || 0) }.unwrap();
        assert_eq!(capacity(child.take(reader).unwrap()), 131_072);
        assert!(child.wait().unwrap().success());
    }
}

own_process! {
    fn refused_capacity_leaves_the_pipe_as_it_is() {
        for way in ways() {
            for asked in [usize::MAX, 1 << 31, (1 << 32) + 8192] {
                assert_eq!(capacities(way, helper("cat").pipe_capacity(asked)), [usual(); 4], "{way:?}");
            }
        }
        let set =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::F_SETPIPE_SZ as u64).unwrap();
        if refuse_if(libc::SYS_fcntl, [set], libc::EPERM) {
            for way in ways() {
                assert_eq!(capacities(way, helper("cat").pipe_capacity(8192)), [usual(); 4], "{way:?}");
            }
        }
    }
}

own_process! {
    fn pipes_that_the_caller_lends_keep_their_capacity() {
        let (reader, writer) = std::io::pipe().unwrap();
        let before = capacity(&writer);
        for way in ways() {
            let mut command = helper("exit");
            way.choose(command.arg("0").pipe_capacity(8192).stdin(&reader).stdout(&writer));
            assert!(command.status().unwrap().success());
            assert_eq!((capacity(&reader), capacity(&writer)), (before, before), "{way:?}");
        }
    }
}
