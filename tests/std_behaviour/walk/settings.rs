//! What the child is besides its streams and its environment.

use super::super::library::os::unix::process::CommandExt;
use super::super::library::process::Command;
use super::{child, record, reporter, shell};
use crate::records::Records;
use std::mem::MaybeUninit;

pub fn walk(records: &mut Records) {
    record(records, "plain child", &mut reporter());
    let own = std::env::current_dir().unwrap();
    std::fs::create_dir("inside").unwrap();
    let mut inside = child(&["to"]);
    inside.arg(own.join("report")).args(["one", "two words", ""]).current_dir("inside").arg0("-zero");
    record(records, "child with arguments and a directory", &mut inside);
    record(records, "child with a group", reporter().process_group(0));

    // SAFETY: the calls have no arguments that refer to memory.
    let (uid, gid) = unsafe { (libc::getuid(), libc::getgid()) };
    record(records, "child with its own ids", reporter().gid(gid).uid(uid));
    if uid == 0 {
        let _ = std::fs::remove_file("report");
        std::fs::set_permissions(".", std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let status = reporter().uid(4321).gid(4322).status();
        records.error("child with other ids", status);
        if let Ok(report) = std::fs::read_to_string("report") {
            records.report("child with other ids", &report);
            std::fs::remove_file("report").unwrap();
        }
    }

    let mut hooked = reporter();
    // SAFETY: the calls are async-signal-safe.
    unsafe {
        hooked.pre_exec(|| {
            libc::setsid();
            libc::umask(0o77);
            Ok(())
        });
        hooked.pre_exec(|| {
            libc::umask(libc::umask(0) | 0o100);
            Ok(())
        });
    }
    record(records, "child with two hooks", &mut hooked);
    signals(records);

    let shown = shell("echo $0 $1").args(["zero", "one"]).arg0("other").output().unwrap();
    records.add("arguments of a shell", String::from_utf8(shown.stdout).unwrap());
    records.add("program by its path and by its name", {
        (Command::new("/bin/true").status().unwrap(), Command::new("true").status().unwrap())
    });
}

/// Dispositions and the mask.
fn signals(records: &mut Records) {
    extern "C" fn handler(_: i32) {}
    let mut blocked = MaybeUninit::uninit();
    let mut old = MaybeUninit::uninit();
    // SAFETY: the handler does nothing, the sets are initialized by the calls, and this test has one thread that uses them.
    unsafe {
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
        libc::signal(libc::SIGHUP, handler as *const () as libc::sighandler_t);
        libc::sigemptyset(blocked.as_mut_ptr());
        libc::sigaddset(blocked.as_mut_ptr(), libc::SIGUSR2);
        libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), old.as_mut_ptr());
    }
    record(records, "child of a parent with dispositions and a mask", &mut reporter());
    let mut hooked = reporter();
    // SAFETY: the call is async-signal-safe.
    unsafe {
        hooked.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_IGN);
            Ok(())
        })
    };
    record(records, "child of such a parent, with a hook", &mut hooked);
    // SAFETY: as above.
    unsafe {
        libc::pthread_sigmask(libc::SIG_SETMASK, old.as_ptr(), std::ptr::null_mut());
        libc::signal(libc::SIGUSR1, libc::SIG_DFL);
        libc::signal(libc::SIGHUP, libc::SIG_DFL);
    }
}
