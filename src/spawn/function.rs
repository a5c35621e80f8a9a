//! Launches a forked child that runs a function in place of exec.

use crate::child::Spawned;
use crate::error::{Failure, Problem};
use crate::launch::{Errpipe, Image, LaunchError, Mode, launch};
use std::io::{self, Write};
use std::ptr::NonNull;

/// Launches the child of an image, which runs this function.
///
/// This thread holds the lock of standard output over the fork, so that no other thread writes at that moment. The child releases its copy of
/// the lock before it calls the function.
#[inline(never)]
pub(super) fn launch_function(
    mode: Mode,
    image: Image<'_>,
    function: &mut dyn FnMut() -> i32,
    errpipe: Option<Errpipe>,
) -> Result<Spawned, LaunchError> {
    let mut output = io::stdout().lock();
    output.flush().map_err(|error| Problem::io(Failure::Flush, &error))?;
    let mut output = Some(output);
    let mut in_child = || {
        drop(output.take());
        function()
    };
    let in_child: &mut dyn FnMut() -> i32 = &mut in_child;
    // The image has no environment with which the child could compare its own.
    let image = Image { function: Some(NonNull::from(in_child)), hooks_change_environment: false, ..image };
    let launched = launch(mode, &image, errpipe);
    drop(output);
    launched
}
