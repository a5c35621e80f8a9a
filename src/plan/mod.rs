//! Decisions about a child's descriptors and attributes, as data. Nothing here makes a system call.
//!
//! A spawn makes a [`Plan`] from the caller's [`FdMap`](crate::FdMap): what the child's descriptor table has to be.
//! [`Plan::compile`] turns it into a list of [`Step`]s. [`Table`] is a model of a descriptor table: it runs the same steps
//! without a child ([`Table::run`]), and also computes the final table from the plan alone ([`Table::after`]). Tests compare
//! the two results.
//!
//! ```
//! use fdspawn::plan::{Mapping, Plan, Step};
//!
//! // Swap 1 and 2, keep 0, close the rest.
//! let plan = Plan::new([
//!     Mapping::new(0, 0),
//!     Mapping::new(1, 2),
//!     Mapping::new(2, 1),
//! ]);
//! assert_eq!(
//!     plan.compile()?,
//!     [
//!         Step::CloseFrom { first: 4 },
//!         Step::Dup2 { source: 1, target: 3, close_on_exec: true },
//!         Step::Dup2 { source: 2, target: 1, close_on_exec: false },
//!         Step::Dup2 { source: 3, target: 2, close_on_exec: false },
//!         Step::Close { first: 3, last: 3 },
//!     ],
//! );
//! # Ok::<(), fdspawn::plan::Refusal>(())
//! ```

mod attributes;
mod check;
mod compile;
mod data;
mod graph_refusal;
mod limit_names;
mod mapping;
mod model;
mod order;
mod refusal;
mod renumber;
mod scheduler;
mod signals;
mod step;
mod teardown;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod transfer;

pub(crate) use self::attributes::{
    Attributes, Basics, LastStep, NO_ID, ProgramMask, WorkingDirectory, check_attributes, check_groups,
};
pub(crate) use self::check::{check, copy_same_as};
pub(crate) use self::compile::Compiler;
pub use self::data::{InternalFd, Plan, Rest, Role, Start};
pub use self::graph_refusal::GraphRefusal;
pub(crate) use self::mapping::NO_SOURCE;
pub use self::mapping::{Mapping, Origin};
pub use self::model::{NotOpen, Open, Table};
pub(crate) use self::order::compile;
pub use self::refusal::Refusal;
pub use self::scheduler::Scheduler;
pub(crate) use self::signals::SignalName;
pub use self::signals::Signals;
pub use self::step::{NumbersId, Step, StringId};
pub use self::teardown::{OnDrop, Reach, Teardown};
