//! Errors of a close that come from a file system: a FUSE server, or a full disk.

use super::{CAUSES, assert_is};
use crate::own_process;
use crate::support::fuse::Files;
use crate::support::mounts;
use crate::support::supervised::taking;
use crate::support::table::Table;
use fdspawn::fd::{CloseCause, close, close_all, sync_and_close};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::fd::{AsRawFd, RawFd};

own_process! {
    fn close_returns_the_error_of_a_file_servers_flush() {
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
    fn close_all_returns_the_error_of_each_flush_of_a_file_server() {
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
    fn sync_and_close_returns_the_errors_of_a_file_servers_fsync_and_flush() {
        let Some(mut files) = Files::mount() else { return };
        let before = Table::current();
        for (sync, flush) in
            [(None, Some(libc::EDQUOT)), (Some(libc::EIO), None), (Some(libc::ENOSPC), Some(libc::EIO))]
        {
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
        // The library repeats an interrupted sync.
        sync_and_close(files.open("first-fsync=4")).unwrap();
        let operations = ["FSYNC", "FSYNC", "FLUSH", "RELEASE"].map(|operation| format!("{operation} first-fsync=4"));
        assert_eq!(files.log(), operations);
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn each_duplicate_returns_its_error_and_the_description_is_released_once() {
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
        // The kernel has returned the error to the writer, so the close has none to return.
        close(file).unwrap();
        taking(number);
        sync_and_close(OpenOptions::new().append(true).open(directory.path().join("fills it")).unwrap()).unwrap();

        // The writer still has the bytes in its buffer, so no close can know of them.
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
