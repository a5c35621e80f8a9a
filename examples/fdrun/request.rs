//! What the command line asks for.

use crate::readings::Readings;
use crate::stage::Stage;
use crate::timeout::Times;
use crate::values::{Parsed, wrong};
use fdspawn::Reach;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What the command line asks for. `parse::parse` reads the whole command line before fdrun opens any file.
pub struct Request {
    /// The programs. There is more than one for a pipeline.
    pub stages: Vec<Stage>,
    /// The argument that starts the next stage.
    pub separator: OsString,
    pub readings: Readings,
    pub times: Times,
    pub tree: Option<Reach>,
    pub usage: bool,
    pub pipefail: bool,
    pub exec: bool,
    pub explain: Option<Picture>,
    pub table: bool,
    pub help: bool,
}

/// What `--explain` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    Text,
    Dot,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            stages: Vec::new(),
            separator: "|".into(),
            readings: Readings::default(),
            times: Times::default(),
            tree: None,
            usage: false,
            pipefail: false,
            exec: false,
            explain: None,
            table: false,
            help: false,
        }
    }
}

impl Request {
    pub fn separate(&mut self, value: OsString) -> Parsed {
        self.separator = value;
        Ok(())
    }

    pub fn explain(&mut self, value: Option<OsString>) -> Parsed {
        self.explain = Some(match value {
            None => Picture::Text,
            Some(value) if value.as_bytes() == b"dot" => Picture::Dot,
            Some(value) => return Err(wrong("--explain takes no value or `dot`", &value)),
        });
        Ok(())
    }

    pub fn is_pipeline(&self) -> bool {
        self.stages.len() > 1
    }
}
