//! `Command::explain`: all of a spawn but the launch.

use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::explanation::{Explained, Explanation};
use super::prepare::prepare;
use super::rows::rows;
use super::via_isolated;
use crate::command::Command;
use crate::error::{Problem, Subject};
use crate::launch::{Method, Mode, known_missing};
use crate::plan::Plan;

impl Command<'_> {
    /// The plan of a [`Command::spawn`] as a table, and the child's steps. It runs no program.
    ///
    /// The numbers of the sources are those of this moment: the library opens pipes to get them, and closes these again. If no
    /// spawn has yet tried what the system can do, the picture shows the best case.
    ///
    /// If an [`Isolated`](crate::Isolated) launches the command, the steps have the numbers of its thread's table. The sources
    /// are sent there for this, and the picture has a column for their numbers there. As a spawn does, it waits until the thread
    /// is free.
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
        let outcome = self.explained().map_err(|problem| problem.of(Subject::Spawn(self.get_program().to_owned())));
        Explanation { program: self.get_program().display().to_string(), outcome }
    }

    fn explained(&self) -> Result<Explained, Problem> {
        let missing = self.fd_map.missing | known_missing();
        let method = Method::choose(self.launcher, !self.hooks.is_empty(), self.fd_map.rest, missing)?;
        let mode = Mode { method, handle: true, pidfd: true };
        let explained = |rows, steps, thread_mappings| Explained {
            launcher: method.launcher(),
            rest: self.fd_map.rest,
            rows,
            thread_mappings,
            steps,
        };
        match self.isolated {
            None => with_buffers(|buffers| {
                let prepared = prepare(self, &Defaults::INHERIT, mode, buffers)?;
                let Buffers { plan, steps, .. } = prepared.buffers;
                Ok(explained(rows(plan), std::mem::take(steps), None))
            }),
            Some(isolated) => {
                let show = |buffers: &mut Buffers, thread_plan: Plan| {
                    // What closes at exec is opened in the thread, so only the thread's plan has it.
                    let mut all = rows(&buffers.plan);
                    all.extend(rows(&thread_plan).into_iter().filter(|row| row.target.is_none()));
                    explained(all, std::mem::take(&mut buffers.steps), Some(thread_plan.mappings))
                };
                via_isolated::explain(isolated, self, &Defaults::INHERIT, mode, show)
            }
        }
    }
}
