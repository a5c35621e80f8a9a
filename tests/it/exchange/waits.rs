//! Kernels and descriptions without reads and writes that do not wait: no call of a run waits although another stream could be moved.

use crate::own_process;
use crate::support::forked::status_of;
use crate::support::last_close::wait_for_hangup;
use crate::support::seccomp::refuse_to_thread;
use fdspawn::{Capture, Command, Exchange, Keep, Stdio, Stop};
use std::fs::File;
use std::io::{Read, Write, pipe, repeat};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const WHILE: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

/// What a filter or an old kernel answers.
const ERRORS: [i32; 4] = [libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL, libc::EPERM];

/// Runs the body in a process in which the two calls fail with each of the errors. A call that waits for ever ends that process.
fn without_such_calls(body: fn()) {
    for errno in ERRORS {
        let status = status_of(|| {
            // SAFETY: the disposition and the timer of this process alone are changed.
            unsafe {
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                libc::alarm(60);
            }
            refuse_to_thread(&[libc::SYS_preadv2, libc::SYS_pwritev2], errno);
            if std::panic::catch_unwind(body).is_err() {
                // SAFETY: the copy ends here.
                unsafe { libc::_exit(1) };
            }
        });
        assert_eq!(status, 0, "errno {errno}");
    }
}

own_process! {
    fn feed_to_a_full_pipe_waits_no_longer_than_the_deadline() {
        without_such_calls(|| {
            let (mut reader, writer) = pipe().unwrap();
            let probe = writer.try_clone().unwrap();
            let input = vec![b'x'; 1 << 20];
            let mut exchange = Exchange::new();
            let feed = exchange.feed(writer, &input);
            assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
            let sent = input.len() - exchange.unsent(feed);
            assert!(sent > 0, "poll reports that there is room");
            let mut bytes = vec![0; sent];
            reader.read_exact(&mut bytes).unwrap();
            drop(reader);
            wait_for_hangup(&probe);
            assert_eq!(exchange.run().unwrap(), Stop::Done, "the pipe has no reader any more, and the write raises no signal");
            assert_eq!(exchange.unsent(feed), input.len() - sent);
        });
    }
}

own_process! {
    fn feed_from_a_source_that_pauses_waits_no_longer_than_the_deadline() {
        without_such_calls(|| {
            let ((source, mut to_source), (mut reader, writer)) = (pipe().unwrap(), pipe().unwrap());
            to_source.write_all(b"text").unwrap();
            let mut exchange = Exchange::new();
            exchange.feed_from(writer, source);
            assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
            let mut bytes = [0; 4];
            reader.read_exact(&mut bytes).unwrap();
            drop(to_source);
            assert_eq!(exchange.no_deadline().run().unwrap(), Stop::Done);
        });
    }
}

own_process! {
    fn copy_to_a_full_pipe_waits_no_longer_than_the_deadline() {
        without_such_calls(|| {
            let (source, mut to_source) = pipe().unwrap();
            let (mut full, to_full) = pipe().unwrap();
            (&to_full).write_all(&[0; 65_536 - 4096]).unwrap();
            to_source.write_all(&[1; 60_000]).unwrap();
            drop(to_source);
            let mut exchange = Exchange::new();
            let bytes = exchange.drain(source, Keep::All);
            // The file is ready all the time, and the pipe is not.
            exchange.also_to(bytes, tempfile::tempfile().unwrap()).also_to(bytes, to_full);
            assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
            std::thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    let mut copied = Vec::new();
                    full.read_to_end(&mut copied).unwrap();
                    copied
                });
                assert_eq!(exchange.no_deadline().run().unwrap(), Stop::Done);
                drop(exchange);
                assert_eq!(reader.join().unwrap()[65_536 - 4096..], [1; 60_000]);
            });
        });
    }
}

own_process! {
    fn capture_moves_everything_without_such_calls() {
        without_such_calls(|| {
            let input = vec![b'i'; 1 << 20];
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "cat; echo err >&2; echo slot >&5; exec cat <&6"]);
            let (slot, _) = (command.reader(5), command.socket(6));
            let captured = command.capture(&Capture::new().input(&input)).unwrap().check().unwrap();
            assert!(captured.stdout == input && captured.stderr == b"err\n" && captured.bytes(slot) == b"slot\n");
            let (ours, theirs) = UnixStream::pair().unwrap();
            drop(theirs);
            wait_for_hangup(&ours);
            let mut exchange = Exchange::new();
            let (feed, _) = exchange.socket(ours, &input, Keep::All).unwrap();
            assert_eq!(exchange.run().unwrap(), Stop::Done);
            assert_eq!(exchange.unsent(feed), input.len());
        });
    }
}

