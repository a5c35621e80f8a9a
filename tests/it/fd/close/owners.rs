//! Closes without a failing kernel: any owner, many at once, and numbers that other code has closed.

use super::assert_is;
use crate::own_process;
use crate::support::sources::{close as close_number, memory};
use crate::support::supervised::taking;
use crate::support::table::{Table, is_open};
use fdspawn::fd::{close, close_all, sync_and_close};
use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
        // `close_all` closes each file before it takes the next one, so it needs one number at a time.
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
