//! The values of options.

use std::error::Error;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Whether the value of an option is valid.
pub type Parsed = Result<(), Box<dyn Error>>;

/// Splits the text at the first `separator`.
pub fn split(text: &OsStr, separator: u8) -> Option<(&OsStr, &OsStr)> {
    let bytes = text.as_bytes();
    let index = bytes.iter().position(|&byte| byte == separator)?;
    Some((OsStr::from_bytes(&bytes[..index]), OsStr::from_bytes(&bytes[index + 1..])))
}

/// Parses the value of an option. If `parse` does not know the text, the error is the rule.
pub fn parsed<T>(rule: &str, value: &OsStr, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Box<dyn Error>> {
    value.to_str().and_then(parse).ok_or_else(|| wrong(rule, value))
}

/// The error of an option whose value breaks the rule.
pub fn wrong(rule: &str, value: &OsStr) -> Box<dyn Error> {
    format!("{rule}, not `{}`; see --help", value.display()).into()
}
