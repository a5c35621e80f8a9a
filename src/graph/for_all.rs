//! What a graph sets for all of its stages in one call: a process group, sessions, a cgroup.

use super::graph::Graph;
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::later_stages::SharedCgroup;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::cgroup::Cgroup;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::command::Lend;
use crate::group::Group;

/// What all stages have, those that have been added and those that will be. A later call for the command of one stage counts more.
impl<'fd> Graph<'fd> {
    /// Puts all stages into a process group: the one that is started first leads it, and all others join, also if the leader has ended. One
    /// signal reaches all, that of [`Group::signal`] and that of ^C at a terminal.
    pub fn group(&mut self, group: &'fd Group) -> &mut Self {
        self.for_all.group = Some(group);
        self.commands().for_each(|command| _ = command.group(group));
        self
    }

    /// Makes each stage the leader of a session of its own (`setsid(2)`), as [`Command::setsid`] does. No stage has the terminal of this process
    /// then, so neither ^C nor the end of the terminal reaches one. A teardown of the graph ([`Running::end`], [`Capture::end`],
    /// [`Graph::on_drop`]) with `Reach::Session` ends all that the stages have started in their sessions.
    ///
    /// There is no session for all of them: a process can only make a session, and no system call joins one. Others get into it only as
    /// descendants of its leader, and all stages are children of this process. So the stages have no group together either, and a graph that
    /// has both a session and a [`Graph::group`] is refused. For one signal to all use the group; for a container that no
    /// stage leaves, `Graph::own_cgroup`.
    ///
    /// [`Capture::end`]: crate::Capture::end
    /// [`Running::end`]: crate::Running::end
    /// [`Command::setsid`]: crate::Command::setsid
    ///
    /// ```
    /// use fdspawn::{Command, Graph};
    ///
    /// let session = || Command::from(["cut", "-d ", "-f1,6", "/proc/self/stat"]); // the process id and the session
    /// let mut graph = Graph::new();
    /// let stage = graph.setsid(true).stage(session());
    /// let slot = graph.reader([stage.stdout()]);
    /// let output = graph.output()?.check()?;
    /// let text = String::from_utf8_lossy(output.bytes(slot));
    /// let (id, session) = text.trim().split_once(' ').expect("two numbers");
    /// assert_eq!(id, session);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    pub fn setsid(&mut self, setsid: bool) -> &mut Self {
        self.for_all.setsid = Some(setsid);
        self.commands().for_each(|command| _ = command.setsid(setsid));
        self
    }

    /// Starts all stages in a cgroup of the caller, as [`Command::cgroup`] does. `directory` is a descriptor of its directory, which the graph
    /// borrows. Linux only. The later one of this call and [`Graph::own_cgroup`] counts.
    ///
    /// [`Command::cgroup`]: crate::Command::cgroup
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn cgroup(&mut self, directory: impl Lend<'fd>) -> &mut Self {
        let directory = directory.lend();
        self.for_all.cgroup = Some(SharedCgroup::Lent(directory));
        self.commands().for_each(|command| _ = command.cgroup(directory));
        self
    }

    /// Starts all stages in a cgroup that the library has made, as [`Command::own_cgroup`] does: what they start stays in it, in any session and
    /// any process group. A teardown of the graph with `Reach::Cgroup` ends all of it. The graph keeps a clone of the cgroup, and so do its
    /// stages. Linux only.
    ///
    /// [`Command::own_cgroup`]: crate::Command::own_cgroup
    ///
    /// ```
    /// use fdspawn::{Cgroup, Command, Graph, Reach, Teardown};
    ///
    /// let Ok(cgroup) = Cgroup::create() else { return Ok(()) }; // no cgroup is delegated to this process
    /// let mut graph = Graph::pipeline([Command::from(["sleep", "60"]), Command::from(["cat"])]);
    /// let mut running = graph.own_cgroup(&cgroup).spawn()?;
    /// running.end(&Teardown::kill().reach(Reach::Cgroup))?;
    /// assert!(cgroup.is_empty()?);
    /// # Ok::<(), fdspawn::Error>(())
    /// ```
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn own_cgroup(&mut self, cgroup: &Cgroup) -> &mut Self {
        self.for_all.cgroup = Some(SharedCgroup::Own(cgroup.clone()));
        self.commands().for_each(|command| _ = command.own_cgroup(cgroup));
        self
    }
}
