//! Holders of a pipe's ends.

use crate::own_process;
use crate::support;
use crate::support::forked::status_of;
use crate::support::mounts::{self, unmount_proc};
use crate::support::running::Running;
use crate::support::seccomp::refuse;
use crate::support::sources::{leaky, set_limit};
use crate::support::tools::skip;
use crate::support::{LAUNCHERS, Planned, helper};
use fdspawn::inspect::{PipeHolder, PipeHolders, pipe_holders};
use fdspawn::{Command, Rest, Stdio};
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc;

/// Process, thread and number of each holder.
fn places(holders: &[PipeHolder]) -> Vec<(u32, Option<u32>, RawFd)> {
    holders.iter().map(|holder| (holder.pid(), holder.thread(), holder.number())).collect()
}

/// The place of a descriptor of this process.
fn here(fd: impl AsFd) -> (u32, Option<u32>, RawFd) {
    (std::process::id(), None, fd.as_fd().as_raw_fd())
}

/// The end of the text, about processes that the caller may not inspect. Root may meet such processes too.
fn rest(ends: &PipeHolders) -> String {
    match ends.unreadable().len() {
        0 => String::new(),
        1 => "; 1 process could not be inspected".to_owned(),
        count => format!("; {count} processes could not be inspected"),
    }
}

fn name_of(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim_end().to_owned()
}

/// Makes a FIFO.
fn fifo(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

fn open(path: &Path, flags: i32) -> File {
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap()
}

/// A duplicate at the lowest free number from `first` on.
fn duplicate(fd: impl AsFd, first: RawFd) -> OwnedFd {
    // SAFETY: the descriptor is new.
    unsafe { OwnedFd::from_raw_fd(libc::fcntl(fd.as_fd().as_raw_fd(), libc::F_DUPFD_CLOEXEC, first)) }
}

own_process! {
    fn other_end_is_found_in_the_child_that_has_it() {
        for launcher in LAUNCHERS {
            let (reader, writer) = io::pipe().unwrap();
            let child = Running::spawn(helper("wait").launcher(launcher).fd(7, writer).planned());
            let ends = pipe_holders(&reader).unwrap();
            assert_eq!(places(ends.writers()), [(child.id(), None, 7)]);
            assert_eq!(ends.other_end(), ends.writers());
            assert_eq!(places(ends.readers()), [here(&reader)]);
            assert_eq!(ends.writers()[0].name().to_str(), Some(name_of(child.id()).as_str()));
            let (name, me) = (name_of(child.id()), std::process::id());
            let readers = format!("{me} ({}) at {}", name_of(me), reader.as_raw_fd());
            assert_eq!(
                ends.to_string(),
                format!("writers: {} ({name}) at 7; readers: {readers}{}", child.id(), rest(&ends))
            );
            drop(child);
            let ends = pipe_holders(&reader).unwrap();
            assert_eq!((ends.writers(), places(ends.readers())), (&[][..], vec![here(&reader)]));
            assert_eq!(ends.to_string(), format!("writers: none; readers: {readers}{}", rest(&ends)));
        }
    }
}

own_process! {
    fn ends_in_several_processes_are_all_found() {
        for launcher in LAUNCHERS {
            let (reader, writer) = io::pipe().unwrap();
            let spawn = |command: &mut Command<'_>| Running::spawn(command.launcher(launcher).planned());
            let children = [
                spawn(helper("wait").stdin(&reader)),
                spawn(helper("wait").stdout(&writer).fd(9, &writer)),
                spawn(helper("wait").fd(3, &writer).fd(4, &reader)),
                spawn(&mut helper("wait")),
            ];
            let [one, two, three, _] = children.each_ref().map(Running::id);
            // The other end depends on the descriptor that is passed.
            let (from_reader, from_writer) = (pipe_holders(&reader).unwrap(), pipe_holders(&writer).unwrap());
            let mut readers = vec![here(&reader), (one, None, 0), (three, None, 4)];
            let mut writers = vec![here(&writer), (two, None, 1), (two, None, 9), (three, None, 3)];
            // The system may have begun again with low pids.
            readers.sort_unstable();
            writers.sort_unstable();
            for ends in [&from_reader, &from_writer] {
                assert_eq!((places(ends.readers()), places(ends.writers())), (readers.clone(), writers.clone()));
            }
            assert_eq!(from_reader.other_end(), from_reader.writers());
            assert_eq!(from_writer.other_end(), from_writer.readers());
            assert!(from_writer.to_string().starts_with("readers: "), "{from_writer}");
        }
    }
}

own_process! {
    fn leaked_writer_is_found_where_it_leaked_to() {
        for launcher in LAUNCHERS {
            let (reader, writer) = io::pipe().unwrap();
            let leak = leaky(File::from(duplicate(&writer, 77)));
            drop(writer);
            let number = leak.as_raw_fd();
            // The first child inherits the writer by mistake, with the rest. The second child does not.
            let careless = Running::spawn(support::command("sleep").arg("1000").launcher(launcher).rest(Rest::Inherit));
            let _careful = Running::spawn(helper("wait").launcher(launcher));
            drop(leak);
            let ends = pipe_holders(&reader).unwrap();
            assert_eq!(places(ends.other_end()), [(careless.id(), None, number)]);
            assert!(
                ends.to_string().starts_with(&format!("writers: {} (sleep) at {number}; ", careless.id())),
                "{ends}"
            );
        }
    }
}

own_process! {
    fn fifo_that_is_open_for_both_counts_for_both() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other, moved] = ["fifo", "other", "moved"].map(|name| directory.path().join(name));
        fifo(&path);
        fifo(&other);
        let both = open(&path, 0);
        let reader = File::open(&path).unwrap();
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        // This descriptor only names the FIFO, and holds no end of it.
        let named = open(&path, libc::O_PATH);
        let _other = open(&other, 0);
        for launcher in LAUNCHERS {
            let child = Running::spawn(helper("wait").launcher(launcher).fd(50, &both).planned());
            let look = || {
                let (readers, writers) = ([here(&both), here(&reader)], [here(&both), here(&writer)]);
                let all = [here(&both), here(&reader), here(&writer)];
                let sorted = |own: &[(u32, Option<u32>, RawFd)]| {
                    let mut places = [own, &[(child.id(), None, 50)]].concat();
                    places.sort_unstable();
                    places
                };
                for fd in [&both, &reader, &writer, &named] {
                    let ends = pipe_holders(fd).unwrap();
                    assert_eq!(places(ends.readers()), sorted(&readers));
                    assert_eq!(places(ends.writers()), sorted(&writers));
                }
                assert_eq!(places(pipe_holders(&both).unwrap().other_end()), sorted(&all));
                assert_eq!(places(pipe_holders(&named).unwrap().other_end()), sorted(&all));
                assert_eq!(places(pipe_holders(&reader).unwrap().other_end()), sorted(&writers));
            };
            look();
            // The FIFO is found under a new path too.
            std::fs::rename(&path, &moved).unwrap();
            look();
            std::fs::rename(&moved, &path).unwrap();
            drop(child);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(places(pipe_holders(&reader).unwrap().writers()), [here(&both), here(&writer)]);
    }
}

