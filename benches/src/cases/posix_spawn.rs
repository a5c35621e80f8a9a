//! `posix_spawn(3)` of the C library.
#![allow(unsafe_code, reason = "posix_spawn is a C function")]

use super::job::{FIRST_TARGET, Job, Spawn};
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

/// Spawns with `posix_spawn`, or with `posix_spawnp` if the job names the program without a path. It sets no
/// attributes, since this is the fastest use.
pub fn posix_spawn(job: &Job) -> io::Result<Spawn> {
    let program = CString::new(job.program.as_bytes())?;
    let sources = job.sources()?;
    Ok(match job.work {
        Work::Status => Box::new(move || spawn(&program, None).and_then(wait)),
        // The numbers of the sources do not change, so one list of file actions serves all spawns.
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
        // `posix_spawn` has no attributes for the umask, limits and the nice value, and moves no bytes. The list of cases
        // leaves it out.
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}

fn spawn(program: &CStr, actions: Option<&FileActions>) -> io::Result<libc::pid_t> {
    let argv = [program.as_ptr().cast_mut(), std::ptr::null_mut()];
    let actions = actions.map_or(std::ptr::null(), |actions| &raw const actions.0);
    let call = if program.to_bytes().contains(&b'/') { libc::posix_spawn } else { libc::posix_spawnp };
    let mut pid = 0;
    // SAFETY: the strings end in NUL, the arrays end in a null pointer, and the actions are initialised. No thread
    // changes `environ` during a spawn.
    check(unsafe { call(&mut pid, program.as_ptr(), actions, std::ptr::null(), argv.as_ptr(), environ) })?;
    Ok(pid)
}

/// Converts the result of these functions, which is an error number.
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
        // SAFETY: if the call succeeds, it has initialised the actions.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Self(actions.assume_init()))
        }
    }

    fn duplicate(&mut self, source: c_int, target: c_int) -> io::Result<()> {
        // SAFETY: `new` has initialised the actions.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, source, target) })
    }

    fn map_and_close_rest(&mut self, sources: &[OwnedFd]) -> io::Result<()> {
        let mut target = FIRST_TARGET;
        for source in sources {
            self.duplicate(source.as_raw_fd(), target)?;
            target += 1;
        }
        let close_from = add_close_from().ok_or(io::ErrorKind::Unsupported)?;
        // SAFETY: the C library has this function, and `new` has initialised the actions.
        check(unsafe { close_from(&mut self.0, target) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: `new` has initialised the actions, and only this call destroys them.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

type AddCloseFrom = unsafe extern "C" fn(*mut libc::posix_spawn_file_actions_t, c_int) -> c_int;

/// `posix_spawn_file_actions_addclosefrom_np`, which glibc provides since version 2.34.
fn add_close_from() -> Option<AddCloseFrom> {
    static FUNCTION: OnceLock<Option<AddCloseFrom>> = OnceLock::new();
    *FUNCTION.get_or_init(|| {
        let name = c"posix_spawn_file_actions_addclosefrom_np";
        // SAFETY: the function with this name has this type, and a null pointer becomes `None`.
        unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr())) }
    })
}

/// Whether the C library has `addclosefrom_np`.
pub fn closes_the_rest() -> bool {
    add_close_from().is_some()
}
