//! `--usage`: what the program has used.

use super::{LAUNCHERS, outcome, run};

/// The numbers of the text, in its order.
fn numbers(text: &str) -> Vec<f64> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn usage_follows_what_the_program_has_written() {
    for launcher in LAUNCHERS {
        let found = run(&format!(
            "fdrun --launcher {launcher} --usage -- sh -c 'echo ran; echo error >&2; sleep 0.01; exit 3'"
        ));
        assert_eq!((found.code, found.stdout.as_str()), (Some(3), "ran\n"), "{launcher}: {found:?}");
        let lines: Vec<&str> = found.stderr.lines().collect();
        let [error, times, memory, counts] = lines[..] else { panic!("{found:?}") };
        assert_eq!(error, "error");
        assert!(times.starts_with("fdrun: user "), "{times}");
        let [user, system, elapsed] = numbers(times)[..] else { panic!("{times}") };
        assert!(user >= 0.0 && system >= 0.0 && elapsed >= 0.01, "{times}");
        assert!(memory.starts_with("fdrun: peak memory ") && memory.contains("at least what fdrun had"), "{memory}");
        assert!(numbers(memory)[0] > 100.0, "{memory}");
        let [voluntary, _involuntary, minor, _major] = numbers(counts)[..] else { panic!("{counts}") };
        assert!(voluntary >= 1.0 && minor >= 1.0, "{counts}");
    }
}

#[test]
fn usage_tells_a_large_program_from_a_small_one() {
    let peak = |count: u64| {
        let program = format!("dd if=/dev/zero of=/dev/null bs={count}M count=1 status=none");
        let found = run(&format!("fdrun --usage -- {program}"));
        assert_eq!(found.code, Some(0), "{found:?}");
        numbers(found.stderr.lines().find(|line| line.contains("memory")).unwrap())[0]
    };
    let (small, large) = (peak(1), peak(64));
    assert!(large >= 64.0 * 1024.0 && small < 32.0 * 1024.0, "{small} {large}");
}

#[test]
fn usage_changes_no_status_and_needs_no_standard_error() {
    assert_eq!(run("fdrun --usage --timeout 0.1 -- sleep 60 2>/dev/null"), outcome(124, "", ""));
    assert_eq!(run("fdrun --usage -- sh -c 'exit 7' 2>&-"), outcome(7, "", ""));
    let found = run("{ fdrun --usage -- sh -c 'kill -9 $$'; echo $?; } 2>/dev/null");
    assert_eq!(found, outcome(0, "137\n", ""));
    let found = run("fdrun --usage -- /no/such/program");
    assert_eq!(found, outcome(127, "", "fdrun: cannot spawn `/no/such/program`: No such file or directory\n"));
}