own_process! {
    fn fifo_of_the_same_number_in_another_file_system_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["one", "other"].map(|name| directory.path().join(name));
        let mount = |path| {
            std::fs::create_dir(path).unwrap();
            mounts::mount(c"tmpfs", path, c"")
        };
        let mounted = mounts::private().and_then(|()| paths.iter().try_for_each(|path| mount(path)));
        if mounted.is_err() {
            skip("a file system cannot be mounted");
            return;
        }
        let [one, other] = paths.map(|path| {
            fifo(&path.join("fifo"));
            open(&path.join("fifo"), 0)
        });
        if one.metadata().unwrap().ino() != other.metadata().unwrap().ino() {
            skip("the kernel numbers the files of all such file systems in one row");
            return;
        }
        assert_eq!(places(pipe_holders(&one).unwrap().readers()), [here(&one)]);
        assert_eq!(places(pipe_holders(&other).unwrap().readers()), [here(&other)]);
    }
}

own_process! {
    fn pipe_without_a_name_can_be_open_for_both_too() {
        let (reader, writer) = io::pipe().unwrap();
        let both = open(Path::new(&format!("/proc/self/fd/{}", reader.as_raw_fd())), 0);
        let ends = pipe_holders(&both).unwrap();
        assert_eq!(places(ends.readers()), [here(&reader), here(&both)]);
        assert_eq!(places(ends.writers()), [here(&writer), here(&both)]);
        assert_eq!(places(ends.other_end()), [here(&reader), here(&writer), here(&both)]);
    }
}

