//! The lines of `/proc/PID/fdinfo/N` (`proc_pid_fdinfo(5)`).

/// The name and the value of each line, in order. Skips lines that are not UTF-8 or that have no `:`.
pub(crate) fn fdinfo_lines(text: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_and_values() {
        let lines: Vec<_> = fdinfo_lines(b"pos:\t0\nPid: 42\n\xff: 1\nno value\ntfd:  3 events: 1\n").collect();
        assert_eq!(lines, [("pos", "0"), ("Pid", "42"), ("tfd", "3 events: 1")]);
    }
}
