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

/// Prints numbers with commas between them, or "none".
pub(crate) struct Numbers<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Numbers<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return f.write_str("none") };
        write!(f, "{first}")?;
        others.iter().try_for_each(|number| write!(f, ", {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
