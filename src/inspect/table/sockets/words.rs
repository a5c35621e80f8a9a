//! Words and numbers of the lists in `/proc`.

/// Splits a line at blanks into words.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Parses a word that has only digits of the base. `None` for any other word, and if the number is too large.
pub(super) fn number(word: &[u8], base: u32) -> Option<u64> {
    let digit = |&byte: &u8| char::from(byte).to_digit(base);
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0_u64, |value, byte| value.checked_mul(u64::from(base))?.checked_add(u64::from(digit(byte)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_numbers() {
        assert_eq!(number(b"18446744073709551615", 10), Some(u64::MAX));
        assert_eq!(number(b"ffFF", 16), Some(0xffff));
        for word in [&b""[..], b"+1", b"-1", b"1 ", b"18446744073709551616", b"a"] {
            assert_eq!(number(word, 10), None, "{word:?}");
        }
    }

    #[test]
    fn blanks_separate_words() {
        assert_eq!(words(b"  a\tbc  d ").collect::<Vec<_>>(), [&b"a"[..], b"bc", b"d"]);
        assert_eq!(words(b" ").count(), 0);
    }
}
