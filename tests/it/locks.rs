//! Locks: whom they keep out, what releases them, and how long the last close keeps them.
//!
//! Tests that end a lock by its last close run in a process of their own: elsewhere another test's child may be
//! between fork and exec, with a duplicate of everything.

use crate::own_process;
use crate::support::sources::leaky;
use crate::support::{LAUNCHERS, Planned, helper};
use fdspawn::fd::{Lock, LockError, LockGuard, RangeLock, TryLockError, lock, try_lock};
use fdspawn::{Child, Command, Rest, Stdio};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// Both kinds of lock: what is said of one is true of the other.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Whole,
    Bytes,
}

const KINDS: [Kind; 2] = [Kind::Whole, Kind::Bytes];

impl Kind {
    fn lock<F: AsFd>(self, file: F) -> Result<LockGuard<F>, LockError<F>> {
        match self {
            Self::Whole => lock(file, Lock::exclusive()),
            Self::Bytes => lock(file, RangeLock::exclusive(..)),
        }
    }

    fn try_lock<F: AsFd>(self, file: F) -> Result<LockGuard<F>, TryLockError<F>> {
        match self {
            Self::Whole => try_lock(file, Lock::exclusive()),
            Self::Bytes => try_lock(file, RangeLock::exclusive(..)),
        }
    }

    fn try_shared<F: AsFd>(self, file: F) -> Result<LockGuard<F>, TryLockError<F>> {
        match self {
            Self::Whole => try_lock(file, Lock::shared()),
            Self::Bytes => try_lock(file, RangeLock::shared(..)),
        }
    }

