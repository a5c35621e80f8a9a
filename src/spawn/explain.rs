//! `Command::explain`: all of a spawn but the launch.

use super::prepare::{Defaults, Demands, Prepared, Problem, prepare};
use super::{Way, probe};
use crate::command::Command;
use crate::error::{Error, Subject};
use crate::explain::{Explained, Explanation};

impl Command<'_> {
    /// The plan of a [`Command::spawn`] as a table, and the child's steps. It runs no program.
    ///
    /// The numbers of the sources are those of this moment: pipes are opened to get them, and closed again. Where the
    /// library has not yet tried what the system can do, the picture shows the best case.
    ///
    /// ```
    /// use fdspawn::{Command, Stdio};
    ///
    /// let mut command = Command::new("true");
    /// let explanation = command.stderr(Stdio::same_as(1)).explain();
    /// assert_eq!(explanation.targets(), [0, 1, 2]);
    /// print!("{explanation}");
    /// ```
    pub fn explain(&self) -> Explanation {
        let missing = self.plan.without | probe::known_missing();
        let outcome = Way::choose(self.launcher, !self.hooks.is_empty(), self.plan.rest, missing)
            .map_err(Problem::from)
            .and_then(|way| Ok((way, prepare(self, Defaults::INHERIT, Demands { told: true, ..way.demands(true) })?)))
            .map(|(way, prepared)| {
                let Prepared { mut buffers, .. } = prepared;
                let (mut rows, steps) = (std::mem::take(&mut buffers.rows), std::mem::take(&mut buffers.steps));
                rows.sort_by_key(|row| (row.target.is_none(), row.target));
                Explained { launcher: way.launcher(), rest: self.plan.rest, rows, steps }
            })
            .map_err(|problem| {
                Error::new(Subject::Spawn(self.get_program().to_owned()), problem.failure, problem.errno)
            });
        Explanation { program: self.get_program().display().to_string(), outcome }
    }
}
