//! Reports from the child to the parent: which step failed, and how.
//!
//! A report has one form and two channels: memory that parent and child share, and a pipe (the errpipe) from a forked child.

use crate::sys;
use rustix::io::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The greatest length of a hook's error text in a report.
const MAX_TEXT: usize = 1000;

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageKind {
    /// A system call failed with this error number.
    System(Errno),
    /// The hook of this index returned an error that has an error number.
    HookErrno(usize, Errno),
    /// The hook of this index returned an error that has only a text, which follows.
    HookText(usize),
    /// The hook of this index panicked.
    HookPanicked(usize),
    /// The steps before the last one are done. The last one is exec, or the function of a `fork_run`.
    Done,
}

/// The fixed part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessageHead {
    pub(super) step: usize,
    pub(super) kind: MessageKind,
}

const WORDS: usize = 4;
const HEAD_SIZE: usize = WORDS * 4;

impl MessageHead {
    /// Kind, step, hook, error number. A kind is never 0, which in a [`SharedReport`] means that there is no message.
    fn to_words(self) -> [u32; WORDS] {
        let (kind, hook, errno) = match self.kind {
            MessageKind::System(errno) => (1, 0, errno.raw_os_error()),
            MessageKind::HookErrno(hook, errno) => (2, hook, errno.raw_os_error()),
            MessageKind::HookText(hook) => (3, hook, 0),
            MessageKind::HookPanicked(hook) => (4, hook, 0),
            MessageKind::Done => (5, 0, 0),
        };
        [kind, self.step as u32, hook as u32, errno.unsigned_abs()]
    }

    fn from_words([kind, step, hook, errno]: [u32; WORDS]) -> Self {
        let hook = hook as usize;
        // The library sends no other number, but a hook may write to the pipe.
        let errno = if (1..4096).contains(&errno) { Errno::from_raw_os_error(errno as i32) } else { Errno::INVAL };
        let kind = match kind {
            2 => MessageKind::HookErrno(hook, errno),
            3 => MessageKind::HookText(hook),
            4 => MessageKind::HookPanicked(hook),
            5 => MessageKind::Done,
            _ => MessageKind::System(errno),
        };
        Self { step: step as usize, kind }
    }
}

/// A message in the child. It is on the stack, since the child must not allocate.
pub(super) struct Message {
    head: MessageHead,
    bytes: [u8; HEAD_SIZE + MAX_TEXT],
    length: usize,
}

impl Message {
    pub(super) fn new(head: MessageHead) -> Self {
        let mut message = Self { head, bytes: [0; HEAD_SIZE + MAX_TEXT], length: 0 };
        for word in head.to_words() {
            message.push(&word.to_ne_bytes());
        }
        message
    }

    /// Appends as many of the bytes as fit.
    fn push(&mut self, bytes: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *place = *byte;
            self.length += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(HEAD_SIZE..self.length).unwrap_or_default()
    }
}

impl std::fmt::Write for Message {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// The messages that the parent has received.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// Whether there was a [`MessageKind::Done`].
    pub(super) done: bool,
    pub(super) report: Option<Report>,
}

/// The step that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// The index of the step that failed.
    pub(super) step: usize,
    pub(super) error: ChildError,
}

/// How a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChildError {
    System(Errno),
    HookErrno { index: usize, errno: Errno },
    HookText { index: usize, text: String },
    HookPanicked { index: usize },
}

impl Received {
    fn add(&mut self, head: MessageHead, text: &[u8]) {
        let error = match head.kind {
            MessageKind::Done => {
                self.done = true;
                return;
            }
            MessageKind::System(errno) => ChildError::System(errno),
            MessageKind::HookErrno(index, errno) => ChildError::HookErrno { index, errno },
            MessageKind::HookText(index) => {
                ChildError::HookText { index, text: String::from_utf8_lossy(text).into_owned() }
            }
            MessageKind::HookPanicked(index) => ChildError::HookPanicked { index },
        };
        self.report = Some(Report { step: head.step, error });
    }

