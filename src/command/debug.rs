//! A command as a line for a shell, for `Debug`.

use super::builder::{Command, Directory};
use crate::escape::is_shown;
use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::os::unix::ffi::OsStrExt;

/// A word, quoted if a POSIX shell would not read it as one plain word.
struct Quoted<'a>(&'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:@_^".contains(byte);
        let Some(text) = self.0.to_str().filter(|text| text.chars().all(|each| each == '\n' || is_shown(each))) else {
            return self.write_dollar_quoted(f);
        };
        if !text.is_empty() && text.bytes().all(|byte| plain(&byte)) {
            return f.write_str(text);
        }
        f.write_char('\'')?;
        for (index, part) in text.split('\'').enumerate() {
            if index > 0 {
                f.write_str("'\\''")?;
            }
            f.write_str(part)?;
        }
        f.write_char('\'')
    }
}

impl Quoted<'_> {
    /// Writes the word in the form `$'...'`, with octal numbers for bytes that a terminal must not get.
    fn write_dollar_quoted(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$'")?;
        for chunk in self.0.as_bytes().utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '\n' => f.write_str("\\n")?,
                    '\'' | '\\' => write!(f, "\\{character}")?,
                    _ if is_shown(character) => f.write_char(character)?,
                    _ => write_octal(f, character.encode_utf8(&mut [0; 4]).as_bytes())?,
                }
            }
            write_octal(f, chunk.invalid())?;
        }
        f.write_char('\'')
    }
}

fn write_octal(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\{byte:03o}"))
}

impl fmt::Debug for Command<'_> {
    /// Prints a line for a shell that runs the same program, without the descriptors (`env -a` needs GNU coreutils 9.2). A word
    /// with control characters other than newlines, or with bytes that are not UTF-8, has the form `$'...'` of bash, zsh and POSIX
    /// 2024, so no control character reaches a terminal. The line shows arguments and variables, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Directory::Path(path) = &self.directory {
            write!(f, "cd {} && ", Quoted(path.first()))?;
        }
        let cleared = self.environment.is_cleared();
        let removed: Vec<&OsStr> = self.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        if cleared || !removed.is_empty() || self.arg0.is_some() {
            f.write_str("env ")?;
        }
        if let Some(arg0) = &self.arg0 {
            write!(f, "-a {} ", Quoted(arg0.first()))?;
        }
        if cleared {
            f.write_str("-i ")?;
        }
        for name in removed {
            write!(f, "-u {} ", Quoted(name))?;
        }
        for (name, value) in self.get_envs() {
            if let Some(value) = value {
                write!(f, "{}={} ", Quoted(name), Quoted(value))?;
            }
        }
        if self.function.is_some() {
            f.write_str("function ")?;
        }
        write!(f, "{}", Quoted(self.get_program()))?;
        for arg in self.get_args() {
            write!(f, " {}", Quoted(arg))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_plain_and_others_are_quoted() {
        let mut command = Command::new("printf");
        command.args(["%s\n", "it's", "", "a-b_c/d", "$HOME"]);
        assert_eq!(
            format!("{command:?}"),
            r"printf '%s
' 'it'\''s' '' a-b_c/d '$HOME'"
        );
    }

    #[test]
    fn control_characters_and_bytes_that_are_no_text_are_octal_numbers() {
        let mut command = Command::new("a\x1b[31m'\\\n\u{202e}\u{e9}");
        command.arg(OsStr::from_bytes(b"\xff1"));
        assert_eq!(format!("{command:?}"), r"$'a\033[31m\'\\\n\342\200\256é' $'\3771'");
    }

    #[test]
    fn directory_environment_and_arg0_are_shown() {
        let mut command = Command::new("sh");
        command.arg0("-sh").current_dir("/my dir").env("A", "1 2").env_remove("B");
        assert_eq!(format!("{command:?}"), "cd '/my dir' && env -a -sh -u B A='1 2' sh");
        let mut command = Command::new("sh");
        command.env_clear().env("A", "1");
        assert_eq!(format!("{command:?}"), "env -i A=1 sh");
    }
}
