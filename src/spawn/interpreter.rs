//! After a failed exec: whether the program's interpreter is at fault.
//!
//! execve(2) has one error number for a missing file and for a file whose interpreter is missing. So the parent reads the file,
//! after a failure only. The result is right if the child had the same root directory, and if the files have not changed
//! meanwhile.

use super::defaults::Defaults;
use super::lent::program;
use super::new_fds::NewNumbers;
use crate::command::{Command, Directory};
use crate::error::{Failure, Problem};
use crate::fd::standard::lock_stdio_numbers;
use rustix::fs::{Access, AtFlags, CWD, FileType, Mode, OFlags, accessat, fstat, openat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How many scripts may be each other's interpreters. The kernel allows five.
const LONGEST_CHAIN: usize = 5;

/// How much of a script's first line the kernel reads.
const LONGEST_LINE: usize = 256;

/// Turns a failure of exec into [`Failure::Interpreter`], if it is one.
pub(super) fn diagnose(command: &Command<'_>, problem: Problem) -> Problem {
    let (Failure::Exec, Some(errno)) = (&problem.failure, problem.errno) else { return problem };
    if let Some(program) = program(command) {
        return diagnose_descriptor(command, program, problem);
    }
    let Some(path) = &problem.path else {
        let failure = if command.settings.programs.is_some() { Failure::Candidates } else { Failure::Exec };
        return problem.with_failure(failure);
    };
    if !may_name_interpreter(errno) {
        return problem;
    }
    let is_missing = matches!(errno, Errno::NOENT | Errno::NOTDIR);
    let files = Files::of(&command.directory);
    // The parent cannot look into another root.
    let found = if command.settings.root.is_none() { files.bad_interpreter(path, errno) } else { None };
    let failure = match found {
        Some((script, interpreter)) => Failure::Interpreter { script, interpreter: Some(interpreter) },
        // The child has seen the file, so another file is missing: its interpreter.
        None if is_missing => Failure::Interpreter { script: path.clone(), interpreter: None },
        None => return problem,
    };
    problem.with_failure(failure)
}

/// Whether exec has this error if the interpreter is at fault.
fn may_name_interpreter(errno: Errno) -> bool {
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP | Errno::NAMETOOLONG | BAD_LOADER)
}

/// The failure of a program given as a descriptor. The kernel has found the file, so a missing file is its interpreter, or the name
/// `/dev/fd/N` by which an interpreter opens a script: the descriptor closes at exec, unless the program gets it.
fn diagnose_descriptor(command: &Command<'_>, program: BorrowedFd<'_>, problem: Problem) -> Problem {
    let number = program.as_raw_fd();
    let errno = match problem.errno {
        // The arguments are too long, or the user has reached a limit. The file has no fault.
        None | Some(Errno::TOOBIG | Errno::AGAIN) => return problem,
        Some(errno) => errno,
    };
    let map = &command.fd_map;
    let mappings = map.entries(&Defaults::INHERIT.0).map(|(target, source)| source.mapping(target, map.not_inherited));
    // The steps execute the first target that has the program as its source: see `lent::mapped`.
    let target = mappings.flatten().find(|mapping| mapping.source == number).map(|mapping| mapping.target);
    let file = readable(program);
    let is_script = file.as_ref().and_then(|file| {
        let mut start = [0; 2];
        read_at(file, &mut start, 0).ok().map(|read| start[..read] == *b"#!")
    });
    if errno == Errno::NOENT && target.is_none() && is_script != Some(false) {
        return problem.with_failure(Failure::ScriptByDescriptor);
    }
    let name = PathBuf::from(format!("/dev/fd/{}", target.unwrap_or(number)));
    let files = Files::of(&command.directory);
    // With ENOENT the kernel has found the file and may execute it. With another error, the file itself may be at fault.
    let may_execute = || files.is_program(&in_proc(program)) == Ok(true);
    let is_interpreters = errno == Errno::NOENT || may_name_interpreter(errno) && may_execute();
    // The parent cannot look into another root.
    let file = file.filter(|_| is_interpreters && command.settings.root.is_none());
    let found = file.and_then(|file| files.bad_interpreter_of(name.clone(), &file, errno));
    let failure = match found {
        Some((script, interpreter)) => Failure::Interpreter { script, interpreter: Some(interpreter) },
        None if errno == Errno::NOENT => Failure::Interpreter { script: name, interpreter: None },
        None => Failure::ExecDescriptor { fd: number },
    };
    problem.with_failure(failure)
}

