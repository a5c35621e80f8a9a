//! The bar that shows how far a run is.

use crate::parts::Part;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::time::Duration;

/// A bar on standard error, measured in planned time. It is drawn between blocks only, never while a worker measures;
/// where standard error is no terminal, each part is a line.
pub struct Progress {
    bar: ProgressBar,
    /// The planned time of the parts that are done.
    done: Cell<Duration>,
}

impl Progress {
    pub fn new(planned: Duration) -> Self {
        let bar = ProgressBar::with_draw_target(Some(milliseconds(planned)), ProgressDrawTarget::stderr_with_hz(4));
        let style = ProgressStyle::with_template("{elapsed:>4} [{bar:40}] {percent:>3}% {msg}");
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        Self { bar, done: Cell::default() }
    }

    /// A part begins.
    pub fn part(&self, part: &Part) {
        self.bar.set_message(part.name);
        self.bar.tick();
        if self.bar.is_hidden() {
            eprintln!("{}: {}", part.name, part.title);
        }
    }

    /// So much of the part's time has passed.
    pub fn at(&self, passed: Duration) {
        self.bar.set_position(milliseconds(self.done.get() + passed));
    }

    /// The part that was to take this long is over.
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
