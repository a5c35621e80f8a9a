//! The root directory of a child.

use crate::own_process;
use crate::support::parent_state::{ParentState, is_root};
use crate::support::sources::memory_at;
use crate::support::tools::has;
use crate::support::{LAUNCHERS, command};
use fdspawn::{Command, Failure, Features, Launcher, Resource, Rlimit};
use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A root directory with `pwd` and `cat`, which print where they are and what they can read.
///
/// `/bin/only-here` is another name of `pwd`, `/within` a directory, and `/private` one that only root may search.
fn jail() -> Option<tempfile::TempDir> {
    if !is_root() || !has("ldd") {
        return None;
    }
    let jail = tempfile::tempdir().unwrap();
    for (program, name) in [("/bin/pwd", "/bin/pwd"), ("/bin/pwd", "/bin/only-here"), ("/bin/cat", "/bin/cat")] {
        copy(program, jail.path(), name);
    }
    let libraries = Command::new("ldd").arg("/bin/pwd").output().unwrap().stdout;
    let libraries = String::from_utf8(libraries).unwrap();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        copy(library, jail.path(), library);
    }
    let name = |name: &str| jail.path().join(name);
    std::fs::create_dir(name("within")).unwrap();
    std::fs::create_dir(name("private")).unwrap();
    std::fs::write(name("text"), "inside").unwrap();
    set_permissions(name("private"), Permissions::from_mode(0o700)).unwrap();
    set_permissions(jail.path(), Permissions::from_mode(0o755)).unwrap();
    Some(jail)
}

/// Copies a file to an absolute path inside the root directory.
fn copy(from: &str, root: &Path, to: &str) {
    let to = root.join(to.trim_start_matches('/'));
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(from, to).unwrap();
}

fn in_jail<'fd>(program: &str, jail: &tempfile::TempDir, launcher: Launcher) -> Command<'fd> {
    let mut command = command(program);
    command.chroot(jail.path()).launcher(launcher);
    command
}

fn printed(command: &mut Command<'_>) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{error}"));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

own_process! {
    fn new_root_is_the_working_directory_and_the_start_of_all_paths() {
        let Some(jail) = jail() else { return };
        let outside = File::open("/proc").unwrap();
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            let pwd = || {
                let mut command = in_jail("/bin/pwd", &jail, launcher);
                command.arg("-P");
                command
            };
            assert_eq!(printed(&mut pwd()), "/");
            assert_eq!(printed(pwd().current_dir("/within")), "/within");
            // Relative to the new root, not to this process's directory.
            assert_eq!(printed(in_jail("cat", &jail, launcher).arg("text")), "inside");
            // The child finds the program inside the new root, by a path and by a search.
            for program in ["/bin/only-here", "only-here", "./only-here"] {
                let mut command = in_jail(program, &jail, launcher);
                assert_eq!(printed(command.env("PATH", "/nope:/bin").current_dir("/bin")), "/bin");
            }
            // A directory that the caller has opened may be outside.
            assert_eq!(printed(in_jail("cat", &jail, launcher).arg("self/comm").current_dir_fd(&outside)), "cat");
            let child = in_jail("pwd", &jail, Launcher::Auto).stdout(fdspawn::Stdio::null()).spawn();
            let mut child = child.unwrap();
            assert_eq!(child.launched_by(), Launcher::Clone);
            assert!(child.wait().unwrap().success());
            drop(child);
            assert_eq!(ParentState::now(), before);
        }
    }
}

own_process! {
    fn root_directory_changes_before_the_user_and_the_working_directory_after_it() {
        let Some(jail) = jail() else { return };
        let before = ParentState::now();
        let as_user = |program| {
            let mut command = in_jail(program, &jail, Launcher::Auto);
            command.uid(4242).gid(4343);
            command
        };
        // The user has no right to change the root directory.
        assert_eq!(printed(&mut as_user("pwd")), "/");
        assert_eq!(printed(in_jail("pwd", &jail, Launcher::Auto).current_dir("/private")), "/private");
        let error = as_user("pwd").current_dir("/private").spawn().unwrap_err();
        assert_eq!(error.to_string(), "cannot spawn `pwd`: working directory `/private`: Permission denied");
        // With the directory's descriptor, the user has no right to search it either.
        let private = File::open(jail.path().join("private")).unwrap();
        let error = as_user("pwd").current_dir_fd(&private).spawn().unwrap_err();
        let text = "cannot spawn `pwd`: working directory given as a descriptor: Permission denied";
        assert_eq!(error.to_string(), text);
        drop(private);
        assert_eq!(ParentState::now(), before);
    }
}

own_process! {
    fn rest_is_closed_after_hooks_even_if_the_new_user_and_root_have_no_list_of_it() {
        let Some(jail) = jail() else { return };
        let _leaks = [memory_at(300, "leak", false), memory_at(4, "leak", false)];
        let limit = Rlimit { current: Some(64), maximum: Some(64) };
        let open_one = || {
            // SAFETY: the call opens a descriptor, and uses no memory.
            assert!(unsafe { libc::dup(0) } > 2);
            Ok(())
        };
        for missing in [Features::empty(), Features::CLOSE_RANGE] {
            // Before exec, the user may not read the list of its descriptors in /proc.
            let script = "n=3; while [ $n -lt 400 ]; do [ -e /proc/$$/fd/$n ] && echo $n; n=$((n+1)); done; echo end";
            let mut same_root = command("/bin/sh");
            same_root.args(["-c", script]).missing(missing).uid(4242).rlimit(Resource::Nofile, limit).chroot("/");
            // SAFETY: the hook only opens a descriptor.
            unsafe { same_root.pre_exec(open_one) };
            assert_eq!(printed(&mut same_root), "end");
            // In this root there is no /proc. The child runs, so it has closed the rest.
            let mut inside = in_jail("/bin/pwd", &jail, Launcher::Auto);
            inside.missing(missing).uid(4242).rlimit(Resource::Nofile, limit);
            // SAFETY: the hook only opens a descriptor.
            unsafe { inside.pre_exec(open_one) };
            assert_eq!(printed(&mut inside), "/");
        }
    }
}

own_process! {
    fn root_directory_that_cannot_be_one_is_named() {
        if !is_root() {
            return;
        }
        let before = ParentState::now();
        for launcher in LAUNCHERS {
            for (path, reason) in [("/no/such", "No such file or directory"), ("/etc/passwd", "Not a directory")] {
                let error = command("true").launcher(launcher).chroot(path).spawn().unwrap_err();
                let text = format!("cannot spawn `true`: cannot change the root directory to `{path}`: {reason}");
                assert_eq!(error.to_string(), text);
                assert!(matches!(error.failure(), Failure::ChangeRoot(failed) if failed == Path::new(path)));
            }
            let error = command("true").launcher(launcher).chroot("/no\0such").spawn().unwrap_err();
            assert_eq!(error.to_string(), "cannot spawn `true`: the root directory has a NUL byte inside");
            let explanation = command("true").launcher(launcher).chroot("/no/such").explain().to_string();
            let order = ["change the root directory to `/no/such`", "change the working directory to `/`", "exec"];
            assert!(order.map(|step| explanation.find(step).unwrap()).is_sorted(), "{explanation}");
        }
        assert_eq!(ParentState::now(), before);
    }
}
