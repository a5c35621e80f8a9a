//! Closing tells what it is told, once; the number is free afterwards.

use crate::own_process;
use crate::support::fuse::Files;
use crate::support::sources::{close as close_number, memory};
use crate::support::supervised::{self, taking};
use crate::support::table::Table;
use crate::support::tools::has;
use crate::support::{helper, mounts};
use fdspawn::Command;
use fdspawn::fd::{CloseCause, CloseError, close, close_all, sync_and_close};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The errors that a close may have, as the caller is told of them.
const CAUSES: [(i32, CloseCause); 6] = [
    (libc::EIO, CloseCause::Io),
    (libc::ENOSPC, CloseCause::NoSpace),
    (libc::EDQUOT, CloseCause::Quota),
    (libc::EINTR, CloseCause::Interrupted),
    (libc::EBADF, CloseCause::BadDescriptor),
    (libc::ESTALE, CloseCause::Other),
];

fn cause(errno: i32) -> CloseCause {
    CAUSES.iter().find(|(each, _)| *each == errno).unwrap().1
}

/// The error is the one that was asked for, of the right number.
fn assert_is(error: &CloseError, number: RawFd, errno: i32) {
    assert_eq!((error.number(), error.raw_os_error(), error.cause()), (number, errno, cause(errno)));
    assert!(error.to_string().starts_with(&format!("closing descriptor {number} failed: ")), "{error}");
    let converted = io::Error::from(*error);
    assert_eq!(converted.kind(), io::Error::from_raw_os_error(errno).kind());
    assert_eq!(converted.get_ref().unwrap().downcast_ref(), Some(error));
}