/// The regular file of a descriptor, to read. `None` if this process cannot read it, or if it is another kind of file, whose open could
/// wait.
fn readable(program: BorrowedFd<'_>) -> Option<File> {
    if FileType::from_raw_mode(fstat(program).ok()?.st_mode) != FileType::RegularFile {
        return None;
    }
    let _guard = lock_stdio_numbers();
    let file = match rustix::io::pread(program, &mut [0; 1], 0) {
        Ok(_) => program.try_clone_to_owned().ok()?,
        // Opened for its path only, or for execution only.
        Err(_) => File::open(in_proc(program)).ok()?.into(),
    };
    Some(NewNumbers::default().dup_above_stdio(file).ok()?.into())
}

/// The path of a descriptor of this process.
fn in_proc(fd: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// The error for a loader that is no ELF file of the right kind.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BAD_LOADER: Errno = Errno::LIBBAD;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BAD_LOADER: Errno = Errno::NOEXEC;

/// Asks for the rights of the effective user. Android's seccomp filter may kill the process for the call that does so.
#[cfg(not(target_os = "android"))]
pub(super) const AS_EXEC_DOES: AtFlags = AtFlags::EACCESS;
#[cfg(target_os = "android")]
pub(super) const AS_EXEC_DOES: AtFlags = AtFlags::empty();

/// The files as the child finds them: relative paths start at its working directory.
struct Files<'a> {
    directory: BorrowedFd<'a>,
    prefix: &'a Path,
}

impl<'a> Files<'a> {
    fn of(directory: &'a Directory<'_>) -> Self {
        match directory {
            Directory::Inherit => Self { directory: CWD, prefix: Path::new("") },
            Directory::Path(path) => Self { directory: CWD, prefix: Path::new(path.first()) },
            Directory::Fd(fd) => Self { directory: fd.as_fd(), prefix: Path::new("") },
        }
    }

    /// The file that names an interpreter which cannot be executed, and that interpreter. It begins with the file at `path`.
    fn bad_interpreter(&self, path: &Path, errno: Errno) -> Option<(PathBuf, PathBuf)> {
        self.bad_interpreter_after(path.to_owned(), self.interpreter(path)?, errno)
    }

    /// [`Files::bad_interpreter`] for an executable file that is open. `name` is its name.
    fn bad_interpreter_of(&self, name: PathBuf, file: &File, errno: Errno) -> Option<(PathBuf, PathBuf)> {
        self.bad_interpreter_after(name, interpreter_of(file)?, errno)
    }

    /// [`Files::bad_interpreter`] for a file whose interpreter is known. `first` has that interpreter, and says whether
    /// the file is a script.
    fn bad_interpreter_after(
        &self,
        mut script: PathBuf,
        first: (PathBuf, bool),
        errno: Errno,
    ) -> Option<(PathBuf, PathBuf)> {
        let (mut interpreter, mut is_script) = first;
        for _ in 0..LONGEST_CHAIN {
            let is_bad = match self.is_program(&interpreter) {
                Ok(is_program) => !is_program,
                Err(found) => found == errno,
            };
            if is_bad || (errno == BAD_LOADER && !is_script) {
                return Some((script, interpreter));
            }
            (script, (interpreter, is_script)) = (interpreter.clone(), self.interpreter(&interpreter)?);
        }
        None
    }

    /// The interpreter that an executable file names, and whether the file is a script.
    fn interpreter(&self, path: &Path) -> Option<(PathBuf, bool)> {
        if !self.is_program(path).ok()? {
            return None; // This file itself cannot be executed; its interpreter is not the cause.
        }
        let file = {
            let _guard = lock_stdio_numbers();
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
            let fd = openat(self.directory, self.prefix.join(path), flags, Mode::empty()).ok()?;
            File::from(NewNumbers::default().dup_above_stdio(fd).ok()?)
        };
        if FileType::from_raw_mode(fstat(&file).ok()?.st_mode) != FileType::RegularFile {
            return None;
        }
        interpreter_of(&file)
    }

