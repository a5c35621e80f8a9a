//! One descriptor of the program, as fdrun reads it: its limit, its file and its lines.

use crate::readings::Reading;
use fdspawn::{Exchange, Flow, Keep};
use std::fs::File;
use std::io::{self, PipeReader};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};

/// A longer line of `--lines` is printed in pieces of this length.
const LONGEST_LINE: usize = 64 * 1024;

/// How many bytes fdrun counts at once for a limit: an exchange keeps the bytes that it counts.
const PIECE: u64 = 256 * 1024;

/// A program without privileges cannot make a pipe larger (`pipe(7)`).
const LARGEST_PIPE: u64 = 1024 * 1024;

/// The streams of an exchange for one descriptor.
pub struct Stream {
    limit: Option<Limit>,
    /// Reads what the limit lets through, or all.
    pub output: Flow,
    /// Whether the output is a feed, which knows what it has not written.
    is_feed: bool,
    pub lines: Option<Lines>,
}

struct Limit {
    flow: Flow,
    left: u64,
    /// Whether fdrun has set it, and not the command line.
    is_own: bool,
}

/// Where lines go.
pub struct Lines {
    /// The line that the exchange has read last, as it is to be printed.
    text: Arc<Mutex<Vec<u8>>>,
    pub to: OwnedFd,
    /// Whether they are those of `--pipe-from`, which ignores errors of writes.
    pub is_pipe_from: bool,
    /// How many bytes fdrun still writes.
    pub left: u64,
}

impl Lines {
    /// The line that is to be printed now.
    pub fn take(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut *self.text.lock().expect("no function panics with it"));
        self.left = self.left.saturating_sub(text.len() as u64);
        text
    }
}

impl Stream {
    /// Adds the streams of a descriptor to the exchange. `all_lines` is `--lines`.
    pub fn add(
        exchange: &mut Exchange<'static>,
        reading: &Reading,
        pipe: PipeReader,
        file: Option<File>,
        all_lines: bool,
    ) -> io::Result<Self> {
        let mut from = OwnedFd::from(pipe);
        // fdrun writes the bytes up to the limit to a pipe of its own, and reads them there by lines or to a file.
        let limit = match reading.limit {
            Some(left) => {
                let (reader, writer) = io::pipe()?;
                let flow = exchange.drain(std::mem::replace(&mut from, reader.into()), keep(left));
                exchange.also_to(flow, writer);
                Some(Limit { flow, left, is_own: false })
            }
            None => None,
        };
        if reading.pipe_from || all_lines {
            let (to, longest) = if reading.pipe_from {
                (io::stderr().as_fd().try_clone_to_owned()?, usize::MAX)
            } else {
                (io::stdout().as_fd().try_clone_to_owned()?, LONGEST_LINE)
            };
            let text = Arc::default();
            let output = exchange.lines(from, longest, print_to(Arc::clone(&text), reading.number));
            if let Some(file) = file {
                exchange.also_to(output, file);
            }
            let lines = Some(Lines { text, to, is_pipe_from: reading.pipe_from, left: u64::MAX });
            return Ok(Self { limit, output, is_feed: false, lines });
        }
        let to = match (file, reading.number) {
            (Some(file), _) => Some(file.into()),
            (None, 1) => Some(io::stdout().as_fd().try_clone_to_owned()?),
            (None, 2) => Some(io::stderr().as_fd().try_clone_to_owned()?),
            (None, _) => None,
        };
        let is_feed = to.is_some();
        let output = match to {
            Some(to) => exchange.feed_from(to, from),
            None => exchange.discard(from),
        };
        Ok(Self { limit, output, is_feed, lines: None })
    }

    /// Whether the limit is reached, after a stop for the flow. Then the descriptor is read no longer.
    pub fn has_reached_limit(&mut self, exchange: &mut Exchange<'static>, stopped: Flow) -> bool {
        let Some(Limit { flow, left, is_own }) = self.limit.as_mut().filter(|limit| limit.flow == stopped) else {
            return false;
        };
        *left -= exchange.bytes(*flow).len() as u64;
        let is_reached = *left == 0;
        if is_reached || exchange.is_done(self.output) {
            // Or no process can read the output any more.
            exchange.close(*flow);
        } else {
            exchange.keep(*flow, keep(*left));
        }
        is_reached && !*is_own
    }

    /// Lets no more through than a pipe contains, after the end of the program. Another process may write for ever.
    pub fn end_soon(&mut self, exchange: &mut Exchange<'static>) {
        if let Some(Limit { flow, left, is_own }) = self.limit.as_mut().filter(|limit| !limit.is_own) {
            *left -= exchange.bytes(*flow).len() as u64;
            *is_own = *left > LARGEST_PIPE;
            *left = LARGEST_PIPE.min(*left);
            exchange.keep(*flow, keep(*left));
        }
        if let Some(lines) = &mut self.lines {
            lines.left = 2 * LARGEST_PIPE; // The exchange has a part of the lines already.
        }
    }

    /// Whether another process has not read what fdrun wants to write.
    pub fn has_unsent(&self, exchange: &Exchange<'static>) -> bool {
        self.is_feed && exchange.unsent(self.output) > 0
    }

    /// Closes the program's pipe.
    pub fn close(&self, exchange: &mut Exchange<'static>) {
        exchange.close(self.output);
        if let Some(limit) = &self.limit {
            exchange.close(limit.flow);
        }
    }
}

/// A limit that is as near as the next piece.
fn keep(left: u64) -> Keep {
    Keep::AtMost(usize::try_from(left.min(PIECE)).expect("a piece is small"))
}

/// A function that puts a line behind its number, and stops the exchange, so that the line can be printed.
fn print_to(text: Arc<Mutex<Vec<u8>>>, number: RawFd) -> impl FnMut(&[u8]) -> ControlFlow<()> {
    let mut was_cut = false;
    move |line| {
        let (body, has_newline) = line.strip_suffix(b"\n").map_or((line, false), |body| (body, true));
        // The newline of a line whose pieces have been printed.
        if body.is_empty() && was_cut {
            was_cut = false;
            return ControlFlow::Continue(());
        }
        was_cut = !has_newline;
        *text.lock().expect("no function panics with it") = [format!("{number}: ").as_bytes(), body, b"\n"].concat();
        ControlFlow::Break(())
    }
}
