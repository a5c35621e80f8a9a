//! Which paths the child tries to execute.

use crate::command::Strings;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Where programs are looked up when the child has no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Adds the paths for `program` to `candidates`. Returns whether they come from a search of `path`, the child's PATH.
///
/// A program with `/`, or without a name, is not searched for. An empty element of PATH is the working directory.
pub(super) fn candidates<'a>(
    program: &OsStr,
    path: impl FnOnce() -> Option<&'a OsStr>,
    candidates: &mut Strings,
) -> bool {
    let name = program.as_bytes();
    if name.is_empty() || name.contains(&b'/') {
        candidates.push(program);
        return false;
    }
    for directory in path().unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':') {
        if directory.is_empty() {
            candidates.push(program);
        } else {
            candidates.push_parts([directory, b"/", name]);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(program: &str, path: Option<&str>) -> Vec<String> {
        let mut strings = Strings::default();
        candidates(program.as_ref(), || path.map(OsStr::new), &mut strings);
        strings.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn names_without_a_slash_are_searched_for() {
        assert_eq!(paths("cat", Some("/a:b:/c/")), ["/a/cat", "b/cat", "/c//cat"]);
        assert_eq!(paths("cat", None), ["/bin/cat", "/usr/bin/cat"]);
    }

    #[test]
    fn empty_elements_are_the_working_directory() {
        assert_eq!(paths("cat", Some("")), ["cat"]);
        assert_eq!(paths("cat", Some(":::")), ["cat", "cat", "cat", "cat"]);
        assert_eq!(paths("cat", Some("/a:")), ["/a/cat", "cat"]);
    }

    #[test]
    fn names_with_a_slash_are_paths() {
        for program in ["./cat", "/bin/cat", "a/b", "cat/", ""] {
            assert_eq!(paths(program, Some("/a:/b")), [program]);
            assert!(!candidates(program.as_ref(), || None, &mut Strings::default()));
        }
    }
}