    /// Decodes all messages of a child.
    fn decode(mut bytes: &[u8]) -> Self {
        let mut received = Self::default();
        while let Some((words, rest)) = bytes.split_at_checked(HEAD_SIZE) {
            let word = |index: usize| u32::from_ne_bytes(words[index * 4..][..4].try_into().unwrap_or_default());
            let head = MessageHead::from_words([word(0), word(1), word(2), word(3)]);
            received.add(head, rest);
            // Only after `Done` does a child send another message.
            bytes = if head.kind == MessageKind::Done { rest } else { &[] };
        }
        received
    }
}

/// Where the child sends its messages.
#[derive(Clone, Copy)]
pub(super) enum Channel<'a> {
    Memory(&'a SharedReport),
    Pipe(PipeEnd),
}

impl Channel<'_> {
    /// Sends a message. The child calls this. Returns whether that worked.
    pub(super) fn send(self, message: &Message) -> bool {
        match self {
            Self::Memory(report) => {
                report.set(message);
                true
            }
            Self::Pipe(pipe) => pipe.send(message.as_bytes()),
        }
    }

    /// Sends the error number of a failed step. The child calls this.
    pub(super) fn send_errno(self, step: usize, errno: Errno) {
        let head = MessageHead { step, kind: MessageKind::System(errno) };
        match self {
            Self::Memory(report) => report.set_head(head),
            Self::Pipe(_) => {
                self.send(&Message::new(head));
            }
        }
    }

    /// Sends [`MessageKind::Done`]. The child calls this. Returns whether that worked.
    pub(super) fn send_done(self, step: usize) -> bool {
        match self {
            // The parent does not need it: it waits until the child has executed or ended.
            Self::Memory(_) => true,
            Self::Pipe(_) => self.send(&Message::new(MessageHead { step, kind: MessageKind::Done })),
        }
    }

    /// Closes the write end of the errpipe. The child calls this.
    pub(super) fn close(self) {
        if let Self::Pipe(pipe) = self {
            let _ = sys::close(pipe.fd); // An error of close(2) does not matter for a pipe: no data is lost.
        }
    }
}

/// The message of a child that shares the parent's memory, or of a thread of the parent.
#[derive(Debug)]
pub(super) struct SharedReport {
    words: [AtomicU32; WORDS],
    /// The text of a hook's error. Hooks use this channel only if the calling process itself executes the program. So they may
    /// allocate.
    text: OnceLock<Vec<u8>>,
}

impl SharedReport {
    pub(super) const fn new() -> Self {
        Self { words: [const { AtomicU32::new(0) }; WORDS], text: OnceLock::new() }
    }

    /// The child calls this.
    fn set_head(&self, head: MessageHead) {
        let [kind, operands @ ..] = &self.words;
        let [kind_word, operand_words @ ..] = head.to_words();
        for (word, value) in operands.iter().zip(operand_words) {
            word.store(value, Ordering::Relaxed);
        }
        kind.store(kind_word, Ordering::Release);
    }

    /// The child calls this if there is no text. With a text, only [`Method::InPlace`](super::mode::Method::InPlace) does.
    fn set(&self, message: &Message) {
        if !message.text().is_empty() {
            let _ = self.text.set(message.text().to_vec());
        }
        self.set_head(message.head);
    }

    /// The parent calls this when the child has executed or ended.
    pub(super) fn receive(&self) -> Received {
        let mut received = Received::default();
        let [kind, operands @ ..] = &self.words;
        let kind = kind.load(Ordering::Acquire);
        if kind != 0 {
            let [step, hook, errno] = operands.each_ref().map(|word| word.load(Ordering::Relaxed));
            let text = self.text.get().map(Vec::as_slice).unwrap_or_default();
            received.add(MessageHead::from_words([kind, step, hook, errno]), text);
        }
        received
    }
}

/// The pipe on which a forked child reports. Both ends close at exec.
pub(crate) struct Errpipe {
    pub(crate) reader: OwnedFd,
    pub(crate) writer: OwnedFd,
}

impl Errpipe {
    /// The child's end.
    pub(super) fn child_end(&self) -> PipeEnd {
        let fd = self.writer.as_raw_fd();
        PipeEnd { fd, identity: identity(fd) }
    }

