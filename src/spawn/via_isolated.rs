//! Spawns by an isolated thread. The parent sends the sources to the thread's table, and the thread launches the child.
//!
//! The parent's plan has the numbers of the parent's table. The thread's plan is a copy with the sources' numbers in the thread's
//! table. The steps are compiled from that copy.

use super::attributes::{check, compile_wanted};
use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::foreground::Foreground;
use super::internal::Internal;
use super::lent::{Lent, LentFd, lent, program_file};
use super::prepare::{Prepared, Sources, image, open_sources};
use super::resolve::soft_limit;
use super::rows::trace;
use super::strings::{self, PreparedStrings};
use crate::child::{ParentEnds, Spawned};
use crate::command::Command;
use crate::error::{Failure, Problem};
use crate::isolated::Isolated;
use crate::launch::{self, HookList, LaunchError, Mode};
use crate::plan::{Plan, Rest, compile};
use crate::sys;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// What the thread needs for one launch.
struct Transfer<'b, 'fd> {
    prepared: Prepared<'b>,
    /// The plan for the thread's table.
    plan: Plan,
    /// The indexes of the descriptors for the library among those that the parent sends.
    lent: Lent<usize>,
    /// Of these, the descriptors that the library has opened in the parent.
    _opened: Lent<LentFd<'fd>>,
}

impl<'b, 'fd> Transfer<'b, 'fd> {
    /// Does the part of the preparation that needs the parent's table. Also returns the numbers of the descriptors to send, in
    /// order. The caller holds the lock of 0 to 2.
    fn send(
        command: &Command<'fd>,
        defaults: &Defaults,
        mode: Mode,
        strings: PreparedStrings,
        buffers: &'b mut Buffers,
    ) -> Result<(Self, Vec<RawFd>), Problem> {
        let Sources { ends, .. } = open_sources(&command.fd_map, defaults, mode, buffers)?;
        buffers.plan.limit = soft_limit();
        buffers.plan.hooks = !command.hooks.is_empty();
        let program_file = program_file(command)?;
        let (plan, mut numbers) = buffers.plan.for_another_table();
        let opened = lent(command, mode, &buffers.plan)?;
        let lent = opened.as_ref().map(|fd| {
            numbers.push(fd.as_fd().as_raw_fd());
            numbers.len() - 1
        });
        let internal = Internal::default();
        // The thread's table has no standard streams.
        let std_fd_was_free = false;
        let prepared = Prepared { buffers, ends, errpipe: None, std_fd_was_free, strings, internal, program_file };
        Ok((Self { prepared, plan, lent, _opened: opened }, numbers))
    }

    /// Compiles the steps for the thread's table, with the descriptors that have arrived. The thread calls this.
    fn receive(&mut self, command: &Command<'_>, received: &[OwnedFd], mode: Mode) -> Result<(), Problem> {
        let Self { prepared, plan, lent, .. } = self;
        plan.receive_sources(|index| received[index].as_raw_fd());
        let lent = lent.as_ref().map(|&index| received[index].as_fd());
        let mut internal = Internal::open(plan, mode, lent)?;
        // The parent's plan has the sources that the caller knows.
        let Buffers { plan: parents, compiler, steps, .. } = &mut *prepared.buffers;
        compile_wanted(command, mode, parents, &prepared.strings, &internal.lent.numbers(), |basics, attributes| {
            compile(plan, basics, attributes, compiler, steps)
        })?;
        prepared.errpipe = internal.errpipe.take();
        prepared.internal = internal;
        Ok(())
    }

    /// Closes what [`Transfer::receive`] has opened. The thread calls this.
    fn close_internal_fds(&mut self) {
        self.prepared.errpipe = None;
        self.prepared.internal = Internal::default();
    }
}

/// Launches the child from the thread.
pub(super) fn launch_in_thread(
    isolated: &Isolated,
    command: &mut Command<'_>,
    defaults: &Defaults,
    mode: Mode,
) -> Result<(Spawned, ParentEnds), LaunchError> {
    refuse_inherited_rest(command)?;
    with_buffers(|buffers| {
        check(command, mode)?;
        let strings = strings::build(command, buffers)?; // Without the thread's turn, since it may send an event.
        let mut turn = isolated.turn()?;
        let (mut transfer, numbers) = Transfer::send(command, defaults, mode, strings, buffers)?;
        // The program gets the caller's mask, which differs from the thread's.
        let mask = sys::signal_mask().map_err(|errno| Problem::system(Failure::SignalMask, errno))?;
        let mut outcome = None;
        let mut job = |received: &[OwnedFd]| {
            let launched = transfer.receive(command, received, mode).map_err(LaunchError::from).and_then(|()| {
                let errpipe = transfer.prepared.errpipe.take();
                let hooks = HookList::new(&mut command.hooks);
                let foreground = Foreground::save(command, &transfer.prepared.internal);
                let launched = launch::launch(mode, &image(command, &transfer.prepared, hooks, Some(mask)), errpipe);
                if let (Err(_), Some(foreground)) = (&launched, foreground) {
                    let _ = foreground.restore(); // The failure of the launch is the error that counts.
                }
                launched
            });
            transfer.close_internal_fds();
            // The pidfd is in the thread's table. The thread sends it to the caller.
            let mut launched = launched.map(|process| launch::with_pidfd(process, mode.pidfd));
            let pidfd = launched.as_mut().ok().and_then(Spawned::take_pidfd);
            outcome = Some(launched);
            pidfd
        };
        let pidfd = turn.run(&numbers, &mut job)?;
        drop(turn); // A subscriber may spawn by the same thread.
        let prepared = transfer.prepared;
        trace(prepared.buffers);
        match outcome {
            Some(Ok(process)) => Ok((process.with_pidfd(pidfd), prepared.ends)),
            Some(Err(error)) => Err(error),
            None => Err(Failure::SendFds.into()),
        }
    })
}

/// Does all that a spawn does, in the parent and in the thread, without the launch. Calls `show` with the parent's buffers, which
/// have its plan and the steps, and with the thread's plan.
pub(super) fn explain<T>(
    isolated: &Isolated,
    command: &Command<'_>,
    defaults: &Defaults,
    mode: Mode,
    show: impl FnOnce(&mut Buffers, Plan) -> T,
) -> Result<T, Problem> {
    refuse_inherited_rest(command)?;
    with_buffers(|buffers| {
        check(command, mode)?;
        let strings = strings::build(command, buffers)?; // Without the thread's turn, since it may send an event.
        let mut turn = isolated.turn()?;
        let (mut transfer, numbers) = Transfer::send(command, defaults, mode, strings, buffers)?;
        let mut outcome = None;
        let mut job = |received: &[OwnedFd]| {
            outcome = Some(transfer.receive(command, received, mode));
            transfer.close_internal_fds();
            None
        };
        turn.run(&numbers, &mut job)?;
        outcome.unwrap_or(Err(Failure::SendFds.into()))?;
        Ok(show(transfer.prepared.buffers, transfer.plan))
    })
}

/// Refuses [`Rest::Inherit`]: the thread has no descriptors that a child could inherit.
fn refuse_inherited_rest(command: &Command<'_>) -> Result<(), Problem> {
    if command.fd_map.rest == Rest::Inherit { Err(Failure::NothingToInherit.into()) } else { Ok(()) }
}
