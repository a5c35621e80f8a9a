//! The names of many cgroups.

use crate::support::cgroup::Cgroup as Outer;
use fdspawn::Cgroup;
use std::collections::HashSet;

#[test]
fn cgroups_of_many_threads_have_names_of_their_own() {
    let Some(outer) = Outer::new() else { return };
    let make = || (0..20).map(|_| Cgroup::create_in(outer.path("")).unwrap()).collect::<Vec<_>>();
    let cgroups: Vec<Cgroup> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let paths: HashSet<_> = cgroups.iter().map(|cgroup| cgroup.path().to_owned()).collect();
    assert_eq!(paths.len(), 160);
    assert!(paths.iter().all(|path| path.exists()));
    drop(cgroups);
    assert!(!paths.iter().any(|path| path.exists()));
}

#[test]
fn name_that_is_taken_is_left_out() {
    let Some(outer) = Outer::new() else { return };
    let first = Cgroup::create_in(outer.path("")).unwrap();
    // The next names, as an ended process of this number has left them.
    let (start, number) = first.path().to_str().unwrap().rsplit_once('-').unwrap();
    let number: u64 = number.parse().unwrap();
    // Other tests may make cgroups at the same time, elsewhere.
    let taken: Vec<_> = (1..50).map(|more| format!("{start}-{}", number + more)).collect();
    taken.iter().for_each(|path| std::fs::create_dir(path).unwrap());
    let next = Cgroup::create_in(outer.path("")).unwrap();
    assert!(!taken.iter().any(|path| next.path().to_str() == Some(path)));
    taken.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
}