    /// Whether a description of its own gets the lock now. It gives it back.
    fn is_free(self, target: &Target) -> bool {
        match self.try_lock(target.open()) {
            Ok(guard) => {
                drop(guard);
                true
            }
            Err(TryLockError::Held(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A file to lock.
struct Target {
    directory: tempfile::TempDir,
}

impl Target {
    fn new() -> Self {
        let target = Self { directory: tempfile::tempdir().unwrap() };
        File::create(target.path()).unwrap();
        target
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("file")
    }

    /// A new description, for reading and writing.
    fn open(&self) -> File {
        File::options().read(true).write(true).open(self.path()).unwrap()
    }
}

/// What the kernel says of the locks of a description: kind, mode, range. `None` without /proc.
fn listed(file: &File) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    // lock: number: kind ADVISORY mode pid device:inode start end
    let locks = text.lines().filter_map(|line| line.strip_prefix("lock:"));
    let words = locks.map(|line| line.split_whitespace().collect::<Vec<_>>());
    Some(words.map(|words| [words[1], words[3], words[6], words[7]].join(" ")).collect())
}

/// The kernel's number of a thread.
fn thread_number() -> i64 {
    // SAFETY: asks for a number.
    unsafe { libc::syscall(libc::SYS_gettid) }
}

/// Whether the thread waits in the system call of the kind. `None` where the kernel does not tell.
fn waits(thread: i64, kind: Kind) -> Option<bool> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let call = match kind {
        Kind::Whole => libc::SYS_flock,
        Kind::Bytes => libc::SYS_fcntl,
    };
    Some(text.split(' ').next() == Some(&call.to_string()))
}

/// Waits until the thread waits, as far as the kernel tells. It has not `ended`.
fn until_it_waits(thread: i64, kind: Kind, mut ended: impl FnMut() -> Option<String>) {
    loop {
        let waits = waits(thread, kind);
        if let Some(what) = ended() {
            panic!("it did not wait: {what}");
        }
        if waits != Some(false) {
            return;
        }
        std::thread::yield_now();
    }
}

/// A child that does nothing until it is killed, at the latest when the test fails.
struct Waiting(Child);

impl Waiting {
    fn new<'fd>(configure: impl FnOnce(&mut Command<'fd>)) -> Self {
        let mut command = helper("wait");
        configure(&mut command);
        Self(command.spawn().unwrap())
    }

    /// Kills it, and makes sure that it lived until now.
    fn end(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(libc::SIGKILL));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn exclusive_lock_excludes_every_other_description_in_the_process() {
    for kind in KINDS {
        let target = Target::new();
        let guard = kind.try_lock(target.open()).unwrap();
        assert!(matches!(kind.try_lock(target.open()), Err(TryLockError::Held(_))), "{kind:?}");
        assert!(matches!(kind.try_shared(target.open()), Err(TryLockError::Held(_))), "{kind:?}");
        drop(guard);
        drop(kind.try_lock(target.open()).unwrap());
    }
}

#[test]
fn shared_locks_coexist_and_exclude_exclusive_ones() {
    for kind in KINDS {
        let target = Target::new();
        let guards = [(); 3].map(|()| kind.try_shared(target.open()).unwrap());
        for guard in guards {
            assert!(!kind.is_free(&target), "{kind:?}");
            drop(guard);
        }
        assert!(kind.is_free(&target));
    }
}

#[test]
fn lock_excludes_another_process_and_ends_with_it() {
    for launcher in LAUNCHERS {
        for kind in KINDS {
            let target = Target::new();
            let child_says = || {
                let mut command = helper("try-lock");
                command.arg(format!("{kind:?}")).arg(target.path()).launcher(launcher);
                String::from_utf8(command.output().unwrap().stdout).unwrap()
            };
            assert_eq!(child_says(), "free");
            let guard = kind.try_lock(target.open()).unwrap();
            assert_eq!(child_says(), "held");
            drop(guard);
            assert_eq!(child_says(), "free");

            let mut command = helper("lock");
            command.arg(format!("{kind:?}")).arg(target.path()).launcher(launcher);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut said = [0; 7];
            child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
            assert_eq!(&said, b"locked\n");
            assert!(!kind.is_free(&target));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(kind.is_free(&target));
        }
    }
}

#[test]
fn kinds_do_not_see_each_other() {
    let target = Target::new();
    let _whole = lock(target.open(), Lock::exclusive()).unwrap();
    let _bytes = try_lock(target.open(), RangeLock::exclusive(..)).unwrap();
}

own_process! {
    fn lock_lives_until_the_last_close_which_is_the_childs() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                let target = Target::new();
                // Lent to the child, and then closed here.
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Waiting::new(|command| { command.launcher(launcher).fd(9, &guard).planned(); });
                drop(guard.into_inner());
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");

                // Moved into the child.
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Waiting::new(|command| { command.launcher(launcher).fd(9, guard.into_inner()).planned(); });
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");

                // Two children: the last of them.
                let guard = kind.try_lock(target.open()).unwrap();
                let children = [9, 10].map(|fd| {
                    Waiting::new(|command| { command.launcher(launcher).keep(&guard).fd(fd, &guard).planned(); })
                });
                drop(guard.into_inner());
                for child in children {
                    assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                    child.end();
                }
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");
            }
        }
    }
}

own_process! {
    fn duplicate_in_the_process_is_the_same_description() {
        for kind in KINDS {
            let target = Target::new();
            let file = kind.try_lock(target.open()).unwrap().into_inner();
            let duplicate = file.try_clone().unwrap();
            drop(file);
            assert!(!kind.is_free(&target));
            drop(duplicate);
            assert!(kind.is_free(&target));
        }
    }
}

own_process! {
    fn child_that_was_not_given_the_descriptor_does_not_hold_the_lock() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                for careless in [false, true] {
                    let target = Target::new();
                    let file = if careless { leaky(target.open()) } else { target.open() };
                    let guard = kind.try_lock(file).unwrap();
                    let child = Waiting::new(|command| { command.launcher(launcher); });
                    assert!(!kind.is_free(&target));
                    drop(guard.into_inner());
                    assert!(kind.is_free(&target), "{launcher:?}, {kind:?}, {careless}");
                    child.end();
                }
            }
        }
    }
}

