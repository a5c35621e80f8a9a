//! `CopyThreads`: the threads of a graph's tees and spools.

use super::copier::Copier;
use super::copy::{CopyPipes, CopyStore, CopyTask};
use super::progress::{CopyEvent, GraphProgress};
use crate::error::{Error, Failure, Problem, Result, Subject};
use crate::fd::standard::lock_stdio_numbers_if_closed;
use crate::spawn::{NewNumbers, Numbering, pipe};
use crate::sys::{self, ProcessCopy};
use rustix::io::{Errno, retry_on_intr};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
    /// Whether all stages have been launched.
    is_started: Arc<AtomicBool>,
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
    events: Receiver<CopyEvent>,
}

impl CopyThreads {
    /// Starts the threads, and waits until all of them run. `take` takes the end that the library has of a link. After an error, the caller
    /// closes all links, and then calls [`CopyThreads::finish`]: the pipes of the threads that have been started are empty, so that these end at
    /// once.
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
        let tasks = copiers.iter().filter_map(|Copier { kind, input, outputs }| {
            let (input, outputs) = (take(*input)?, outputs.iter().filter_map(|output| take(*output)).collect());
            Some(CopyStore::open(*kind).map_err(failed).and_then(|store| {
                CopyTask::new(*kind, CopyPipes { input, outputs }, store.raised(numbering)).map_err(between)
            }))
        });
        // No thread starts before all descriptors are open.
        for task in tasks.collect::<Result<Vec<_>>>()? {
            let thread = CopyThread::start(task, Arc::clone(&over), Arc::clone(&self.is_started));
            self.threads.push(thread.map_err(|problem| problem.of(Subject::Graph))?);
        }
        self.threads.iter().try_for_each(CopyThread::wait_until_started).map_err(between)
    }

    /// Tells the threads that all stages have been launched.
    pub(super) fn note_start(&self) {
        self.is_started.store(true, Ordering::Release);
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
    fn start(task: CopyTask, over: Arc<OwnedFd>, is_started: Arc<AtomicBool>) -> std::result::Result<Self, Problem> {
        let (sender, events) = channel();
        // The thread starts with this mask, so that no signal handler of the program ever runs in it.
        let mask = sys::signal_mask().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        sys::block_programs_signals().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        let run = move || {
            // Once more, since libc ignores an error of the call that gives a new thread its mask. A write to a pipe without a reader
            // must not end the process.
            let blocked = sys::block_programs_signals();
            let _ = sender.send(CopyEvent::Started); // The start of the graph may have failed.
            let mut progress = GraphProgress::new(over, sender.clone(), is_started);
            let result = blocked.and_then(|()| task.run(&mut progress));
            let _ = sender.send(CopyEvent::Ended(result)); // The running graph may have been dropped.
        };
        let handle = Builder::new().name("fdspawn copy".to_owned()).stack_size(STACK).spawn(run);
        let _ = (0..3).find(|_| sys::set_signal_mask(&mask).is_ok());
        Ok(Self { handle: handle.map_err(|error| Problem::io(Failure::Thread, &error))?, events })
    }

    /// Waits until the thread has started. Its message takes memory, so that libc has chosen the thread's heap by then. For the heap of about
    /// the eighth thread of a process, glibc reads the number of processors from a file. During the launches that file would take a number that
    /// a stage gets by [`Graph::explain`](super::Graph::explain), or that of a closed standard stream.
    fn wait_until_started(&self) -> std::result::Result<(), Errno> {
        self.events.recv().map(drop).map_err(|_| Errno::CANCELED) // The thread has panicked.
    }

    /// Waits until the thread has ended, or waits for a process that is no stage.
    fn finish(self) -> std::result::Result<(), Errno> {
        let result = loop {
            match self.events.recv() {
                Ok(CopyEvent::Started) => {} // The start of the graph failed before it waited for this thread.
                Ok(CopyEvent::Held) => return Ok(()), // The thread goes on.
                Ok(CopyEvent::Ended(result)) => break result,
                Err(_) => break Err(Errno::CANCELED), // The thread has panicked.
            }
        };
        let _ = self.handle.join(); // A panic has been told.
        result
    }
}
