//! `Driven`: something that takes time, as one descriptor and a step that does not wait.

use super::events::events_error;
use crate::error::Result;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use std::os::fd::BorrowedFd;
use std::task::Poll;

/// Something that takes time: the wait for a child ([`Process`](crate::Process)), its end ([`Ending`](crate::Ending)), an
/// [`Exchange`](crate::Exchange), a capture ([`Capturing`](crate::Capturing)), a set of children ([`Children`](crate::Children)). Any loop that
/// can poll a descriptor can drive it: a loop around `poll(2)`, tokio, async-io, a graphical interface.
///
/// 1. Call [`Driven::step`]. It does what can be done now, and does not wait. [`Poll::Ready`] has the result.
/// 2. After [`Poll::Pending`], wait until [`Driven::descriptor`] is readable, and go on with 1.
///
/// What has been done is in the object, and not in a future: if a future that drives it is dropped, another one goes on with it, and nothing is
/// lost. After the result, a next step begins anew, if there is something to begin: the next run of an exchange, the next child of a set.
///
/// The first call of [`Driven::descriptor`] makes the descriptor (`epoll_create1(2)`, and `timerfd_create(2)` as soon as there is a time to wait
/// for; `kqueue(2)` elsewhere), so that a caller that blocks needs none. The object owns it. It stays the same until the object is dropped,
/// and it works as well with loops that are told of changes only (`EPOLLET`): each step that leaves something to do makes it readable
/// again. A loop that wants to own the descriptor that it polls makes a duplicate of it.
///
/// ```
/// use fdspawn::{Command, Driven, Exchange, Keep, Stdio, Stop};
/// use std::task::Poll;
///
/// let mut child = Command::new("sh").args(["-c", "sleep 0.1; echo done"]).stdout(Stdio::piped()).spawn()?;
/// let mut exchange = Exchange::new();
/// let output = exchange.drain(child.stdout.take().expect("piped"), Keep::All);
/// let stop = loop {
///     if let Poll::Ready(stop) = exchange.step()? {
///         break stop;
///     }
///     let descriptor = exchange.descriptor()?;
///     let mut polls = [rustix::event::PollFd::new(&descriptor, rustix::event::PollFlags::IN)]; // and those of others
///     rustix::event::poll(&mut polls, None)?;
/// };
/// assert_eq!(stop, Stop::Done);
/// assert_eq!(exchange.bytes(output), b"done\n");
/// child.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Driven {
    /// The result.
    type Output;

    /// The descriptor that is readable when a step may have something to do. It may be readable although there is nothing to do.
    ///
    /// If streams or children were added since the last step, it does not tell of them before the next step.
    ///
    /// # Errors
    ///
    /// [`Failure::Events`](crate::Failure::Events), for example `EMFILE` if no number is free. `ECHILD` in a forked copy of this process, which
    /// would change what the descriptor tells both processes.
    fn descriptor(&mut self) -> Result<BorrowedFd<'_>>;

    /// Does what can be done without waiting.
    ///
    /// # Errors
    ///
    /// Those of the call that waits: [`Exchange::run`](crate::Exchange::run), [`Process::wait`](crate::Process::wait) and the like, and those of
    /// [`Driven::descriptor`].
    fn step(&mut self) -> Result<Poll<Self::Output>>;
}

impl<D: Driven + ?Sized> Driven for &mut D {
    type Output = D::Output;

    fn descriptor(&mut self) -> Result<BorrowedFd<'_>> {
        (**self).descriptor()
    }

    fn step(&mut self) -> Result<Poll<D::Output>> {
        (**self).step()
    }
}

/// Drives something to its result, and waits meanwhile.
///
/// # Errors
///
/// Those of the steps.
///
/// ```
/// let mut process = fdspawn::Command::new("true").spawn()?.process();
/// assert!(fdspawn::block_on(&mut process)?.success());
/// # Ok::<(), fdspawn::Error>(())
/// ```
pub fn block_on<D: Driven + ?Sized>(driven: &mut D) -> Result<D::Output> {
    loop {
        if let Poll::Ready(output) = driven.step()? {
            return Ok(output);
        }
        let descriptor = driven.descriptor()?;
        retry_on_intr(|| poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], None))
            .map_err(events_error)?;
    }
}