own_process! {
    fn child_that_inherits_a_leaky_descriptor_holds_the_lock() {
        for launcher in LAUNCHERS {
            for kind in KINDS {
                let target = Target::new();
                let guard = kind.try_lock(leaky(target.open())).unwrap();
                let child = Waiting::new(|command| {
                    command.launcher(launcher).rest(Rest::Inherit).env_remove(crate::support::helper::PLANNED);
                });
                drop(guard.into_inner());
                assert!(!kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");
            }
        }
    }
}

#[test]
fn release_unlocks_for_the_childs_duplicate_too() {
    for launcher in LAUNCHERS {
        for kind in KINDS {
            let releases: [fn(LockGuard<File>); 2] = [drop, |guard| drop(guard.unlock().unwrap())];
            for release in releases {
                let target = Target::new();
                let guard = kind.try_lock(target.open()).unwrap();
                let child = Waiting::new(|command| {
                    command.launcher(launcher).fd(9, &guard).planned();
                });
                assert!(!kind.is_free(&target));
                release(guard);
                assert!(kind.is_free(&target), "{launcher:?}, {kind:?}");
                child.end();
            }
        }
    }
}

/// Forks, and runs `body` in the child, which may only make system calls.
fn in_forked_child(body: impl FnOnce()) {
    // SAFETY: the child runs the body, and ends.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            body();
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        assert_eq!(status, 0);
    }
}

own_process! {
    fn guard_dropped_in_a_forked_child_releases_nothing_and_its_unlock_does() {
        for kind in KINDS {
            let target = Target::new();
            let mut guard = Some(kind.try_lock(target.open()).unwrap());
            in_forked_child(|| drop(guard.take()));
            assert!(guard.is_some() && !kind.is_free(&target), "{kind:?}");
            in_forked_child(|| drop(guard.take().unwrap().into_inner()));
            assert!(!kind.is_free(&target), "{kind:?}");
            in_forked_child(|| drop(guard.take().unwrap().unlock()));
            assert!(kind.is_free(&target), "{kind:?}");
        }
    }
}

#[test]
fn ranges_exclude_each_other_where_they_overlap() {
    let target = Target::new(); // It is empty: bytes beyond the end can be locked.
    let _held = lock(target.open(), RangeLock::exclusive(100..200)).unwrap();
    let free = |range: RangeLock| match try_lock(target.open(), range) {
        Ok(_) => true,
        Err(TryLockError::Held(_)) => false,
        Err(error) => panic!("{error}"),
    };
    let largest = i64::MAX as u64;
    for range in [RangeLock::exclusive(0..100), RangeLock::exclusive(..=99), RangeLock::exclusive(200..)] {
        assert!(free(range), "{range:?}");
    }
    assert!(free(RangeLock::exclusive(largest..)) && free(RangeLock::exclusive(200..=largest)));
    for range in [RangeLock::shared(0..101), RangeLock::shared(199..200), RangeLock::shared(150..=150)] {
        assert!(!free(range), "{range:?}");
    }
    assert!(!free(RangeLock::shared(..)) && !free(RangeLock::exclusive(0..largest)));

    let to_the_end = lock(target.open(), RangeLock::shared(300..)).unwrap();
    assert!(!free(RangeLock::exclusive(largest..)) && !free(RangeLock::exclusive(1 << 40..(1 << 40) + 1)));
    assert!(free(RangeLock::exclusive(200..300)) && free(RangeLock::shared(largest..)));
    drop(to_the_end);
    assert!(free(RangeLock::exclusive(largest..)));
}

#[test]
fn guards_of_disjoint_ranges_of_one_description_release_their_own() {
    let target = Target::new();
    let file = target.open();
    let one = lock(&file, RangeLock::exclusive(0..10)).unwrap();
    let two = lock(&file, RangeLock::exclusive(10..20)).unwrap();
    drop(one);
    drop(try_lock(target.open(), RangeLock::exclusive(0..10)).unwrap());
    assert!(matches!(try_lock(target.open(), RangeLock::exclusive(10..11)), Err(TryLockError::Held(_))));
    drop(two);
    drop(try_lock(target.open(), RangeLock::exclusive(..)).unwrap());
}