fn is_open(number: RawFd) -> bool {
    // SAFETY: the call only asks about the number.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

own_process! {
    fn whatever_owns_a_descriptor_is_closed() {
        let before = Table::current();
        let opened: [fn() -> io::Result<File>; 3] =
            [tempfile::tempfile, || File::open("/dev/null"), || File::open("/")];
        for open in opened {
            let owner = open().unwrap();
            let number = owner.as_raw_fd();
            close(owner).unwrap();
            taking(number);
        }
        let (mut reader, writer) = io::pipe().unwrap();
        close(writer).unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the reader sees the end");
        close(reader).unwrap();

        let (mut one, other) = UnixStream::pair().unwrap();
        close(other).unwrap();
        assert_eq!(one.read(&mut [0]).unwrap(), 0, "the peer sees the end");
        close(one).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        close(TcpStream::connect(listener.local_addr().unwrap()).unwrap()).unwrap();
        close(listener).unwrap();
        close(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        close(UnixDatagram::unbound().unwrap()).unwrap();
        close(OwnedFd::from(memory("memory"))).unwrap();
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn nothing_to_close_is_no_error_and_many_are_all_closed() {
        let before = Table::current();
        close_all(Vec::<File>::new()).unwrap();
        close_all((0..500).map(|_| memory("one of many"))).unwrap();
        let (reader, writer) = io::pipe().unwrap();
        close_all([OwnedFd::from(reader), OwnedFd::from(writer)]).unwrap();
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn each_is_closed_before_the_next_is_asked_for() {
        // So it needs no more than one number at a time.
        let mut numbers = Vec::new();
        close_all((0..100).map(|_| {
            let file = memory("one of many");
            numbers.push(file.as_raw_fd());
            file
        }))
        .unwrap();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    }
}

own_process! {
    fn iterator_that_panics_leaves_nothing_open() {
        std::panic::set_hook(Box::new(|_| {}));
        let before = Table::current();
        let files: Vec<File> = (0..10).map(|_| memory("one of many")).collect();
        let numbers: Vec<RawFd> = files.iter().map(File::as_raw_fd).collect();
        let mut open_at_the_panic = Vec::new();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            close_all(files.into_iter().enumerate().map(|(index, file)| {
                if index == 5 {
                    open_at_the_panic = numbers.iter().copied().filter(|number| is_open(*number)).collect();
                    panic!("in the iterator");
                }
                file
            }))
        }));
        assert!(panic.is_err());
        assert_eq!(open_at_the_panic, numbers[5..], "what was yielded is closed by then");
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn number_that_something_else_has_closed_is_an_error_and_no_panic() {
        let files = [memory("first"), memory("second"), memory("third")];
        let [first, second, third] = [0, 1, 2].map(|index| files[index].as_raw_fd());
        close_number(second);
        let error = close_all(files).unwrap_err();
        assert_eq!(error.errors().len(), 1);
        assert_is(&error.errors()[0], second, libc::EBADF);
        assert!(!error.errors()[0].writes_may_be_lost());
        assert!(![first, second, third].into_iter().any(is_open));

        let file = memory("alone");
        close_number(file.as_raw_fd());
        let error = sync_and_close(file).unwrap_err();
        assert_eq!(error.sync_error().unwrap().raw_os_error(), Some(libc::EBADF));
        assert_is(&error.close_error().unwrap(), first, libc::EBADF);
    }
}

own_process! {
    fn each_error_of_a_close_comes_through_from_one_close_and_the_number_is_free() {
        for (errno, _) in CAUSES {
            let file = memory("written");
            let number = file.as_raw_fd();
            let fail = |number| {
                close_number(number);
                errno
            };
            let Some((result, closes)) = supervised::run(&[number], fail, || close(file)) else { return };
            assert_is(&result.unwrap_err(), number, errno);
            assert_eq!(closes, [number], "one close");
            taking(number);
        }
    }
}

own_process! {
    fn close_that_the_supervisor_lets_pass_is_no_error() {
        // What the other tests see is the supervisor's answer, and not that there is one.
        let file = memory("written");
        let number = file.as_raw_fd();
        let pass = |number| {
            close_number(number);
            0
        };
        let Some((result, closes)) = supervised::run(&[number], pass, || close(file)) else { return };
        result.unwrap();
        assert_eq!(closes, [number]);
    }
}

own_process! {
    fn interrupted_close_does_not_close_what_has_the_number_by_then() {
        for (errno, _) in CAUSES {
            let file = memory("ours");
            let number = file.as_raw_fd();
            let mut other = None;
            let fail = |number| {
                close_number(number);
                other = Some(taking(number));
                errno
            };
            let Some((result, closes)) = supervised::run(&[number], fail, || close(file)) else { return };
            assert_is(&result.unwrap_err(), number, errno);
            assert_eq!(closes, [number], "one close");
            let mut text = String::new();
            let mut other = other.unwrap();
            other.rewind().unwrap();
            other.read_to_string(&mut text).unwrap();
            assert_eq!(text, "other", "the other thread's file is open");
        }
    }
}

own_process! {
    fn all_are_closed_and_all_errors_come_back_in_order_with_their_numbers() {
        let before = Table::current();
        // Every second one succeeds.
        let files: Vec<File> = (0..2 * CAUSES.len()).map(|_| memory("written")).collect();
        let numbers: Vec<RawFd> = files.iter().rev().map(File::as_raw_fd).collect();
        let errno = |number| {
            let index = numbers.iter().position(|each| *each == number).unwrap();
            if index % 2 == 0 { 0 } else { CAUSES[index / 2].0 }
        };
        let answer = |number| {
            close_number(number);
            errno(number)
        };
        let all = || close_all(files.into_iter().rev());
        let Some((result, closes)) = supervised::run(&numbers, answer, all) else { return };
        assert_eq!(closes, numbers, "one close each");
        let errors = result.unwrap_err();
        let failed: Vec<RawFd> = numbers.iter().copied().filter(|number| errno(*number) != 0).collect();
        assert_eq!(errors.errors().len(), failed.len());
        for (error, number) in errors.iter().zip(failed) {
            assert_is(error, number, errno(number));
        }
        assert_eq!(errors.source().unwrap().downcast_ref(), errors.errors().first());
        assert_eq!(errors.to_string().lines().count(), CAUSES.len());
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn sync_and_close_tells_a_failed_sync_from_a_failed_close() {
        for (errno, _) in CAUSES {
            let fail = |number| {
                close_number(number);
                errno
            };
            // A file that can be synced.
            let file = tempfile::tempfile().unwrap();
            let number = file.as_raw_fd();
            let Some((result, closes)) = supervised::run(&[number], fail, || sync_and_close(file)) else { return };
            let error = result.unwrap_err();
            assert_eq!(error.number(), number);
            assert!(error.sync_error().is_none());
            assert_is(&error.close_error().unwrap(), number, errno);
            assert_eq!(closes, [number], "one close");
            taking(number);

            // A pipe that cannot.
            let (_reader, writer) = io::pipe().unwrap();
            let number = writer.as_raw_fd();
            let (result, closes) = supervised::run(&[number], fail, || sync_and_close(writer)).unwrap();
            let error = result.unwrap_err();
            assert_eq!(error.sync_error().unwrap().raw_os_error(), Some(libc::EINVAL));
            assert_is(&error.close_error().unwrap(), number, errno);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(closes, [number], "one close");
            taking(number);
        }
    }
}

own_process! {
    fn what_cannot_be_synced_is_closed_all_the_same() {
        let before = Table::current();
        let (reader, writer) = io::pipe().unwrap();
        let (one, other) = UnixStream::pair().unwrap();
        for fd in [OwnedFd::from(reader), writer.into(), one.into(), other.into()] {
            let number = fd.as_raw_fd();
            let error = sync_and_close(fd).unwrap_err();
            assert_eq!(error.number(), number);
            assert_eq!(error.sync_error().unwrap().raw_os_error(), Some(libc::EINVAL));
            assert_eq!(error.close_error(), None);
        }
        sync_and_close(tempfile::tempfile().unwrap()).unwrap();
        sync_and_close(File::open("/").unwrap()).unwrap();
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn close_tells_what_a_file_server_says_of_the_flush() {
        let Some(mut files) = Files::mount() else { return };
        let before = Table::current();
        for (errno, _) in CAUSES {
            let name = format!("flush={errno}");
            let mut file = files.open(&name);
            let number = file.as_raw_fd();
            file.write_all(b"written").unwrap();
            let error = close(file).unwrap_err();
            taking(number);
            assert_is(&error, number, errno);
            assert_eq!(files.log(), ["WRITE", "FLUSH", "RELEASE"].map(|operation| format!("{operation} {name}")));
        }
        let plain = files.open("plain");
        close(plain).unwrap();
        assert_eq!(files.log(), ["FLUSH plain", "RELEASE plain"]);
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn close_all_tells_what_a_file_server_says_of_each() {
        let Some(mut files) = Files::mount() else { return };
        let before = Table::current();
        let names = CAUSES.map(|(errno, _)| [format!("flush={errno}"), format!("plain-{errno}")]).concat();
        let open: Vec<File> = names.iter().map(|name| files.open(name)).collect();
        let numbers: Vec<RawFd> = open.iter().map(File::as_raw_fd).collect();
        let errors = close_all(open).unwrap_err();
        assert_eq!(errors.errors().len(), CAUSES.len());
        for ((error, number), (errno, _)) in errors.iter().zip(numbers.iter().step_by(2)).zip(CAUSES) {
            assert_is(error, *number, errno);
        }
        assert_eq!(Table::current(), before);
        let mut log = files.log();
        log.sort();
        let mut expected: Vec<String> =
            names.iter().flat_map(|name| [format!("FLUSH {name}"), format!("RELEASE {name}")]).collect();
        expected.sort();
        assert_eq!(log, expected, "one flush and one release of each");
    }
}

own_process! {
    fn sync_and_close_tells_what_a_file_server_says_of_both() {
        let Some(mut files) = Files::mount() else { return };
        let before = Table::current();
        for (sync, flush) in [(None, Some(libc::EDQUOT)), (Some(libc::EIO), None), (Some(libc::ENOSPC), Some(libc::EIO))] {
            let asked = [("fsync", sync), ("flush", flush)];
            let parts = asked.iter().filter_map(|(name, errno)| errno.map(|errno| format!("{name}={errno}")));
            let name = parts.collect::<Vec<_>>().join(",");
            let file = files.open(&name);
            let number = file.as_raw_fd();
            let error = sync_and_close(file).unwrap_err();
            taking(number);
            assert_eq!(error.number(), number);
            assert_eq!(error.sync_error().and_then(|error| error.raw_os_error()), sync);
            assert_eq!(error.close_error().is_some(), flush.is_some());
            if let (Some(error), Some(errno)) = (error.close_error(), flush) {
                assert_is(&error, number, errno);
            }
            let operations = ["FSYNC", "FLUSH", "RELEASE"].map(|operation| format!("{operation} {name}"));
            assert_eq!(files.log(), operations, "a failed sync is not tried again");
        }
        // An interrupted one is.
        sync_and_close(files.open("first-fsync=4")).unwrap();
        let operations = ["FSYNC", "FSYNC", "FLUSH", "RELEASE"].map(|operation| format!("{operation} first-fsync=4"));
        assert_eq!(files.log(), operations);
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn each_duplicate_is_told_and_the_description_is_released_once() {
        let Some(mut files) = Files::mount() else { return };
        let name = format!("flush={}", libc::ENOSPC);
        let file = files.open(&name);
        let duplicate = file.try_clone().unwrap();
        let numbers = [file.as_raw_fd(), duplicate.as_raw_fd()];
        let errors = close_all([file, duplicate]).unwrap_err();
        assert_eq!(errors.into_iter().map(|error| error.number()).collect::<Vec<_>>(), numbers);
        assert_eq!(files.log(), ["FLUSH", "FLUSH", "RELEASE"].map(|operation| format!("{operation} {name}")));
    }
}

own_process! {
    fn server_that_has_gone_is_another_error_of_the_close() {
        let Some(files) = Files::mount() else { return };
        let mut file = files.open("plain");
        let number = file.as_raw_fd();
        file.write_all(b"written").unwrap();
        drop(files);
        let error = close(file).unwrap_err();
        taking(number);
        assert_eq!((error.number(), error.cause()), (number, CloseCause::Other));
        assert!(error.writes_may_be_lost());
    }
}

own_process! {
    fn full_disk_shows_at_the_write_or_the_flush_and_its_files_are_closed() {
        const SIZE: usize = 64 << 10;
        let directory = tempfile::tempdir().unwrap();
        let mounted = mounts::private().and_then(|()| mounts::mount(c"tmpfs", directory.path(), c"size=64k"));
        if let Err(error) = mounted {
            eprintln!("skipped: a small file system cannot be mounted: {error}");
            return;
        }
        let before = Table::current();
        let create = |name| File::create(directory.path().join(name)).unwrap();
        let mut file = create("fills it");
        let number = file.as_raw_fd();
        let error = file.write_all(&vec![b'x'; 2 * SIZE]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(file.metadata().unwrap().len(), SIZE as u64);
        // The kernel has told the writer; there is nothing more to tell.
        close(file).unwrap();
        taking(number);
        sync_and_close(OpenOptions::new().append(true).open(directory.path().join("fills it")).unwrap()).unwrap();

        // What is buffered has not been written, so no close can know of it.
        let mut writer = BufWriter::new(create("buffered"));
        writer.write_all(b"fits into the buffer").unwrap();
        let error = writer.into_inner().unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::StorageFull);
        let (file, lost) = error.into_inner().into_parts();
        assert_eq!(lost.unwrap(), b"fits into the buffer");
        assert_eq!(file.metadata().unwrap().len(), 0);
        close(file).unwrap();

        let mut file = create("synced");
        assert_eq!(file.write_all(b"no room").unwrap_err().kind(), ErrorKind::StorageFull);
        sync_and_close(file).unwrap();
        close_all(["one", "another"].map(create)).unwrap();
        assert_eq!(Table::current(), before);
        mounts::unmount(directory.path()).unwrap();
    }
}

/// All closes of a helper that closes the given files in each way, by strace; and what the helper says.
///
/// With an error to inject, strace answers each close of these files with it, in the kernel's place.
fn traced(paths: &[PathBuf], inject: Option<&str>) -> Option<(Vec<String>, String)> {
    if !has("strace") {
        return None;
    }
    if !Path::new("/proc/self/fd").exists() {
        eprintln!("skipped: strace needs /proc to know a path");
        return None;
    }
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-e", "trace=openat,close", "-o"]).arg(trace.path());
    if let Some(error) = inject {
        strace.args(["-e", &format!("inject=close:error={error}")]);
        for path in paths {
            strace.arg("-P").arg(path);
        }
    }
    let close = helper("close");
    let output = strace.arg(close.get_program()).args(close.get_args()).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(trace.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|line| line.contains("openat(")).unwrap();
    assert!(lines[last].contains(paths.last().unwrap().to_str().unwrap()), "{text}");
    let closes = lines[last..].iter().filter(|line| line.contains("close(")).map(|line| (*line).to_owned()).collect();
    Some((closes, String::from_utf8(output.stdout).unwrap()))
}

/// One close of each path, in their order, with the given error; and the helper was told all of it.
fn assert_closed_once(closes: &[String], said: &str, expected: &[(&Path, &str, i32)], then: &str) {
    assert_eq!(closes.len(), expected.len(), "{closes:#?}");
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for ((close, said), (path, name, errno)) in closes.iter().zip(said).zip(expected) {
        let (_, number) = close.split_once("close(").unwrap();
        let (number, _) = number.split_once('<').unwrap();
        assert!(close.contains(&format!("close({number}<{}>)", path.display())), "{close}");
        assert!(close.contains(&format!("= -1 {name} ")), "{close}");
        assert_eq!(said, format!("{number} {errno} {then}"));
    }
}

const NAMES: [(&str, i32); 5] = [
    ("EIO", libc::EIO),
    ("ENOSPC", libc::ENOSPC),
    ("EDQUOT", libc::EDQUOT),
    ("EINTR", libc::EINTR),
    ("EBADF", libc::EBADF),
];

#[test]
fn strace_shows_one_close_of_each_whatever_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let paths = ["close", "close_all 1", "close_all 2", "sync_and_close"].map(|name| directory.join(name));
    for path in &paths {
        std::fs::write(path, "").unwrap();
    }
    for (name, errno) in NAMES {
        let Some((closes, said)) = traced(&paths, Some(name)) else { return };
        let expected: Vec<(&Path, &str, i32)> = paths.iter().map(|path| (path.as_path(), name, errno)).collect();
        // The kernel has closed nothing.
        assert_closed_once(&closes, &said, &expected, "open");
    }
    let Some((closes, said)) = traced(&paths, None) else { return };
    assert_eq!(said, "");
    assert_eq!(closes.len(), paths.len());
    assert!(closes.iter().all(|close| close.ends_with("= 0")), "{closes:#?}");
}

own_process! {
    fn strace_shows_one_close_of_each_file_whose_server_fails() {
        let Some(files) = Files::mount() else { return };
        for (name, errno) in NAMES {
            let paths = [1, 2, 3, 4].map(|count| files.path(&format!("flush={errno},{count}")));
            let Some((closes, said)) = traced(&paths, None) else { return };
            let expected: Vec<(&Path, &str, i32)> = paths.iter().map(|path| (path.as_path(), name, errno)).collect();
            assert_closed_once(&closes, &said, &expected, "free");
        }
    }
}
