//! Prints names that are any bytes, and lists of numbers.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// Prints a name with control characters, backslashes and bytes that are not UTF-8 escaped. So a name cannot end a
/// line, and cannot send control sequences to a terminal.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl<'a> Escaped<'a> {
    pub(crate) fn new(name: &'a (impl AsRef<OsStr> + ?Sized)) -> Self {
        Self(name.as_ref().as_bytes())
    }
}

/// Whether a terminal shows the character itself: not a control character, nor one that changes the order or the look of others.
pub(crate) fn is_shown(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    _ if is_shown(character) => f.write_char(character)?,
                    _ => write!(f, "{}", character.escape_debug())?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Prints numbers with commas between them, or "none". For a long list it prints the first numbers, and the count of the
/// others.
pub(crate) struct Numbers<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Numbers<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 16;
        let (shown, more) = self.0.split_at(self.0.len().min(MOST));
        let Some((first, others)) = shown.split_first() else { return f.write_str("none") };
        write!(f, "{first}")?;
        others.iter().try_for_each(|number| write!(f, ", {number}"))?;
        if more.is_empty() { Ok(()) } else { write!(f, " and {} more", more.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_list_of_numbers_is_cut() {
        let text = |count: u32| Numbers(&(1..=count).collect::<Vec<_>>()).to_string();
        let sixteen = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16";
        assert_eq!((text(0), text(1), text(2)), ("none".to_owned(), "1".to_owned(), "1, 2".to_owned()));
        assert_eq!((text(16), text(17)), (sixteen.to_owned(), format!("{sixteen} and 1 more")));
        assert_eq!(text(65_536), format!("{sixteen} and 65520 more"));
    }

    #[test]
    fn only_what_cannot_be_read_is_escaped() {
        let cases: [(&[u8], &str); 6] = [
            (b"/run/a b's \"x\"", "/run/a b's \"x\""),
            ("/tmp/\u{e9}t\u{e9}".as_bytes(), "/tmp/\u{e9}t\u{e9}"),
            (b"a\nb\x1b[0m", "a\\nb\\u{1b}[0m"),
            (b"a\\b", "a\\\\b"),
            (b"\0a\xff\xfe", "\\0a\\xff\\xfe"),
            ("\u{202e}x".as_bytes(), "\\u{202e}x"),
        ];
        for (bytes, text) in cases {
            assert_eq!(Escaped(bytes).to_string(), text);
        }
    }
}
