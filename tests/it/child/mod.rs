//! `Child`: waiting, killing, output.

mod output;
mod parts;
mod threads;
mod wait;

use fdspawn::Launcher;

/// Whether a child of this launcher has a pidfd: clone makes one, but fork needs `pidfd_open`, which a filter may
/// refuse.
fn has_pidfd(launcher: Launcher) -> bool {
    let own = rustix::process::getpid();
    launcher == Launcher::Clone || rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty()).is_ok()
}
