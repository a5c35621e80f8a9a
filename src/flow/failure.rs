//! `FlowError`: which call for a stream failed, and why.

use rustix::io::Errno;

/// A call for a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowError {
    pub(crate) call: StreamCall,
    pub(crate) errno: Errno,
}

/// A call for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamCall {
    Poll,
    Read,
    Write,
}

impl StreamCall {
    /// The error of such a call.
    pub(super) fn failed(self, errno: Errno) -> FlowError {
        FlowError { call: self, errno }
    }
}
