//! `Command::explain`: a spawn without the launch.

use super::attributes::needs;
use super::buffers::{Buffers, with_buffers};
use super::defaults::Defaults;
use super::explanation::{Explained, Explanation};
use super::lent;
use super::prepare::prepare;
use super::rows::{TableRow, rows, step_text};
use super::via_isolated;
use crate::command::Command;
use crate::error::{Problem, Subject};
use crate::escape::Escaped;
use crate::launch::{Method, Mode, known_missing};
use crate::plan::{Mapping, Plan};

impl Command<'_> {
    /// Shows the descriptors and the steps of the child that [`Command::spawn`] would start. It starts no child.
    ///
    /// To get the numbers of the sources, it opens pipes as a spawn does, and closes them again. A later spawn may get other
    /// numbers. If no spawn of this process has found out yet which kernel features are missing, it assumes that none is.
    ///
    /// If an [`Isolated`](crate::Isolated) launches the command, this sends the sources to its thread, as a spawn does. The steps
    /// have the numbers of the thread's table, and the explanation has a column for them. If the thread is busy, the call waits.
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
        let outcome = self.try_explain().map_err(|problem| problem.of(Subject::Spawn(self.get_program().to_owned())));
        Explanation { program: Escaped::new(self.get_program()).to_string(), outcome }
    }

    fn try_explain(&self) -> Result<Explained, Problem> {
        let missing = self.fd_map.missing | known_missing();
        let method = Method::choose(self.launcher, needs(self)?, missing)?;
        let mode = Mode { method, handle: true, pidfd: self.pidfd };
        match self.isolated.as_ref().filter(|_| self.function.is_none()) {
            None => with_buffers(|buffers| {
                let prepared = prepare(self, &Defaults::INHERIT, mode, buffers)?;
                let rows = rows(&prepared.buffers.plan);
                Ok(self.explained(method, mode, rows, prepared.buffers, None))
            }),
            Some(isolated) => {
                let show = |buffers: &mut Buffers, thread_plan: Plan| {
                    // The thread opens the library's own descriptors, so only its plan has them.
                    let mut all = rows(&buffers.plan);
                    all.extend(rows(&thread_plan).into_iter().filter(|row| row.target.is_none()));
                    self.explained(method, mode, all, buffers, Some(thread_plan.mappings))
                };
                via_isolated::explain(isolated, self, &Defaults::INHERIT, mode, show)
            }
        }
    }
    /// What the buffers contain, to be shown.
    pub(super) fn explained(
        &self,
        method: Method,
        mode: Mode,
        rows: Vec<TableRow>,
        buffers: &mut Buffers,
        thread_mappings: Option<Vec<Mapping>>,
    ) -> Explained {
        Explained {
            launcher: method.launcher(),
            cgroup: lent::cgroup_of(self, mode),
            rest: self.fd_map.rest,
            rows,
            thread_mappings,
            texts: buffers.steps.iter().map(|&step| step_text(step, buffers)).collect(),
            steps: std::mem::take(&mut buffers.steps),
        }
    }
}