    /// Receives all messages, until the child has executed or ended.
    pub(super) fn receive_all(self) -> Received {
        self.receive_until(|_| false)
    }

    /// Receives the first message, or nothing if the child has ended. It does not wait for end-of-file: a child that another
    /// thread has forked may have the write end, too, and may never execute a program.
    pub(super) fn receive_first(self) -> Received {
        self.receive_until(|received| received.done || received.report.is_some())
    }

    fn receive_until(self, is_enough: impl Fn(&Received) -> bool) -> Received {
        let Self { reader, writer } = self;
        drop(writer);
        let mut bytes = Vec::new();
        let mut buffer = [0; 256];
        loop {
            match rustix::io::read(&reader, &mut buffer) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
                Err(Errno::INTR) => continue,
                _ => return Received::decode(&bytes),
            }
            let received = Received::decode(&bytes);
            if is_enough(&received) {
                return received;
            }
        }
    }
}

/// The child's end of an [`Errpipe`].
///
/// A hook may have closed the number, or may have put another file there. The child does not write to another file.
#[derive(Clone, Copy, Debug)]
pub(super) struct PipeEnd {
    fd: RawFd,
    identity: Option<(u64, u64)>,
}

impl PipeEnd {
    /// Writes a message in one call, so that the write is atomic. Returns whether that worked.
    fn send(self, message: &[u8]) -> bool {
        self.identity.is_some()
            && identity(self.fd) == self.identity
            && sys::write(self.fd, message) == Ok(message.len())
    }
}

/// Device and inode of the file that a number refers to, if it is open.
fn identity(fd: RawFd) -> Option<(u64, u64)> {
    // SAFETY: the number may be closed or may refer to another file; fstat only reads the file's identity.
    let stat = rustix::fs::fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
    #[allow(clippy::unnecessary_cast, reason = "other systems have other types")]
    Some((stat.st_dev as u64, stat.st_ino as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn done() -> Message {
        Message::new(MessageHead { step: 0, kind: MessageKind::Done })
    }

    #[test]
    fn messages_are_decoded_as_they_were_encoded() {
        assert_eq!(Received::decode(&[]), Received::default());
        assert_eq!(Received::decode(done().as_bytes()), Received { done: true, report: None });
        let failed = Message::new(MessageHead { step: 7, kind: MessageKind::System(Errno::NOENT) });
        let report = Report { step: 7, error: ChildError::System(Errno::NOENT) };
        let bytes = [done().as_bytes(), failed.as_bytes()].concat();
        assert_eq!(Received::decode(&bytes), Received { done: true, report: Some(report) });
        let kinds = [
            (MessageKind::HookErrno(2, Errno::PERM), ChildError::HookErrno { index: 2, errno: Errno::PERM }),
            (MessageKind::HookPanicked(3), ChildError::HookPanicked { index: 3 }),
        ];
        for (kind, error) in kinds {
            let received = Received::decode(Message::new(MessageHead { step: 5, kind }).as_bytes());
            assert_eq!(received, Received { done: false, report: Some(Report { step: 5, error }) });
        }
    }

    #[test]
    fn both_channels_send_a_text_and_cut_one_that_is_too_long() {
        for (text, expected) in [("no luck".to_owned(), 7), ("x".repeat(MAX_TEXT + 9), MAX_TEXT)] {
            let mut message = Message::new(MessageHead { step: 5, kind: MessageKind::HookText(1) });
            write!(message, "{text}").unwrap();
            let memory = SharedReport::new();
            assert_eq!(memory.receive(), Received::default());
            assert!(Channel::Memory(&memory).send(&message));
            let report =
                Report { step: 5, error: ChildError::HookText { index: 1, text: text[..expected].to_owned() } };
            let received = Received { done: false, report: Some(report) };
            assert_eq!(memory.receive(), received);
            let (reader, writer) = std::io::pipe().unwrap();
            let errpipe = Errpipe { reader: reader.into(), writer: writer.into() };
            assert!(Channel::Pipe(errpipe.child_end()).send(&message));
            assert_eq!(errpipe.receive_all(), received);
        }
    }
}
