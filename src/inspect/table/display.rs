//! Prints tables and entries.

use super::descriptor_table::DescriptorTable;
use super::entry::Entry;
use crate::inspect::access::{Access, EntryFlags};
use crate::inspect::held_lock::HeldLock;
use std::fmt;

/// The cells of a row, except the last one, which is the entry's kind.
type Cells = [String; COLUMNS];

const COLUMNS: usize = 5;
const HEADER: [&str; COLUMNS] = ["number", "access", "offset", "flags", "locks"];

/// The cells of an entry's row.
fn cells(entry: &Entry) -> Cells {
    [
        entry.number.to_string(),
        access(entry.access()).to_owned(),
        entry.offset.map_or("-".to_owned(), |offset| offset.to_string()),
        entry.flags.map_or("?".to_owned(), |flags| or_dash(flag_words(flags).join(" "))),
        entry.locks.as_deref().map_or("?".to_owned(), |locks| or_dash(lock_words(locks))),
    ]
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The word for an access mode.
pub(super) fn access(access: Option<Access>) -> &'static str {
    match access {
        Some(Access::Read) => "read",
        Some(Access::Write) => "write",
        Some(Access::ReadWrite) => "read-write",
        Some(Access::Path) => "path",
        Some(Access::Neither) => "neither",
        None => "?",
    }
}

/// The words for the flags that are set.
pub(super) fn flag_words(flags: EntryFlags) -> Vec<&'static str> {
    let words =
        [(flags.close_on_exec, "close-on-exec"), (flags.append(), "append"), (flags.nonblocking(), "nonblocking")];
    words.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect()
}

fn lock_words(locks: &[HeldLock]) -> String {
    locks.iter().map(HeldLock::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for DescriptorTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.entries.len() == 1 { "" } else { "s" };
        writeln!(f, "process {} has {} descriptor{plural}", self.pid, self.entries.len())?;
        if self.entries.is_empty() {
            return Ok(());
        }
        let rows: Vec<Cells> = self.entries.iter().map(cells).collect();
        let mut widths = HEADER.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.len());
            }
        }
        line(f, &HEADER, &widths, &"what it is")?;
        for (row, entry) in rows.iter().zip(&self.entries) {
            line(f, &row.each_ref().map(String::as_str), &widths, &entry.kind)?;
        }
        Ok(())
    }
}

/// Prints one line. Numbers are aligned to the right of their columns, words to the left.
fn line(
    f: &mut fmt::Formatter<'_>,
    [number, access, offset, flags, locks]: &[&str; COLUMNS],
    widths: &[usize; COLUMNS],
    what: &dyn fmt::Display,
) -> fmt::Result {
    let [a, b, c, d, e] = *widths;
    writeln!(f, "  {number:>a$}  {access:<b$}  {offset:>c$}  {flags:<d$}  {locks:<e$}  {what}")
}

/// `5: file /etc/passwd, read, close-on-exec`
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.number, self.kind)?;
        if let Some(flags) = self.flags {
            write!(f, ", {}", access(Some(flags.access())))?;
            flag_words(flags).iter().try_for_each(|word| write!(f, ", {word}"))?;
        }
        self.locks.iter().flatten().try_for_each(|lock| write!(f, ", {lock}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    fn entry(number: i32, kind: Kind, status: i32, close_on_exec: bool) -> Entry {
        let flags = Some(EntryFlags { status, close_on_exec });
        Entry { number, kind, flags, offset: None, locks: Some(vec![]), file: None, id: None }
    }

    fn file(path: &str, deleted: bool) -> Kind {
        Kind::File { path: Some(path.into()), deleted }
    }

    #[test]
    fn table_is_printed_in_columns() {
        let terminal = Kind::Terminal { path: Some("/dev/pts/0".into()), deleted: false };
        let locked = Entry {
            offset: Some(1042),
            locks: Some(
                ["1: FLOCK ADVISORY WRITE 1 0:0:0 0 EOF", "2: POSIX ADVISORY READ 1 0:0:0 3 4"]
                    .map(HeldLock::parse)
                    .into(),
            ),
            ..entry(3, file("/var/log/mess\nages", false), libc::O_WRONLY | libc::O_APPEND, true)
        };
        let unknown = Entry {
            flags: None,
            locks: None,
            ..entry(1000, Kind::Unreadable { link: None, error: libc::EACCES }, 0, false)
        };
        let table = DescriptorTable {
            pid: 42,
            entries: vec![
                entry(0, terminal, libc::O_RDWR, false),
                locked,
                entry(4, Kind::Pipe { inode: 7 }, libc::O_RDONLY | libc::O_NONBLOCK, true),
                entry(5, Kind::Socket { inode: 8, socket: None }, libc::O_RDWR, true),
                Entry { offset: Some(0), ..entry(6, file("/tmp/x (deleted)", true), libc::O_RDONLY, false) },
                unknown,
            ],
        };
        let expected = "\
process 42 has 6 descriptors
  number  access      offset  flags                      locks                                what it is
       0  read-write       -  -                          -                                    terminal /dev/pts/0
       3  write         1042  close-on-exec append       exclusive flock, shared record 3..5  file /var/log/mess\\nages
       4  read             -  close-on-exec nonblocking  -                                    pipe:[7]
       5  read-write       -  close-on-exec              -                                    socket:[8]
       6  read             0  -                          -                                    deleted file /tmp/x (deleted)
    1000  ?                -  ?                          ?                                    unreadable: Permission denied (os error 13)
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn empty_table_is_one_line() {
        assert_eq!(DescriptorTable { pid: 42, entries: vec![] }.to_string(), "process 42 has 0 descriptors\n");
    }

    #[test]
    fn entry_is_one_line() {
        let mut one = entry(3, file("/a\nb", false), libc::O_WRONLY | libc::O_APPEND, true);
        assert_eq!(one.to_string(), "3: file /a\\nb, write, close-on-exec, append");
        one.locks = Some(vec![HeldLock::parse("1: FLOCK ADVISORY READ 1 0:0:0 0 EOF")]);
        one.flags = None;
        assert_eq!(one.to_string(), "3: file /a\\nb, shared flock");
    }
}
