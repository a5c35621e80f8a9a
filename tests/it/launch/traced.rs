//! Programs that ask their parent to trace them.

use crate::own_process;
use crate::support::{LAUNCHERS, helper};
use fdspawn::Stdio;

own_process! {
    fn spawn_neither_waits_for_nor_reaps_a_program_that_has_itself_traced() {
        // On one processor the program runs before `spawn` looks at it.
        let mut set: libc::cpu_set_t = {
            // SAFETY: all zeros is a valid set.
            unsafe { std::mem::zeroed() }
        };
        // SAFETY: the set is written, and then read.
        unsafe {
            libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
            libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
        }
        for launcher in LAUNCHERS {
            for _ in 0..crate::support::rounds(50, 200) {
                let mut command = helper("traced");
                let mut child = command.arg("7").launcher(launcher).stdin(Stdio::piped()).spawn().unwrap();
                // If `spawn` waited for the end of the program, it would never return: the program reads until this drop.
                drop(child.stdin.take());
                assert_eq!(child.wait().unwrap().code(), Some(7));
            }
        }
    }
}

own_process! {
    fn program_that_has_itself_traced_and_has_ended_is_left_for_the_caller_to_reap() {
        for launcher in LAUNCHERS {
            let mut command = helper("traced");
            let mut child = command.arg("7").launcher(launcher).stdin(Stdio::null()).spawn().unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(7));
            assert_eq!(helper("traced").arg("7").launcher(launcher).stdin(Stdio::null()).status().unwrap().code(), Some(7));
        }
    }
}
