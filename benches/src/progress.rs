//! The progress bar of a run.

use crate::parts::Part;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::time::Duration;

/// A progress bar on standard error. It shows how much of the planned time has passed. The driver draws it between
/// blocks, and never while a worker measures. If standard error is not a terminal, the driver prints a line for each
/// part.
pub struct Progress {
    bar: ProgressBar,
    /// The planned time of all parts that the driver has finished.
    done: Cell<Duration>,
}

impl Progress {
    pub fn new(planned: Duration) -> Self {
        let bar = ProgressBar::with_draw_target(Some(milliseconds(planned)), ProgressDrawTarget::stderr_with_hz(4));
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {percent:>3}% {msg}");
        bar.set_style(style.expect("the template is valid").progress_chars("=> "));
        Self { bar, done: Cell::default() }
    }

    /// Shows that the driver begins a part.
    pub fn part(&self, part: &Part) {
        self.bar.set_message(part.name);
        self.bar.tick();
        if self.bar.is_hidden() {
            eprintln!("{}: {}", part.name, part.title);
        }
    }

    /// Shows how much of the current part's time has passed.
    pub fn at(&self, passed: Duration) {
        self.bar.set_position(milliseconds(self.done.get() + passed));
    }

    /// Shows that the driver has finished a part with this planned time.
    pub fn done(&self, planned: Duration) {
        self.done.set(self.done.get() + planned);
        self.at(Duration::ZERO);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
