//! The sockets of the caller's network namespace, as the kernel lists them over netlink (`sock_diag(7)`).
//!
//! Other than the lists in `/proc`, these have the peers of Unix sockets, the exact bytes of their names, and some
//! families that have no list in `/proc`. The caller needs no privilege.

mod families;
mod message;
mod query;

pub(super) use self::families::Family;
pub(super) use self::query::SockDiag;
