//! Spawns while a standard stream is closed, and other threads call what opens descriptors: for a moment those may have its number.

use crate::own_process;
use crate::support::own_process::passes_under_strace;
use crate::support::sources::{close, set_limit};
use crate::support::table::{Table, is_open};
use crate::support::{LAUNCHERS, Over, command, helper, rounds};
use fdspawn::inspect::pipe_holders;
use fdspawn::{Children, Command, Driven, Exchange, Graph, Isolated, Reach, Teardown, block_on};
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// [`Driven`] with any output.
trait IsDriven {
    /// The number of the descriptor.
    fn number(&mut self) -> RawFd;
}

impl<D: Driven> IsDriven for D {
    fn number(&mut self) -> RawFd {
        self.descriptor().unwrap().as_raw_fd()
    }
}

/// Closes 0, lets other threads make these calls again and again, and spawns children that inherit 0: each of them has `/dev/null` there. No other
/// code may open a descriptor meanwhile.
pub fn children_have_null_beside(calls: &[&(dyn Fn() + Sync)]) {
    let null = std::fs::metadata("/dev/null").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let outs: Vec<_> = (0..rounds(30, 300)).map(|round| directory.path().join(format!("table {round}"))).collect();
    close(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for call in calls {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    call();
                }
            });
        }
        let _over = Over(&over);
        for (round, out) in outs.iter().enumerate() {
            let launcher = LAUNCHERS[round % LAUNCHERS.len()];
            assert!(helper("table").launcher(launcher).arg(out).status().unwrap().success());
        }
    });
    for out in &outs {
        let table = Table::read(out);
        assert_eq!(table.0[0].number, 0);
        assert_eq!(table.0[0].file, (null.dev(), null.ino()), "the child's standard input");
    }
}

own_process! {
    fn search_for_the_holders_of_a_pipe_does_not_pass_for_a_closed_standard_stream() {
        let (reader, _writer) = std::io::pipe().unwrap();
        children_have_null_beside(&[&|| drop(pipe_holders(&reader).unwrap())]);
    }
}

own_process! {
    fn sets_of_events_do_not_pass_for_a_closed_standard_stream() {
        let process = || {
            let child = command("true").pidfd(false).spawn().unwrap();
            assert!(block_on(&mut child.process()).unwrap().success());
        };
        let children = || {
            let mut set = Children::new();
            set.insert(command("true").pidfd(false).spawn().unwrap(), ());
            set.descriptor().unwrap();
            assert!(set.next().unwrap().is_some());
        };
        children_have_null_beside(&[&process, &children]);
    }
}

own_process! {
    fn spools_do_not_pass_for_a_closed_standard_stream() {
        let spool = || {
            // Each mebibyte goes to another file.
            let (mut graph, count) = (Graph::new(), "20000000");
            let source = graph.stage(Command::from(["head", "-c", count, "/dev/zero"]));
            let reader = graph.stage(Command::from(["wc", "-c"]));
            graph.spool(source.stdout(), reader.stdin());
            assert_eq!(graph.output().unwrap().check().unwrap().stdout, format!("{count}\n").as_bytes());
        };
        children_have_null_beside(&[&spool]);
    }
}

own_process! {
    fn large_graphs_do_not_pass_for_a_closed_standard_stream() {
        // A graph with so many stages asks for a list of this process's descriptors.
        children_have_null_beside(&[&|| drop(Graph::pipeline((0..70).map(|_| command("true"))).explain())]);
    }
}

own_process! {
    fn starts_of_isolated_threads_do_not_pass_for_a_closed_standard_stream() {
        children_have_null_beside(&[&|| drop((0..12).map(|_| Isolated::new().unwrap()).collect::<Vec<_>>())]);
    }
}

own_process! {
    fn ends_of_descendants_do_not_pass_for_a_closed_standard_stream() {
        let end = || {
            let child = command("sleep").arg("60").spawn().unwrap();
            child.end(&Teardown::kill().reach(Reach::Descendants)).unwrap();
        };
        children_have_null_beside(&[&end]);
    }
}

/// The tests above, with files that stay open for longer.
#[test]
fn slow_files_do_not_pass_for_a_closed_standard_stream() {
    let processors =
        ["-P", "/sys/devices/system/cpu/online", "-e", "trace=openat", "-e", "inject=openat:delay_exit=50000"];
    let spool = ["-e", "trace=memfd_create", "-e", "inject=memfd_create:delay_exit=1000"];
    for (name, options) in [("starts_of_isolated_threads", &processors[..]), ("spools", &spool)] {
        passes_under_strace(options, &format!("spawn::beside::{name}_do_not_pass_for_a_closed_standard_stream"));
    }
}

own_process! {
    fn no_set_of_events_keeps_the_number_of_a_closed_standard_stream() {
        (0..3).for_each(close);
        for launcher in LAUNCHERS {
            // Without a pidfd there is a timer, too.
            for pidfd in [true, false] {
                let child = command("sleep").arg("60").launcher(launcher).pidfd(pidfd).spawn().unwrap();
                let mut process = child.process();
                let mut exchange = Exchange::new();
                exchange.child(&child, Duration::ZERO).timeout(Duration::from_secs(60));
                child.kill().unwrap();
                let mut set = Children::new();
                set.insert(child, ());
                let sets: [&mut dyn IsDriven; 3] = [&mut process, &mut exchange, &mut set];
                for driven in sets {
                    assert!(driven.number() > 2);
                }
                assert!((0..3).all(|number| !is_open(number)));
                assert!(command("true").launcher(launcher).status().unwrap().success(), "a child that inherits 0 to 2");
            }
        }
    }
}

own_process! {
    fn full_table_is_an_error_and_leaves_the_number_of_a_standard_stream_closed() {
        let (reader, _writer) = std::io::pipe().unwrap();
        for launcher in LAUNCHERS {
            let child = command("sleep").arg("60").launcher(launcher).spawn().unwrap();
            set_limit(64, 20_000);
            let full: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            close(0);
            // The kernel has 0 for the new descriptor, and there is no other number to move it to.
            let errors = [child.process().descriptor().unwrap_err().raw_os_error(), pipe_holders(&reader).unwrap_err().raw_os_error()];
            assert_eq!((errors, is_open(0)), ([Some(libc::EMFILE); 2], false));
            drop(full);
            set_limit(20_000, 20_000);
            assert_eq!(File::open("/dev/null").unwrap().into_raw_fd(), 0);
            child.kill().unwrap();
        }
    }
}
