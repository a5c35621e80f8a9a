//! Root directories, cgroups, and programs by their descriptors.

use super::{WAYS, is_root};
use crate::{outcome, run, run_with_file, tools};
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn chroot_is_that_of_chroot() {
    if !is_root() || !tools::has("ldd") {
        return;
    }
    let copy = "for file in /bin/sh $(ldd /bin/sh | grep -o '/[^ )]*'); do
        mkdir -p root$(dirname $file); cp $file root$file; done";
    let program = "/bin/sh -c 'echo /*; cd .; pwd'";
    let (_directory, expected) = run_with_file(&format!("{copy}; chroot root {program}"));
    assert_eq!(expected.code, Some(0), "{expected:?}");
    for way in WAYS {
        let run = format!("{copy}; fdrun {way} --chroot root --fd 5=read:old -- {program}");
        assert_eq!(run_with_file(&run).1, expected, "{way}");
    }
    let (_directory, found) = run_with_file("mkdir root; fdrun --chroot root -- /bin/sh");
    assert_eq!(found.code, Some(127), "{found:?}");
    let text = "fdrun: cannot spawn `true`: ";
    let found = run("fdrun --chroot /no/dir -- true");
    assert!(found.code == Some(125) && found.stderr.starts_with(text), "{found:?}");
}

#[test]
fn the_program_starts_in_the_cgroup() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let unified = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|fields| fields[2] == "cgroup2");
    let Some(fields) = unified else {
        tools::skip("no cgroup file system, version 2, is mounted");
        return;
    };
    let name = format!("fdrun-test-{}", std::process::id());
    let directory = format!("{}/{name}", fields[1]);
    if let Err(error) = fs::create_dir(&directory) {
        tools::skip(&format!("a cgroup cannot be made: {error}"));
        return;
    }
    let found = WAYS.map(|way| run(&format!("fdrun {way} --cgroup {directory} -- grep ^0: /proc/self/cgroup")));
    // The kernel takes a moment to notice that the cgroup is empty.
    let start = Instant::now();
    while fs::remove_dir(&directory).is_err() && start.elapsed() < Duration::from_secs(10) {}
    for found in found {
        assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:?}");
        assert!(found.stdout.trim().ends_with(&name), "{found:?}");
    }
}

#[test]
fn a_program_can_be_named_by_its_descriptor() {
    for way in WAYS {
        let found = run(&format!("fdrun {way} --program-fd 3 -- name -c \"echo \\$0; $TABLE\" 3</bin/sh"));
        assert_eq!(found, outcome(0, "name\n0 1 2\n", ""), "{way}");
    }
    let found = run("fdrun --program-fd 3 --table 3</bin/sh");
    assert_eq!(found.code, Some(125), "{found:?}");
}