#[test]
fn two_guards_of_one_description_are_one_lock() {
    for kind in KINDS {
        let target = Target::new();
        let file = target.open();
        let one = kind.try_lock(&file).unwrap();
        let two = kind.try_lock(&file).unwrap();
        drop(two);
        assert!(kind.is_free(&target));
        drop(one);
    }
}

#[test]
fn failed_conversion_loses_a_flock_lock_and_leaves_one_of_bytes() {
    for (kind, lost) in [(Kind::Whole, true), (Kind::Bytes, false)] {
        let target = Target::new();
        let other = kind.try_shared(target.open()).unwrap();
        let mine = kind.try_shared(target.open()).unwrap();
        let Err(TryLockError::Held(mine)) = kind.try_lock(mine.into_inner()) else { panic!("{kind:?}") };
        drop(other);
        assert_eq!(kind.is_free(&target), lost, "{kind:?}");

        // Nobody is in the way now.
        let mine = kind.try_lock(mine).unwrap();
        assert!(kind.try_shared(target.open()).is_err(), "{kind:?}");
        let mine = kind.try_shared(mine.into_inner()).unwrap();
        drop(kind.try_shared(target.open()).unwrap());
        drop(mine);
        assert!(kind.is_free(&target));
    }
}

/// A record lock of the whole file, as this library does not make.
fn record_lock(file: &File) {
    // SAFETY: all zeros is a valid value, and one record is read.
    unsafe {
        let mut record: libc::flock = std::mem::zeroed();
        record.l_type = libc::F_WRLCK as i16;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw mut record), 0);
    }
}

/// Whether another lock of bytes than this description's is in the way, or a record lock.
fn is_locked(file: &File) -> bool {
    // SAFETY: all zeros is a valid value, and one record is read and written.
    unsafe {
        let mut record: libc::flock = std::mem::zeroed();
        record.l_type = libc::F_WRLCK as i16;
        assert_eq!(libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut record), 0);
        record.l_type != libc::F_UNLCK as i16
    }
}

#[test]
fn record_lock_is_lost_at_any_close_of_the_file_where_others_stay() {
    let target = Target::new();
    let closes: [fn(&Target, &File); 2] = [
        |target, _| drop(target.open()), // as a library would, to have a look
        |_, file| drop(file.try_clone().unwrap()),
    ];
    for close in closes {
        let (file, probe) = (target.open(), target.open());
        record_lock(&file);
        // Locks of bytes see record locks, those of the same process too.
        assert!(matches!(try_lock(&probe, RangeLock::shared(..)), Err(TryLockError::Held(_))));
        close(&target, &file);
        assert!(try_lock(&probe, RangeLock::exclusive(..)).is_ok(), "the close has lost the record lock");

        for kind in KINDS {
            let guard = kind.try_lock(&file).unwrap();
            close(&target, &file);
            assert!(kind.try_lock(&probe).is_err(), "{kind:?}");
            drop(guard);
        }
    }
}

#[test]
fn record_lock_survives_the_closes_of_a_child() {
    for launcher in LAUNCHERS {
        let target = Target::new();
        let (file, probe) = (target.open(), target.open());
        record_lock(&file);
        let mut command = helper("exit");
        assert!(command.arg("0").launcher(launcher).fd(9, &file).planned().status().unwrap().success());
        assert!(matches!(try_lock(&probe, RangeLock::shared(..)), Err(TryLockError::Held(_))));
    }
}

