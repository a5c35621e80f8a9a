//! `Proc` of systems whose `/proc`, if there is one, does not list descriptors.

use super::classify::FileSystem;
use super::sockets::Socket;
use super::status::{self, FileStatus};
use crate::inspect::fdinfo::FdInfo;
use rustix::io::Errno;
use std::convert::Infallible;
use std::os::fd::RawFd;

/// A type without values.
pub(super) struct Proc(Infallible);

impl Proc {
    pub(super) fn of_thread() -> Result<(Self, Vec<RawFd>), Errno> {
        Err(Errno::NOSYS)
    }

    pub(super) fn of_thread_by_name() -> Option<Self> {
        None
    }

    pub(super) fn of(_: u32) -> Result<(Self, Vec<RawFd>), Errno> {
        Err(Errno::NOSYS)
    }

    pub(super) fn link<'a>(&self, _: RawFd, _: &'a mut Vec<u8>) -> Result<&'a [u8], Errno> {
        match self.0 {}
    }

    pub(super) fn info(&mut self, _: RawFd, _: &mut Vec<u8>) -> Result<FdInfo, Errno> {
        match self.0 {}
    }

    pub(super) fn status(&self, _: RawFd) -> Result<FileStatus, Errno> {
        match self.0 {}
    }

    pub(super) fn socket(&self, _: RawFd) -> Option<Socket> {
        match self.0 {}
    }

    pub(super) fn file_system(&self, _: RawFd) -> Option<FileSystem> {
        match self.0 {}
    }

    pub(super) fn is_at(&self, _: &[u8], _: &FileStatus) -> bool {
        match self.0 {}
    }
}

/// The device of the root directory's file system.
pub(super) fn root_device() -> Option<u64> {
    rustix::fs::stat("/").ok().map(|stat| status::plain(&stat).id.device)
}
