//! A descriptor of every kind, in the process itself and in another.

use super::every_kind::{EveryKind, open};
use super::{current, entry, numbers};
use crate::own_process;
use crate::support::exhaustive;
use crate::support::forked::Forked;
use crate::support::sources::{hard_limit, memory};
use crate::support::table::open_numbers;
use crate::support::tools::skip;
use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::{Access, Kind};
use std::collections::HashSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

own_process! {
    fn every_kind_is_shown_in_the_own_table() {
        let every = EveryKind::new();
        let table = current();
        every.check(&table);
        every.check_sockets(&table);
        assert_eq!(numbers(&table), open_numbers());
        assert_eq!(table.pid(), std::process::id());
        // Each kind is there, except those that this system may lack.
        let kinds: HashSet<_> = every.held.iter().map(|held| std::mem::discriminant(&held.kind)).collect();
        assert!(kinds.len() >= 15, "{kinds:?}");
    }
}

own_process! {
    fn every_kind_is_shown_in_the_table_of_another_process() {
        let every = EveryKind::new();
        let child = Forked::new(|| {});
        let table = DescriptorTable::of(child.0).unwrap();
        every.check(&table);
        every.check_sockets(&table);
        assert_eq!(numbers(&table), open_numbers());
        assert_eq!(table.pid(), child.0);
        // The table is that of the child, not of this process.
        assert_eq!(table, DescriptorTable::of(child.0).unwrap());
        let _more = memory("more");
        assert_eq!(table, DescriptorTable::of(child.0).unwrap());
    }
}

own_process! {
    fn printed_table_has_a_line_for_each_descriptor_whatever_its_name() {
        let every = EveryKind::new();
        let table = current();
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), table.len() + 2);
        for (line, number) in lines[2..].iter().zip(open_numbers()) {
            assert_eq!(line.split_whitespace().next().unwrap(), number.to_string(), "{line}");
        }
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        let what = |number: i32| {
            let line = lines.iter().find(|line| line.trim_start().starts_with(&format!("{number} "))).unwrap();
            let column = lines[1].find("what it is").unwrap();
            line[column..].to_owned()
        };
        for held in &every.held {
            if !matches!(held.kind, Kind::Socket { .. }) {
                assert_eq!(what(held.number), held.kind.to_string());
            }
        }
        for (number, _) in &every.sockets {
            assert_eq!(what(*number), table.get(*number).unwrap().kind().to_string());
        }
        assert!(text.contains("/new\\nline\n") && text.contains("/\\xff\\xfe\n") && text.contains("/\\u{1b}[31m\n"));
    }
}

own_process! {
    fn path_longer_than_the_kernel_can_tell_is_unknown_and_the_file_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let name = "n".repeat(200);
        std::env::set_current_dir(directory.path()).unwrap();
        for _ in 0..25 {
            std::fs::create_dir(&name).unwrap();
            std::env::set_current_dir(&name).unwrap();
        }
        let file = open(Path::new("deep"), libc::O_CREAT | libc::O_RDWR);
        let child = Forked::new(|| {});
        for table in [current(), DescriptorTable::of(child.0).unwrap()] {
            let entry = entry(&table, &file);
            assert_eq!(*entry.kind(), Kind::File { path: None, deleted: false });
            assert_eq!((entry.access(), entry.offset()), (Some(Access::ReadWrite), Some(0)));
            assert!(table.to_string().contains("file of unknown name\n"));
        }
        // The path is too long for a removal by path.
        std::fs::remove_file("deep").unwrap();
        for _ in 0..25 {
            std::env::set_current_dir("..").unwrap();
            std::fs::remove_dir(&name).unwrap();
        }
    }
}

own_process! {
    fn numbers_up_to_the_limit_are_listed() {
        let highest = hard_limit() as RawFd - 1;
        // SAFETY: a descriptor of its own.
        let last = unsafe { OwnedFd::from_raw_fd(libc::fcntl(0, libc::F_DUPFD, highest)) };
        assert_eq!(last.as_raw_fd(), highest);
        let table = current();
        assert_eq!(numbers(&table), open_numbers());
        assert_eq!(entry(&table, &last).kind(), entry(&table, &0).kind());
    }
}

own_process! {
    fn nineteen_thousand_descriptors_are_listed() {
        if hard_limit() < 20_000 {
            skip("the hard limit of descriptors is below 20,000");
            return;
        }
        let (reader, writer) = std::io::pipe().unwrap();
        let mut events = Vec::new();
        for count in 0..9500 {
            // SAFETY: the descriptors are new.
            unsafe {
                events.push((OwnedFd::from_raw_fd(libc::eventfd(count, 0)), count));
                assert!(libc::dup(if count % 2 == 0 { reader.as_raw_fd() } else { writer.as_raw_fd() }) >= 0);
            }
        }
        let child = Forked::new(|| {});
        let own = current();
        assert!(own.len() > 19_000);
        // The plain run lists its own table only.
        for table in std::iter::once(own).chain(exhaustive().then(|| DescriptorTable::of(child.0).unwrap())) {
            let table = &table;
            assert_eq!(numbers(table), open_numbers());
            for (event, count) in &events {
                assert_eq!(*entry(table, event).kind(), Kind::Event { count: Some(u64::from(*count)) });
            }
            let ends = |access| {
                table
                    .iter()
                    .filter(|entry| {
                        entry.kind() == super::entry(table, &reader).kind() && entry.access() == Some(access)
                    })
                    .count()
            };
            assert_eq!((ends(Access::Read), ends(Access::Write)), (4751, 4751));
        }
    }
}