#[test]
fn lock_that_waits_is_granted_after_the_release() {
    for kind in KINDS {
        let (target, released) = (&Target::new(), &AtomicUsize::new(0));
        let guard = kind.try_lock(target.open()).unwrap();
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            let (begin, begun) = mpsc::channel();
            scope.spawn(move || {
                let file = target.open();
                begin.send(thread_number()).unwrap();
                let result = kind.lock(file).map(drop).map_err(|error| error.to_string());
                tell.send((result, released.load(Ordering::SeqCst))).unwrap();
            });
            until_it_waits(begun.recv().unwrap(), kind, || told.try_recv().ok().map(|told| format!("{told:?}")));
            released.store(1, Ordering::SeqCst);
            drop(guard);
            assert_eq!(told.recv().unwrap(), (Ok(()), 1), "{kind:?}");
        });
    }
}

#[test]
fn threads_with_descriptions_of_their_own_exclude_each_other() {
    const THREADS: usize = 4;
    const TURNS: usize = 200;
    for kind in KINDS {
        let target = Target::new();
        let (inside, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut file = target.open();
                    for _ in 0..TURNS {
                        let guard = kind.lock(file).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "{kind:?}");
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        total.fetch_add(1, Ordering::SeqCst);
                        file = guard.unlock().unwrap();
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), THREADS * TURNS);
    }
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: i32) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Runs the handler in a thread that lives.
fn interrupt(thread: libc::pthread_t) {
    let before = HANDLED.load(Ordering::SeqCst);
    // SAFETY: the signal has a handler, and the thread lives.
    assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
    while HANDLED.load(Ordering::SeqCst) == before {
        std::thread::yield_now();
    }
}

own_process! {
    fn signal_handler_does_not_end_the_wait_of_another_thread() {
        // SAFETY: the handler touches an atomic only; without SA_RESTART, what it interrupts fails with EINTR.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()), 0);
        }
        for kind in KINDS {
            let target = &Target::new();
            let guard = kind.try_lock(target.open()).unwrap();
            std::thread::scope(|scope| {
                let (begin, begun) = mpsc::channel();
                // SAFETY: asks for the thread itself.
                let me = || (unsafe { libc::pthread_self() }, thread_number());

                // The plain call fails, where it can be known to have begun.
                if waits(thread_number(), kind).is_some() {
                    let begin = begin.clone();
                    let plain = scope.spawn(move || {
                        let file = target.open();
                        begin.send(me()).unwrap();
                        // SAFETY: all zeros is a valid value, and only one record is read.
                        let result = unsafe {
                            let mut record: libc::flock = std::mem::zeroed();
                            record.l_type = libc::F_WRLCK as i16;
                            match kind {
                                Kind::Whole => libc::flock(file.as_raw_fd(), libc::LOCK_EX),
                                Kind::Bytes => libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw mut record),
                            }
                        };
                        (result, std::io::Error::last_os_error().kind())
                    });
                    let (thread, number) = begun.recv().unwrap();
                    until_it_waits(number, kind, || None);
                    interrupt(thread);
                    assert_eq!(plain.join().unwrap(), (-1, ErrorKind::Interrupted));
                }

                let (tell, told) = mpsc::channel();
                scope.spawn(move || {
                    let file = target.open();
                    begin.send(me()).unwrap();
                    tell.send(kind.lock(file).map(drop).map_err(|error| error.to_string())).unwrap();
                });
                let (thread, number) = begun.recv().unwrap();
                for _ in 0..100 {
                    until_it_waits(number, kind, || told.try_recv().ok().map(|told| format!("{told:?}")));
                    interrupt(thread);
                }
                assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Empty));
                drop(guard);
                assert_eq!(told.recv().unwrap(), Ok(()), "{kind:?}");
            });
        }
    }
}

