//! What the parent finds out about a forked child that has not released it yet.

use crate::child::Spawned;
use rustix::process::Signal;

/// What a child does that has not released the parent, as far as the parent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreleased {
    /// It has executed or ended.
    Over,
    /// A stop signal had stopped it, and it goes on.
    Continued,
    /// It does its steps.
    Runs,
}

/// Looks at a child. If a signal has stopped it, continues it: a child that has not executed belongs to the library, and another user
/// whose ids the child has may stop it.
pub(super) fn look_at(process: &Spawned) -> Unreleased {
    // Ask whether it is stopped first: a stopped child cannot execute after that.
    let is_stopped = process.is_stopped();
    if process.has_ended() == Some(true) || process.has_executed() == Some(true) {
        return Unreleased::Over;
    }
    // If the kernel does not tell, the signal does a running child no harm.
    if is_stopped == Some(false) {
        return Unreleased::Runs;
    }
    let _ = process.signal(Signal::CONT); // If that is refused, the child waits for another process that continues it.
    if is_stopped == Some(true) { Unreleased::Continued } else { Unreleased::Runs }
}