/// What `pipe_holders` finds while a thread of this process has a table of its own, a copy of the process's. The
/// process has closed the writer by then. The thread has it, and a duplicate of it from number 300 on.
fn with_a_private_table(reader: &PipeReader, writer: PipeWriter) -> (PipeHolders, u32) {
    let (sender, ready) = mpsc::channel();
    let (done, wait) = mpsc::channel::<()>();
    let number = writer.as_raw_fd();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // SAFETY: the thread only duplicates a descriptor of its copy.
            let (thread, duplicate) = unsafe {
                assert_eq!(libc::unshare(libc::CLONE_FILES), 0);
                (libc::gettid(), libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 300))
            };
            assert_eq!(duplicate, 300);
            sender.send(thread.unsigned_abs()).unwrap();
            wait.recv().unwrap_err();
        });
        // A second thread shares the table of the process.
        let (_stay, until) = mpsc::channel::<()>();
        scope.spawn(move || until.recv().unwrap_err());
        let thread = ready.recv().unwrap();
        drop(writer);
        let ends = pipe_holders(reader).unwrap();
        drop(done);
        (ends, thread)
    })
}

own_process! {
    fn thread_with_a_table_of_its_own_is_found() {
        // SAFETY: the call has no memory to do with. It asks whether this thread shares its table with itself.
        if unsafe { libc::syscall(libc::SYS_kcmp, libc::gettid(), libc::gettid(), 2, 0, 0) } != 0 {
            skip("the kernel does not compare tables");
            return;
        }
        let (mut reader, writer) = io::pipe().unwrap();
        let (pid, number) = (std::process::id(), writer.as_raw_fd());
        let (ends, thread) = with_a_private_table(&reader, writer);
        assert_eq!(places(ends.writers()), [(pid, Some(thread), number), (pid, Some(thread), 300)]);
        assert_eq!(places(ends.readers()), [here(&reader), (pid, Some(thread), reader.as_raw_fd())]);
        assert_eq!(ends.writers()[1].to_string(), format!("{pid} ({}) thread {thread} at 300", name_of(pid)));
        // The kernel frees the thread's table a little after the thread. At end-of-file it has done so.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(pipe_holders(&reader).unwrap().writers().is_empty());
    }
}

own_process! {
    fn main_thread_is_named_first_if_other_threads_have_lower_numbers() {
        // Pids begin again at low numbers. In a PID namespace of its own, a process can choose where.
        // SAFETY: the next child is in the new namespace, and this process is not.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 || mounts::private().is_err() {
            skip("no new PID namespace can be made");
            return;
        }
        let last_pid = |pid: u32| std::fs::write("/proc/sys/kernel/ns_last_pid", pid.to_string()).unwrap();
        let first = status_of(|| {
            mounts::mount(c"proc", Path::new("/proc"), c"").unwrap();
            last_pid(500);
            let second = status_of(|| {
                last_pid(300);
                let (reader, writer) = io::pipe().unwrap();
                let (ends, thread) = with_a_private_table(&reader, writer);
                assert!(thread < std::process::id());
                let places = places(ends.readers());
                assert_eq!(places, [here(&reader), (std::process::id(), Some(thread), reader.as_raw_fd())]);
            });
            assert_eq!(second, 0);
        });
        assert_eq!(first, 0);
    }
}

own_process! {
    fn thread_with_a_table_of_its_own_is_found_if_tables_cannot_be_compared() {
        if refuse(&[libc::SYS_kcmp], libc::EPERM) {
            let (reader, writer) = io::pipe().unwrap();
            let (pid, number) = (std::process::id(), writer.as_raw_fd());
            let (ends, thread) = with_a_private_table(&reader, writer);
            assert_eq!(places(ends.writers()), [(pid, Some(thread), number), (pid, Some(thread), 300)]);
            // Without kcmp(2), the thread's reader cannot be sender from the process's.
            assert_eq!(places(ends.readers()), [here(&reader)]);
        }
    }
}

own_process! {
    fn process_whose_main_thread_has_ended_is_looked_into() {
        for launcher in LAUNCHERS {
            let (mut reader, writer) = io::pipe().unwrap();
            let child = Running::spawn(helper("leaderless").arg("7").launcher(launcher).fd(7, writer).planned());
            let mut text = [0; 5];
            reader.read_exact(&mut text).unwrap();
            if std::fs::read_dir(format!("/proc/{}/task", child.id())).map_or(0, Iterator::count) < 2 {
                skip("/proc does not show the threads of such a process");
                return;
            }
            let ends = pipe_holders(&reader).unwrap();
            let [holder] = ends.writers() else { panic!("{ends}") };
            assert_eq!((holder.pid(), holder.number()), (child.id(), 7));
            let thread = holder.thread().unwrap();
            assert_ne!(thread, child.id());
            assert!(Path::new(&format!("/proc/{}/task/{thread}/fd/7", child.id())).exists());
            drop(child);
        }
    }
}

