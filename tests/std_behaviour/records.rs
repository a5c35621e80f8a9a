//! What a walk has found out: one line for each record.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

pub struct Records {
    path: PathBuf,
    text: String,
}

impl Records {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), text: String::new() }
    }

    /// Adds a record. A walk that panics has written those before.
    pub fn add(&mut self, name: &str, value: impl Debug) {
        let line = format!("{name}: {value:?}\n");
        assert!(!self.text.contains(&format!("\n{name}: ")), "two records are named {name}");
        self.text += &line;
        std::fs::write(&self.path, &self.text).unwrap();
    }

    /// Adds the kind and the number of an error.
    pub fn error<T>(&mut self, name: &str, result: io::Result<T>) {
        self.add(name, result.map(drop).map_err(|error| (error.kind(), error.raw_os_error())));
    }

    /// Adds the lines of a child's report.
    pub fn report(&mut self, name: &str, report: &str) {
        for line in report.lines() {
            let (what, value) = line.split_once(": ").expect("a line of a report has a name");
            self.add(&format!("{name}, {what}"), value);
        }
    }
}
