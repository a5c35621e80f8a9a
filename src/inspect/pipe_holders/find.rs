//! `pipe_holders`.

use super::holders::PipeHolders;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::search::search;
use std::io;
use std::os::fd::AsFd;

/// Finds the processes that hold the ends of a pipe, and so keep it open.
///
/// The pipe may also be a FIFO (a named pipe), and `pipe` may be either end. The result contains the caller's own
/// descriptors, also `pipe` itself. The function opens only files in `/proc`, and does not touch the pipe. It looks at
/// every descriptor of every process; for most of them that is one `readlink(2)`.
///
/// While the kernel answers that call for a descriptor, it keeps the description open. If the owner closes the descriptor
/// in that moment, the effects of a last close (a reader's end of file, the release of a lock) come a few microseconds
/// after the close. The same is true of each program that looks at descriptors in `/proc`.
///
/// Threads may have tables of their own (`unshare(2)` with `CLONE_FILES`), and the function looks at those too. It
/// finds the threads that share a table by `kcmp(2)`. If the kernel refuses that call, the function looks at each
/// thread; if two threads of a process then have the same end at the same number, it takes them for one descriptor.
///
/// ```
/// use fdspawn::inspect::pipe_holders;
/// use fdspawn::Command;
///
/// let (reader, writer) = std::io::pipe()?;
/// let mut child = Command::new("sleep").arg("1000").stdout(writer).spawn()?;
///
/// // The reader gets no end of file. Which process keeps the pipe open?
/// let ends = pipe_holders(&reader)?;
/// let [holder] = ends.other_end() else { panic!("{ends}") };
/// assert_eq!((holder.pid(), holder.number()), (child.id(), 1));
/// assert!(ends.to_string().starts_with(&format!("writers: {} (sleep) at 1; readers: ", child.id())));
///
/// child.kill()?;
/// child.wait()?;
/// assert!(pipe_holders(&reader)?.writers().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # What it cannot see
///
/// - The descriptors of processes that the caller may not read (`ptrace(2)`, `PTRACE_MODE_READ_FSCREDS`): those of
///   other users, unless the caller is privileged, and those that are not dumpable. [`PipeHolders::unreadable`] lists
///   these processes. It does not list kernel threads and zombies, which have no descriptors.
/// - Processes that `/proc` does not show: processes of other PID namespaces than that of `/proc` and its descendants,
///   and processes that its mount option `hidepid` hides. The pids are those that `/proc` shows.
/// - Ends that are in no table: a descriptor that is on its way over a Unix socket (`SCM_RIGHTS`), a file that is
///   registered with `io_uring(7)`, and files that the kernel holds (`autofs(5)`).
/// - Changes during the search. The function skips a process that ends, and may find a descriptor that moves from one
///   process to another twice, or not at all.
///
/// # Errors
///
/// - `InvalidInput`: the descriptor is neither a pipe nor a FIFO.
/// - `NotFound`: there is no `/proc`, or the caller is not in its PID namespace.
/// - `EMFILE`, `ENFILE`: no descriptor is left to read `/proc` with. `ENOMEM`: there is no memory.
/// - `Unsupported`: the system is not Linux.
#[doc(alias = "fuser")]
#[doc(alias = "lsof")]
#[doc(alias = "kcmp")]
pub fn pipe_holders(pipe: impl AsFd) -> io::Result<PipeHolders> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return search(pipe.as_fd());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = pipe.as_fd();
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system does not tell who holds a pipe"))
    }
}
