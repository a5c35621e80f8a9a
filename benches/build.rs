//! Builds the static programs that the benchmark spawns, and passes the versions of the compared packages to the benchmark.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// The packages whose versions the report names.
const COMPARED: [&str; 6] = ["fdspawn", "command-fds", "duct", "subprocess", "tokio", "processkit"];

/// The programs of the directory `program`.
const PROGRAMS: [&str; 2] = ["tiny", "stream"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    for name in PROGRAMS {
        println!("cargo:rerun-if-changed=program/{name}.rs");
        build_program(Path::new(&rustc), name);
    }
    println!("cargo:rustc-env=RUSTC_VERSION={}", version(Path::new(&rustc)));
    let lock = fs::read_to_string("Cargo.lock").expect("benches/Cargo.lock exists");
    let versions: Vec<String> = COMPARED.iter().map(|name| format!("{name} {}", locked(&lock, name))).collect();
    println!("cargo:rustc-env=COMPARED_VERSIONS={}", versions.join(", "));
}

/// Compiles and links a program without libc, start files or shared libraries.
fn build_program(rustc: &Path, name: &str) {
    let mut command = Command::new(rustc);
    command.arg(format!("program/{name}.rs")).args(["--edition=2024", "--crate-name", name, "--crate-type=bin"]);
    command.arg("--target").arg(env::var_os("TARGET").expect("cargo sets TARGET"));
    command.arg("-o").arg(Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join(name));
    command.args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Crelocation-model=static"]);
    command.args(["-Clink-arg=-nostdlib", "-Clink-arg=-nostartfiles", "-Clink-arg=-static"]);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("-Clinker=");
        option.push(linker);
        command.arg(option);
    }
    let status = command.status().expect("rustc runs");
    assert!(status.success(), "the program {name} does not build: {status}");
}

fn version(rustc: &Path) -> String {
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    String::from_utf8(output.stdout).expect("rustc prints UTF-8").trim().to_owned()
}

/// The version of a package in the text of a Cargo.lock: the line after the package's name.
fn locked<'a>(lock: &'a str, name: &str) -> &'a str {
    let name = format!("name = \"{name}\"");
    let after = lock.lines().skip_while(|line| **line != name).nth(1);
    after.and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).expect("Cargo.lock has the package")
}
