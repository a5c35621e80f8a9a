//! Options that do not go together.

use crate::request::Request;
use crate::values::Parsed;
use fdspawn::Reach;

impl Request {
    /// Refuses options that do not go together.
    pub fn check(&self) -> Parsed {
        let has_limit = self.readings.options().any(|option| option == "--limit");
        if self.times.signal.is_some() && self.times.timeout.is_none() && !has_limit {
            return Err("--signal does not go without --timeout or --limit".into());
        }
        if self.is_pipeline() {
            return self.check_pipeline();
        }
        self.check_tree()?;
        if self.table && self.stages.iter().any(|stage| stage.has_program_fd) {
            return Err("--program-fd does not go with --table: fdrun is the program that prints the table".into());
        }
        self.check_exec()
    }

    /// Refuses the options for which fdrun has to stay beside its program.
    fn check_exec(&self) -> Parsed {
        let pipes = self.readings.options().map(|option| (option, true, "fdrun would not be there to read the pipe"));
        let has_launcher = self.stages.iter().any(|stage| stage.launcher.is_some());
        let others = [
            ("--launcher", has_launcher, "no process is launched"),
            ("--timeout", self.times.timeout.is_some(), "fdrun would not be there to end the program"),
            ("--kill-after", self.times.kill_after.is_some(), "fdrun would not be there to kill the program"),
            ("--tree", self.tree.is_some(), "fdrun would not be there to end the processes"),
            ("--usage", self.usage, "fdrun would not be there to print it"),
            ("--table", self.table, "fdrun would not be there to print the table"),
        ];
        match pipes.chain(others).find(|(_, is_given, _)| self.exec && *is_given) {
            Some((option, _, reason)) => Err(format!("{option} does not go with --exec: {reason}").into()),
            None => Ok(()),
        }
    }

    /// Refuses a tree whose program would not lead the group or the session.
    fn check_tree(&self) -> Parsed {
        let process_group = self.stages.first().and_then(|stage| stage.process_group);
        match (self.tree, process_group) {
            (Some(Reach::Group), Some(group)) if group != 0 => {
                Err(format!("--tree group does not go with --pgrp {group}: the program has to lead its group").into())
            }
            #[cfg(any(target_os = "linux", target_os = "android"))]
            (Some(Reach::Session), Some(_)) => {
                Err("--tree session does not go with --pgrp: the leader of a session leads a group of its own".into())
            }
            _ => Ok(()),
        }
    }

    /// Refuses what fdrun does for one program only.
    fn check_pipeline(&self) -> Parsed {
        let has_pipe_from = self.readings.options().any(|option| option == "--pipe-from");
        let is_other_tree = !matches!(self.tree, None | Some(Reach::Process | Reach::Group));
        let refused = [
            ("--exec", self.exec, "fdrun can become one program only"),
            ("--table", self.table, "fdrun prints the table of one program only"),
            ("--pipe-from", has_pipe_from, "use --lines with --limit or --capture"),
            ("--tree", is_other_tree, "all stages can be in one process group, so use --tree group"),
        ];
        if let Some((option, _, reason)) = refused.into_iter().find(|(_, is_given, _)| *is_given) {
            let separator = self.separator.display();
            return Err(
                format!("{option} does not go with a pipeline: {reason} (the separator is `{separator}`)").into()
            );
        }
        for (number, stage) in self.stages.iter().enumerate() {
            if stage.foreground {
                return Err(format!("--foreground of stage {number} does not go with a pipeline").into());
            }
            let leaves = [("--pgrp", stage.process_group.is_some()), ("--setsid", stage.makes_session)];
            if let Some((option, _)) =
                leaves.into_iter().find(|(_, is_given)| *is_given && self.tree == Some(Reach::Group))
            {
                let reason = "all stages have to be in one group";
                return Err(format!("{option} of stage {number} does not go with --tree group: {reason}").into());
            }
        }
        Ok(())
    }
}
