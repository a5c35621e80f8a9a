//! The cells of one entrance's table: which there are, and their runs.

use super::entrances::Entrance;
use super::supervisor::{Fault, Injection, Role, Seen, When, run};
use super::verdict::{Verdict, judge, numbers};
use super::{calls, page};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The columns.
pub const FAULTS: [(&str, Fault); 9] = [
    ("ENOSYS", Fault::Errno(libc::ENOSYS)),
    ("EPERM", Fault::Errno(libc::EPERM)),
    ("EINTR", Fault::Errno(libc::EINTR)),
    ("EAGAIN", Fault::Errno(libc::EAGAIN)),
    ("EMFILE", Fault::Errno(libc::EMFILE)),
    ("ENFILE", Fault::Errno(libc::ENFILE)),
    ("ENOMEM", Fault::Errno(libc::ENOMEM)),
    ("EIO", Fault::Errno(libc::EIO)),
    ("death", Fault::Death),
];

/// Set for the whole table.
const EXHAUSTIVE: &str = "FDSPAWN_TEST_EXHAUSTIVE";

/// Set in CI: what is missing there fails its tests.
const DEMAND: &str = "FDSPAWN_TEST_DEMAND_TOOLS";

/// How many subjects of one entrance run at the same time.
const WORKERS: usize = 3;

/// The runs of one cell.
pub type Cell = Vec<(When, Verdict)>;

/// The table of one entrance.
pub struct Table {
    pub entrance: &'static Entrance,
    /// How often parent and child make each call.
    pub counts: BTreeMap<i64, [Count; 2]>,
    /// By the call and the place of the fault among [`FAULTS`].
    pub cells: BTreeMap<(i64, usize), Cell>,
}

/// How often a call is made without a fault: at least, and at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub usize, pub usize);

/// One run that is to be made.
struct Job {
    call: i64,
    fault: usize,
    when: When,
}

/// Makes and checks an entrance's table, or a sample of it.
pub fn check(name: &str) {
    let entrance = Entrance::of(name).unwrap();
    let Some((reference, counts)) = trace(entrance) else { return };
    let writes = std::env::var_os(page::WRITE).is_some();
    let is_whole = writes || std::env::var_os(EXHAUSTIVE).is_some_and(|value| !value.is_empty() && value != "0");
    let jobs = if is_whole { jobs(&counts) } else { sample(&counts) };
    let cells = run_all(entrance, &jobs, &reference);
    let table = Table { entrance, counts, cells };
    if writes {
        page::write(&table);
    }
    let bad = bad_cells(&table);
    assert!(bad.is_empty(), "{} bad runs:\n{}", bad.len(), bad.join("\n"));
    page::has_rows_of(&table);
}

/// Runs the entrance twice without a fault. Returns what was seen of it, and how often it makes each call.
fn trace(entrance: &Entrance) -> Option<(Seen, BTreeMap<i64, [Count; 2]>)> {
    let Some(first) = run(entrance, None) else {
        let reason = "a seccomp filter cannot be installed, or this is not root with cgroups of version 2";
        assert!(std::env::var_os(DEMAND).is_none(), "{DEMAND} is set, but {reason}");
        eprintln!("skipped: {reason}");
        return None;
    };
    let second = run(entrance, None).unwrap();
    let found = first.program.as_deref().map(|report| numbers(report).into_iter().collect());
    assert_eq!(found, entrance.planned(), "{first:?}");
    let expected = if entrance.name.ends_with("no_program") { "error: " } else { "ok" };
    assert!(first.result.as_deref().is_some_and(|result| result.starts_with(expected)), "{first:?}");
    // The run itself leaves nothing behind.
    let whole = Seen { faults: 1, ..run(entrance, None).unwrap() };
    assert_eq!(judge(entrance, 0, Fault::Death, &whole, &first), Verdict::Right, "{whole:?}");
    let mut counts: BTreeMap<i64, [Count; 2]> = BTreeMap::new();
    let calls: BTreeSet<i64> = first.calls.iter().chain(&second.calls).map(|(call, _)| *call).collect();
    for call in calls {
        for role in [Role::Parent, Role::Child] {
            let count = |seen: &Seen| seen.calls.iter().filter(|each| **each == (call, role)).count();
            let [first, second] = [&first, &second].map(count);
            counts.entry(call).or_default()[role as usize] = Count(first.min(second), first.max(second));
        }
    }
    Some((first, counts))
}

/// The runs of the whole table.
fn jobs(counts: &BTreeMap<i64, [Count; 2]>) -> Vec<Job> {
    let mut jobs = Vec::new();
    for (&call, by_role) in counts {
        for (fault, (_, kind)) in FAULTS.iter().enumerate() {
            if may_be_refused_for_ever(call, *kind) {
                jobs.push(Job { call, fault, when: When::Every });
            }
            for role in [Role::Parent, Role::Child] {
                let nths = single_calls(by_role[role as usize].1).into_iter();
                jobs.extend(nths.map(|nth| Job { call, fault, when: When::Nth(role, nth) }));
            }
        }
    }
    jobs
}

