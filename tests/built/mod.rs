//! The programs of `examples/`, built.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of an example. `cargo test --test NAME` does not build examples, so this builds one that is older than its
/// sources or than the test.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap(); // target/PROFILE/deps/NAME-HASH
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    // The modules of an example are in a folder that has its name.
    let modules = files(&source.with_extension(""));
    let mut older = [test.clone(), source].into_iter().chain(modules);
    let fresh = older.all(|path| time(&program) >= time(&path));
    if let (false, Some(cargo)) = (fresh, std::env::var_os("CARGO")) {
        let profile = profile.file_name().filter(|name| *name != "debug").unwrap_or(OsStr::new("dev"));
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--example", name, "--profile"]).arg(profile);
        assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success());
    }
    assert!(program.exists(), "{} is not there: run `cargo build --examples`", program.display());
    program
}

/// All files in the directory and in the directories below it. None if there is no directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
