//! The search of PATH: which paths the child tries to execute.

use crate::command::CStrings;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The search path of a child that has no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Whether the child searches PATH for a program. It does not if the name has a `/` or is empty.
pub(super) fn is_searched(program: &OsStr) -> bool {
    let name = program.as_bytes();
    !name.is_empty() && !name.contains(&b'/')
}

/// Adds the paths of a program in the directories of `path`, the child's PATH. An empty element is the working directory.
pub(super) fn candidates(program: &OsStr, path: Option<&OsStr>, candidates: &mut CStrings) {
    let name = program.as_bytes();
    for directory in path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':') {
        if directory.is_empty() {
            candidates.push(program);
        } else {
            candidates.push_parts([directory, b"/", name]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(program: &str, path: Option<&str>) -> Vec<String> {
        let mut strings = CStrings::default();
        candidates(program.as_ref(), path.map(OsStr::new), &mut strings);
        strings.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn names_without_a_slash_are_searched_for() {
        assert!(is_searched("cat".as_ref()));
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
            assert!(!is_searched(program.as_ref()));
        }
    }
}
