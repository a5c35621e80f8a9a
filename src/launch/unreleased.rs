//! Finds out, in the parent, what a forked child does that has not released the futex yet.

use crate::child::Spawned;
use rustix::process::Signal;

/// What a child that has not released the futex does, as far as the parent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreleased {
    /// The child has executed or ended.
    Over,
    /// A signal had stopped the child, and it goes on.
    Continued,
    /// The child does its steps.
    Runs,
}

/// Looks at a child. If a signal has stopped it, continues it: a child that has not executed belongs to the library, and another user
/// whose ids the child has may stop it.
pub(super) fn look_at(process: &Spawned) -> Unreleased {
    // First ask whether the child is stopped: a stopped child cannot execute after the answer.
    let is_stopped = process.is_stopped();
    if process.has_ended() == Some(true) || process.has_executed() == Some(true) {
        return Unreleased::Over;
    }
    // If the kernel does not tell, the signal does a running child no harm.
    if is_stopped == Some(false) {
        return Unreleased::Runs;
    }
    let _ = process.signal(Signal::CONT); // If the kernel refuses that, the child stays stopped until another process continues it.
    if is_stopped == Some(true) { Unreleased::Continued } else { Unreleased::Runs }
}
