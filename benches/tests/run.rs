//! Runs the benchmark for a short time, and checks the files that it writes.

use serde_json::Value;
use std::fs;
use std::process::Command;

fn benches() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fdspawn-benches"))
}

#[test]
fn quick_run_writes_report_results_and_plots_of_the_chosen_parts() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("short-run");
    let _ = fs::remove_dir_all(&directory);
    let arguments = ["--quick", "--only", "busy", "--only", "mapped", "--out"];
    let output = benches().args(arguments).arg(&directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let results: Value = serde_json::from_slice(&fs::read(directory.join("results.json")).unwrap()).unwrap();
    let [mapped, busy] = results["parts"].as_array().unwrap().as_slice() else { panic!("{results}") };
    let rows = mapped["outcome"]["times"]["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["case"] == "raw limit") && rows.iter().any(|row| row["case"] == "fdspawn"));
    for row in rows {
        let cells = row["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 4);
        for cell in cells {
            let time = |name: &str| cell[name].as_u64().unwrap_or_else(|| panic!("{row}"));
            assert!(time("count") > 0 && time("least") > 0);
            assert!(
                time("least") <= time("lower") && time("lower") <= time("median") && time("median") <= time("upper")
            );
        }
    }
    let refused = busy["outcome"]["busy"]["rows"].as_array().unwrap();
    assert!(refused.len() >= 8 && refused.iter().all(|row| row["refused"].is_u64()), "{busy}");

    let report = fs::read_to_string(directory.join("report.md")).unwrap();
    for place in [env!("CARGO_MANIFEST_DIR"), env!("CARGO_BIN_EXE_fdspawn-benches")] {
        assert!(!report.contains(place) && !results.to_string().contains(place), "the results contain {place}");
    }
    assert_eq!(
        fs::read_to_string("/proc/sys/kernel/hostname").map(|name| report.contains(name.trim())).ok(),
        Some(false)
    );
    for plot in ["mapped.svg", "busy.svg"] {
        assert!(report.contains(plot) && directory.join(plot).is_file(), "{plot}");
    }

    // A run with --from prints the same report, and measures nothing.
    let output = benches().arg("--from").arg(directory.join("results.json")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), report.trim_end());
}

#[test]
fn tee_has_times_and_processor_times_of_the_size_that_was_asked_for() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("tee-run");
    let _ = fs::remove_dir_all(&directory);
    let output = benches().args(["--quick", "--only", "tee", "--size", "1", "--out"]).arg(&directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let results: Value = serde_json::from_slice(&fs::read(directory.join("results.json")).unwrap()).unwrap();
    let part = &results["parts"][0];
    assert!(part["remarks"].as_array().unwrap().contains(&Value::from("Each run moves 1 MiB.")), "{part}");
    let rows = part["outcome"]["times"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        for (time, processor_time) in
            row["cells"].as_array().unwrap().iter().zip(row["processor_times"].as_array().unwrap())
        {
            assert_eq!(time["count"], processor_time["count"], "{row}");
            assert!(processor_time["least"].as_u64().unwrap() > 0, "{row}");
        }
    }
    assert!(fs::read_to_string(directory.join("report.md")).unwrap().contains("processor time of the parent, ms"));
}

#[test]
fn missed_goal_fails_only_with_check() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("missed.json");
    let rows = r#"[{"case": "fdspawn", "refused": 1}]"#;
    let part =
        format!(r#"{{"name": "busy", "outcome": {{"busy": {{"programs": 8, "rows": {rows}}}}}, "remarks": []}}"#);
    let names =
        ["cpu", "kernel", "libc", "rustc", "compared", "date"].map(|name| format!(r#""{name}": "", "#)).concat();
    let machine = format!(r#"{{{names} "cores": 2, "memory": 1024}}"#);
    let results = format!(r#"{{"machine": {machine}, "quick": true, "seconds": 1, "parts": [{part}], "goals": []}}"#);
    fs::write(&file, results).unwrap();
    let output = benches().arg("--from").arg(&file).arg("--check").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("| 0 | 1 | missed |"));
    assert!(benches().arg("--from").arg(&file).output().unwrap().status.success());
}
