//! C's own way: libc's `posix_spawn`.
#![allow(unsafe_code, reason = "a C interface, used as C uses it")]

use super::job::{FIRST_TARGET, Job, Run};
use super::wait::wait;
use crate::parts::Work;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io::{self, pipe};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// Spawns by path, or by `posix_spawnp` where the program is to be found in PATH. There are no attributes, which is the
/// fastest.
pub fn posix_spawn(job: &Job) -> io::Result<Run> {
    let program = CString::new(job.program.as_bytes())?;
    let sources = job.sources()?;
    Ok(match job.work {
        Work::Status => Box::new(move || spawn(&program, None).and_then(wait)),
        // The numbers of the sources do not change, so that the actions are made once.
        Work::Mapped => {
            let mut actions = FileActions::new()?;
            actions.map_and_close_rest(&sources)?;
            Box::new(move || {
                let _held = &sources;
                spawn(&program, Some(&actions)).and_then(wait)
            })
        }
        Work::Pipes => Box::new(move || {
            let (input, output, error) = (pipe()?, pipe()?, pipe()?);
            let mut actions = FileActions::new()?;
            actions.duplicate(input.0.as_raw_fd(), 0)?;
            actions.duplicate(output.1.as_raw_fd(), 1)?;
            actions.duplicate(error.1.as_raw_fd(), 2)?;
            actions.map_and_close_rest(&sources)?;
            let pid = spawn(&program, Some(&actions))?;
            drop((input, output, error));
            wait(pid)
        }),
    })
}

fn spawn(program: &CStr, actions: Option<&FileActions>) -> io::Result<libc::pid_t> {
    let argv = [program.as_ptr().cast_mut(), std::ptr::null_mut()];
    let actions = actions.map_or(std::ptr::null(), |actions| &raw const actions.0);
    let call = if program.to_bytes().contains(&b'/') { libc::posix_spawn } else { libc::posix_spawnp };
    let mut pid = 0;
    // SAFETY: the strings end in NUL, the arrays in a null pointer, and the actions were initialised; `environ` changes
    // only while nothing spawns.
    check(unsafe { call(&mut pid, program.as_ptr(), actions, std::ptr::null(), argv.as_ptr(), environ) })?;
    Ok(pid)
}

/// These functions return the error number.
fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: libc initialises the actions, or says that it has not.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Self(actions.assume_init()))
        }
    }

    fn duplicate(&mut self, source: c_int, target: c_int) -> io::Result<()> {
        // SAFETY: the actions were initialised.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, source, target) })
    }

    fn map_and_close_rest(&mut self, sources: &[OwnedFd]) -> io::Result<()> {
        let mut target = FIRST_TARGET;
        for source in sources {
            self.duplicate(source.as_raw_fd(), target)?;
            target += 1;
        }
        let close_from = add_close_from().ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: the function is libc's, and the actions were initialised.
        check(unsafe { close_from(&mut self.0, target) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: the actions were initialised, and are destroyed once.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

type AddCloseFrom = unsafe extern "C" fn(*mut libc::posix_spawn_file_actions_t, c_int) -> c_int;

/// `posix_spawn_file_actions_addclosefrom_np`, which glibc has since 2.34.
fn add_close_from() -> Option<AddCloseFrom> {
    static FUNCTION: OnceLock<Option<AddCloseFrom>> = OnceLock::new();
    *FUNCTION.get_or_init(|| {
        let name = c"posix_spawn_file_actions_addclosefrom_np";
        // SAFETY: a function of this name has this type, and a null pointer is no function.
        unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr())) }
    })
}

/// Whether this libc can close all descriptors from a number on.
pub fn closes_the_rest() -> bool {
    add_close_from().is_some()
}
