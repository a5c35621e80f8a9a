//! Teardowns while other threads wait for the same child, read its output, or end it, too.

use super::{NEVER, REACHES, SHORT};
use crate::child::{cost, few, few_ways, ready, shell_by, wait_until_ended, ways};
use crate::own_process;
use crate::support::{self, children, exhaustive};
use fdspawn::{Change, Command, Process, Reach, Signal, Stdio, Teardown};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};
#[test]
fn waits_of_other_threads_go_on_until_all_is_ended_and_get_the_status() {
    // The child ends at once; the teardown gives the others more time.
    let script = "(trap '' TERM; echo; exec sleep 60) & wait";
    for way in few_ways() {
        let (child, _output) = ready(shell_by(way, script).process_group(0));
        let process = child.process();
        let how = Teardown::term(Duration::from_millis(150)).reach(Reach::Group).graces_for_all(true);
        let waits: [&(dyn Fn() -> _ + Sync); 5] = [
            &|| process.wait(),
            &|| process.wait_usage().map(|told| told.0),
            &|| child.wait_timeout(NEVER).map(Option::unwrap),
            &|| process.wait_deadline(Instant::now() + NEVER).map(Option::unwrap),
            &|| {
                let change = child.wait_change()?;
                let Change::Ended(status) = change else { panic!("{change:?}") };
                Ok(status)
            },
        ];
        std::thread::scope(|scope| {
            let ending = scope.spawn(|| process.end(&how));
            wait_until_ended(&child);
            assert_eq!(child.try_wait().unwrap(), None);
            assert_eq!(process.wait_timeout(Duration::from_millis(1)).unwrap(), None);
            let cheap = |wait: &(dyn Fn() -> fdspawn::Result<std::process::ExitStatus> + Sync)| {
                let mut status = None;
                let (time, _) = cost(|| status = Some(wait().unwrap()));
                assert!(time < Duration::from_millis(50), "a wait has taken {time:?} of a processor");
                status.unwrap()
            };
            let waiting = waits.map(|wait| scope.spawn(move || cheap(wait)));
            let ended = ending.join().unwrap().unwrap();
            assert_eq!(ended.by, Some(Signal::TERM));
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap(), ended.status);
            }
        });
    }
}

#[test]
fn child_is_ended_while_its_output_is_read() {
    for way in few_ways() {
        let script = "(trap '' TERM; echo text; exec sleep 60) & sleep 60";
        let child = shell_by(way, script).process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let process = child.process();
        let reading = std::thread::spawn(move || child.wait_with_output());
        std::thread::sleep(SHORT);
        let ended = process.end(&Teardown::term(NEVER).reach(Reach::Group)).unwrap();
        let output = reading.join().unwrap().unwrap();
        assert_eq!(output.status, ended.status);
        assert!(b"text\n".starts_with(&output.stdout[..]));
    }
}

#[test]
fn enders_at_the_same_time_get_one_status() {
    for way in few_ways() {
        for reach in few(&REACHES, way) {
            let (child, _output) = ready(shell_by(way, "sleep 60 & trap '' TERM; echo; exec sleep 60").setsid(true));
            let barrier = Barrier::new(4);
            let ends: Vec<_> = std::thread::scope(|scope| {
                let end = |grace| {
                    let (process, barrier) = (child.process(), &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        process.end(&Teardown::term(grace).reach(reach)).unwrap()
                    })
                };
                let ending = [end(SHORT), end(Duration::ZERO), end(SHORT / 2), end(NEVER)];
                ending.into_iter().map(|ending| ending.join().unwrap()).collect()
            });
            for ended in ends {
                assert_eq!(ended.status.signal(), Some(libc::SIGKILL), "{way:?} {reach:?}");
            }
        }
    }
}

own_process! {
    fn ends_beside_waits_end_their_own_children_and_no_status_is_lost() {
        const THREADS: usize = 8;
        // Each child gets a signal of its own: the status of a wrong target would show another one.
        const SIGNALS: [Signal; THREADS] = [
            Signal::TERM, Signal::KILL, Signal::HUP, Signal::USR1, Signal::USR2, Signal::INT, Signal::ALARM, Signal::VTALARM,
        ];
        let rounds = if exhaustive() { 2_000 } else { 64 } / THREADS;
        let bystander = support::command("sleep").arg("600").spawn().unwrap();
        let slots: Vec<Mutex<Option<Process>>> = (0..THREADS).map(|_| Mutex::new(None)).collect();
        let barrier = Barrier::new(THREADS);
        let all: Vec<_> = ways().collect();
        let work = |thread: usize| for round in 0..rounds {
            let way = all[(thread + round) % all.len()];
            let mut command = Command::new("sleep");
            command.arg("600").launcher(way.0).pidfd(way.1).setsid(true);
            *slots[thread].lock().unwrap() = Some(command.spawn().unwrap().process());
            barrier.wait();
            for other in (0..THREADS).map(|step| (thread + step) % THREADS) {
                let process = slots[other].lock().unwrap().clone().unwrap();
                let reach = REACHES[(round + other) % REACHES.len()];
                let status = if (round + thread).is_multiple_of(2) {
                    process.end(&Teardown::signal(SIGNALS[other], NEVER).reach(reach)).unwrap().status
                } else if thread == other {
                    process.end(&Teardown::signal(SIGNALS[other], NEVER)).unwrap().status
                } else {
                    process.wait().unwrap()
                };
                assert_eq!(status.signal(), Some(SIGNALS[other].as_raw()), "{way:?}");
            }
            barrier.wait();
        };
        std::thread::scope(|scope| for thread in 0..THREADS {
            // A thread that panics would leave the others at the barrier.
            scope.spawn(move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(thread)));
                // SAFETY: the process ends here.
                result.unwrap_or_else(|_| unsafe { libc::_exit(101) });
            });
        });
        assert_eq!(bystander.try_wait().unwrap(), None);
        bystander.end(&Teardown::kill()).unwrap();
        assert_eq!(children(), 0);
    }
}
