//! The text of a link in `/proc/PID/fd`.

/// What a descriptor refers to, as its link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// A path: of a file, but also of memory, or of a file that the reader cannot reach.
    Path(&'a [u8]),
    /// `pipe:[5]`
    Pipe(u64),
    /// `socket:[5]`
    Socket(u64),
    /// `net:[4026531840]`
    Namespace(&'a str, u64),
    /// `anon_inode:[eventfd]`; `pidfd:[5]` of newer kernels.
    Anonymous(&'a [u8]),
    /// A text of another form.
    Other,
}

impl<'a> Link<'a> {
    /// Parses the text of a link.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        if text.starts_with(b"/") {
            return Self::Path(text);
        }
        if let Some(name) = text.strip_prefix(b"anon_inode:") {
            let inner = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
            return Self::Anonymous(inner.unwrap_or(name));
        }
        match numbered(text) {
            Some(("pipe", inode)) => Self::Pipe(inode),
            Some(("socket", inode)) => Self::Socket(inode),
            Some(("pidfd", _)) => Self::Anonymous(b"pidfd"),
            Some((name @ ("cgroup" | "ipc" | "mnt" | "net" | "pid" | "time" | "user" | "uts"), inode)) => {
                Self::Namespace(name, inode)
            }
            _ => Self::Other,
        }
    }
}

/// Parses a text such as `name:[5]`.
fn numbered(text: &[u8]) -> Option<(&str, u64)> {
    let (name, number) = std::str::from_utf8(text).ok()?.split_once(":[")?;
    Some((name, number.strip_suffix(']')?.parse().ok()?))
}

/// The path without the kernel's suffix for a deleted file. `None` if the path does not have the suffix.
pub(super) fn without_deleted_suffix(path: &[u8]) -> Option<&[u8]> {
    path.strip_suffix(b" (deleted)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_link_is_recognised() {
        assert_eq!(Link::parse(b"/a:[5]"), Link::Path(b"/a:[5]"));
        assert_eq!(Link::parse(b"pipe:[5]"), Link::Pipe(5));
        assert_eq!(Link::parse(b"socket:[18446744073709551615]"), Link::Socket(u64::MAX));
        assert_eq!(Link::parse(b"net:[4026531840]"), Link::Namespace("net", 4_026_531_840));
        assert_eq!(Link::parse(b"anon_inode:[eventfd]"), Link::Anonymous(b"eventfd"));
        assert_eq!(Link::parse(b"anon_inode:inotify"), Link::Anonymous(b"inotify"));
        assert_eq!(Link::parse(b"anon_inode:[perf[0]]"), Link::Anonymous(b"perf[0]"));
        assert_eq!(Link::parse(b"pidfd:[7]"), Link::Anonymous(b"pidfd"));
        for other in [&b""[..], b"pipe:[]", b"pipe:[5", b"pipe:5", b"pipe:[x]", b"tape:[5]", b"\xff:[5]"] {
            assert_eq!(Link::parse(other), Link::Other, "{other:?}");
        }
    }

    #[test]
    fn only_one_suffix_is_removed() {
        assert_eq!(without_deleted_suffix(b"/x (deleted)"), Some(&b"/x"[..]));
        assert_eq!(without_deleted_suffix(b"/x (deleted) (deleted)"), Some(&b"/x (deleted)"[..]));
        assert_eq!(without_deleted_suffix(b"/x (deleted)y"), None);
    }
}
