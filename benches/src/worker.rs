//! A worker process, as the driver sees it.

use crate::arguments::WORKER;
use crate::files::Files;
use crate::parts::Part;
use crate::protocol::{Reply, Request, receive, send};
use fdspawn::{Child, Command, Stdio};
use std::ffi::OsString;
use std::io::{self, BufReader, PipeReader, PipeWriter};

/// A running worker. It exits when the driver drops this value, because its standard input then ends.
pub struct Worker {
    child: Child,
    requests: PipeWriter,
    replies: BufReader<PipeReader>,
}

impl Worker {
    /// Starts this program as a worker. The worker has exactly this environment, and no descriptors except the standard
    /// streams: otherwise it would inherit the descriptors that cargo or a terminal has left open.
    pub fn start(part: &Part, point: usize, files: &Files, environment: Vec<(String, OsString)>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([WORKER, part.name, &point.to_string()]).arg(files.root()).arg(files.graph_size().to_string());
        command.env_clear().envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a worker has no pipes"));
        };
        Ok(Self { child, requests, replies: BufReader::new(replies) })
    }

    pub fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        send(&mut self.requests, request)?;
        self.reply()
    }

    /// Waits for the worker's next reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        match receive(&mut self.replies)? {
            Some(reply) => Ok(reply),
            None => Err(io::Error::other(format!("a worker exited: {}", self.child.wait()?))),
        }
    }

    /// Makes the worker exit, and waits for it. After that the worker's memory and descriptors are free.
    pub fn end(self) -> io::Result<()> {
        let Self { mut child, requests, replies } = self;
        drop((requests, replies));
        let status = child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("a worker exited: {status}"))) }
    }
}
