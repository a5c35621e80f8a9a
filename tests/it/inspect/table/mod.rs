//! `DescriptorTable`, compared with what other system calls return.

mod by_number;
mod current;
mod difference;
mod every_kind;
mod faults;
mod kinds;
mod locks;

use fdspawn::inspect::DescriptorTable;
use fdspawn::inspect::Entry;
use std::os::fd::{AsRawFd, RawFd};

fn numbers(table: &DescriptorTable) -> Vec<RawFd> {
    table.iter().map(Entry::number).collect()
}

/// The entry of a descriptor.
#[track_caller]
fn entry<'a>(table: &'a DescriptorTable, fd: &impl AsRawFd) -> &'a Entry {
    let number = fd.as_raw_fd();
    table.get(number).unwrap_or_else(|| panic!("{number} is not in the table:\n{table}"))
}

/// This process's table.
#[track_caller]
fn current() -> DescriptorTable {
    DescriptorTable::current().unwrap()
}