#[test]
fn error_says_what_the_descriptor_is_not_open_for_and_gives_the_file_back() {
    let target = Target::new();
    let reader = File::open(target.path()).unwrap();
    let number = reader.as_raw_fd();
    let error = lock(reader, RangeLock::exclusive(3..10)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot take an exclusive lock of bytes 3..10 on descriptor {number}: it is not open for writing, which an \
             exclusive lock of bytes needs: Bad file descriptor"
        )
    );
    // It is the same descriptor, and open.
    let reader = error.into_inner();
    assert_eq!(reader.as_raw_fd(), number);
    let guard = lock(reader, RangeLock::shared(3..10)).unwrap();
    assert_eq!((&*guard).read(&mut [0]).unwrap(), 0);

    let writer = File::options().write(true).open(target.path()).unwrap();
    let Err(TryLockError::Failed(error)) = try_lock(writer, RangeLock::shared(20..)) else { panic!() };
    assert!(error.to_string().contains("bytes 20.. ") && error.to_string().contains("not open for reading"), "{error}");
    let mut writer = try_lock(error.into_inner(), Lock::exclusive()).unwrap().into_inner();
    writer.write_all(b"text").unwrap();

    let nothing = File::options().read(true).custom_flags(libc::O_PATH).open(target.path()).unwrap();
    let error = try_lock(&nothing, Lock::shared()).unwrap_err();
    assert!(error.to_string().contains("O_PATH"), "{error}");
}

#[test]
fn range_that_cannot_be_is_refused_without_a_lock_of_anything() {
    let target = Target::new();
    let largest = i64::MAX as u64;
    for (range, text) in [
        (RangeLock::exclusive(..0), "bytes ..0 "),
        (RangeLock::exclusive(7..7), "the range has no bytes"),
        (RangeLock::shared(7..=largest + 1), "the range goes beyond the largest offset of a file, 9223372036854775807"),
        (RangeLock::shared(u64::MAX..), "largest offset"),
    ] {
        let error = lock(target.open(), range).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::InvalidInput, None));
        let Err(TryLockError::Failed(error)) = try_lock(error.into_inner(), range) else { panic!("{range:?}") };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(Kind::Bytes.is_free(&target));
    }
}

