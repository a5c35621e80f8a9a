//! What the child's environment is.

use super::super::library::process::Command;
use super::child;
use crate::records::Records;

fn environment(command: &mut Command) -> Vec<String> {
    assert!(command.status().unwrap().success());
    std::fs::read_to_string("environment").unwrap().lines().map(str::to_owned).collect()
}

fn sorted(mut strings: Vec<String>) -> Vec<String> {
    strings.sort();
    strings
}

fn reporter() -> Command {
    child(&["environment", "environment"])
}

pub fn walk(records: &mut Records) {
    records.add("environment that is inherited", environment(&mut reporter()));
    let changed =
        environment(reporter().env("NAME", "changed").env("NEW", "").env_remove("ODD NAME").env_remove("NOPE"));
    records.add("environment with changes", sorted(changed.clone()));
    records.add("order of an environment with changes", changed);
    records.add("environment after a clear of all", environment(reporter().env("A", "1").env_clear()));
    let cleared = environment(reporter().env_clear().envs([("B", "2"), ("A", "1"), ("B", "3")]));
    records.add("environment after a clear, in order", cleared);
    let strange = environment(reporter().env("", "empty").env("A=B", "c").env("=D", "e").env_remove("A"));
    records.add("environment with strange names", sorted(strange));
    let strange = environment(reporter().env("", "empty").env("A=B", "c").env_remove("").env_remove("A=B"));
    records.add("environment with strange names removed", sorted(strange));
    records.error("variable with a NUL", reporter().env("A\0", "b").status());
    records.error("value with a NUL", reporter().env("A", "b\0").status());

    // The child's PATH decides, and not the parent's.
    std::fs::create_dir_all("bin").unwrap();
    std::fs::create_dir_all("other").unwrap();
    for (file, text) in [("bin/tool", "#!/bin/sh\nexit 11\n"), ("other/tool", "#!/bin/sh\nexit 12\n")] {
        std::fs::write(file, text).unwrap();
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = |names: &[&str]| {
        let own = std::env::current_dir().unwrap();
        let names =
            names.iter().map(|name| if name.is_empty() { String::new() } else { own.join(name).display().to_string() });
        names.collect::<Vec<_>>().join(":")
    };
    records.add("PATH of the child", Command::new("tool").env("PATH", path(&["other", "bin"])).status().unwrap());
    records.add("PATH without a directory", Command::new("tool").env("PATH", path(&["nope", "bin"])).status().unwrap());
    let inside = Command::new("tool").env("PATH", "").current_dir("bin").status().unwrap();
    records.add("PATH that is empty", inside);
    let inside = Command::new("tool").env("PATH", path(&["nope", ""])).current_dir("other").status().unwrap();
    records.add("PATH with an empty part", inside);
    records.error("PATH of the parent", Command::new("tool").status());
    records.error("PATH that is removed", Command::new("true").env_remove("PATH").status());
    records.error("PATH that is cleared", Command::new("true").env_clear().status());
    records.add("relative program", Command::new("./tool").current_dir("bin").status().unwrap());
    records.add("relative program of the parent", Command::new("bin/tool").status().unwrap());
    std::fs::set_permissions("bin/tool", std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    records.add("PATH with a file that is no program first", {
        Command::new("tool").env("PATH", path(&["bin", "other"])).status().unwrap()
    });
    records.error(
        "PATH with a file that is no program",
        Command::new("tool").env("PATH", path(&["bin", "nope"])).status(),
    );
}
