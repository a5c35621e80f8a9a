//! The parent's own table, which a spawn leaves as it was.

use crate::own_process;
use crate::support;
use crate::support::sources::{leaky, memory};
use crate::support::table::Table;
use crate::support::{LAUNCHERS, Planned, helper};
use fdspawn::Stdio;
use std::os::fd::AsRawFd;

own_process! {
    fn parents_table_and_flags_are_the_same_before_and_after() {
        let (lent, private) = (leaky(memory("lent")), memory("private"));
        let (reader, writer) = std::io::pipe().unwrap();
        // SAFETY: the descriptors are the test's own. O_NONBLOCK belongs to the description, which a child would share.
        unsafe {
            libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK);
            libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK);
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("table");
        for launcher in LAUNCHERS {
            for &rest in support::rests() {
                // The first spawn may map a stack, but opens no descriptor for it.
                let before = Table::current();
                let mut command = helper("table");
                command.arg(&out).launcher(launcher).rest(rest);
                command.fd(35, &lent).fd(36, &private).fd(lent.as_raw_fd() + 40, &private).keep(&writer);
                command.stdin(&reader).stdout(Stdio::piped()).fd(77, Stdio::data("x")).fd(78, Stdio::null());
                let _ = command.socket(79);
                assert!(command.status().unwrap().success());
                assert_eq!(Table::current(), before, "after a success");
                let kept = Table::read(&out).0.into_iter().find(|each| each.number == writer.as_raw_fd()).unwrap();
                assert!(!kept.close_on_exec && kept.status_flags & libc::O_NONBLOCK != 0);
                command.current_dir("/no/such");
                command.spawn().unwrap_err();
                assert_eq!(Table::current(), before, "after a failure");
            }
        }
    }
}

own_process! {
    fn looking_a_program_up_leaks_nothing() {
        let before = Table::current();
        for launcher in LAUNCHERS {
            for program in ["true", "no-such-program", "/no/such"] {
                let _ = support::command(program).launcher(launcher).status();
            }
        }
        assert_eq!(Table::current(), before);
    }
}

own_process! {
    fn moved_source_is_the_only_descriptor_that_goes() {
        for launcher in LAUNCHERS {
            let before = Table::current();
            let moved = memory("moved");
            let mut command = helper("exit");
            command.arg("0").launcher(launcher).fd(9, moved).planned();
            assert!(command.status().unwrap().success());
            assert_eq!(Table::current(), before);
        }
    }
}
