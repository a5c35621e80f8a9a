//! Finds the directory of this process's own cgroup.

use super::directory::{is_cgroup, open, open_path, read};
use super::members::{has_this_process, pids};
use crate::error::{Failure, Problem};
use crate::fd::standard::lock_stdio_numbers;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Finds the directory of this process's own cgroup, version 2, in which this process may write to `cgroup.procs`.
pub(super) fn find() -> Result<(PathBuf, OwnedFd), Problem> {
    let own = own_path(&proc_file("/proc/self/cgroup")?).map(<[u8]>::to_owned);
    let mounts = proc_file("/proc/self/mountinfo")?;
    for path in own.iter().flat_map(|own| directories(own, &mounts)) {
        // Another mount may cover this one, so the directory has to be one of a cgroup that this process is in.
        let Ok(directory) = open_path(&path) else { continue };
        if is_cgroup(directory.as_fd()) != Ok(true) {
            continue;
        }
        match read(directory.as_fd(), "cgroup.procs") {
            Ok(Some(procs)) if has_this_process(&pids(&procs)) => {}
            _ => continue,
        }
        // The kernel moves a process only if this process may write to the file of the nearest cgroup above both places: this one.
        return match open(directory.as_fd(), c"cgroup.procs", OFlags::WRONLY) {
            Ok(_) => Ok((path, directory)),
            Err(errno) => Err(not_delegated(path, errno)),
        };
    }
    Err(Failure::NoCgroup.into())
}

/// The problem of a process that may not change its own cgroup.
pub(super) fn not_delegated(path: PathBuf, errno: Errno) -> Problem {
    Problem::system(Failure::CgroupNotDelegated(path), errno)
}

fn proc_file(file: &'static str) -> Result<Vec<u8>, Problem> {
    let _guard = lock_stdio_numbers(); // If a standard stream is closed, the file gets its number for a moment.
    std::fs::read(file).map_err(|error| Problem::io(Failure::CgroupFile { file }, &error))
}

/// The path of a process's cgroup, version 2, from the root of its cgroup namespace: the line `0::PATH` of `/proc/PID/cgroup`.
fn own_path(cgroups: &[u8]) -> Option<&[u8]> {
    cgroups.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))
}

/// The directories that a cgroup has by the mounts of `/proc/PID/mountinfo`, in their order.
fn directories(cgroup: &[u8], mounts: &[u8]) -> Vec<PathBuf> {
    mounts.split(|&byte| byte == b'\n').filter_map(|line| directory(cgroup, line)).collect()
}

/// The directory that a cgroup has by one mount. `None` if the mount is of another kind or does not show the cgroup.
///
/// A line has an id, the parent's id, the device, the root, the mount point, options, any number of fields, `-`, the kind, and more.
fn directory(cgroup: &[u8], line: &[u8]) -> Option<PathBuf> {
    let mut fields = line.split(|&byte| byte == b' ');
    let (root, point) = (fields.nth(3)?, fields.next()?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    if kind != b"cgroup2" {
        return None;
    }
    let inside = below(cgroup, &unescape(root))?;
    Some(Path::new(&OsString::from_vec(unescape(point))).join(OsString::from_vec(inside)))
}

/// The path from one directory to another one in it, as both are seen from the root of one cgroup namespace. `None` if the other one is not
/// in it, or if its name is not known: a path has `..` for each cgroup between the namespace's root and a place outside it.
fn below(path: &[u8], root: &[u8]) -> Option<Vec<u8>> {
    let parts = |path| <[u8]>::split(path, |&byte| byte == b'/').filter(|part| !part.is_empty());
    let mut inside = parts(path);
    for part in parts(root) {
        if inside.next() != Some(part) {
            return None;
        }
    }
    let inside: Vec<&[u8]> = inside.collect();
    if inside.contains(&b"..".as_slice()) { None } else { Some(inside.join(&b'/')) }
}

/// A field of `/proc/PID/mountinfo`, which has a space, a tab, a newline and a backslash as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, after @ ..] = rest {
        let number = match after {
            [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'))
            }
            _ => None,
        };
        bytes.push(number.unwrap_or(*first));
        rest = if number.is_some() { &after[3..] } else { after };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cgroup_is_the_line_of_version_2() {
        assert_eq!(own_path(b"0::/user.slice/a b\n"), Some(b"/user.slice/a b".as_slice()));
        assert_eq!(own_path(b"9:name=systemd:/x\n4:memory:/0::/y\n0::/\n"), Some(b"/".as_slice()));
        assert_eq!(own_path(b"4:memory:/x\n10::/y\n"), None);
        assert_eq!(own_path(b""), None);
    }

    /// The directories of a cgroup by mounts of version 2, each a root and a mount point.
    fn found(cgroup: &str, mounts: &[(&str, &str)]) -> Vec<String> {
        let line = |(root, point): &(&str, &str)| {
            format!("41 31 0:38 {root} {point} rw shared:9 master:1 - cgroup2 none rw\n")
        };
        let mounts: String = mounts.iter().map(line).collect();
        directories(cgroup.as_bytes(), mounts.as_bytes()).iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn directory_is_the_mount_point_and_the_path_below_the_root_of_the_mount() {
        assert_eq!(found("/a/b", &[("/", "/sys/fs/cgroup")]), ["/sys/fs/cgroup/a/b"]);
        assert_eq!(found("/", &[("/", "/sys/fs/cgroup")]), ["/sys/fs/cgroup/"]);
        // A bind mount of one cgroup.
        assert_eq!(found("/a/b/c", &[("/a/b", "/mnt")]), ["/mnt/c"]);
        assert_eq!(found("/a/b", &[("/a/b", "/mnt")]), ["/mnt/"]);
        assert_eq!(found("/a/b", &[("/x", "/1"), ("/a", "/2"), ("/", "/3")]), ["/2/b", "/3/a/b"]);
        assert!(found("/ab", &[("/a", "/mnt")]).is_empty());
        assert!(found("/a", &[("/a/b", "/mnt")]).is_empty());
    }

    #[test]
    fn place_outside_the_cgroup_namespace_is_found_only_by_a_mount_that_shows_it() {
        // The process was moved to a cgroup beside the namespace's root.
        assert!(found("/../other", &[("/", "/sys/fs/cgroup")]).is_empty());
        // The mount was made outside the namespace.
        assert_eq!(found("/../other", &[("/..", "/host")]), ["/host/other"]);
        assert_eq!(found("/../../x/y", &[("/../../x", "/host")]), ["/host/y"]);
        // What the namespace's root is called there is not known.
        assert!(found("/", &[("/..", "/host")]).is_empty());
        assert!(found("/..", &[("/../..", "/host")]).is_empty());
    }

    #[test]
    fn other_mounts_and_broken_lines_are_left_out() {
        for line in [
            "36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices",
            "36 31 0:33 / /mnt/cgroup2 rw - tmpfs cgroup2 rw",
            "36 31 0:33 / /mnt rw cgroup2",
            "36 31 0:33",
            "",
        ] {
            assert_eq!(directory(b"/", line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn octal_numbers_of_a_field_are_bytes() {
        assert_eq!(found("/a b/c", &[(r"/a\040b", r"/my\011mount\134040")]), ["/my\tmount\\040/c"]);
        assert_eq!(unescape(br"\1\12x\400\303\244\"), b"\\1\\12x\\400\xc3\xa4\\");
    }
}
