//! An `Isolated` that commands share.

use crate::own_process;
use crate::support::LAUNCHERS;
use crate::support::table::Table;
use crate::support::threads::{threads, wait_for_threads};
use fdspawn::{Command, Isolated, Stdio};
use std::sync::Arc;

own_process! {
    fn command_is_an_owner_of_a_shared_isolated_and_the_last_owner_ends_the_thread() {
        let before = threads();
        let isolated = Arc::new(Isolated::new().unwrap());
        let mut commands: Vec<Command<'static>> = LAUNCHERS
            .map(|launcher| {
                let mut command = Command::new("true");
                command.launcher(launcher).isolated(isolated.clone());
                command
            })
            .into();
        commands.push(commands[0].try_clone().unwrap());
        assert_eq!(Arc::strong_count(&isolated), 4);
        drop(isolated);
        // Other threads own the commands now.
        let threads_of_commands: Vec<_> = commands
            .into_iter()
            .map(|mut command| {
                std::thread::spawn(move || {
                    assert!(command.status().unwrap().success());
                    assert!(command.explain().to_string().contains("from an isolated thread"));
                    assert!(command.stdout(Stdio::null()).output().unwrap().status.success());
                })
            })
            .collect();
        for thread in threads_of_commands {
            thread.join().unwrap();
        }
        wait_for_threads(before);
    }
}

own_process! {
    fn child_of_an_isolated_thread_without_a_pidfd_costs_no_descriptor() {
        let isolated = Isolated::new().unwrap();
        let before = Table::current();
        for launcher in LAUNCHERS {
            let mut child = Command::new("true").launcher(launcher).isolated(&isolated).pidfd(false).spawn().unwrap();
            assert!(child.pidfd().is_none());
            assert_eq!(Table::current(), before);
            assert!(child.wait().unwrap().success());
        }
    }
}

own_process! {
    fn lent_isolated_of_an_arc_has_no_more_owners() {
        let isolated = Arc::new(Isolated::new().unwrap());
        for launcher in LAUNCHERS {
            let mut command = Command::new("true");
            assert!(command.launcher(launcher).isolated(&isolated).status().unwrap().success());
            assert_eq!(Arc::strong_count(&isolated), 1);
        }
    }
}
