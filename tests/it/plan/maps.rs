//! Maps of targets to sources, with gaps and with an inherited rest, checked in real children by what each target
//! reads.

use crate::own_process;
use crate::support::random::Random;
use crate::support::sources::{lent, memory_at};
use crate::support::table::Table;
use crate::support::{EXHAUSTIVE, LAUNCHERS, exhaustive, helper};
use fdspawn::{Launcher, Rest, Stdio};
use std::collections::BTreeSet;
use std::os::fd::{OwnedFd, RawFd};

/// What each target, from 0 on, is a copy of; `None` leaves the target closed.
type Map = Vec<Option<RawFd>>;

/// Opens 0 to 5, each with a content of its own, and two more that no plan here names.
fn six_sources() -> Vec<OwnedFd> {
    let mut open: Vec<OwnedFd> =
        (0..6).map(|number| memory_at(number, &format!("source{number}"), number % 2 == 1)).collect();
    open.push(memory_at(8, "unnamed", false));
    open.push(memory_at(63, "unnamed", true));
    open
}

/// Runs each map in a real child, and compares what the child finds. Returns how many maps there were.
fn run_maps(launcher: Launcher, rest: Rest, maps: impl Iterator<Item = Map>) -> usize {
    let _open = six_sources();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("table");
    let mut count = 0;
    for map in maps {
        let mut command = helper("table");
        command.arg(&out).launcher(launcher).rest(rest);
        let mut expected = Vec::new();
        for (target, source) in (0..).zip(&map) {
            match source {
                Some(source) => {
                    command.fd(target, lent(*source));
                    expected.push((target, format!("source{source}")));
                }
                None => {
                    command.fd(target, Stdio::closed());
                }
            }
        }
        if rest == Rest::Inherit {
            let gone = |number: &RawFd| map.contains(&Some(*number)) || (*number as usize) < map.len();
            expected.extend(
                [2, 4].into_iter().filter(|number| !gone(number)).map(|number| (number, format!("source{number}"))),
            );
            expected.push((8, "unnamed".to_owned()));
        }
        let status = command.status().unwrap_or_else(|error| panic!("{map:?}: {error}"));
        assert!(status.success(), "{map:?}: {status}");
        let found = Table::read(&out);
        let expected: Vec<(RawFd, &str)> =
            expected.iter().map(|(number, content)| (*number, content.as_str())).collect();
        assert_eq!(found.contents(), expected, "{map:?}, {launcher:?}");
        count += 1;
    }
    count
}

/// Every map of `targets` targets to the first `sources` sources.
fn every_map(targets: u32, sources: usize) -> impl Iterator<Item = Map> {
    (0..sources.pow(targets))
        .map(move |code| (0..targets).map(|target| Some((code / sources.pow(target) % sources) as RawFd)).collect())
}

/// The shapes of the maps of five numbers to five numbers: two maps have the same shape if other labels for the numbers
/// make one of the other. Returns one map of each.
fn shapes() -> Vec<Map> {
    let labels: Vec<Vec<usize>> = permutations(5);
    let least = |map: Map| labels.iter().map(|labels| relabeled(&map, labels)).min().unwrap();
    every_map(5, 5).map(least).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The same map with other labels for its numbers.
fn relabeled(map: &Map, labels: &[usize]) -> Map {
    let mut relabeled = vec![None; map.len()];
    for (target, source) in map.iter().enumerate() {
        relabeled[labels[target]] = source.map(|source| labels[source as usize] as RawFd);
    }
    relabeled
}

/// All orders of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![vec![]], |shorter, last| {
        let insert =
            |order: Vec<usize>| (0..=last).map(move |place| [&order[..place], &[last], &order[place..]].concat());
        shorter.into_iter().flat_map(insert).collect()
    })
}

#[test]
fn maps_of_five_targets_to_five_sources_have_47_shapes() {
    assert_eq!(permutations(5).len(), 120);
    assert_eq!(shapes().len(), 47);
}

own_process! {
    fn maps_of_five_targets_to_five_sources() {
        if exhaustive() {
            for launcher in LAUNCHERS {
                assert_eq!(run_maps(launcher, Rest::Close, every_map(5, 5)), 3125);
            }
            return;
        }
        // Three maps of each shape, by one launcher. The maps and the launcher are random.
        println!("{EXHAUSTIVE}=1 runs all 3125 maps by both launchers");
        let mut random = Random::new();
        let mut maps = [vec![], vec![]];
        for shape in shapes() {
            let launcher = random.below(2);
            for _ in 0..3 {
                let mut labels = [0, 1, 2, 3, 4];
                random.shuffle(&mut labels);
                maps[launcher].push(relabeled(&shape, &labels));
            }
        }
        let counts =
            LAUNCHERS.into_iter().zip(maps).map(|(launcher, maps)| run_maps(launcher, Rest::Close, maps.into_iter()));
        assert_eq!(counts.sum::<usize>(), 3 * 47);
    }
}

own_process! {
    fn maps_with_holes_and_a_source_beyond_the_targets() {
        let maps = || {
            (0..7_usize.pow(3)).map(|code| {
                (0..3)
                    .map(|target| (code / 7_usize.pow(target) % 7) as RawFd - 1)
                    .map(|source| (source >= 0).then_some(source))
                    .collect()
            })
        };
        run_part(Rest::Close, maps, 343);
    }
}

own_process! {
    fn maps_if_the_rest_is_inherited() {
        run_part(Rest::Inherit, || every_map(4, 4), 256);
    }
}

/// Runs all maps by both launchers, or in the plain run an eighth of them by each.
fn run_part<M: Iterator<Item = Map>>(rest: Rest, maps: impl Fn() -> M, count: usize) {
    for (place, launcher) in LAUNCHERS.into_iter().enumerate() {
        if exhaustive() {
            assert_eq!(run_maps(launcher, rest, maps()), count);
        } else {
            let part = maps().skip(place).step_by(8);
            assert_eq!(run_maps(launcher, rest, part), (count - place).div_ceil(8));
        }
    }
}
