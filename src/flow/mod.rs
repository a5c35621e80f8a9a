//! Bytes between this process and others, in any number of streams at the same time, without threads: the loop under `output`, `capture`
//! and `Exchange`.

mod drain;
mod failure;
mod feed;
mod keep;
mod lines;
mod looks;
mod place;
mod reader;
mod run;
mod stop;
mod wait;
mod watch;
mod writer;

pub(crate) use self::drain::Sink;
pub(crate) use self::failure::{FlowError, StreamCall};
pub(crate) use self::feed::FlowSource;
pub use self::keep::Keep;
pub(crate) use self::keep::KeptBytes;
pub(crate) use self::looks::Looks;
pub(crate) use self::run::{Flows, Pace};
pub use self::stop::{Flow, Stop};
pub(crate) use self::watch::{NoChildren, Watch};
