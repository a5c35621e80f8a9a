//! Listings of descriptors that cannot be opened, read or seen.

use super::by_number::{by_number, same_kind};
use super::every_kind::{EveryKind, open};
use super::{current, entry, numbers};
use crate::own_process;
use crate::support::forked::Forked;
use crate::support::fuse::Files;
use crate::support::mounts;
use crate::support::seccomp::{refuse, refuse_if};
use crate::support::sources::{memory, memory_at};
use crate::support::table::open_numbers;
use crate::support::tools::skip;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::{Access, Entry, Kind};
use seccompiler::{SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

const NOBODY: u32 = 65534;

fn become_nobody() {
    // SAFETY: only numbers are passed. libc changes all threads of the process.
    unsafe {
        assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
        assert_eq!((libc::setgid(NOBODY), libc::setuid(NOBODY)), (0, 0));
    }
}

/// Makes this process's user `nobody` (65534) until it is dropped: a process that stays `nobody` cannot end its
/// children.
struct AsNobody(());

impl AsNobody {
    fn new() -> Self {
        // SAFETY: only numbers are passed.
        unsafe { assert_eq!((libc::setegid(NOBODY), libc::seteuid(NOBODY)), (0, 0)) };
        Self(())
    }
}

impl Drop for AsNobody {
    fn drop(&mut self) {
        // SAFETY: only numbers are passed.
        unsafe { assert_eq!((libc::seteuid(0), libc::setegid(0)), (0, 0)) };
    }
}

fn is_root() -> bool {
    // SAFETY: the call only returns a number.
    let root = unsafe { libc::geteuid() == 0 };
    root || skip("not root")
}

/// Mounts an empty file system over a directory of /proc, for this process only.
fn cover(path: &str) -> bool {
    mounts::mount(c"tmpfs", Path::new(path), c"").is_ok() || skip("nothing can be mounted")
}

/// Gives this process a mount namespace of its own.
fn own_mounts() -> bool {
    mounts::private().is_ok() || skip("a mount namespace cannot be made")
}

/// Makes a number refer to what `source` refers to, from now on.
fn replace_at(number: RawFd, source: &OwnedFd) {
    // SAFETY: the number is one that only the test uses.
    assert_eq!(unsafe { libc::dup2(source.as_raw_fd(), number) }, number);
}

own_process! {
    fn process_of_another_user_is_refused() {
        if !is_root() {
            return;
        }
        let child = Forked::new(|| {});
        let _nobody = AsNobody::new();
        for pid in [child.0, 1] {
            let error = DescriptorTable::of(pid).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            let text = format!("cannot list the descriptors of process {pid}: Permission denied (os error 13)");
            assert_eq!(error.to_string(), text);
        }
        // The process can list its own table, although it lost the right to /proc/self with the change of user.
        let table = current();
        assert_eq!(numbers(&table), open_numbers());
        assert!(table.iter().all(|entry| !matches!(entry.kind(), Kind::Unreadable { .. }) && entry.access().is_some()));
    }
}

own_process! {
    fn entries_of_a_process_with_more_privileges_are_shown_as_unreadable() {
        if !is_root() {
            return;
        }
        let _memory = memory("memory");
        // The child has the same user and a capability that this process lacks: the process may list the numbers, and
        // not read the links.
        let child = Forked::new(|| {
            // SAFETY: numbers, and structures as capset(2) has them.
            unsafe {
                const VERSION_3: u32 = 0x2008_0522;
                assert_eq!(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
                become_nobody();
                let (header, net_raw) = ([VERSION_3, 0], [0_u32, 1 << 13, 0, 0, 0, 0]);
                assert_eq!(libc::syscall(libc::SYS_capset, header.as_ptr(), net_raw.as_ptr()), 0);
                assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
            }
        });
        let expected = open_numbers();
        let _nobody = AsNobody::new();
        let table = DescriptorTable::of(child.0).unwrap();
        assert_eq!(numbers(&table), expected);
        // Before Linux 5.14, fdinfo can be read all the same.
        let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/0", child.0)).is_ok();
        for entry in &table {
            assert_eq!(*entry.kind(), Kind::Unreadable { link: None, error: libc::EACCES });
            assert_eq!((entry.access().is_some(), entry.close_on_exec().is_some()), (info, info));
            assert_eq!((entry.append().is_some(), entry.nonblocking().is_some()), (info, info));
            assert_eq!((entry.offset(), entry.locks().is_some()), (None, info));
        }
        let text = table.to_string();
        let line = text.lines().nth(2).unwrap();
        assert!(line.ends_with("unreadable: Permission denied (os error 13)"), "{line}");
        if !info {
            assert!(line.starts_with("       0  ?            -  ?      ?      unreadable: "), "{line}");
        }
        assert!(DescriptorTable::diff(&table, &table).is_empty());
    }
}

own_process! {
    fn covered_fdinfo_leaves_the_rest() {
        let every = EveryKind::new();
        let child = Forked::new(|| {});
        if !(own_mounts() && cover(&format!("/proc/{}/fdinfo", child.0)) && cover("/proc/thread-self/fdinfo")) {
            return;
        }
        let (own, other) = (current(), DescriptorTable::of(child.0).unwrap());
        for held in &every.held {
            let shown = match &held.kind {
                Kind::Event { .. } => Kind::Event { count: None },
                Kind::Epoll { .. } => Kind::Epoll { watched: vec![] },
                Kind::Pidfd { .. } => Kind::Pidfd { pid: None },
                kind => kind.clone(),
            };
            let of = |table| -> &Entry { entry(table, &held.number) };
            assert!(same_kind(of(&own).kind(), &shown) && same_kind(of(&other).kind(), &shown), "{}", of(&own));
            assert_eq!((of(&own).locks(), of(&other).locks()), (None, None));
            // The library can ask the kernel about a number of its own table.
            every.check_flags(&own, held.number);
            assert_eq!(of(&own).offset(), held.offset);
            assert_eq!((of(&other).access(), of(&other).close_on_exec(), of(&other).offset()), (None, None, None));
        }
        assert_eq!((numbers(&own), numbers(&other)), (open_numbers(), open_numbers()));
    }
}

own_process! {
    fn files_that_are_mounted_over_a_list_are_not_taken_for_it() {
        let _memory = memory_at(77, "memory", true);
        let child = Forked::new(|| {});
        if !(own_mounts() && cover(&format!("/proc/{}/fd", child.0)) && cover("/proc/thread-self/fd")) {
            return;
        }
        for number in [3, 500] {
            std::os::unix::fs::symlink("/etc/passwd", format!("/proc/thread-self/fd/{number}")).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", format!("/proc/{}/fd/{number}", child.0)).unwrap();
        }
        let table = current();
        assert_eq!(numbers(&table), open_numbers());
        assert_eq!(*entry(&table, &77).kind(), Kind::File { path: None, deleted: true });
        assert_eq!(DescriptorTable::of(child.0).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

own_process! {
    fn refused_links_leave_the_rest() {
        let every = EveryKind::new();
        let child = Forked::new(|| {});
        let expected: Vec<Kind> = every.held.iter().map(|held| by_number(held.number, &held.kind)).collect();
        let links = [
            libc::SYS_readlinkat,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_readlink,
        ];
        if !refuse(&links, libc::EACCES) {
            return;
        }
        for table in [current(), DescriptorTable::of(child.0).unwrap()] {
            assert_eq!(numbers(&table), open_numbers());
            for (held, expected) in every.held.iter().zip(&expected) {
                let entry = entry(&table, &held.number);
                let shown = match (expected, &held.kind) {
                    (Kind::Pidfd { .. }, Kind::Pidfd { pid }) => Kind::Pidfd { pid: *pid },
                    _ => expected.clone(),
                };
                assert!(same_kind(entry.kind(), &shown), "{entry} is not {shown}");
                every.check_flags(&table, held.number);
            }
        }
    }
}

own_process! {
    fn refused_links_and_files_are_unreadable_with_what_is_known() {
        let _memory = memory_at(77, "memory", true);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("file");
        let file = open(&path, libc::O_CREAT | libc::O_WRONLY);
        let child = Forked::new(|| {});
        let status = [
            libc::SYS_statx,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_newfstatat,
        ];
        if !refuse(&status, libc::EIO) {
            return;
        }
        let table = DescriptorTable::of(child.0).unwrap();
        let entry = entry(&table, &file);
        assert_eq!(*entry.kind(), Kind::Unreadable { link: Some(path.clone()), error: libc::EIO });
        assert_eq!(entry.access(), Some(Access::Write), "that is known");
        assert!(entry.to_string().contains(&format!("unreadable {}: ", path.display())), "{entry}");
        assert_eq!(numbers(&table), open_numbers());
    }
}

own_process! {
    fn table_is_the_same_without_statx() {
        let every = EveryKind::new();
        let child = Forked::new(|| {});
        let before = current();
        if refuse(&[libc::SYS_statx], libc::ENOSYS) {
            every.check(&current());
            every.check(&DescriptorTable::of(child.0).unwrap());
            assert!(DescriptorTable::diff(&before, &current()).is_empty());
        }
    }
}

own_process! {
    fn refused_fdinfo_leaves_what_can_be_asked_by_number() {
        let every = EveryKind::new();
        // Opening fails for everything but directories.
        let directory = u64::from(libc::O_DIRECTORY.unsigned_abs());
        let no_directory = SeccompCmpOp::MaskedEq(directory);
        let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, no_directory, 0);
        if !refuse_if(libc::SYS_openat, condition, libc::EACCES) {
            return;
        }
        let table = current();
        assert_eq!(numbers(&table), open_numbers());
        for held in &every.held {
            every.check_flags(&table, held.number);
            let entry = entry(&table, &held.number);
            assert_eq!((entry.offset(), entry.locks()), (held.offset, None));
            if let Kind::File { .. } = held.kind {
                assert_eq!(*entry.kind(), held.kind);
            }
        }
    }
}

own_process! {
    fn deleted_file_in_the_root_directory_is_no_memory() {
        // The test needs a root directory of its own: the name of a memory file looks like that of a file deleted from
        // `/`.
        let directory = tempfile::tempdir().unwrap();
        if !is_root() {
            return;
        }
        let path = |name: &str| Path::new("/").join(name);
        let proc = directory.path().join("proc");
        std::fs::create_dir(&proc).unwrap();
        if !(own_mounts() && (mounts::mount(c"proc", &proc, c"").is_ok() || skip("nothing can be mounted"))) {
            return;
        }
        std::os::unix::fs::chroot(directory.path()).unwrap();
        std::env::set_current_dir("/").unwrap();
        let gone = |name: &str| {
            let file = open(&path(name), libc::O_CREAT | libc::O_RDWR);
            std::fs::remove_file(path(name)).unwrap();
            file
        };
        let (like_memory, like_secret) = (gone("memfd:x"), gone("secretmem"));
        let memory = memory("memory");
        let child = Forked::new(|| {});
        for table in [current(), DescriptorTable::of(child.0).unwrap()] {
            let deleted = |name: &str| Kind::File { path: Some(path(name)), deleted: true };
            assert_eq!(*entry(&table, &like_memory).kind(), deleted("memfd:x"));
            assert_eq!(*entry(&table, &like_secret).kind(), deleted("secretmem"));
            assert_eq!(*entry(&table, &memory).kind(), Kind::Memory { name: PathBuf::from("source") });
        }
    }
}

own_process! {
    fn name_that_only_the_process_has_is_no_remark_that_it_is_gone() {
        // The file is in a mount that only the child has. This process has no file at its path.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("x (deleted)");
        if !own_mounts() {
            return;
        }
        let child = Forked::new(|| {
            mounts::private().unwrap();
            mounts::mount(c"tmpfs", directory.path(), c"").unwrap();
            replace_at(50, &open(&path, libc::O_CREAT | libc::O_RDWR));
            let gone = directory.path().join("y");
            replace_at(51, &open(&gone, libc::O_CREAT | libc::O_RDWR));
            std::fs::hard_link(&gone, directory.path().join("z")).unwrap();
            std::fs::remove_file(gone).unwrap();
        });
        assert!(!path.exists());
        let table = DescriptorTable::of(child.0).unwrap();
        let kind = |path: &Path, deleted| Kind::File { path: Some(path.to_owned()), deleted };
        assert_eq!(*entry(&table, &50).kind(), kind(&path, false));
        assert_eq!(*entry(&table, &51).kind(), kind(&path.with_file_name("y"), true));
    }
}

own_process! {
    fn server_of_a_file_system_is_not_waited_for() {
        let Some(files) = Files::mount() else { return };
        // Each request to the server would fail, as it does for other programs.
        let file = files.open("getattr=5");
        assert_eq!(file.metadata().unwrap_err().raw_os_error(), Some(libc::EIO));
        let child = Forked::new(|| {});
        let kind = Kind::File { path: Some(files.path("getattr=5").canonicalize().unwrap()), deleted: false };
        for table in [current(), DescriptorTable::of(child.0).unwrap()] {
            assert_eq!(*entry(&table, &file).kind(), kind);
        }
        // Without statx(2) the library has to ask the server. The entry shows the rest all the same.
        if !refuse(&[libc::SYS_statx], libc::ENOSYS) {
            return;
        }
        for table in [current(), DescriptorTable::of(child.0).unwrap()] {
            let entry = entry(&table, &file);
            assert_eq!(*entry.kind(), Kind::Unreadable { link: kind.path().map(Path::to_owned), error: libc::EIO });
            assert_eq!(entry.access(), Some(Access::Write));
            let path = kind.path().unwrap().display();
            let expected = format!(
                "{}: unreadable {path}: Input/output error (os error 5), write, close-on-exec",
                file.as_raw_fd()
            );
            assert_eq!(entry.to_string(), expected);
        }
    }
}
