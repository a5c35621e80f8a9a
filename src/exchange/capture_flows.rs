//! `CaptureFlows`: the streams of a captured child.

use super::capture::Capture;
use super::captured::Captured;
use super::child_run::{ChildRun, RunEnd};
use super::exchange::Exchange;
use crate::child::{Child, ParentEnd};
use crate::flow::Flow;
use std::ffi::OsString;

/// The streams of a captured child.
#[derive(Debug)]
pub(super) struct CaptureFlows {
    input: Option<Flow>,
    /// How many bytes of input there are, if the child does not read them.
    unread: usize,
    stdout: Option<Flow>,
    stderr: Option<Flow>,
    slots: Vec<(u64, Flow)>,
    program: OsString,
}

impl CaptureFlows {
    /// Makes the streams.
    pub(super) fn new<'a>(
        child: &mut Child,
        exchange: &mut Exchange<'a>,
        capture: &Capture<'a>,
        program: OsString,
    ) -> Self {
        let bytes = capture.input.unwrap_or_default();
        let input = child.stdin.take().map(|stdin| exchange.feed(stdin, bytes));
        let stdout = child.stdout.take().map(|stdout| exchange.drain(stdout, capture.stdout));
        let stderr = child.stderr.take().map(|stderr| exchange.drain(stderr, capture.stderr));
        let mut slots = Vec::new();
        for (id, end) in child.take_slots() {
            match end {
                ParentEnd::Reader(reader) => slots.push((id, exchange.drain(reader, capture.slots))),
                end => _ = end.into_discarded().map(|fd| exchange.discard(fd)),
            }
        }
        let unread = if input.is_some() { 0 } else { bytes.len() };
        Self { input, unread, stdout, stderr, slots, program }
    }

    /// Takes what the streams have kept.
    pub(super) fn captured(self, run: ChildRun<'_>, end: RunEnd) -> Captured {
        let (child, mut exchange) = run.into_parts();
        let RunEnd { stop, status, ended } = end;
        let mut bytes = |flow: Option<Flow>| flow.map(|flow| exchange.bytes(flow)).unwrap_or_default();
        let (stdout, stderr) = (bytes(self.stdout), bytes(self.stderr));
        let slots = self.slots.iter().map(|&(id, flow)| (id, bytes(Some(flow)))).collect();
        let unsent = self.unread + self.input.map_or(0, |input| exchange.unsent(input));
        child.detach();
        Captured { status, stdout, stderr, stop, ended, unsent, slots, program: self.program }
    }
}
