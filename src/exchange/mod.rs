//! Feeds and reads any number of streams at the same time, in one thread: `Exchange`, and `Command::capture`, which is all of that in one
//! call.

mod capture;
mod capture_flows;
mod captured;
mod capturing;
mod child_run;
mod children;
#[allow(clippy::module_inception, reason = "it has `Exchange`")]
mod exchange;
mod finished;
mod member;
mod start_capture;
mod times;

pub use self::capture::Capture;
pub use self::captured::Captured;
pub(crate) use self::captured::end_of;
pub use self::capturing::Capturing;
pub use self::children::Children;
pub use self::exchange::Exchange;
pub use self::finished::Finished;
pub use self::member::Member;