own_process! {
    fn pending_sigpipe_of_another_writer_stays() {
        without_such_calls(|| {
            // SAFETY: the mask and the signals of this process alone are changed, and all zeros is a valid set.
            unsafe {
                let mut set: libc::sigset_t = std::mem::zeroed();
                libc::sigaddset(&raw mut set, libc::SIGPIPE);
                let is_pending = || {
                    let mut pending: libc::sigset_t = std::mem::zeroed();
                    libc::sigpending(&raw mut pending);
                    libc::sigismember(&raw const pending, libc::SIGPIPE) == 1
                };
                libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
                for was_pending in [false, true] {
                    if was_pending {
                        libc::pthread_kill(libc::pthread_self(), libc::SIGPIPE);
                    }
                    for time in [LONG, Duration::MAX] {
                        let (reader, writer) = pipe().unwrap();
                        drop(reader);
                        wait_for_hangup(&writer);
                        let mut exchange = Exchange::new();
                        exchange.feed(writer, b"text");
                        assert_eq!(exchange.timeout(time).run().unwrap(), Stop::Done);
                        assert_eq!(is_pending(), was_pending);
                    }
                }
            }
        });
    }
}

own_process! {
    fn pipe_that_is_held_is_told_after_all_that_it_contained_was_read() {
        without_such_calls(|| {
            for keep in [Keep::All, Keep::Last(60_000)] {
                let (reader, mut writer) = pipe().unwrap();
                let mut child = Command::new("true").spawn().unwrap();
                child.wait().unwrap();
                writer.write_all(&[1; 60_000]).unwrap();
                let mut exchange = Exchange::new();
                let bytes = exchange.drain(reader, keep);
                exchange.child(&child, Duration::ZERO);
                assert_eq!(exchange.run().unwrap(), Stop::Held);
                assert_eq!(exchange.bytes(bytes).len(), 60_000, "{keep:?}");
            }
        });
    }
}

#[test]
fn big_pipe_that_is_held_is_read_whole() {
    let (reader, mut writer) = pipe().unwrap();
    let Ok(size) = rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20) else { return };
    let mut child = crate::support::command("true").spawn().unwrap();
    child.wait().unwrap();
    writer.write_all(&vec![1; size]).unwrap();
    let mut exchange = Exchange::new();
    let bytes = exchange.drain(reader, Keep::Last(size));
    exchange.child(&child, Duration::ZERO);
    assert_eq!(exchange.run().unwrap(), Stop::Held);
    assert_eq!(exchange.bytes(bytes).len(), size);
}

own_process! {
    fn streams_without_an_end_do_not_keep_a_run_from_its_deadline() {
        // SAFETY: the timer of this process alone is changed.
        unsafe { libc::alarm(60) };
        let null = || File::options().write(true).open("/dev/null").unwrap();
        let zero = || File::open("/dev/zero").unwrap();
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"text").unwrap();
        let mut exchange = Exchange::new();
        exchange.feed_read(null(), repeat(0));
        exchange.feed_from(null(), zero());
        let zeros = exchange.drain(zero(), Keep::First(1));
        exchange.also_to(zeros, null());
        let text = exchange.drain(reader, Keep::All);
        assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
        assert_eq!(exchange.bytes(text), b"text");
    }
}

own_process! {
    fn fifo_does_not_wait_for_its_other_end() {
        // SAFETY: the timer of this process alone is changed.
        unsafe { libc::alarm(60) };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let fifo = || File::options().read(true).write(true).open(&path).unwrap();
        let mut other = fifo();
        other.write_all(b"text").unwrap();
        let (mut reader, writer) = pipe().unwrap();
        let mut exchange = Exchange::new();
        exchange.feed_from(writer, fifo());
        assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).unwrap();
        drop(exchange);
        let input = vec![0; 1 << 20];
        let mut exchange = Exchange::new();
        exchange.feed(fifo(), &input);
        assert_eq!(exchange.timeout(WHILE).run().unwrap(), Stop::Deadline);
    }
}

#[test]
fn file_and_null_device_move_to_their_ends() {
    let mut file = tempfile::tempfile().unwrap();
    let input = vec![7; 300_000];
    let mut exchange = Exchange::new();
    exchange.feed(file.try_clone().unwrap(), &input);
    exchange.feed(File::options().write(true).open("/dev/null").unwrap(), &input);
    let nothing = exchange.drain(File::open("/dev/null").unwrap(), Keep::All);
    exchange.timeout(LONG);
    assert_eq!(exchange.run().unwrap(), Stop::Done);
    assert_eq!(exchange.bytes(nothing), b"");
    std::io::Seek::rewind(&mut file).unwrap();
    for limit in [299_999, 300_000] {
        std::io::Seek::rewind(&mut file).unwrap();
        let mut exchange = Exchange::new();
        let bytes = exchange.drain(file.try_clone().unwrap(), Keep::AtMost(limit));
        let stop = exchange.timeout(LONG).run().unwrap();
        assert_eq!(stop, if limit < input.len() { Stop::Limit(bytes) } else { Stop::Done });
        assert_eq!(exchange.bytes(bytes).len(), limit);
    }
    let mut child = crate::support::command("cat").stdin(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
}
