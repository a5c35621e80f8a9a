//! Feeds and reads any number of streams at the same time, in one thread: `Exchange`, and `Command::capture`, which is all of that in one
//! call.

mod capture;
mod captured;
#[allow(clippy::module_inception, reason = "it has `Exchange`")]
mod exchange;

pub use self::capture::Capture;
pub use self::captured::Captured;
pub use self::exchange::Exchange;
