//! The fault table: every system call that the library makes meets every fault, and nothing bad comes of it.
//!
//! A run is a process of its own, the subject: the test binary in another role. A seccomp filter hands the subject's calls, and
//! those of its children, to the test, which lets the kernel make them, answers with an error, or kills the process that makes
//! them. The test looks at the subject from outside before and after.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod attributes;
mod calls;
mod cells;
mod entrances;
mod filter;
mod page;
mod program;
mod runs;
mod snapshot;
mod subject;
mod supervisor;
mod verdict;

use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

#[used]
#[unsafe(link_section = ".init_array")]
static ENTER: extern "C" fn(c_int, *const *const c_char) = enter;

/// Takes the role of a subject or of a program before Rust's runtime starts, which would change descriptors and signals.
extern "C" fn enter(argc: c_int, argv: *const *const c_char) {
    // SAFETY: glibc passes main's arguments to these functions.
    let args: Vec<String> = (0..argc as usize)
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy().into_owned())
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        [_, program::MARK, talk, directory] => {
            let status = program::run(program::Talk::of(talk), Path::new(directory));
            // SAFETY: the process ends here.
            unsafe { libc::_exit(status) }
        }
        [_, subject::MARK, entrance, watched, directory] => {
            let entrance = entrances::Entrance::of(entrance).expect("an entrance");
            let watched = calls::number(watched).map_or(filter::Watched::Every, filter::Watched::Call);
            subject::run(entrance, watched, Path::new(directory))
        }
        // Orphans of subjects are reaped here.
        // SAFETY: only numbers are passed.
        _ => unsafe {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        },
    }
}
