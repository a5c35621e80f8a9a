//! Errors: the step that failed, its operands, and the error number.

#[allow(clippy::module_inception, reason = "`Error` is the main thing of this room")]
mod error;
mod failure;
mod failure_text;
mod problem;
mod stage;
mod subject;
mod without_a_call;

pub use self::error::{Error, Result};
pub use self::failure::{Failure, Text};
pub(crate) use self::problem::{Problem, Reason};
pub use self::stage::Stage;
pub(crate) use self::subject::Subject;
