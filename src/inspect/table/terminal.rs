//! The devices that are terminals.

use std::ops::RangeInclusive;

/// The device numbers of the terminal drivers: major numbers, each with a range of minor numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terminals(Vec<(u32, RangeInclusive<u32>)>);

impl Terminals {
    /// Parses the text of `/proc/tty/drivers`: name, device, major number, minor numbers, type. `None` if it has no
    /// driver.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let ranges: Vec<_> = text.lines().filter_map(range).collect();
        (!ranges.is_empty()).then_some(Self(ranges))
    }

    /// The numbers that Linux assigns to pseudo-terminals of both kinds, consoles, serial lines, USB modems, USB serial
    /// lines, and consoles of hypervisors.
    pub(super) fn assigned() -> Self {
        let majors = [2, 3, 4, 5, 166, 188, 204, 229].into_iter().chain(128..=143);
        Self(majors.map(|major| (major, 0..=u32::MAX)).collect())
    }

    /// Whether a device is a terminal.
    pub(super) fn contain(&self, major: u32, minor: u32) -> bool {
        self.0.iter().any(|(each, minors)| *each == major && minors.contains(&minor))
    }
}

/// Parses a line from its end: the type, the minor numbers, the major number. The name before them may have several
/// words.
fn range(line: &str) -> Option<(u32, RangeInclusive<u32>)> {
    let mut words = line.split_ascii_whitespace().rev().skip(1);
    let (first, last) = match words.next()? {
        minors if minors.contains('-') => minors.split_once('-')?,
        minor => (minor, minor),
    };
    let minors = first.parse().ok()?..=last.parse().ok()?;
    Some((words.next()?.parse().ok()?, minors))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVERS: &str = "\
/dev/tty             /dev/tty        5       0 system:/dev/tty
/dev/ptmx            /dev/ptmx       5       2 system
usb serial adapter   /dev/ttyUSB   188 0-511 serial
pty_slave            /dev/pts      136 0-1048575 pty:slave
unknown              /dev/tty        4 1-63 console
";

    #[test]
    fn drivers_name_single_numbers_and_ranges() {
        let terminals = Terminals::parse(DRIVERS).unwrap();
        for (major, minor) in [(5, 0), (5, 2), (188, 511), (136, 0), (136, 1_048_575), (4, 1), (4, 63)] {
            assert!(terminals.contain(major, minor), "{major}:{minor}");
        }
        for (major, minor) in [(5, 1), (188, 512), (4, 0), (4, 64), (1, 3)] {
            assert!(!terminals.contain(major, minor), "{major}:{minor}");
        }
    }

    #[test]
    fn text_without_drivers_is_none() {
        for text in ["", "\n", "no numbers here", "a b 1 x-2 serial", "a b x 1-2 serial", "serial"] {
            assert_eq!(Terminals::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn assigned_numbers_are_terminals_and_dev_null_is_not() {
        let terminals = Terminals::assigned();
        assert!(terminals.contain(5, 2) && terminals.contain(136, 7) && terminals.contain(4, 64));
        assert!(!terminals.contain(1, 3) && !terminals.contain(10, 235));
    }
}