#[test]
fn errors_become_io_errors_of_their_kind() {
    fn locked(target: &Target, kind: Kind) -> std::io::Result<()> {
        drop(kind.try_lock(&target.open())?);
        Ok(())
    }
    fn refused(target: &Target) -> std::io::Result<()> {
        drop(lock(target.open(), RangeLock::shared(1..1))?);
        Ok(())
    }
    for kind in KINDS {
        let target = Target::new();
        locked(&target, kind).unwrap();
        let file = target.open();
        let _guard = kind.try_lock(&file).unwrap();
        let error = locked(&target, kind).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(error.to_string(), "the file is locked through another description");
        let inner = error.get_ref().unwrap().downcast_ref::<TryLockError<()>>();
        assert!(matches!(inner, Some(TryLockError::Held(()))));
        let error = refused(&target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let inner = error.get_ref().unwrap().downcast_ref::<LockError<()>>().unwrap();
        assert!(inner.to_string().starts_with("cannot take a shared lock of bytes 1..1 on descriptor "), "{inner}");
    }
}

#[test]
fn file_that_was_held_elsewhere_is_given_back() {
    for kind in KINDS {
        let target = Target::new();
        let guard = kind.try_lock(target.open()).unwrap();
        let file = target.open();
        let number = file.as_raw_fd();
        let error = kind.try_lock(file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let file = error.into_inner();
        assert_eq!(file.as_raw_fd(), number);
        drop(guard);
        drop(kind.try_lock(file).unwrap());
    }
}

own_process! {
    fn where_locks_of_bytes_are_missing_no_record_lock_takes_their_place() {
        use seccompiler::{SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
        // As a kernel before 3.15 answers, and gVisor.
        let rule = |command: i32| {
            let condition = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, command as u64);
            SeccompRule::new(vec![condition.unwrap()]).unwrap()
        };
        let filter = SeccompFilter::new(
            [(libc::SYS_fcntl, [libc::F_OFD_SETLK, libc::F_OFD_SETLKW].map(rule).to_vec())].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EINVAL as u32),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: seccompiler::BpfProgram = filter.unwrap().try_into().unwrap();
        if seccompiler::apply_filter(&program).is_err() {
            crate::support::tools::skip("a seccomp filter cannot be installed");
            return;
        }
        let target = Target::new();
        let (file, probe) = (target.open(), target.open());
        let error = lock(&file, RangeLock::exclusive(..)).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Unsupported, Some(libc::EINVAL)));
        assert!(error.to_string().contains("record locks are no replacement"), "{error}");
        let error = try_lock(&file, RangeLock::shared(5..)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(!is_locked(&probe));
        record_lock(&file);
        assert!(is_locked(&probe), "it would have been seen");
        drop(try_lock(&file, Lock::exclusive()).unwrap());
    }
}

#[test]
fn kernel_lists_what_is_locked() {
    let target = Target::new();
    let one = try_lock(target.open(), Lock::shared()).unwrap();
    if listed(&one).is_none() {
        eprintln!("skipped: the kernel does not tell");
        return;
    }
    // FLOCK and OFDLCK by name, and no POSIX ones.
    assert_eq!(listed(&one).unwrap(), ["FLOCK READ 0 EOF"]);
    let one = try_lock(one.into_inner(), Lock::exclusive()).unwrap();
    assert_eq!(listed(&one).unwrap(), ["FLOCK WRITE 0 EOF"]);
    let file = one.unlock().unwrap();
    assert_eq!(listed(&file).unwrap(), [""; 0]);

    let low = try_lock(&file, RangeLock::shared(7..=9)).unwrap();
    assert_eq!(listed(&file).unwrap(), ["OFDLCK READ 7 9"]);
    let high = try_lock(&file, RangeLock::exclusive(1 << 33..)).unwrap();
    assert_eq!(listed(&file).unwrap(), ["OFDLCK READ 7 9", "OFDLCK WRITE 8589934592 EOF"]);
    drop(low);
    assert_eq!(listed(&file).unwrap(), ["OFDLCK WRITE 8589934592 EOF"]);
    drop(high);
    assert_eq!(listed(&file).unwrap(), [""; 0]);
}

#[test]
fn whatever_has_a_descriptor_can_be_locked_and_used_through_the_guard() {
    for kind in KINDS {
        let target = Target::new();
        drop(kind.try_lock(OwnedFd::from(target.open())).unwrap());
        drop(kind.try_lock(target.open().as_fd()).unwrap());
        drop(kind.try_lock(Arc::new(target.open())).unwrap());

        let file = target.open();
        let guard = kind.try_lock(&file).unwrap();
        assert_eq!(guard.as_fd().as_raw_fd(), file.as_raw_fd());
        (&file).write_all(b"text").unwrap();
        drop(guard);
        assert!(kind.is_free(&target));

        let guard = kind.try_lock(file).unwrap();
        let mut text = String::new();
        (&*guard).rewind().unwrap();
        (&*guard).read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        assert!(format!("{guard:?}").starts_with("LockGuard { file: File"), "{guard:?}");
        assert!(!kind.is_free(&target));
        let file = guard.unlock().unwrap();
        assert!(kind.is_free(&target));
        // A directory and a pipe have descriptions too.
        drop((file, kind.try_lock(std::io::pipe().unwrap().1).unwrap()));
        drop(try_lock(File::open(target.directory.path()).unwrap(), Lock::exclusive()).unwrap());
    }
}

own_process! {
    fn release_that_fails_gives_the_file_back_and_a_drop_does_not_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let guard = lock(File::create(&path).unwrap(), Lock::exclusive()).unwrap();
        let dropped = lock(File::create(directory.path().join("other")).unwrap(), Lock::exclusive()).unwrap();
        if crate::filters::refuse(&[libc::SYS_flock], libc::EIO) {
            let error = guard.unlock().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
            assert!(error.to_string().starts_with("cannot release the lock"), "{error}");
            let file = error.into_inner();
            // It is still locked: its last close will end that.
            let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap();
            assert!(info.contains("FLOCK"), "{info}");
            drop(dropped);
        }
    }
}
