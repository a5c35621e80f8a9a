//! `CopyThreads`: the threads of a graph's tees and spools.

use super::copier::Copier;
use super::copy::{CopyPipes, CopyStore, CopyTask};
use super::over::{Over, TaskEnd};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::fd::standard::lock_stdio_numbers_if_closed;
use crate::spawn::{NewNumbers, Numbering, pipe};
use crate::sys::{self, ProcessCopy};
use rustix::io::{Errno, retry_on_intr};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};

/// The size of a thread's stack in bytes: enough for the message of a panic.
const STACK: usize = 256 << 10;

/// The threads of the tees and spools of a graph. A drop lets them go on until their pipes end.
#[derive(Debug, Default)]
pub(super) struct CopyThreads {
    threads: Vec<CopyThread>,
    /// The pipe that tells the threads that all stages have ended. `None` without threads, and after [`CopyThreads::finish`].
    over: Option<OverPipe>,
    /// The process that has the threads. A forked copy of it has none.
    process: Option<ProcessCopy>,
    /// Why a thread has not moved all bytes.
    failed: Option<Errno>,
}

#[derive(Debug)]
struct OverPipe {
    /// The read end that the threads have, too. Since it is open, a write sends no SIGPIPE though all threads have ended.
    reader: Arc<OwnedFd>,
    writer: OwnedFd,
}

#[derive(Debug)]
struct CopyThread {
    handle: JoinHandle<()>,
    end: Receiver<TaskEnd>,
}

impl CopyThreads {
    /// Starts the threads. `take` takes the end that the library has of a link. After an error, the caller closes all links, and then calls
    /// [`CopyThreads::finish`]: the pipes of the threads that have been started are empty, so that these end at once.
    pub(super) fn start(
        &mut self,
        copiers: &[Copier],
        numbering: Numbering,
        mut take: impl FnMut(usize) -> Option<OwnedFd>,
    ) -> Result<()> {
        if copiers.is_empty() {
            return Ok(());
        }
        let _guard = lock_stdio_numbers_if_closed();
        let what = "a descriptor of a tee or a spool";
        let failed = |error: io::Error| Problem::io(Failure::ParentOpen { what }, &error).of(Subject::Graph);
        let (over, teller) = pipe(&mut NewNumbers::default()).map_err(failed)?;
        let over = Arc::new(numbering.raise_link(over));
        self.over = Some(OverPipe { reader: Arc::clone(&over), writer: numbering.raise_link(teller) });
        self.process = Some(ProcessCopy::current());
        for Copier { kind, input, outputs } in copiers {
            let Some(input) = take(*input) else { continue };
            let outputs = outputs.iter().filter_map(|output| take(*output)).collect();
            let store = CopyStore::open(*kind).map_err(failed)?.raised(numbering);
            let task = CopyTask::new(*kind, CopyPipes { input, outputs }, store).map_err(between)?;
            self.threads
                .push(CopyThread::start(task, Arc::clone(&over)).map_err(|problem| problem.of(Subject::Graph))?);
        }
        Ok(())
    }

    /// After the ends of all stages: lets the threads move what is left, and waits for them. A thread goes on by itself if a process that a
    /// stage has left behind has its output, and does not read at the moment.
    pub(super) fn finish(&mut self) -> Result<()> {
        // A copy of the process must not wait for threads that it does not have.
        let is_own = || self.process == Some(ProcessCopy::current());
        if let Some(over) = self.over.take_if(|_| is_own()) {
            // A copy of the process may have the write end, so a close alone is not enough. If a filter refuses the write, the close tells them.
            let _ = retry_on_intr(|| rustix::io::write(&over.writer, &[0]));
            drop(over.writer);
            for thread in self.threads.drain(..) {
                if let Err(errno) = thread.finish() {
                    self.failed.get_or_insert(errno);
                }
            }
            drop(over.reader);
        }
        self.threads.clear();
        self.failed.map_or(Ok(()), |errno| Err(between(errno)))
    }
}

fn between(errno: Errno) -> Error {
    Error::new(Subject::Between, Failure::Write, Some(errno))
}

impl CopyThread {
    fn start(task: CopyTask, over: Arc<OwnedFd>) -> std::result::Result<Self, Problem> {
        let (sender, end) = channel();
        // The thread starts with this mask, so that no signal handler of the program ever runs in it.
        let mask = sys::signal_mask().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        sys::block_programs_signals().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        let run = move || {
            // Once more, since libc ignores an error of the call that gives a new thread its mask. A write to a pipe without a reader
            // must not end the process.
            let blocked = sys::block_programs_signals();
            let mut over = Over::new(over, sender.clone());
            let result = blocked.and_then(|()| task.run(&mut over));
            let _ = sender.send(TaskEnd::Ended(result)); // The running graph may have been dropped.
        };
        let handle = Builder::new().name("fdspawn copy".to_owned()).stack_size(STACK).spawn(run);
        let _ = (0..3).find(|_| sys::set_signal_mask(&mask).is_ok());
        Ok(Self { handle: handle.map_err(|error| Problem::io(Failure::Thread, &error))?, end })
    }

    /// Waits until the thread has ended, or waits for a process that is no stage.
    fn finish(self) -> std::result::Result<(), Errno> {
        let result = match self.end.recv() {
            Ok(TaskEnd::Held) => return Ok(()), // The thread goes on.
            Ok(TaskEnd::Ended(result)) => result,
            Err(_) => Err(Errno::CANCELED), // The thread has panicked.
        };
        let _ = self.handle.join(); // A panic has been told.
        result
    }
}