    /// Whether there is a regular file at `path` that the process may execute.
    fn is_program(&self, path: &Path) -> Result<bool, Errno> {
        let path = self.prefix.join(path);
        let file_type = FileType::from_raw_mode(statat(self.directory, &path, AtFlags::empty())?.st_mode);
        accessat(self.directory, &path, Access::EXEC_OK, AS_EXEC_DOES)?;
        Ok(file_type == FileType::RegularFile)
    }
}

/// The interpreter that a file names, and whether the file is a script.
fn interpreter_of(file: &File) -> Option<(PathBuf, bool)> {
    let mut start = [0; LONGEST_LINE];
    let length = read_at(file, &mut start, 0).ok()?;
    match script_interpreter(&start[..length]) {
        Some(interpreter) => Some((interpreter, true)),
        None => Some((elf_interpreter(file, &start[..length])?, false)),
    }
}

/// The interpreter that a `#!` line names, as the kernel reads it.
fn script_interpreter(start: &[u8]) -> Option<PathBuf> {
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let name = &line[line.iter().position(|byte| !is_blank(byte))?..];
    let name = name.split(|byte| is_blank(byte) || *byte == 0).next()?;
    (!name.is_empty()).then(|| OsStr::from_bytes(name).into())
}

/// The loader that an ELF file of this machine's byte order names in its program header `PT_INTERP`: see `elf(5)`.
fn elf_interpreter(file: &File, start: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    const MOST_HEADERS: u64 = 1000;
    let is_64_bit = match start.strip_prefix(b"\x7fELF")?.first()? {
        1 => false,
        2 => true,
        _ => return None,
    };
    // The places of e_phoff, e_phentsize and e_phnum in the file's header; of p_offset and p_filesz in a program header.
    let [table, size, count, offset, length] =
        if is_64_bit { [0x20, 0x36, 0x38, 0x08, 0x20] } else { [0x1c, 0x2a, 0x2c, 0x04, 0x10] };
    let address = if is_64_bit { 8 } else { 4 };
    let (table, size, count) = (number(start, table, address)?, number(start, size, 2)?, number(start, count, 2)?);
    for index in 0..count.min(MOST_HEADERS) {
        let mut header = [0; 56];
        let read = read_at(file, &mut header, table.checked_add(index * size)?).ok()?;
        let header = &header[..read];
        if number(header, 0, 4)? == PT_INTERP {
            let mut name = vec![0; number(header, length, address)?.min(libc::PATH_MAX as u64) as usize];
            let read = read_at(file, &mut name, number(header, offset, address)?).ok()?;
            let name = name[..read].split(|&byte| byte == 0).next()?;
            return (!name.is_empty()).then(|| OsStr::from_bytes(name).into());
        }
    }
    None
}

/// A number of `size` bytes.
fn number(bytes: &[u8], place: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(place..place + size)?;
    let next = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if cfg!(target_endian = "little") { bytes.iter().rev().fold(0, next) } else { bytes.iter().fold(0, next) })
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read_at(&mut buffer[length..], offset.saturating_add(length as u64)) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_is_read_as_the_kernel_reads_it() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"#!/bin/sh\necho", Some("/bin/sh")),
            (b"#! \t/bin/sh -e\n", Some("/bin/sh")),
            (b"#!/bin/sh", Some("/bin/sh")),
            (b"#!/bin/sh\r\n", Some("/bin/sh\r")),
            (b"#!/bin/sh\0x\n", Some("/bin/sh")),
            (b"#!\n/bin/sh", None),
            (b"#!  \n", None),
            (b"echo\n", None),
            (b"", None),
        ];
        for (start, interpreter) in cases {
            assert_eq!(script_interpreter(start), interpreter.map(PathBuf::from), "{}", start.escape_ascii());
        }
    }

    #[test]
    fn broken_elf_files_have_no_loader() {
        let file = tempfile::tempfile().unwrap();
        let mut elf = b"\x7fELF\x02\x01".to_vec();
        assert_eq!(elf_interpreter(&file, &elf), None);
        elf.resize(LONGEST_LINE, 0xff);
        assert_eq!(elf_interpreter(&file, &elf), None);
        assert_eq!(elf_interpreter(&file, b"\x7fELF\x09"), None);
        assert_eq!(elf_interpreter(&file, b"\x7fELF"), None);
    }
}
