//! `Command::explain`: all of a spawn but the launch.

use super::prepare::{Defaults, Prepared, Problem, prepare};
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
    /// Where the command is launched by an [`Isolated`](crate::Isolated), the steps have the numbers of its thread's table,
    /// which the sources are sent to for this; the picture has a column for them. It waits for its turn, as a spawn does.
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
        let missing = self.fd_map.missing | probe::known_missing();
        let outcome = Way::choose(self.launcher, !self.hooks.is_empty(), self.fd_map.rest, missing)
            .map_err(Problem::from)
            .and_then(|way| {
                let demands = way.demands(true, true);
                let prepared = match self.isolated {
                    Some(isolated) => isolated.explain(self, Defaults::INHERIT, demands),
                    None => prepare(self, Defaults::INHERIT, demands),
                };
                Ok((way, prepared?))
            })
            .map(|(way, prepared)| {
                let Prepared { mut buffers, .. } = prepared;
                let (mut rows, steps) = (std::mem::take(&mut buffers.rows), std::mem::take(&mut buffers.steps));
                rows.sort_by_key(|row| (row.target.is_none(), row.target));
                let arrived = self.isolated.map(|_| std::mem::take(&mut buffers.plan.mappings));
                Explained { launcher: way.launcher(), rest: self.fd_map.rest, rows, arrived, steps }
            })
            .map_err(|problem| {
                Error::new(Subject::Spawn(self.get_program().to_owned()), problem.failure, problem.errno)
            });
        Explanation { program: self.get_program().display().to_string(), outcome }
    }
}