own_process! {
    fn process_that_may_not_be_looked_into_is_named() {
        // SAFETY: the calls have no memory to do with.
        let (user, parent) = unsafe { (libc::geteuid(), libc::getppid().unsigned_abs()) };
        if user != 0 {
            skip("not root");
            return;
        }
        let (reader, writer) = io::pipe().unwrap();
        // The child ends with this process, which has no right to end it.
        let mut child = helper("cat").stdin(Stdio::piped()).fd(7, &writer).planned().spawn().unwrap();
        let _input = child.stdin.take();
        let zombie = helper("exit").arg("0").spawn().unwrap();
        // SAFETY: the call waits until the child has ended, and leaves it a zombie; all zeros is a valid siginfo_t.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT;
            assert_eq!(libc::waitid(libc::P_PID, zombie.id(), &raw mut info, options), 0);
        }
        // SAFETY: as above. This thread may no longer look into the processes of root.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534) }, 0);
        if std::fs::read_link(format!("/proc/{}/fd/7", child.id())).is_ok() {
            skip("processes of others may be inspected");
            return;
        }
        let ends = pipe_holders(&reader).unwrap();
        assert_eq!((places(ends.readers()), places(ends.writers())), (vec![here(&reader)], vec![here(&writer)]));
        for pid in [parent, child.id()] {
            let found = ends.unreadable().iter().find(|process| process.pid() == pid).unwrap();
            assert_eq!(found.name().to_str(), Some(name_of(pid).as_str()));
            assert_eq!(found.to_string(), format!("{pid} ({})", name_of(pid)));
        }
        assert!(ends.unreadable().len() >= 2 && ends.to_string().ends_with(&rest(&ends)), "{ends}");
        // A zombie and a kernel thread hold no descriptors.
        assert!(ends.unreadable().iter().all(|process| process.pid() != zombie.id()));
        // In a PID namespace there may be no such process.
        if std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name.trim_end() == "kthreadd") {
            assert!(ends.unreadable().iter().all(|process| process.pid() != 2));
        }
    }
}

own_process! {
    fn pids_are_those_that_proc_shows() {
        // SAFETY: the next child is in the new namespace, and this process is not.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            skip("no new PID namespace can be made");
            return;
        }
        let (mut result, report) = io::pipe().unwrap();
        // SAFETY: the child has one thread, and ends by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // The child's pid is 1 in its namespace. It has a thread with a table of its own, too.
            let (reader, writer) = io::pipe().unwrap();
            let number = writer.as_raw_fd();
            let (ends, _) = with_a_private_table(&reader, writer);
            let numbers: Vec<_> = ends.writers().iter().map(|holder| (holder.pid(), holder.number())).collect();
            let pid: u32 = std::fs::read_link("/proc/self").unwrap().to_str().unwrap().parse().unwrap();
            let right = std::process::id() == 1 && numbers == [(pid, number), (pid, 300)];
            drop(report);
            // SAFETY: the process ends here.
            unsafe { libc::_exit(if right { 0 } else { 1 }) };
        }
        drop(report);
        assert_eq!(result.read(&mut [0]).unwrap(), 0);
        let mut status = -1;
        // SAFETY: one number is written.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }
}

own_process! {
    fn what_is_no_pipe_is_refused_by_name() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let directory = File::open("/").unwrap();
        let null = File::open("/dev/null").unwrap();
        for fd in [socket.as_fd(), file.as_fd(), directory.as_fd(), null.as_fd()] {
            let error = pipe_holders(fd).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let start = format!("descriptor {} is not a pipe: ", fd.as_raw_fd());
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}

own_process! {
    fn search_without_proc_or_without_descriptors_fails() {
        let (reader, writer) = io::pipe().unwrap();
        set_limit(u64::try_from(writer.as_raw_fd()).unwrap() + 1, 20_000);
        assert_eq!(pipe_holders(&reader).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        set_limit(1000, 20_000);
        assert!(pipe_holders(&reader).is_ok());
        if unmount_proc() {
            let error = pipe_holders(&reader).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
}