/// Whether all calls of a kind may meet the fault. A call that is interrupted is made again, and a process has to end.
fn may_be_refused_for_ever(call: i64, fault: Fault) -> bool {
    !matches!(fault, Fault::Errno(libc::EINTR) | Fault::Death)
        && ![libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigreturn].contains(&call)
}

/// Which of so many calls meet a fault alone: all, or the first and the last of many.
fn single_calls(count: usize) -> Vec<usize> {
    const FIRST: usize = 4;
    const LAST: usize = 12;
    (1..=count).filter(|&nth| nth <= FIRST || nth + LAST > count).collect()
}

/// The most telling runs: one for each of these, if the entrance makes the call.
fn sample(counts: &BTreeMap<i64, [Count; 2]>) -> Vec<Job> {
    let telling = [
        (libc::SYS_execve, "death"),
        // With debug assertions, rustix takes any other answer for a bug.
        (libc::SYS_prlimit64, "EPERM"),
        (libc::SYS_clone3, "ENOSYS"),
        (libc::SYS_close_range, "EPERM"),
        (libc::SYS_dup3, "EIO"),
        (libc::SYS_pipe2, "EMFILE"),
        (libc::SYS_socketpair, "ENFILE"),
        (libc::SYS_pidfd_send_signal, "EPERM"),
        (libc::SYS_getdents64, "EIO"),
        (libc::SYS_ppoll, "EIO"),
        (libc::SYS_close, "EIO"),
        (libc::SYS_waitid, "EINTR"),
    ];
    let jobs = telling.iter().filter_map(|&(call, name)| {
        let [parent, child] = counts.get(&call)?;
        let role = if child.0 > 0 { Role::Child } else { Role::Parent };
        let fault = FAULTS.iter().position(|(each, _)| *each == name)?;
        let when = if name == "ENOSYS" || name == "EPERM" { When::Every } else { When::Nth(role, 1) };
        (parent.0 + child.0 > 0).then_some(Job { call, fault, when })
    });
    jobs.take(4).collect()
}

fn run_all(entrance: &Entrance, jobs: &[Job], reference: &Seen) -> BTreeMap<(i64, usize), Cell> {
    let next = AtomicUsize::new(0);
    let cells = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(Job { call, fault, when }) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let kind = FAULTS[*fault].1;
                    let seen = run(entrance, Some(Injection { call: *call, fault: kind, when: *when })).unwrap();
                    let verdict = judge(entrance, *call, kind, &seen, reference);
                    cells.lock().unwrap().entry((*call, *fault)).or_insert_with(Vec::new).push((*when, verdict));
                }
            });
        }
    });
    let mut cells: BTreeMap<(i64, usize), Cell> = cells.into_inner().unwrap();
    for cell in cells.values_mut() {
        cell.sort_by_key(|(when, _)| place(*when));
    }
    cells
}

/// The place of a run in its cell.
fn place(when: When) -> (u8, usize) {
    match when {
        When::Every => (0, 0),
        When::Nth(Role::Parent, nth) => (1, nth),
        When::Nth(Role::Child, nth) => (2, nth),
    }
}

/// Each bad run: the value of [`ONE`] that makes it again, and what was seen.
fn bad_cells(table: &Table) -> Vec<String> {
    let runs = table.cells.iter().flat_map(|(&(call, fault), cell)| cell.iter().map(move |run| (call, fault, run)));
    runs.filter(|(_, _, (_, verdict))| matches!(verdict, Verdict::Bad { .. }))
        .map(|(call, fault, (when, verdict))| {
            let when = match when {
                When::Every => "every".to_owned(),
                When::Nth(Role::Parent, nth) => format!("parent:{nth}"),
                When::Nth(Role::Child, nth) => format!("child:{nth}"),
            };
            format!("{ONE}='{} {} {} {when}'  {verdict}", table.entrance.name, calls::name(call), FAULTS[fault].0)
        })
        .collect()
}

/// The one run that the test `one_cell` makes: entrance, call, fault and `every`, `parent:N` or `child:N`.
pub const ONE: &str = "FDSPAWN_FAULT_CELL";

/// Makes the one run that the environment asks for, and shows all that was seen.
#[test]
fn one_cell() {
    let Ok(cell) = std::env::var(ONE) else { return };
    let [entrance, call, fault, when] = cell.split(' ').collect::<Vec<_>>()[..] else { panic!("four words: {cell}") };
    let entrance = Entrance::of(entrance).expect("an entrance");
    let fault = FAULTS.iter().find(|(name, _)| *name == fault).expect("a fault").1;
    let when = match when.split_once(':') {
        Some(("parent", nth)) => When::Nth(Role::Parent, nth.parse().unwrap()),
        Some((_, nth)) => When::Nth(Role::Child, nth.parse().unwrap()),
        None => When::Every,
    };
    let reference = run(entrance, None).unwrap();
    for (call, role) in &reference.calls {
        println!("{role:?} {}", calls::name(*call));
    }
    let call = calls::number(call).expect("a call");
    let seen = run(entrance, Some(Injection { call, fault, when })).unwrap();
    println!("{seen:#?}\nexpected: {:?}\n{}", reference.result, reference.program.as_deref().unwrap_or_default());
    let verdict = judge(entrance, call, fault, &seen, &reference);
    println!("{verdict}");
    assert!(!matches!(verdict, Verdict::Bad { .. }));
}
