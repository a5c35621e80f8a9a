//! Many spawns leave no descriptor, no child and no memory.

use crate::own_process;
use crate::support;
use crate::support::memory::own_pages;
use crate::support::table::Table;
use crate::support::{LAUNCHERS, children, rounds};
use fdspawn::Stdio;

own_process! {
    fn thousands_of_spawns_half_of_them_failing_leave_nothing() {
        let tiny = crate::support::tiny::tiny_program();
        let round = |count: usize| {
            for index in 0..count {
                for launcher in LAUNCHERS {
                    let mut command =
                        support::command(if index % 2 == 0 { tiny.as_os_str() } else { "/no/such".as_ref() });
                    command.launcher(launcher).stdin(Stdio::piped()).fd(9, Stdio::null());
                    let _ = command.reader(7);
                    match command.spawn() {
                        Ok(mut child) => assert!(index % 2 == 0 && child.wait().unwrap().success()),
                        Err(error) => assert!(index % 2 == 1, "{error}"),
                    }
                }
            }
        };
        // Memory that the process allocates once is allocated in this round.
        round(100);
        let (table, memory) = (Table::current(), own_pages());
        round(rounds(200, 4800));
        assert_eq!(Table::current(), table);
        assert_eq!(children(), 0);
        let grown = own_pages().saturating_sub(memory);
        assert!(grown < 64, "{grown} pages more than before");
    }
}

own_process! {
    fn stacks_of_threads_that_have_ended_are_unmapped() {
        let tiny = crate::support::tiny::tiny_program();
        let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let round = || {
            for _ in 0..50 {
                let path = tiny.to_path_buf();
                std::thread::spawn(move || assert!(support::command(path).status().unwrap().success())).join().unwrap();
            }
        };
        round();
        let before = mappings();
        round();
        assert!(mappings() <= before + 4, "{} mappings, {before} before", mappings());
    }
}
