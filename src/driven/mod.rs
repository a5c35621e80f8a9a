//! What takes time, without a thread that waits: `Driven`, one descriptor to poll and a step that does not wait. The set of events behind that
//! descriptor is `epoll(7)` on Linux and `kqueue(2)` elsewhere.

mod alarm;
#[allow(clippy::module_inception, reason = "it has `Driven`")]
mod driven;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
mod events;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod kqueue;
mod polled_fd;
mod registration;

pub(crate) use self::alarm::Alarm;
pub use self::driven::{Driven, block_on};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use self::epoll::{EventKeys, EventSet};
pub(crate) use self::events::{Events, Steps, events_error};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use self::kqueue::{EventKeys, EventSet};
pub(crate) use self::polled_fd::PolledFd;
pub(crate) use self::registration::{Registration, SetPlace};
